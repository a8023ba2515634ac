"""The desired state: SQLAlchemy models, and the DDL that SQLAlchemy writes for them.

Nothing here asks a server.
"""

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from sqlalchemy import Index, MetaData, String, create_mock_engine, literal_column
from sqlalchemy.dialects.postgresql.base import PGDialect, PGIdentifierPreparer
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql import ColumnElement, visitors
from sqlalchemy.sql.elements import BindParameter, ColumnClause

from converge.names import (
    HISTORY_TABLE,
    NEW_PREFIX,
    OLD_PREFIX,
    TRIAL_SCHEMA,
    helper_name,
    sequence_name,
    suffixed,
)
from converge.plan import Kind
from converge.quoting import identifier, literal, qualified
from converge.server.catalog import Schema
from converge.server.inspect import ServerFacts
from converge.settings.extension import Extension
from converge.settings.variables import Settings


class _Preparer(PGIdentifierPreparer):
    """Quotes like all the rest of the SQL."""

    def _requires_quotes(self, value: str) -> bool:
        return identifier(value) != value


class _Dialect(PGDialect):
    preparer = _Preparer


# psycopg2 gets these texts without parameters, so nothing may be doubled in them: no `%`, which a
# parameter style of format would double, and no backslash (standard_conforming_strings is on).
DIALECT: Any = _Dialect(paramstyle="named")  # type: ignore[no-untyped-call]
DIALECT._backslash_escapes = False


class Creation(NamedTuple):
    """What creates a table, with its comments, or an index."""

    kind: Kind
    table: str
    name: str
    statements: Tuple[str, ...]


class Desired:
    """What a database should hold: the tables of `metadata` in each schema, with their indexes.

    `indexes` gives the indexes an order; they are attached to the tables. `backfills` are the
    values of the bind parameters in the models' backfills, by name. `date_shapes` are the shapes in
    which dates have been written as text, the preferred one first: `YYYY-MM-DD`.
    """

    def __init__(
        self,
        metadata: MetaData,
        *,
        extension: Extension,
        indexes: Sequence[Index] = (),
        backfills: Optional[Mapping[str, str]] = None,
        date_shapes: Sequence[str] = ("YYYY-MM-DD",),
    ) -> None:
        self.metadata, self.extension = metadata, extension
        self.backfills, self.date_shapes = dict(backfills or {}), tuple(date_shapes)
        self.tables = tuple(metadata.tables)
        self._index_order = {str(index.name): number for number, index in enumerate(indexes)}
        # What the server made of it, by the schema of the extension: it is asked once.
        self.in_server_words: Dict[str, Schema] = {}

    @property
    def names(self) -> List[str]:
        """All names that a run, or who follows its advice, may give to something in a schema."""
        tables = self.metadata.sorted_tables
        found = [HISTORY_TABLE, *self.tables]
        found += [str(index.name) for table in tables for index in table.indexes]
        found += [sequence_name(table.name, c.name) for table in tables for c in table.columns]
        found += [
            str(k.name or f"{table.name}_pkey") for table in tables for k in table.constraints
        ]
        helpers = [
            helper_name(prefix, name) for prefix in (NEW_PREFIX, OLD_PREFIX) for name in found
        ]
        renamed = [suffixed(name, "_old") for name in found]  # as a refusal says; see `free_name`
        return found + helpers + renamed

    def trial_home(self, settings: Settings, facts: ServerFacts) -> str:
        """Return the schema in which the extension lives while the desired state is tried out."""
        if facts.lacks_extension and facts.home is None:
            # Not by the name that it will have: it would look as if it were there already.
            return TRIAL_SCHEMA
        return facts.extension_home(settings)

    def trial_ddl(self, settings: Settings, facts: ServerFacts) -> List[str]:
        """Return what creates all in `pg_temp`, in a transaction that is open."""
        home = self.trial_home(settings, facts)
        if facts.lacks_extension and not facts.extension_permitted:
            return ["SET LOCAL search_path = pg_temp", *self._without_extension()]
        statements = [f"CREATE SCHEMA {home}"] if home == TRIAL_SCHEMA else []
        if facts.lacks_extension:
            statements.append(self.create_extension(home))
        statements.append(f"SET LOCAL search_path = pg_temp, {identifier(home)}")
        return statements + [sql for creation in self.create_all() for sql in creation.statements]

    def _without_extension(self) -> List[str]:
        """Leave out the indexes that take the extension: where it is missing, they are too."""
        theirs = {str(i.name) for t in self.metadata.tables.values() for i in t.indexes if _ops(i)}
        created = self.create_all()
        return [sql for c in created if c.name not in theirs for sql in c.statements]

    def create_extension(self, home: str) -> str:
        """Return the statement that creates the extension in a schema."""
        return f"CREATE EXTENSION {identifier(self.extension.name)} SCHEMA {identifier(home)}"

    def create_all(
        self,
        schema: Optional[str] = None,
        extension_schema: Optional[str] = None,
        tables: Optional[Set[str]] = None,
    ) -> List[Creation]:
        """Return what creates the tables and indexes, in order; `tables` limits them.

        Without a schema all is unqualified, with one nothing is.
        """
        created: Dict[str, Creation] = {}

        def collect(element: Any, *_: Any, **__: Any) -> None:
            target = element.element
            name, sql = str(target.name), _written(element, schema, extension_schema)
            if isinstance(element, CreateTable):
                created[name] = Creation(Kind.CREATE_TABLE, name, name, (sql,))
            elif isinstance(element, CreateIndex):
                created[name] = Creation(Kind.CREATE_INDEX, target.table.name, name, (sql,))
            else:
                commented = created[getattr(target, "table", target).name]
                statements = (*commented.statements, sql)
                created[commented.name] = commented._replace(statements=statements)

        wanted = [t for t in self.metadata.sorted_tables if tables is None or t.name in tables]
        engine = create_mock_engine("postgresql+psycopg2://", collect)
        self.metadata.create_all(engine, tables=wanted, checkfirst=False)
        # SQLAlchemy keeps a table's indexes in a set; a plan reads the same every time.
        order = {table.name: number for number, table in enumerate(wanted)}
        place = self._index_order
        return sorted(created.values(), key=lambda c: (order[c.table], place.get(c.name, -1)))

    def backfill(self, table: str, column: str) -> "Optional[Backfill]":
        """Return what the models put into rows that have no value for the column, if they say."""
        expression = self.metadata.tables[table].columns[column].info.get("backfill")
        return None if expression is None else Backfill(expression, self.backfills)


