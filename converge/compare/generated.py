"""The safety rules for generated columns: what their rows hold is computed, so none is lost.

https://www.postgresql.org/docs/current/ddl-generated-columns.html
"""

from converge.compare import ddl, limits
from converge.compare.order import reads
from converge.compare.raising import RAISED, of_row_to_be, refuse_raising
from converge.compare.refusals import refuse_large, refuse_used
from converge.compare.rows import ask_ahead
from converge.compare.table import ColumnPair, ComparedTable, alter_column
from converge.compare.words import has_default
from converge.names import free_name
from converge.plan import WayOut
from converge.quoting import identifier
from converge.server.catalog import GENERATED, Column
from converge.steps import Kind, Lock, Undo
from converge.text import counted

SETS_EXPRESSIONS = 170000  # `server_version_num` from which on a stored one can be changed in place


def waits(table: ComparedTable, name: str) -> bool:
    """True if what a column is computed from is filled by a step."""
    desired = table.desired.columns[name]
    return (
        bool(desired.generated)
        and not desired.inherited
        and any(
            table.desired.columns[other].not_null
            and table.lacks_values(other)
            and table.backfill(other) is not None
            for other in reads(table, name)
        )
    )


def computed_from_filled(table: ComparedTable) -> None:
    """Add and change the generated columns that wait: no row is written before it is filled."""
    for name, desired in table.desired.columns.items():
        if waits(table, name) and name in table.live.columns:
            change_generated(table, table.pair(name))
        elif waits(table, name):
            add_generated(table, name, desired)


def add_generated(table: ComparedTable, name: str, desired: Column) -> None:
    """Add a generated column; a stored one writes every row."""
    null = " NOT NULL" if desired.not_null else ""
    words = ddl.computed_written(table.models.column(table.name, name))
    statement = table.alter(f"ADD COLUMN {identifier(name)} {desired.type} {words}{null}")
    stored, what = desired.generated == "s", "is missing; it is computed for every row."
    if _refuse_values(table, name, desired, what):
        return
    if stored and refuse_large(table, name, what, [statement]):
        return
    table.values[name] = _value(table, desired)
    drop = table.alter(f"DROP COLUMN {identifier(name)}")
    table.step(
        Kind.ADD_COLUMN,
        name,
        f"it is missing; it is computed by {desired.default}",
        [statement],
        lock=Lock.REWRITE if stored else Lock.INSTANT,
        undo=Undo(statements=(drop,)),
    )


def change_generated(table: ComparedTable, pair: ColumnPair) -> None:
    """Bring a column that is generated, live or in the models, to what they say."""
    name, live, desired = pair
    if not desired.generated:
        _refuse_generated(table, pair)
    elif not live.generated:
        _refuse_plain(table, pair)
    elif live.generated != desired.generated:
        _refuse_kind(table, pair)
    elif live.type != desired.type:
        _widen(table, pair)
    elif not has_default(table, name):
        _set_expression(table, pair)


def _widen(table: ComparedTable, pair: ColumnPair) -> None:
    """Change the type where that is an entry in the catalog: each value stays as it is."""
    name, live, desired = pair
    to, back = (alter_column(name, f"TYPE {column.type}") for column in (desired, live))
    same = has_default(table, name) and not live.used_by
    if not same or table.copy.lock([to]) is not Lock.INSTANT:
        _refuse_kind(table, pair)
        return
    fits = limits.within(identifier(name), live.type)
    guard = None if fits is None else f"{identifier(name)} IS NOT NULL AND NOT ({fits})"
    undo = Undo(statements=(table.alter(back),), lock=Lock.REWRITE, guard=guard)
    table.step(
        Kind.CHANGE_TYPE,
        name,
        f"it {pair.differs}",
        [table.alter(to)],
        undo=undo,
        change=(live.type, desired.type),
    )


