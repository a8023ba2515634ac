"""What the server does not take because of what depends on a column: that is named, with a way."""

from typing import List, NamedTuple, Optional, Sequence

import psycopg2
from psycopg2 import errors

from converge.compare.backfills import mentioned
from converge.compare.table import ComparedTable
from converge.compare.trial import event_triggers
from converge.plan import OUT_OF_THE_WAY, WayOut
from converge.quoting import identifier, qualified
from converge.server.failures import is_transient, said

ANEW = "In a maintenance window, drop what the next run makes anew, and run again:"
IN_PART = (
    "In a maintenance window, drop what is in the way, run again, and create again what the models "
    "do not have:"
)


class Dependent(NamedTuple):
    """What depends on a column; `change` drops it on a copy.

    Indexes have other names there: a copy has all or none.
    """

    drop: str
    anew: bool  # by the next run, as the models have it
    change: Optional[str] = None
    check: str = ""  # its name, if the models have one of that name


def refuse_what_the_server_would(
    table: ComparedTable, name: str, what: str, changes: Sequence[str]
) -> bool:
    """Refuse changes of a column if the server refuses them on a copy."""
    error = _refused(table, changes, [])
    if error is None:
        return False
    way_out = event_triggers(table.ask_catalog, error) or _without(table, name, changes)
    table.refuse(name, what, f"The server says: {said(error)}.", way_out=way_out)
    return True


def _without(table: ComparedTable, name: str, changes: Sequence[str]) -> WayOut:
    """Return what drops as much as has to be dropped: what the next run makes anew, if it can."""
    needed = _needed(table, changes, _said_anew(table, name))
    if needed:
        return WayOut(ANEW, tuple(one.drop for one in needed))
    needed = _needed(table, changes, _dependents(table, name))
    return WayOut(IN_PART, tuple(one.drop for one in needed)) if needed else OUT_OF_THE_WAY


def checks_in_the_way(table: ComparedTable, name: str, changes: Sequence[str]) -> List[str]:
    """Return the checks without which the server takes changes of a column; none if more is."""
    needed = _needed(table, changes, _said_anew(table, name))
    return [one.check for one in needed] if all(one.check for one in needed) else []


def _said_anew(table: ComparedTable, name: str) -> List[Dependent]:
    return [one for one in _dependents(table, name) if one.anew]


def _needed(
    table: ComparedTable, changes: Sequence[str], found: Sequence[Dependent]
) -> List[Dependent]:
    """Return what of it has to be dropped; nothing if the server refuses the changes even so."""
    needed = list(found)
    if _refused(table, changes, needed) is not None:
        return []
    for one in list(needed):
        fewer = [other for other in needed if other != one]
        if _refused(table, changes, fewer) is None:
            needed = fewer
    return needed


def _dependents(table: ComparedTable, name: str) -> List[Dependent]:
    """Return the generated columns, checks and indexes that may depend on a column."""
    desired, found = table.desired, []
    for known, column in table.live.columns.items():
        anew = known in desired.columns and bool(desired.columns[known].generated)
        reads = column.generated and mentioned([name], column.default_sql or "")
        if anew and reads and not column.used_by:
            change = f"DROP COLUMN {identifier(known)}"
            found.append(Dependent(table.alter(change), anew, change))
    for known, constraint in table.live.constraints.items():
        checks = constraint.kind == "c" and name in (constraint.columns or [])
        if checks and not constraint.inherited:
            change, wanted = f"DROP CONSTRAINT {identifier(known)}", desired.constraints.get(known)
            check = known if wanted is not None and wanted.kind == "c" else ""
            found.append(Dependent(table.alter(change), wanted is not None, change, check))
    for known, index in table.live.indexes.items():
        indexed = mentioned([name], f"{index.using} {index.predicate or ''}")
        if indexed and not (index.attached or index.used_by):
            drop = f"DROP INDEX {qualified(table.schema, known)}"
            found.append(Dependent(drop, known in desired.indexes))
    return found


def _refused(
    table: ComparedTable, changes: Sequence[str], dropped: Sequence[Dependent]
) -> Optional[psycopg2.Error]:
    """Return what the server says of changes where this is dropped before; None: it takes them."""
    before = [one.change for one in dropped if one.change is not None]
    copy = table.copy.without_indexes() if len(before) < len(dropped) else table.copy
    try:
        copy.checks([*before, *changes])
    except errors.InsufficientPrivilege:
        raise
    except psycopg2.Error as error:
        if is_transient(error):
            raise
        return error
    return None
