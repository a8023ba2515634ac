"""The safety rules for columns: missing, or with another default or comment."""

from typing import List, Tuple

from converge.compare import ddl
from converge.compare.generated import add_generated, change_generated
from converge.compare.sequences import draw_numbers
from converge.compare.table import FROM_A_SEQUENCE, ColumnPair, ComparedTable
from converge.compare.types import change_type
from converge.names import free_name
from converge.plan import Kind, Lock, Undo, WayOut
from converge.quoting import identifier, literal
from converge.server.catalog import Column
from converge.text import counted

SERIAL = {"smallint": "SMALLSERIAL", "integer": "SERIAL", "bigint": "BIGSERIAL"}


def add_and_change(table: ComparedTable) -> None:
    """Add the missing columns and change types and defaults; unknown columns are left alone."""
    missing = []
    for name, desired in table.desired.columns.items():
        if name not in table.live.columns:
            missing.append((name, desired))
            continue
        pair = table.pair(name)
        if pair.live.generated or pair.desired.generated:
            change_generated(table, pair)
        else:
            change_type(table, pair)
            change_default(table, pair)
    # Those computed from other columns last, when it is known what the others will hold.
    for name, desired in sorted(
        missing, key=lambda m: (table.computed(m[0]), m[1].generated != "")
    ):
        add(table, name, desired)
    unmanaged = [name for name in table.live.columns if name not in table.desired.columns]
    if unmanaged:
        table.notes.append(f"columns of {table.relation}: {', '.join(unmanaged)}")


def add(table: ComparedTable, name: str, desired: Column) -> None:
    """Add a missing column, without rewriting the table unless a sequence numbers its rows."""
    backfill = table.backfill(name)
    if desired.generated:
        add_generated(table, name, desired)
        return
    if desired.default == FROM_A_SEQUENCE:
        add_numbered(table, name, desired)
        return
    if desired.not_null and desired.default is None:
        unknown = [c for c in (backfill.columns if backfill else []) if c not in table.values]
        if (backfill is None or unknown) and table.has_rows():
            refuse_without_backfill(table, name, desired, table.count())
            return
    statements, value = _addition(table, name, desired)
    table.values[name] = f"NULL::{desired.type}" if value == "NULL" else value
    if backfill is not None and backfill.computed:
        value = backfill.sql()  # in terms of the columns as they will be
    table.step(
        Kind.ADD_COLUMN,
        name,
        "it is missing" if value == "NULL" else f"it is missing; existing rows get {value}",
        statements,
        undo=_drop(table, name, f"::text IS DISTINCT FROM ({value})::text"),
    )


def _drop(table: ComparedTable, name: str, lost_where: str) -> Undo:
    """Return what takes a column back, unless that would lose what a condition says of it."""
    # Without the table's name, that of a column that is gone could be the table's: a whole row.
    guard = f"{identifier(table.name)}.{identifier(name)}{lost_where}"
    saved = free_name(name, "_saved", [*table.live.columns, *table.desired.columns])
    keep = [
        table.alter(f"RENAME COLUMN {identifier(name)} TO {identifier(saved)}"),
        table.alter_column(saved, "DROP NOT NULL"),  # for INSERTs that do not name it
    ]
    key_name, key = table.desired.primary_key
    if key_name and key and name in (key.columns or []):  # its columns can't be made nullable
        keep.insert(0, table.alter(f"DROP CONSTRAINT {identifier(key_name)}"))
    drop = table.alter(f"DROP COLUMN {identifier(name)}")
    return Undo(statements=(drop,), guard=guard, keep=tuple(keep))


def _addition(table: ComparedTable, name: str, desired: Column) -> Tuple[List[str], str]:
    """Return the statements that add a column, and what it then holds in existing rows."""
    column = f"ADD COLUMN {identifier(name)} {desired.type}"
    backfill = table.backfill(name)
    if desired.default_sql is not None:
        null = " NOT NULL" if desired.not_null else ""
        statement = f"{column} DEFAULT {table.default_written(name)}{null}"
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


