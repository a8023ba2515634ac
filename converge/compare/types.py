"""The safety rules for a column's type: left alone, changed in the catalog, or rewritten."""

import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from converge.compare import conversions, limits, references, written
from converge.compare.by_hand import refuse_unknown
from converge.compare.conversions import ALWAYS, Told
from converge.compare.domains import refuse_misfits
from converge.compare.in_the_way import checks_in_the_way, refuse_what_the_server_would
from converge.compare.refusals import (
    refuse_large,
    refuse_rows,
    refuse_used,
)
from converge.compare.said_anew import added, around, comments, former, or_violates, say_anew
from converge.compare.table import ColumnPair, ComparedTable, alter_column
from converge.compare.words import default_written, has_own_default
from converge.names import free_name
from converge.quoting import identifier, literal
from converge.server.proofs import ending_at_a_row, no_row
from converge.steps import Kind, Lock, Undo

LABELS = """SELECT enumlabel FROM pg_enum WHERE enumtypid = to_regtype({type})
ORDER BY enumsortorder"""
# By its name with the schema. No domain but the innermost has a modifier.
BASE = """SET LOCAL search_path = '';
WITH RECURSIVE over AS (
  SELECT to_regtype({type})::oid AS type, -1 AS modifier, 0 AS depth UNION ALL
  SELECT t.typbasetype, t.typtypmod, o.depth + 1 FROM over o JOIN pg_type t ON t.oid = o.type
  WHERE t.typtype = 'd')
SELECT format_type(type, modifier) FROM over WHERE depth > 0 ORDER BY depth DESC LIMIT 1"""


class Way(NamedTuple):
    """How a column gets another type: where `fits` is true of a row, `using` is the same value."""

    using: str
    fits: str
    changes: Sequence[str]  # of ALTER TABLE
    lock: Optional[Lock]  # None: the server does not take it
    checks: Sequence[str] = ()  # that compare with a value of the old type, which it can't convert


def change_type(table: ComparedTable, pair: ColumnPair) -> None:
    """Change a column's type where every row is proven to fit."""
    name, live, desired = pair
    if live.type == desired.type:
        return
    if conversions.holds(live.type, desired.type):
        column = f"{table.relation}.{identifier(name)}"
        table.notes.append(f"{column} is {live.type}, which holds every {desired.type}")
        return
    used_by = [user.description for user in live.used_by if not user.foreign_key]
    used_by += references.refusing(table, pair)
    way = None if used_by else _way(table, pair)
    if used_by:
        refuse_used(table, name, f"{pair.differs}.", used_by)
    elif way is None:
        refuse_unknown(table, pair)
    else:
        _convert(table, pair, way)


def _way(table: ComparedTable, pair: ColumnPair) -> Optional[Way]:
    """Return a cast, if the server does it without writing a row anew, or a known conversion."""
    name, live, desired = pair
    column = identifier(name)
    cast = f"{column}::{desired.type}"
    way = Way(cast, ALWAYS, *_changes(table, pair, cast))
    if way.lock not in (None, Lock.REWRITE) and not _reads_anew(pair):
        return way
    known = conversions.conversion(live.type, desired.type, _told(table, pair))
    if known is None:
        return None
    using, fits = (part.format(c=column) for part in known)
    return Way(using, fits, *_changes(table, pair, using))


def _reads_anew(pair: ColumnPair) -> bool:
    """True if the server leaves the bytes and yet reads another value: an oid is never -1."""
    return any(re.fullmatch("oid|reg[a-z]+", name) for name in (pair.live.type, pair.desired.type))


def _told(table: ComparedTable, pair: ColumnPair) -> Told:
    """Return what is known of the values besides the types."""
    labels: Dict[str, List[str]] = {}
    bases: Dict[str, str] = {}
    for name in (pair.live.type, pair.desired.type):
        type_name = name[:-2] if name.endswith("[]") else name
        if "." in type_name:  # none that the server brings itself
            bases.update((type_name, base) for (base,) in _asked(table, BASE, type_name))
            enum = bases.get(type_name, type_name)
            found = _asked(table, LABELS, enum)
            labels.update({enum: [label for (label,) in found]} if found else {})
    utc = table.models.time_zone(table.name, pair.name) == "UTC"
    return Told(table.models.date_shapes, utc, labels, bases)


def _asked(table: ComparedTable, query: str, type_name: str) -> List[Tuple[str]]:
    return table.ask(query.format(type=literal(type_name)))


def _changes(
    table: ComparedTable, pair: ColumnPair, using: str
) -> Tuple[Sequence[str], Optional[Lock]]:
    """Return the changes with their lock; without the default if the server can't cast that."""
    name, live, desired = pair
    change = alter_column(name, f"TYPE {desired.type} USING {using}")
    changes, lock = [change], _lock(table, pair, [change])
    if lock is None and has_own_default(live):
        changes = [alter_column(name, "DROP DEFAULT"), change]
        if has_own_default(desired):
            changes.append(alter_column(name, f"SET DEFAULT {default_written(table, name)}"))
        lock = _lock(table, pair, changes)
    return changes, lock


def _lock(
    table: ComparedTable, pair: ColumnPair, changes: Sequence[str], after: Sequence[str] = ()
) -> Optional[Lock]:
    """Return what the changes do under their lock; None if the server does not take them."""
    lock = table.copy.lock(changes, after=after)
    # The server reads every row to check it again.
    checks = [known for known in table.live.constraints.values() if known.kind == "c"]
    checked = any(pair.name in (check.columns or []) for check in checks)
    return Lock.READ if checked and lock is Lock.INSTANT else lock


