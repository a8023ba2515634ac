"""DDL in SQLAlchemy's words: what is sent is what the models say.

The server's words are for comparing. What it has once read, it may word in another way when it
reads that again: `status IN ('a')` becomes `status = ANY (ARRAY['a'::varchar])`, and then
`ARRAY[('a'::varchar)::text]`.
"""

from typing import Any, Mapping, Optional, Tuple, Type

from sqlalchemy import CheckConstraint, Column, Constraint, Index, Table
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.dialects.postgresql.base import PGDialect, PGIdentifierPreparer
from sqlalchemy.schema import CreateIndex, ExecutableDDLElement

from converge.quoting import identifier, qualified


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

Schemas = Mapping[Optional[str], str]  # the server's schema for each that the models name


def for_server(version: int) -> None:
    """Write what a server understands, by its `server_version_num`."""
    DIALECT.supports_virtual_generated_columns = version >= 180000


def written(element: ExecutableDDLElement, schemas: Schemas) -> str:
    """Return DDL, its tables, types and sequences qualified."""
    where: Any = {"schema_translate_map": schemas, "render_schema_translate": True}
    return str(element.compile(dialect=DIALECT, **where)).strip()


def index_written(index: Index, schemas: Schemas, operators: Mapping[str, str]) -> str:
    """Return what creates an index; `operators` has the qualified names of operator classes."""
    options = index.dialect_options["postgresql"]
    before = {name: options[name] for name in ("ops", "concurrently")}
    options["ops"] = {c: _operator(text, operators) for c, text in before["ops"].items()}
    options["concurrently"] = False  # how it is built is not the models' to say
    try:
        return written(CreateIndex(index), schemas)
    finally:
        for name, value in before.items():
            options[name] = value


def _operator(text: str, operators: Mapping[str, str]) -> str:
    """Return an operator class, maybe with parameters, by its qualified name."""
    name, bracket, parameters = text.partition("(")
    return operators.get(name.strip(), name.strip()) + bracket + parameters


def index_behind_name(index: Index, schemas: Schemas, operators: Mapping[str, str]) -> str:
    """Return what stands in CREATE INDEX behind the index's name."""
    unique = "UNIQUE " if index.unique else ""
    before = f"CREATE {unique}INDEX {DIALECT.identifier_preparer.format_index(index)} "
    sql = index_written(index, schemas, operators)
    assert sql.startswith(before), sql
    return sql[len(before) :]


def check_written(check: CheckConstraint) -> str:
    """Return a check's condition."""
    compiler = DIALECT.ddl_compiler(DIALECT, None).sql_compiler
    return str(compiler.process(check.sqltext, include_table=False, literal_binds=True))


def exclusion_written(exclusion: ExcludeConstraint) -> str:
    """Return what stands behind an exclusion constraint's name."""
    sql = str(DIALECT.ddl_compiler(DIALECT, None).process(exclusion))
    name = final_name(exclusion)
    before = "" if name is None else f"CONSTRAINT {identifier(name)} "
    assert sql.startswith(f"{before}EXCLUDE "), sql
    return sql[len(before) :]


def default_written(column: "Optional[Column[Any]]") -> Optional[str]:
    """Return a column's server default."""
    if column is None:
        return None
    found = DIALECT.ddl_compiler(DIALECT, None).get_column_default_string(column)
    return None if found is None else str(found)


def computed_written(column: "Optional[Column[Any]]") -> str:
    """Return what makes a column a generated or identity column; empty if it is neither."""
    if column is None:
        return ""
    made = column.computed if column.computed is not None else column.identity
    return "" if made is None else str(DIALECT.ddl_compiler(DIALECT, None).process(made))


def expression_written(column: "Optional[Column[Any]]") -> str:
    """Return what a generated column is computed by."""
    assert column is not None
    assert column.computed is not None
    compiler = DIALECT.ddl_compiler(DIALECT, None).sql_compiler
    text = column.computed.sqltext
    return str(compiler.process(text, include_table=False, literal_binds=True))


def final_name(thing: Any) -> Optional[str]:
    """Return the name of an index or constraint, cut as SQLAlchemy cuts those that it makes up.

    None if the server is to make one up.
    """
    if thing.name is None:
        return None
    # The keyword is Alembic's, which needs the same.
    name = DIALECT.identifier_preparer.format_constraint(thing, _alembic_quote=False)
    return None if name is None else str(name)


def unnamed(table: Table, kind: Type[Constraint]) -> Tuple[Any, ...]:
    """Return the constraints that the server gives names, in the order in which it does."""
    compiler = DIALECT.ddl_compiler(DIALECT, None)
    of_columns = [k for c in table.columns for k in c.constraints if isinstance(k, kind)]
    of_table = [
        constraint
        for constraint in table._sorted_constraints
        if isinstance(constraint, kind)
        and constraint not in of_columns
        and constraint._should_create_for_compiler(compiler)
    ]
    return tuple(found for found in [*of_columns, *of_table] if final_name(found) is None)


def relation(schemas: Schemas, table: Table) -> str:
    """Return the qualified name of a table."""
    return qualified(schemas[table.schema], table.name)
