"""Types between which no conversion is known: refused, with one that fails for no row, if any."""

import re
from typing import List, Optional, Sequence

import psycopg2
from psycopg2 import errors

from converge.compare import conversions, limits
from converge.compare.conversions import Told
from converge.compare.table import ColumnPair, ComparedTable, alter_column
from converge.compare.words import default_written, has_own_default
from converge.plan import WayOut
from converge.quoting import identifier
from converge.server.failures import is_transient

# From a live type to the models' `{type}`: what people mean, as they write it, the best one first.
USUAL = (
    ("uuid", "bytea", "uuid_send({c})"),
    ("bytea", "uuid", "encode({c}, 'hex')::uuid"),
    ("boolean", ".*", "{c}::integer::{type}"),
    (".*", ".*", "{c}::{type}"),
    (".*", "jsonb?", "to_{type}({c})"),
    (".*", ".*[]]", "CASE WHEN {c} IS NOT NULL THEN ARRAY[{c}]::{type} END"),
    (".*", "(?!bytea).*", "{c}::text::{type}"),
)


def refuse_unknown(table: ComparedTable, pair: ColumnPair) -> None:
    """Refuse, and say how it can be done by hand."""
    name, live, desired = pair
    in_utc = conversions.conversion(live.type, desired.type, Told(utc=True))
    if in_utc is not None:
        using: Optional[str] = in_utc[0].format(c=identifier(name))
        why = "The models do not say in which time zone its values are."
        advice = (
            'If that is UTC, let them: info={"time_zone": "UTC"}. Else name it instead of UTC, in '
            "a maintenance window:"
        )
    else:
        using = _usual(table, pair)
        why = "No conversion is known that is right for every row."
        advice = "Convert it by hand, in a maintenance window, for example:"
    if using is None:
        advice = (
            f"Let the models have the values in another column, of type {desired.type}, and leave "
            "this one out."
        )
        table.refuse(name, f"{pair.differs}.", why, way_out=WayOut(advice))
        return
    changes = _changes(table, pair, using)
    way_out = WayOut(advice, tuple(table.alter(change) for change in changes))
    table.refuse(name, f"{pair.differs}.", why, way_out=way_out)


def _changes(table: ComparedTable, pair: ColumnPair, using: str) -> List[str]:
    name, live, desired = pair
    changes = [alter_column(name, f"TYPE {desired.type} USING {using}")]
    if live.default is not None:
        changes.insert(0, alter_column(name, "DROP DEFAULT"))
        if has_own_default(desired):
            changes.append(alter_column(name, f"SET DEFAULT {default_written(table, name)}"))
    return changes


def _usual(table: ComparedTable, pair: ColumnPair) -> Optional[str]:
    """Return the first that the server takes for each row, and that leaves nothing out."""
    column, wanted = identifier(pair.name), pair.desired.type
    for live, desired, template in USUAL:
        if re.fullmatch(live, pair.live.type) and re.fullmatch(desired, wanted):
            using = template.format(c=column, type=wanted)
            whole = template.format(c=column, type=limits.without(wanted))
            fits = limits.within(f"({whole})", wanted) or "true"
            lost = f"({using} IS NULL) <> ({column} IS NULL) OR NOT ({fits})"
            if _is_taken(table, _changes(table, pair, using), lost):
                return using
    return None


def _is_taken(table: ComparedTable, changes: Sequence[str], lost: str) -> bool:
    try:
        table.copy.checks(changes)
        return not table.count(lost)
    except errors.InsufficientPrivilege:
        raise
    except psycopg2.Error as error:
        if is_transient(error):
            raise
        return False