def _set_expression(table: ComparedTable, pair: ColumnPair) -> None:
    name, live, desired = pair
    if table.facts.version < SETS_EXPRESSIONS or live.used_by:
        _refuse_kind(table, pair)
        return
    what = f"is computed by {live.default}; the model says {desired.default}."
    words = ddl.expression_written(table.models.column(table.name, name))
    statement = table.alter_column(name, f"SET EXPRESSION AS ({words})")
    stored = desired.generated == "s"
    if _refuse_values(table, name, desired, what):
        return
    if stored and refuse_large(table, name, what, [statement]):
        return
    lock = Lock.REWRITE if stored else Lock.INSTANT
    back = table.alter_column(name, f"SET EXPRESSION AS ({live.default_sql})")
    undo = Undo(statements=(back,), lock=lock)
    table.values[name] = _value(table, desired)
    table.step(
        Kind.SET_EXPRESSION,
        name,
        what.rstrip("."),
        [statement],
        lock=lock,
        undo=undo,
        change=(live.default, desired.default),
    )


def _value(table: ComparedTable, desired: Column) -> str:
    """Return what a row will hold, as SQL over the live row."""
    return of_row_to_be(table, f"({desired.default_sql})::{desired.type}")


def _refuse_values(table: ComparedTable, name: str, desired: Column, what: str) -> bool:
    """Refuse an expression that raises an error for a row, or gives a required value to none."""
    value = _value(table, desired)
    missing = f"{value} IS NULL"
    try:
        counts = ask_ahead(table, f"SELECT count(*) FROM {table.rows()} WHERE {missing}")
    except RAISED as error:
        refuse_raising(table, name, what, value, error)
        return True
    bad = int(counts[0][0]) if counts else 0
    if bad and desired.not_null:
        table.refuse(
            name,
            what,
            f"{counted(bad, 'row')} {'gets' if bad == 1 else 'get'} no value.",
            way_out=table.find(missing),
        )
    return bool(bad and desired.not_null)


def _refuse_generated(table: ComparedTable, pair: ColumnPair) -> None:
    """Refuse a generated column: what its rows hold is computed, not stored by the services."""
    name = pair.name
    if pair.live.generated == "s" and table.facts.version >= 130000:
        way_out = WayOut("Store them from now on:", (table.alter_column(name, "DROP EXPRESSION"),))
    else:  # only a stored one can become plain in place, and only since 13
        new, old = (free_name(name, end, table.live.columns) for end in ("_new", "_old"))
        way_out = WayOut(
            "In a maintenance window, copy them into a plain column:",
            (
                "BEGIN",
                table.alter(f"ADD COLUMN {identifier(new)} {pair.desired.type}"),
                f"UPDATE {table.relation} SET {identifier(new)} = {identifier(name)}",
                table.alter(f"RENAME COLUMN {identifier(name)} TO {identifier(old)}"),
                table.alter(f"RENAME COLUMN {identifier(new)} TO {identifier(name)}"),
                "COMMIT",
            ),
        )
    what = f"is a generated column; the model says a plain {pair.desired.type}."
    table.refuse(name, what, way_out=way_out)


def _refuse_plain(table: ComparedTable, pair: ColumnPair) -> None:
    """Refuse to put computed values in the place of what the services have stored."""
    new = identifier(free_name(pair.name, "_old", table.live.columns))
    table.refuse(
        pair.name,
        f"is a plain {pair.live.type}; the model says it is computed by {pair.desired.default}.",
        "What its rows hold would be lost.",
        way_out=WayOut(
            "Keep it under another name, and run again:",
            (table.alter(f"RENAME COLUMN {identifier(pair.name)} TO {new}"),),
        ),
    )


def _refuse_kind(table: ComparedTable, pair: ColumnPair) -> None:
    """Refuse what takes a new column."""
    if pair.live.used_by:
        users = [user.description for user in pair.live.used_by]
        refuse_used(table, pair.name, "is to be computed anew, in another way.", users)
        return
    live, desired = (f"{c.type} AS ({c.default}) {GENERATED[c.generated]}" for c in pair[1:])
    table.refuse(
        pair.name,
        f"is {live}; the model says {desired}.",
        "The server can't change that in place; what it holds is computed anew.",
        way_out=WayOut(
            "Drop it, and run again:",
            (table.alter(f"DROP COLUMN {identifier(pair.name)}"),),
        ),
    )
