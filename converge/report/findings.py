"""What is wrong with indexes, as far as the catalog and the statistics tell, and what to do then.

Whatever is to be typed takes no lock that keeps readers or writers waiting, and loses no row.
https://www.postgresql.org/docs/current/sql-reindex.html (CONCURRENTLY)
"""

from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from converge.quoting import qualified
from converge.report.model import Finding
from converge.text import counted

DAY = 86400.0
# A weekly job has run since then; a monthly or yearly one has not, which the advice says.
ENOUGH_DAYS = 7
# Of a smaller table, a scan takes under a millisecond: the planner has little use for its indexes.
MANY_ROWS = 10_000
STALE_SHARE = 0.2  # of the rows, changed since ANALYZE: more, and the estimate would be of the past
# An index that is filled in any order is a third empty; and what is small is not worth the work.
BLOATED_SHARE, BLOATED_BYTES = 0.5, 1024 * 1024
# As src/include/storage/bufpage.h, access/itup.h and access/nbtree.h have them, in bytes.
PAGE_HEADER, PAGE_SPECIAL, LINE_POINTER, TUPLE_HEADER, NULLS_BITMAP, ALIGNED = 24, 16, 4, 8, 8, 8
AGAIN = "Take it out of the models first, as the next run would build it again. Then:"


class Counting(NamedTuple):
    """Since when, in seconds, scans are counted, and what is not among them."""

    seconds: Optional[float]
    on: bool = True
    elsewhere: bool = False  # a standby answers queries too, or is asked itself


class Facts(NamedTuple):
    """An index as `indexes.sql` has it, in this order."""

    schema: str
    table: str
    name: str
    definition: str
    bytes: int
    scans: Optional[int]
    last_scan: Optional[str]
    method: str
    guard: str  # what it forbids; empty if it is not unique
    owned: bool  # by a constraint
    relied_on: bool  # by a foreign key, as the replica identity, or by CLUSTER
    partitioned: bool  # or a part of one that is: it can't go alone
    valid: bool
    building: bool  # may be, at this moment
    keys: Sequence[str]
    included: Sequence[str]
    predicate: str
    table_rows: Optional[int]
    changed: Optional[int]  # rows, since ANALYZE
    rows: Optional[int]
    width: Optional[float]  # of its values together, in bytes
    nulls: bool
    fill_factor: int
    block: int
    managed: bool = False  # by the models: a run would build it again

    @property
    def drop(self) -> str:
        return f"DROP INDEX CONCURRENTLY {qualified(self.schema, self.name)}"

    @property
    def can_go(self) -> bool:
        """Whether nothing but queries may need it, and what it may forbid."""
        return not (self.owned or self.relied_on or self.partitioned)


def findings(index: Facts, others: Sequence[Facts], counting: Counting) -> Tuple[Finding, ...]:
    """Return what is wrong with an index; `others` are those of its table."""
    if not index.valid:
        return tuple(_invalid(index))
    return (*_never_used(index, counting), *_redundant(index, others), *_bloated(index))


def _invalid(index: Facts) -> Iterator[Finding]:
    why = "an interrupted or failed build has left it: writes keep it up, and no query can use it"
    if index.partitioned or index.building:
        return
    if index.managed:
        yield Finding("invalid", why, "Run: it drops this index, and builds it anew.", "")
    elif not index.owned:
        advice = "Drop it. If it is wanted, create it anew after that."
        yield Finding("invalid", why, advice, index.drop)


def is_unused(index: Facts) -> bool:
    """Return whether no query has used it where one might have."""
    many = (index.table_rows or 0) >= MANY_ROWS
    free = index.can_go and not index.guard
    return index.valid and free and index.scans == 0 and many


def is_young(counting: Counting) -> bool:
    """Return whether scans have been counted for too short to tell."""
    return counting.seconds is None or counting.seconds < ENOUGH_DAYS * DAY


def _never_used(index: Facts, counting: Counting) -> Iterator[Finding]:
    if not is_unused(index) or not counting.on or is_young(counting):
        return
    days = int((counting.seconds or 0.0) / DAY)
    why = f"no query has used it in {days:,} days, as long as scans are counted"
    replicas = " Ask the standbys too: each counts its own scans." if counting.elsewhere else ""
    then = AGAIN if index.managed else "If nobody needs it at the end of a month or year:"
    yield Finding("never_used", why, f"{then}{replicas}", index.drop)


def _redundant(index: Facts, others: Sequence[Facts]) -> Iterator[Finding]:
    if not index.can_go:
        return
    better = next((other for other in others if _covers(other, index)), None)
    if better is not None:
        same = len(better.keys) == len(index.keys)
        what = "has the same columns as" if same else "is the beginning of"
        whose = "the key's index " if better.owned else ""
        why = f"it {what} {whose}{better.name}, which answers the same queries"
        then = AGAIN if index.managed else "Drop it:"
        yield Finding("redundant", why, then, index.drop)


def _covers(other: Facts, index: Facts) -> bool:
    """Return whether another index can stand for this one; of two that are alike, one can.

    What the models do not know may go, so it stands for nothing that they have.
    """
    if other.name == index.name or not other.valid or other.partitioned:
        return False
    if (other.method, other.predicate) != (index.method, index.predicate):
        return False
    if index.managed and not other.managed:
        return False
    same = list(other.keys) == list(index.keys)
    begins = index.method == "btree" and list(other.keys[: len(index.keys)]) == list(index.keys)
    columns = {key.split(" ")[0] for key in other.keys} | set(other.included)
    if not (same or begins) or not set(index.included) <= columns:
        return False
    if index.guard and not (same and other.guard == index.guard):
        return False
    more = not same or set(other.included) > set(index.included) or not other.can_go
    more = more or other.guard > index.guard
    return more or (not other.managed, other.name) < (not index.managed, index.name)


def _bloated(index: Facts) -> Iterator[Finding]:
    packed = packed_bytes(index)
    if packed is None or index.building:
        return
    wasted = index.bytes - packed
    if wasted > index.bytes * BLOATED_SHARE and wasted > BLOATED_BYTES:
        share = round(100 * wasted / index.bytes)
        why = (
            f"some {share} % of it is empty, as estimated from {counted(index.rows or 0, 'row')} "
            "and their average width"
        )
        advice = "Build it anew, which takes the room of a second one until it is done:"
        statement = f"REINDEX INDEX CONCURRENTLY {qualified(index.schema, index.name)}"
        yield Finding("bloated", why, advice, statement)


def packed_bytes(index: Facts) -> Optional[int]:
    """Return the estimated size of a B-tree right after it is built; None if nothing tells it.

    Equal values, which 13 and newer keep once, take less than that.
    """
    if index.method != "btree" or index.rows is None or index.width is None:
        return None
    if (index.changed or 0) > STALE_SHARE * max(index.table_rows or 0, 1):
        return None
    header = TUPLE_HEADER + (NULLS_BITMAP if index.nulls else 0)
    size = LINE_POINTER + -(-(header + index.width) // ALIGNED) * ALIGNED
    room = (index.block - PAGE_HEADER - PAGE_SPECIAL) * index.fill_factor / 100
    pages = -(-index.rows * size // room) + 1  # and its meta page
    return int(pages) * index.block


def with_others(indexes: Sequence[Facts]) -> List[Tuple[Facts, List[Facts]]]:
    """Return each index with all those of its table."""
    found: Dict[Tuple[str, str], List[Facts]] = {}
    for index in indexes:
        found.setdefault((index.schema, index.table), []).append(index)
    return [(index, found[index.schema, index.table]) for index in indexes]
