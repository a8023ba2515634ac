"""SQL text: what SQLAlchemy writes for the models, and the quoting of every name and literal.

Nothing here asks a server, and nothing elsewhere quotes.
"""

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Set, Tuple

from sqlalchemy import MetaData, String, create_mock_engine, literal
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.schema import CreateIndex, CreateTable, SchemaConst
from sqlalchemy.sql import ColumnElement, literal_column, visitors
from sqlalchemy.sql.elements import BindParameter, ColumnClause

import indexes
import models

# psycopg2 gets these texts without parameters, so nothing may be doubled in them: no `%`, which a
# parameter style of format would double, and no backslash (standard_conforming_strings is on).
DIALECT: Any = PGDialect(paramstyle="named")  # type: ignore[no-untyped-call]
DIALECT._backslash_escapes = False

METADATA = models.Base.metadata
INDEXES = indexes.INDEXES  # importing them attached them to the tables


def quote(name: str) -> str:
    """Quote an identifier where PostgreSQL wants it."""
    return str(DIALECT.identifier_preparer.quote(name))


def qualified(schema: str, name: str) -> str:
    """Quote `schema.name`."""
    return f"{quote(schema)}.{quote(name)}"


def text_literal(value: str) -> str:
    """Quote a string so that it reads the same whatever standard_conforming_strings is."""
    escape = "E" if "\\" in value else ""
    return escape + _compiled(literal(value.replace("\\", "\\\\")))


class Creation(NamedTuple):
    """What creates a table, with its comments, or an index."""

    kind: str  # 'create table' or 'create index'
    table: str
    name: str
    statements: Tuple[str, ...]


def create_all(
    schema: Optional[str] = None,
    extension_schema: Optional[str] = None,
    tables: Optional[Set[str]] = None,
) -> List[Creation]:
    """Return what creates the models' tables and indexes, in order; `tables` limits them.

    Without a schema all is unqualified, with one nothing is.
    """
    metadata = MetaData()
    for table in METADATA.sorted_tables:
        copy = table.to_metadata(metadata, schema=schema or SchemaConst.RETAIN_SCHEMA)
        for index in copy.indexes:
            operators = index.dialect_options["postgresql"]["ops"]
            if extension_schema is not None:
                index.dialect_options["postgresql"]["ops"] = {
                    column: qualified(extension_schema, operator)
                    for column, operator in operators.items()
                }
    created: Dict[str, Creation] = {}

    def collect(element: Any, *_: Any, **__: Any) -> None:
        target, sql = element.element, str(element.compile(dialect=DIALECT)).strip()
        if isinstance(element, CreateTable):
            created[target.name] = Creation("create table", target.name, target.name, (sql,))
        elif isinstance(element, CreateIndex):
            created[target.name] = Creation("create index", target.table.name, target.name, (sql,))
        else:
            commented = created[getattr(target, "table", target).name]
            statements = (*commented.statements, sql)
            created[commented.name] = commented._replace(statements=statements)

    wanted = [t for t in metadata.sorted_tables if tables is None or t.name in tables]
    engine = create_mock_engine("postgresql+psycopg2://", collect)
    metadata.create_all(engine, tables=wanted, checkfirst=False)
    # SQLAlchemy keeps a table's indexes in a set; a plan reads the same every time.
    order = {table.name: number for number, table in enumerate(wanted)}
    place = {str(index.name): number for number, index in enumerate(INDEXES)}
    return sorted(created.values(), key=lambda c: (order[c.table], place.get(c.name, -1)))


def backfill(table: str, column: str, *, default_user_email: str) -> "Optional[Backfill]":
    """Return what the models put into rows that have no value for the column, if they say."""
    expression = METADATA.tables[table].columns[column].info.get("backfill")
    if expression is None:
        return None
    return Backfill(expression, {"default_user_email": default_user_email})


class Backfill:
    """A SQL value for the rows of a table; computed if it refers to other columns."""

    def __init__(self, expression: "ColumnElement[Any]", settings: Mapping[str, str]) -> None:
        self.expression, self.settings = expression, settings
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
            if isinstance(element, BindParameter) and element.key in self.settings:
                return literal_column(text_literal(self.settings[element.key]), String())
            return None

        return _compiled(visitors.replacement_traverse(self.expression, {}, replace))


def _compiled(expression: Any) -> str:
    return str(expression.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))
