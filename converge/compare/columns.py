"""The safety rules for columns: missing, or with another default or comment."""

import re
from typing import List, Tuple

from converge.compare import ddl
from converge.compare.computed import writes
from converge.compare.domains import default_of_domain, refuse_by_domain
from converge.compare.generated import add_generated, change_generated, waits
from converge.compare.order import in_order
from converge.compare.refusals import refuse_large
from converge.compare.sequences import draw_numbers
from converge.compare.table import FROM_A_SEQUENCE, ColumnPair, ComparedTable, alter_column
from converge.compare.types import change_type
from converge.compare.words import default_written, has_default
from converge.names import free_name
from converge.plan import WayOut
from converge.quoting import identifier, literal
from converge.server.catalog import Column
from converge.steps import Kind, Lock, Undo
from converge.text import counted

# A constant as the server words it: its text is the same at any time.
QUOTED = "'([^']|'')*'"
LITERAL = re.compile(
    rf'-?[0-9.]+|true|false|NULL|{QUOTED}(::[\w .()\[\]"]+)?|CAST\({QUOTED} AS [\w \[\]]+\)'
)
SERIAL = {"smallint": "SMALLSERIAL", "integer": "SERIAL", "bigint": "BIGSERIAL"}


def add_and_change(table: ComparedTable) -> None:
    """Add the missing columns and change types and defaults; unknown columns are left alone."""
    missing = []
    for name, desired in table.desired.columns.items():
        if desired.inherited:
            continue  # what becomes of its parent's becomes of it
        if waits(table, name):
            continue  # it is added or changed once its sources are filled: computed_from_filled
        if name not in table.live.columns:
            missing.append(name)
            continue
        pair = table.pair(name)
        if pair.live.generated or pair.desired.generated:
            change_generated(table, pair)
        else:
            change_type(table, pair)
            change_default(table, pair)
    # Those computed from other columns last, when it is known what the others will hold.
    missing.sort(key=lambda name: (table.computed(name), table.desired.columns[name].generated))
    for name in in_order(table, missing):
        add(table, name, table.desired.columns[name])
    unmanaged = [name for name in table.live.columns if name not in table.desired.columns]
    for name in unmanaged:
        live = table.live.columns[name]
        drop = table.alter(f"DROP COLUMN {identifier(name)}")
        table.leave("column", name, None if live.inherited else drop)
        _warn_if_required(table, name, live)


def _warn_if_required(table: ComparedTable, name: str, live: Column) -> None:
    """Warn of a column for which the models' INSERT, which does not know it, has no value."""
    if not live.not_null or live.default is not None or live.generated or live.identity:
        return
    column = f"{table.relation}.{identifier(name)}"
    warning = (
        f"{column} is NOT NULL without a default, and not in the models: an INSERT that leaves it "
        "out fails, unless a trigger or its domain gives it a value."
    )
    constraints = table.live.constraints.values()
    indexes = [*table.live.indexes.values(), *(found.owned_index for found in constraints)]
    keys = [found.columns for found in constraints if found.kind == "p"]
    keys += [index.columns for index in indexes if index is not None and index.identity]
    if not live.inherited and not any(name in (columns or ()) for columns in keys):
        optional = table.alter_column(name, "DROP NOT NULL")  # which else the server refuses
        warning = f"{warning} {WayOut('This lets it be left out:', (optional,))}"
    table.warnings.append(warning)


def add(table: ComparedTable, name: str, desired: Column) -> None:
    """Add a missing column, without rewriting the table unless each row gets another value."""
    if desired.generated:
        add_generated(table, name, desired)
    elif desired.default == FROM_A_SEQUENCE:
        add_numbered(table, name, desired)
    elif not _refuse_to_add(table, name, desired):
        _add_plain(table, name, desired)


def _refuse_to_add(table: ComparedTable, name: str, desired: Column) -> bool:
    """Refuse a column for whose existing rows there is no value, or none that would be told."""
    backfill = table.backfill(name)
    if desired.not_null and desired.default is None:
        unknown = [c for c in (backfill.columns if backfill else []) if c not in table.values]
        if (backfill is None or unknown) and table.has_rows():
            refuse_without_backfill(table, name, desired, table.count())
            return True
    if not desired.not_null and table.computed(name) and table.has_rows():
        _refuse_to_fill(table, name, desired)
        return True
    return False


def _add_plain(table: ComparedTable, name: str, desired: Column) -> None:
    """Add a column whose rows get a default, a backfill, or nothing yet."""
    backfill = table.backfill(name)
    changes, value = _addition(table, name, desired)
    statements = [table.alter(change) for change in changes]
    from_others = backfill is not None and backfill.columns
    drawn = value == desired.default_sql  # maybe for each row
    stored = default_written(table, name) if drawn else "NULL" if from_others else value
    lock = table.lock_of_default(name, desired.type, stored)
    if lock is Lock.REWRITE:
        if "." in desired.type and refuse_by_domain(table, name, changes[0]):
            return
        what = "is missing; the server writes a value into each row."
        by_hand = _by_hand(table, name, desired, stored) if drawn else statements
        if refuse_large(table, name, what, by_hand):
            return
    table.values[name] = value if from_others else f"({value})::{desired.type}"
    known = value
    if backfill is not None and table.computed(name):
        value = backfill.sql()  # in terms of the columns as they will be
        known = "NULL" if writes(table, backfill) else value
    table.step(
        Kind.ADD_COLUMN,
        name,
        "it is missing" if value == "NULL" else f"it is missing; existing rows get {value}",
        statements,
        lock=lock,
        undo=_drop(table, name, _lost_where(table, name, known, lock)),
    )


