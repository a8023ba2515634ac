"""The safety rules for columns: missing, or with another default or comment."""

from typing import List, Tuple

from converge.compare import desired as ddl
from converge.compare.table import FROM_A_SEQUENCE, Difference
from converge.compare.types import change_type, too_large
from converge.plan import Lock
from converge.server.catalog import Column
from converge.text import counted

SERIAL = {"smallint": "SMALLSERIAL", "integer": "SERIAL", "bigint": "BIGSERIAL"}


def add_and_change(table: Difference) -> None:
    """Add the missing columns and change types and defaults; unknown columns are left alone."""
    missing = []
    for name, desired in table.desired.columns.items():
        live = table.live.columns.get(name)
        if live is None:
            missing.append((name, desired))
        elif live.generated:
            refuse_generated(table, name, desired)
        else:
            change_type(table, name, live, desired)
            change_default(table, name, live, desired)
    # Those computed from other columns last, when it is known what the others will hold.
    for name, desired in sorted(missing, key=lambda item: table.computed(item[0])):
        add(table, name, desired)
    unmanaged = [name for name in table.live.columns if name not in table.desired.columns]
    if unmanaged:
        table.notes.append(f"columns of {table.relation}: {', '.join(unmanaged)}")


def refuse_generated(table: Difference, name: str, desired: Column) -> None:
    table.refuse(
        name,
        f"is a generated column, the model says a plain {desired.type}.",
        way_out=f"On PostgreSQL 13 or newer: {table.alter_column(name, 'DROP EXPRESSION')};",
    )


def add(table: Difference, name: str, desired: Column) -> None:
    """Add a missing column, without rewriting the table unless a sequence numbers its rows."""
    backfill = table.backfill(name)
    if desired.default == FROM_A_SEQUENCE:
        add_numbered(table, name, desired)
        return
    if desired.not_null and desired.default is None:
        unknown = [c for c in (backfill.columns if backfill else []) if c not in table.values]
        if (backfill is None or unknown) and table.has_rows():
            refuse_without_backfill(table, name, desired, table.count())
            return
    statements, value = _addition(table, name, desired)
    table.values[name] = value
    if backfill is not None and backfill.computed:
        value = backfill.sql()  # in terms of the columns as they will be
    filled_otherwise = f"{ddl.quote(name)}::text IS DISTINCT FROM ({value})::text"
    table.step(
        "add column",
        name,
        "it is missing" if value == "NULL" else f"it is missing; older rows get {value}",
        statements,
        undo=[table.alter(f"DROP COLUMN {ddl.quote(name)}")],
        guard=f"SELECT count(*) FROM {table.relation} WHERE {filled_otherwise}",
    )


def _addition(table: Difference, name: str, desired: Column) -> Tuple[List[str], str]:
    """Return the statements that add a column, and what it then holds in older rows."""
    column = f"ADD COLUMN {ddl.quote(name)} {desired.type}"
    backfill = table.backfill(name)
    if desired.default_sql is not None:
        null = " NOT NULL" if desired.not_null else ""
        statement = f"{column} DEFAULT {desired.default_sql}{null}"
        return [table.alter(statement)], desired.default_sql
    if not desired.not_null:
        return [table.alter(column)], "NULL"
    if backfill is None:
        return [table.alter(f"{column} NOT NULL")], "NULL"
    if backfill.computed:
        return [table.alter(column)], backfill.sql(table.values)
    # The constant is stored once, in the catalog: no row is touched.
    # https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES
    with_default = table.alter(f"{column} DEFAULT {backfill.sql()} NOT NULL")
    return [with_default, table.alter_column(name, "DROP DEFAULT")], backfill.sql()