def _written(element: Any, schema: Optional[str], extension_schema: Optional[str]) -> str:
    """Return DDL as SQLAlchemy writes it, in a schema, with the extension's operator classes."""
    options = element.element.dialect_options["postgresql"]
    operators = _ops(element.element) if isinstance(element, CreateIndex) else {}
    if operators and extension_schema is not None:
        options["ops"] = {
            column: qualified(extension_schema, name) for column, name in operators.items()
        }
    where = {"schema_translate_map": {None: schema}, "render_schema_translate": True}
    try:
        return str(element.compile(dialect=DIALECT, **(where if schema else {}))).strip()
    finally:
        if operators:
            options["ops"] = operators


def _ops(index: Index) -> Mapping[str, str]:
    """Return an index's operator classes by column; they are the extension's."""
    operators: Mapping[str, str] = index.dialect_options["postgresql"]["ops"]
    return operators


class Backfill:
    """A SQL value for the rows of a table; computed if it refers to other columns."""

    def __init__(self, expression: "ColumnElement[Any]", values: Mapping[str, str]) -> None:
        self.expression, self.values = expression, values
        elements = visitors.iterate(expression)
        self.columns = sorted(e.name for e in elements if isinstance(e, ColumnClause))

    @property
    def computed(self) -> bool:
        return bool(self.columns)

    def sql(self, values: Optional[Mapping[str, str]] = None) -> str:
        """Return it as SQL. `values` puts other SQL in the place of a column."""
        stand_ins: Dict[str, str] = dict(values or {})

        def replace(element: Any, **_: Any) -> Any:
            if isinstance(element, ColumnClause) and element.name in stand_ins:
                return literal_column(stand_ins[element.name])
            if isinstance(element, BindParameter) and element.key in self.values:
                return literal_column(literal(self.values[element.key]), String())
            return None

        expression = visitors.replacement_traverse(self.expression, {}, replace)
        return str(expression.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))