def _refuse_to_fill(table: ComparedTable, name: str, desired: Column) -> None:
    """Refuse a backfill of which nobody could tell, after an interruption, what it has to fill."""
    backfill = table.backfill(name)
    value = backfill.sql() if backfill else ""
    table.refuse(
        name,
        f"is missing and nullable; the models fill it with {value}.",
        "Rows that are NULL later could be meant to be.",
        way_out=WayOut(
            "Let the models say NOT NULL, or type:", tuple(_by_hand(table, name, desired, value))
        ),
    )


def _by_hand(table: ComparedTable, name: str, desired: Column, value: str) -> List[str]:
    """Return what adds a column and fills it, without a rewrite."""
    column = identifier(name)
    default = default_written(table, name) if desired.default_sql else None
    add = table.alter(f"ADD COLUMN {column} {desired.type}")
    set_default = [table.alter_column(name, f"SET DEFAULT {default}")] if default else []
    return [add, *set_default, f"UPDATE {table.relation} SET {column} = {value}"]


def _lost_where(table: ComparedTable, name: str, value: str, lock: Lock) -> str:
    """Return what is true for a column of a row that holds more than the addition put there."""
    column = f"{identifier(table.name)}.{identifier(name)}"
    if lock is Lock.REWRITE:
        return f"{column} IS NOT NULL"
    stored = f"(({value})::{table.desired.columns[name].type})::text"
    lost = f"{column}::text IS DISTINCT FROM {stored}"
    if value == "NULL" or LITERAL.fullmatch(value) or table.distributed:
        return lost  # where rows are elsewhere, what now() was then is not known here
    # What now() was then. https://www.postgresql.org/docs/current/catalog-pg-attribute.html
    then = (
        "SELECT (attmissingval::text::text[])[1] FROM pg_attribute "
        f"WHERE attrelid = {identifier(table.name)}.tableoid AND attname = {literal(name)}"
    )
    return f"{lost} AND {column}::text IS DISTINCT FROM ({then})"


def _drop(table: ComparedTable, name: str, lost: str) -> Undo:
    """Return what takes a column back, unless that would lose what a condition says of it.

    There the column has the table's name before it: without, that of a column that is gone could
    be the table's, a whole row.
    """
    saved = free_name(name, "_saved", [*table.live.columns, *table.desired.columns])
    keep = [
        table.alter(f"RENAME COLUMN {identifier(name)} TO {identifier(saved)}"),
        table.alter_column(saved, "DROP NOT NULL"),  # for INSERTs that do not name it
    ]
    key_name, key = table.desired.primary_key
    if key_name and key and name in (key.columns or []):  # its columns can't be made nullable
        keep.insert(0, table.alter(f"DROP CONSTRAINT {identifier(key_name)}"))
    drop = table.alter(f"DROP COLUMN {identifier(name)}")
    return Undo(statements=(drop,), guard=lost, keep=tuple(keep))


def _addition(table: ComparedTable, name: str, desired: Column) -> Tuple[List[str], str]:
    """Return the changes that add a column, and what it then holds in existing rows."""
    column = f"ADD COLUMN {identifier(name)} {desired.type}"
    null = " NOT NULL" if desired.not_null else ""
    backfill, default = table.backfill(name), desired.default_sql
    written = None if default is None else default_written(table, name)
    later = [] if written is None else [alter_column(name, f"SET DEFAULT {written}")]
    if backfill is None:
        if default is None:
            return [f"{column}{null}"], default_of_domain(table, desired)
        return [f"{column} DEFAULT {written}{null}"], default
    if table.computed(name):
        return [column, *later], backfill.sql(table.values) if backfill.columns else "NULL"
    # The constant is stored once, in the catalog: no row is touched.
    # https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES
    add = f"{column} DEFAULT {backfill.sql()}{null}"
    return [add, *(later or [alter_column(name, "DROP DEFAULT")])], backfill.sql()


def add_numbered(table: ComparedTable, name: str, desired: Column) -> None:
    """Add a column whose sequence numbers the rows, which rewrites the table."""
    statement = table.alter(f"ADD COLUMN {identifier(name)} {_numbered(table, name, desired)}")
    if refuse_large(table, name, "is missing; a sequence numbers the rows.", [statement]):
        return
    table.values[name] = "ctid"  # unlike in every row, as the numbers will be
    table.step(
        Kind.ADD_COLUMN,
        name,
        "it is missing; a sequence numbers the rows",
        [statement],
        lock=Lock.REWRITE,
        creates=True,
        undo=_drop(table, name, _lost_where(table, name, "NULL", Lock.REWRITE)),
    )


def _numbered(table: ComparedTable, name: str, desired: Column) -> str:
    """Return the definition of a column whose sequence numbers the rows."""
    if desired.identity:
        words = ddl.computed_written(table.models.column(table.name, name))
        return f"{desired.type} {words}"
    null = " NOT NULL" if desired.not_null else ""
    if desired.sequence is not None and desired.sequence.owned:
        return SERIAL[desired.type] + null
    return f"{desired.type} DEFAULT {default_written(table, name)}{null}"


def change_default(table: ComparedTable, pair: ColumnPair) -> None:
    """Set the model's default; a live default where the model has none is left alone."""
    name, live, desired = pair
    if desired.default == FROM_A_SEQUENCE:
        draw_numbers(table, pair)
        return
    if desired.default is None or has_default(table, name) or name in table.defaults_changed:
        return
    before = "DROP DEFAULT" if live.default_sql is None else f"SET DEFAULT {live.default_sql}"
    table.step(
        Kind.SET_DEFAULT,
        name,
        f"it is {live.default or 'missing'}; the model says {desired.default}",
        [table.alter_column(name, f"SET DEFAULT {default_written(table, name)}")],
        undo=Undo(statements=(table.alter_column(name, before),)),
        change=(live.default, desired.default),
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