def add_numbered(table: Difference, name: str, desired: Column) -> None:
    """Add a column whose sequence numbers the rows, which rewrites the table."""
    statement = table.alter(f"ADD COLUMN {ddl.quote(name)} {SERIAL[desired.type]} NOT NULL")
    if too_large(table, name, "is missing; a sequence numbers the rows.", statement):
        return
    table.values[name] = "ctid"  # unlike in every row, as the numbers will be
    table.step(
        "add column",
        name,
        "it is missing; a sequence numbers the rows",
        [statement],
        lock=Lock.REWRITE,
        undo=[table.alter(f"DROP COLUMN {ddl.quote(name)}")],
        guard=f"SELECT count(*) FROM {table.relation}",
        undo_lock=Lock.INSTANT,
    )


def change_default(table: Difference, name: str, live: Column, desired: Column) -> None:
    """Set the model's default; a live default where the model has none is left alone."""
    if desired.default is None or live.default == desired.default:
        return
    if desired.default == FROM_A_SEQUENCE:
        restore_sequence(table, name)
        return
    before = "DROP DEFAULT" if live.default_sql is None else f"SET DEFAULT {live.default_sql}"
    table.step(
        "set default",
        name,
        f"it is {live.default or 'missing'}, the model says {desired.default}",
        [table.alter_column(name, f"SET DEFAULT {desired.default_sql}")],
        undo=[table.alter_column(name, before)],
    )


def restore_sequence(table: Difference, name: str) -> None:
    """Let a column draw from its sequence again, from beyond the highest number in use."""
    sequence_name = f"{table.name}_{name}_seq"
    sequence = ddl.qualified(table.schema, sequence_name)
    column = ddl.quote(name)
    exists = table.relations.get(sequence_name) == "S"
    if sequence_name in table.relations and not exists:
        table.refuse_taken(sequence_name, "a sequence")
        return
    if sequence_name in table.foreign:
        own = f"ALTER SEQUENCE {sequence} OWNER TO {ddl.quote(table.settings.user)}"
        way_out = f"Let an administrator run:\n    {own};"
        table.refuse(
            name, f"draws from no sequence; {sequence} is another role's.", way_out=way_out
        )
        return
    owner = f"OWNED BY {table.relation}.{column}"
    regclass = f"{ddl.text_literal(sequence)}::regclass"
    create = (
        f"ALTER SEQUENCE {sequence} {owner}" if exists else f"CREATE SEQUENCE {sequence} {owner}"
    )
    highest = f"COALESCE(max({column}), 0) + 1"
    go_on = f"SELECT setval({regclass}, {highest}, false) FROM {table.relation}"
    table.step(
        "set default",
        name,
        "it draws from no sequence",
        [
            f"LOCK TABLE {table.relation}",  # nobody may take a number between max() and setval()
            create,
            go_on,
            table.alter_column(name, f"SET DEFAULT nextval({regclass})"),
        ],
        undo=[table.alter_column(name, "DROP DEFAULT")]
        + ([] if exists else [f"DROP SEQUENCE {sequence}"]),
    )


def comments(table: Difference) -> None:
    """Write the models' comments; a live comment where the model has none is left alone."""
    statements, undo = [], []
    wanted = [("TABLE " + table.relation, table.desired.comment, table.live.comment)]
    for name, desired in table.desired.columns.items():
        live = table.live.columns.get(name)
        column = f"COLUMN {table.relation}.{ddl.quote(name)}"
        if live is not None or name in table.values:
            wanted.append((column, desired.comment, live.comment if live else None))
    for target, text, before in wanted:
        if text is not None and text != before:
            statements.append(f"COMMENT ON {target} IS {ddl.text_literal(text)}")
            old = "NULL" if before is None else ddl.text_literal(before)
            undo.append(f"COMMENT ON {target} IS {old}")
    if statements:
        why = "they differ from the models"
        table.step("comment", "comments", why, statements, lock=Lock.SHARED, undo=undo)


def refuse_without_backfill(table: Difference, name: str, desired: Column, rows: int) -> None:
    nullable = table.alter(f"ADD COLUMN {ddl.quote(name)} {desired.type}")
    table.refuse(
        name,
        "is missing, the model says NOT NULL and no value for older rows.",
        f"The table has {counted(rows, 'row')}.",
        way_out=f"Add it, fill every row, then run again:\n    {nullable};",
    )