def add_numbered(table: ComparedTable, name: str, desired: Column) -> None:
    """Add a column whose sequence numbers the rows, which rewrites the table."""
    statement = table.alter(f"ADD COLUMN {identifier(name)} {_numbered(table, name, desired)}")
    if table.refuse_large(name, "is missing; a sequence numbers the rows.", [statement]):
        return
    table.values[name] = "ctid"  # unlike in every row, as the numbers will be
    table.step(
        Kind.ADD_COLUMN,
        name,
        "it is missing; a sequence numbers the rows",
        [statement],
        lock=Lock.REWRITE,
        creates=True,
        undo=_drop(table, name, " IS NOT NULL"),
    )


def _numbered(table: ComparedTable, name: str, desired: Column) -> str:
    """Return the definition of a column whose sequence numbers the rows."""
    if desired.identity:
        words = ddl.computed_written(table.models.column(table.name, name))
        return f"{desired.type} {words}"
    null = " NOT NULL" if desired.not_null else ""
    if desired.sequence is not None and desired.sequence.owned:
        return SERIAL[desired.type] + null
    return f"{desired.type} DEFAULT {table.default_written(name)}{null}"


def change_default(table: ComparedTable, pair: ColumnPair) -> None:
    """Set the model's default; a live default where the model has none is left alone."""
    name, live, desired = pair
    if desired.default == FROM_A_SEQUENCE:
        draw_numbers(table, pair)
        return
    if desired.default is None or table.has_default(name):
        return
    before = "DROP DEFAULT" if live.default_sql is None else f"SET DEFAULT {live.default_sql}"
    table.step(
        Kind.SET_DEFAULT,
        name,
        f"it is {live.default or 'missing'}; the model says {desired.default}",
        [table.alter_column(name, f"SET DEFAULT {table.default_written(name)}")],
        undo=Undo(statements=(table.alter_column(name, before),)),
    )


def comments(table: ComparedTable) -> None:
    """Write the models' comments; a live comment where the model has none is left alone."""
    statements, undo, changes, added = [], [], [], set()
    wanted = [("TABLE " + table.relation, "", table.desired.comment, table.live.comment)]
    for name, desired in table.desired.columns.items():
        live = table.live.columns.get(name)
        column = f"COLUMN {table.relation}.{identifier(name)}"
        if live is not None or name in table.values:
            wanted.append((column, f"{name} ", desired.comment, live.comment if live else None))
        if live is None:
            added.add(column)
    for name, wished in table.desired.constraints.items():
        known = table.live_names.get(name, name)
        there = table.live.constraints.get(known)
        if there is not None and table.has_constraint(known, name):
            target = f"CONSTRAINT {identifier(known)} ON {table.relation}"
            wanted.append((target, f"{known} ", wished.comment, there.comment))
    for target, subject, text, before in wanted:
        if text is not None and text != before:
            statements.append(f"COMMENT ON {target} IS {literal(text)}")
            if target not in added:  # which go with their comments
                old = "NULL" if before is None else literal(before)
                undo.append(f"COMMENT ON {target} IS {old}")
            was = "" if before is None else f"was {before!r}, "
            changes.append(f"{subject}{was}is to be {text!r}")
    if statements:
        table.step(
            Kind.SET_COMMENTS,
            table.name,
            "; ".join(changes),
            statements,
            lock=Lock.SHARED,
            undo=Undo(statements=tuple(undo), lock=Lock.SHARED),
        )


def refuse_without_backfill(table: ComparedTable, name: str, desired: Column, rows: int) -> None:
    """Refuse a column for which existing rows have no value."""
    nullable = table.alter(f"ADD COLUMN {identifier(name)} {desired.type}")
    table.refuse(
        name,
        "is missing; the model requires NOT NULL and declares no backfill for existing rows.",
        f"The table has {counted(rows, 'row')}.",
        way_out=WayOut("Add it, fill every row, then run again:", (nullable,)),
    )
