"""The safety rules for a column's type: left alone, changed in the catalog, or rewritten."""

import re
from typing import List, Tuple

from converge.compare import conversions
from converge.compare.table import FROM_A_SEQUENCE, ColumnPair, ComparedTable, alter_column
from converge.names import free_name
from converge.plan import Kind, Lock, Undo, WayOut
from converge.quoting import identifier, literal
from converge.server.proofs import no_row


def change_type(table: ComparedTable, pair: ColumnPair) -> None:
    """Change a column's type where every row is proven to fit."""
    name, live, desired = pair
    if live.type == desired.type:
        return
    if conversions.holds(live.type, desired.type):
        column = f"{table.relation}.{identifier(name)}"
        table.notes.append(f"{column} is {live.type}, which holds every {desired.type}")
        return
    rewrite = conversions.rewrites(live.type, desired.type)
    # A foreign key takes a new type without a rewrite; the server checks it on the copy.
    used_by = [user.description for user in live.used_by if rewrite or not user.foreign_key]
    known = conversions.conversion(live.type, desired.type, table.models.date_shapes)
    if known is None:
        _refuse_unknown(table, pair)
    elif used_by:
        table.refuse_used(name, f"{pair.differs}.", used_by)
    else:
        using, fits = (part.format(c=identifier(name)) for part in known)
        _convert(table, pair, using, fits)


def _convert(table: ComparedTable, pair: ColumnPair, using: str, fits: str) -> None:
    """Change the type if every row fits, the table is small enough and the server agrees."""
    name, live, desired = pair
    what = f"{pair.differs}."
    misfits = f"{identifier(name)} IS NOT NULL AND NOT ({fits})"
    bad = 0 if fits == conversions.ALWAYS else table.count(misfits)
    if bad:
        table.refuse_rows(name, what, bad, ("does not convert", "do not convert"), misfits)
        return
    changes = _around_default(pair, alter_column(name, f"TYPE {desired.type} USING {using}"))
    statements = [table.alter(change) for change in changes]
    rewrite = conversions.rewrites(live.type, desired.type)
    if rewrite and table.refuse_large(name, what, statements):
        return
    if table.refuse_what_the_server_would(name, what, changes):
        return
    if fits != conversions.ALWAYS:
        statements = [*no_row(table.relation, misfits), *statements]
    table.values[name] = f"({using})"
    table.type_changes += changes
    table.step(
        Kind.CHANGE_TYPE,
        name,
        f"it {pair.differs}",
        statements,
        lock=Lock.REWRITE if rewrite else Lock.INSTANT,
        undo=_undo(table, pair),
    )


def _around_default(pair: ColumnPair, change: str) -> List[str]:
    """Return the change with what takes away a default that the server can't cast with it."""
    name, live, desired = pair
    if live.default is None or conversions.casts_defaults(live.type, desired.type):
        return [change]
    before = [alter_column(name, "DROP DEFAULT"), change]
    if desired.default_sql is None:
        return before
    return [*before, alter_column(name, f"SET DEFAULT {desired.default_sql}")]


def _undo(table: ComparedTable, pair: ColumnPair) -> Undo:
    """Return what changes the type back."""
    name, live, desired = pair
    rewrite = conversions.rewrites(desired.type, live.type)
    lock = Lock.REWRITE if rewrite else Lock.INSTANT
    known = conversions.conversion(desired.type, live.type, _shapes_of(table, pair))
    column = identifier(name)
    keep: Tuple[str, ...] = ()
    if known is None:  # it is only for a column without values, or for one converted by hand
        using, fits = f"{column}::text::{live.type}", _has_type(table, name, live.type)
        keep = _kept_aside(table, pair)
    else:
        using, fits = (part.format(c=column) for part in known)
    statements = [table.alter_column(name, f"TYPE {live.type} USING {using}")]
    if live.default_sql is not None and live.default != FROM_A_SEQUENCE:
        statements.insert(0, table.alter_column(name, "DROP DEFAULT"))
        statements.append(table.alter_column(name, f"SET DEFAULT {live.default_sql}"))
    guard = None if fits == conversions.ALWAYS else f"{column} IS NOT NULL AND NOT ({fits})"
    return Undo(statements=tuple(statements), lock=lock, guard=guard, keep=keep)


def _has_type(table: ComparedTable, column: str, type_name: str) -> str:
    """Return SQL that is true if the column has the type when it is asked."""
    relation = f"{literal(table.relation)}::regclass"
    return (
        f"EXISTS (SELECT FROM pg_attribute WHERE attrelid = {relation} "
        f"AND attname = {literal(column)} "
        f"AND format_type(atttypid, atttypmod) = {literal(type_name)})"
    )


def _kept_aside(table: ComparedTable, pair: ColumnPair) -> Tuple[str, ...]:
    """Return what keeps a column's values in another, and lets the server convert it as it can."""
    name, live, desired = pair
    taken = [*table.live.columns, *table.desired.columns]
    column, saved = identifier(name), identifier(free_name(name, "_saved", taken))
    return (
        table.alter(f"ADD COLUMN {saved} {desired.type}"),
        f"UPDATE {table.relation} SET {saved} = {column}",
        table.alter_column(name, f"TYPE {live.type} USING {column}::{live.type}"),
    )


def _shapes_of(table: ComparedTable, pair: ColumnPair) -> Tuple[str, ...]:
    """Return the shapes of dates, first the one that most rows have, which they get back."""
    shapes: Tuple[str, ...] = table.models.date_shapes
    if pair.desired.type != "date" or not re.fullmatch(conversions.TEXT, pair.live.type):
        return shapes
    column = f"{identifier(pair.name)}::text"  # without the padding of character(n)
    counts = {shape: table.count(conversions.has_shape(shape).format(c=column)) for shape in shapes}
    return tuple(sorted(shapes, key=lambda shape: -counts[shape]))


def _refuse_unknown(table: ComparedTable, pair: ColumnPair) -> None:
    """Refuse, with a conversion that fails where a row's text is none of the desired type."""
    name, live, desired = pair
    using = f"{identifier(name)}::text::{desired.type}"
    changes = [alter_column(name, f"TYPE {desired.type} USING {using}")]
    if live.default is not None:
        changes.insert(0, alter_column(name, "DROP DEFAULT"))
        if desired.default_sql is not None:
            changes.append(alter_column(name, f"SET DEFAULT {desired.default_sql}"))
    table.refuse(
        name,
        f"{pair.differs}.",
        "No conversion is known that is right for every row.",
        way_out=WayOut(
            "Convert it by hand, in a maintenance window, for example:",
            tuple(table.alter(change) for change in changes),
        ),
    )
