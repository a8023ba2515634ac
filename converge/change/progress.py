"""How far an index build is, as the server tells it, and whom it waits for."""

import enum
from contextlib import contextmanager
from typing import Iterator, NamedTuple, Optional, Tuple

import psycopg2

from converge.server.connection import Connection
from converge.server.messages import rows
from converge.server.sql import statement
from converge.server.waits import From, waits, whereabouts
from converge.task import Task


class Counts(enum.Enum):
    """What the server counts in a phase; where nothing, the last numbers stay."""

    BLOCKS = "blocks"
    TUPLES = "tuples"
    NOTHING = "nothing"


class Phase(NamedTuple):
    """A phase of a build, as the server calls it, and its share of the time."""

    name: str
    share: int = 0
    counts: Counts = Counts.NOTHING


def _validated(*, index: int, sorting: int, table: int) -> Tuple[Phase, ...]:
    return (
        Phase("waiting for writers before validation"),
        Phase("index validation: scanning index", index, Counts.BLOCKS),
        Phase("index validation: sorting tuples", sorting),
        Phase("index validation: scanning table", table, Counts.BLOCKS),
    )


class Counted(NamedTuple):
    """A row of `progress.sql`; without a phase it is no build, as DROP INDEX CONCURRENTLY."""

    phase: str
    method: str
    blocks: int
    blocks_total: int
    tuples: int
    tuples_total: int

    def part(self, counts: Counts) -> float:
        """Return how much of its phase is done, from 0 to 1."""
        done = {Counts.BLOCKS: self.blocks, Counts.TUPLES: self.tuples}.get(counts, 0)
        total = {Counts.BLOCKS: self.blocks_total, Counts.TUPLES: self.tuples_total}.get(counts, 0)
        return min(1.0, done / total) if total else 0.0


# The shares are of CREATE INDEX CONCURRENTLY, measured on a million rows in 166 MB, PostgreSQL 18.
# In per cent of its time, without parallel workers and with two of them:
#   B-tree of an integer: scanning 34, 25; sorting 0, 10; loading 20, 37; validation 45, 27
#   B-tree of 44 letters: scanning 63, 47; sorting 11, 11; loading 17, 24; validation 9, 18
#   GIN of its trigrams: scanning 46, 59; merging 0, 9; validation 54, 32
#   hash of it: building 93, 93; validation 7, 7
# What waits for others counts nothing.
# https://www.postgresql.org/docs/current/progress-reporting.html#CREATE-INDEX-PHASES
FIRST = (Phase("initializing"), Phase("waiting for writers before build"))
LAST = Phase("waiting for old snapshots")
BTREE = (
    Phase("building index: scanning table", 52, Counts.BLOCKS),
    Phase("building index: sorting live tuples", 9),
    Phase("building index: loading tuples in tree", 20, Counts.TUPLES),
    *_validated(index=4, sorting=4, table=11),
)
GIN = (
    Phase("building index", 54, Counts.BLOCKS),
    *_validated(index=27, sorting=1, table=18),
)
GIN_18 = (  # a build has phases of its own since 18, where it may be parallel
    Phase("building index: scanning table", 50, Counts.BLOCKS),
    Phase("building index: sorting tuples (workers)"),
    Phase("building index: merging tuples (workers)", 1),
    Phase("building index: sorting tuples"),
    Phase("building index: merging tuples", 3, Counts.TUPLES),
    *GIN[1:],
)
OTHERS = (
    Phase("building index", 90, Counts.BLOCKS),
    *_validated(index=2, sorting=4, table=4),
)


UNSEEN = "unseen, as there is no connection left to look from"


@contextmanager
def watched_build(connection: Connection, observe: From, task: Task) -> Iterator[None]:
    """While the block waits for an index build on `connection`, show how far it is.

    It is looked at from what `observe` gives; if it can't give any, no more is asked for.
    """
    able = True

    def look(_: float) -> None:
        nonlocal able
        if able:
            try:
                with observe() as observer:
                    _look(connection, observer, task)
            except psycopg2.OperationalError:  # as "too many clients"
                able = False
        if not able:
            task.look(phase=UNSEEN)

    task.phase = ""
    with connection.watched(look):
        yield


def _look(connection: Connection, observer: Connection, task: Task) -> None:
    query = statement("change/progress.sql", **whereabouts(connection))
    query = f"SELECT pg_stat_clear_snapshot(); {query}"
    for row in rows(observer, query, shown="-- change/progress.sql"):
        counted = Counted(*row)
        share = share_done(counted, connection.server_version)
        # Its last moments are those of no build any more.
        task.look(share, phase=counted.phase or None, waits=waits(connection, observer))


def share_done(counted: Counted, server_version: int) -> Optional[float]:
    """Return how much of a build is done; None in a phase of which that is not known."""
    phases = (*FIRST, *_phases(counted.method, server_version), LAST)
    before = 0.0
    for phase in phases:
        if phase.name == counted.phase:
            done = before + phase.share * counted.part(phase.counts)
            return done / sum(phase.share for phase in phases)
        before += phase.share
    return None


def _phases(method: str, server_version: int) -> Tuple[Phase, ...]:
    if method == "gin":
        return GIN_18 if server_version >= 180000 else GIN
    return BTREE if method == "btree" else OTHERS