def _convert(table: ComparedTable, pair: ColumnPair, way: Way) -> None:
    """Change the type if every row fits, the table is small enough and the server agrees."""
    (name, live, desired), what = pair, f"{pair.differs}."
    if way.lock is None:
        way = _with_checks(table, pair, way)
    misfits = f"{identifier(name)} IS NOT NULL AND NOT ({way.fits})"
    bad = 0 if way.fits == ALWAYS else table.count(misfits)
    if bad:
        refuse_rows(table, name, what, bad, ("does not convert", "do not convert"), misfits)
        return
    if way.lock is not Lock.INSTANT and refuse_misfits(table, pair, way.using):
        return
    changes = around(way.checks, way.changes, added(table, way.checks))
    statements = [*map(table.alter, changes), *comments(table, way.checks)]
    does = "reads" if way.lock is Lock.READ else "rewrites"
    if way.lock is not Lock.INSTANT and refuse_large(table, name, what, statements, does=does):
        return
    if way.lock is Lock.REWRITE and references.refuse_large(table, pair, what, statements):
        return
    if way.lock is None and refuse_what_the_server_would(table, name, what, way.changes):
        return
    if way.fits != ALWAYS:
        statements = [*no_row(table.relation, misfits), *statements]
    table.values[name] = f"({way.using})"
    table.type_changes += changes
    if len(way.changes) > 1:
        table.defaults_changed.add(name)
    table.step(
        Kind.CHANGE_TYPE,
        name,
        f"it {pair.differs}",
        statements,
        lock=way.lock or Lock.REWRITE,
        undo=_undo(table, pair, way),
        change=(live.type, desired.type),
    )
    if table.live.shape.parts and way.lock is not Lock.INSTANT:
        table.steps[-1] = table.steps[-1]._replace(tried_to_a_row=_to_a_row(table, pair, way))
    say_anew(table, way.checks)


def _to_a_row(table: ComparedTable, pair: ColumnPair, way: Way) -> Tuple[str, ...]:
    """Return the statements up to the change of the type, which ends at the first row.

    What is in its way may be at a child, which a copy of the table has not.
    """
    changes = list(around(way.checks, way.changes, ()))
    change = alter_column(pair.name, f"TYPE {pair.desired.type} USING ")
    (place,) = [number for number, one in enumerate(changes) if one.startswith(change)]
    number = ending_at_a_row(identifier(pair.name))
    changes[place] = f"{change}{number}::text::{pair.desired.type}"
    return tuple(map(table.alter, changes[: place + 1]))


def _with_checks(table: ComparedTable, pair: ColumnPair, way: Way) -> Way:
    """Return the way that says such checks anew, in the models' words.

    Only if the server takes it, and there is a way back.
    """
    checks = checks_in_the_way(table, pair.name, way.changes)
    lock = _lock(table, pair, around(checks, way.changes, added(table, checks)))
    if lock is None or _way_back(table, pair, around(checks, way.changes, ())) is None:
        return way
    return way._replace(checks=checks, lock=lock)


def _undo(table: ComparedTable, pair: ColumnPair, way_there: Way) -> Undo:
    """Return what changes the type back."""
    name, live, _ = pair
    column = identifier(name)
    keep: Tuple[str, ...] = ()
    way = _way_back(table, pair, around(way_there.checks, way_there.changes, ()))
    if way is None:  # it is only for a column without values, or for one converted by hand
        way = Way(f"{column}::text::{live.type}", _has_type(table, name, live.type), (), None)
        keep = _kept_aside(table, pair)
    changes = [alter_column(name, f"TYPE {live.type} USING {way.using}")]
    if has_own_default(live):
        changes.insert(0, alter_column(name, "DROP DEFAULT"))
        changes.append(alter_column(name, f"SET DEFAULT {live.default_sql}"))
    changes = around(way_there.checks, changes, former(table, way_there.checks))
    statements = [*map(table.alter, changes), *comments(table, way_there.checks)]
    guard = None if way.fits == ALWAYS else f"{column} IS NOT NULL AND NOT ({way.fits})"
    guard = or_violates(table, way_there.checks, guard, name=name, using=way.using)
    lock = way.lock or Lock.REWRITE
    return Undo(statements=tuple(statements), lock=lock, guard=guard, keep=keep)


def _way_back(table: ComparedTable, pair: ColumnPair, changes: Sequence[str]) -> Optional[Way]:
    """Return how the column gets its old type again, after the changes."""
    name, live, desired = pair
    cast = f"{identifier(name)}::{live.type}"
    back = alter_column(name, f"TYPE {live.type} USING {cast}")
    no_default = [alter_column(name, "DROP DEFAULT")] if has_own_default(live) else []
    lock = _lock(table, pair, [back], [*changes, *no_default])
    if lock not in (None, Lock.REWRITE):
        return Way(cast, ALWAYS, (), lock)
    told = _told(table, pair)._replace(date_shapes=_shapes_of(table, pair))
    known = conversions.conversion(desired.type, live.type, told)
    if known is None:
        return None
    using, fits = (part.format(c=identifier(name)) for part in known)
    return Way(using, fits, (), Lock.REWRITE)


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
    if pair.desired.type != "date" or not re.fullmatch(limits.TEXT, pair.live.type):
        return shapes
    column = f"{identifier(pair.name)}::text"  # without the padding of character(n)
    counts = {shape: table.count(written.has_shape(shape).format(c=column)) for shape in shapes}
    return tuple(sorted(shapes, key=lambda shape: -counts[shape]))
