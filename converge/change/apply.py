"""Running a plan: what is new in one transaction, what is live step by step.

If it fails, what was finished stays, and a new plan closes the rest: nothing here has to be undone
before another run.
"""

import logging
import time
from contextlib import suppress
from typing import Callable, Dict, Iterable, Iterator, List, Protocol, Set, Tuple

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import quote_ident

from converge.change import progress as watch
from converge.console import advice
from converge.errors import Refused, Terminated
from converge.outcome import Done
from converge.plan import Plan, Run, Step
from converge.server import connection as database
from converge.server import locks, retries
from converge.server.connection import Connection
from converge.settings.variables import Settings
from converge.text import duration

log = logging.getLogger(__name__)

# A table with its indexes takes about 55 entries of the server's lock table, which by default has
# room for 6,400 (max_locks_per_transaction times max_connections). So this many schemas are created
# entirely or not at all.
SCHEMAS_PER_TRANSACTION = 50
# For a lock behind which no reader or writer queues. Autovacuum gives way to whoever waits for
# longer than deadlock_timeout, which by default is a second.
SHARED_LOCK_SECONDS = 2.0
BATCH_ROWS = 10_000  # about so many rows of a backfill in one transaction
BUILDS = ("create index", "build index")  # the kinds of steps that build one, of the step's name
ITEMS_PER_PAGE = 291  # the most rows, dead ones included, that fit into a page of 8 kB


class Journal(Protocol):
    """What keeps count of the steps. `after` a brief one runs in the step's own transaction."""

    def before(self, step: Step, /) -> List[str]: ...

    def after(self, step: Step, /) -> List[str]: ...


class Applier:
    """Runs steps on `connection`; `control`, which holds the run lock, watches what takes long."""

    def __init__(
        self, settings: Settings, connection: Connection, control: Connection, journal: Journal
    ) -> None:
        self.settings, self.connection, self.control = settings, connection, control
        self.journal = journal
        self.how = {Run.BRIEF: self.brief, Run.ONLINE: self.online, Run.BATCHES: self.batches}

    def apply(self, plan: Plan) -> Iterator[Done]:
        """Run the steps of a plan without refusals, yielding each as it is finished.

        Raises `Refused` when a lock is not had within LOCK_PATIENCE, else what the server says.
        """
        for steps in _together([step for step in plan.steps if step.run is Run.NEW]):
            seconds = self.timed(steps, self.brief)
            yield from (Done(step, seconds / len(steps)) for step in steps)
        for step in plan.steps:
            if step.run is not Run.NEW:
                yield Done(step, self.timed([step], self.how[step.run]))

    def timed(self, steps: List[Step], run: Callable[[List[Step]], None]) -> float:
        started = time.monotonic()
        try:
            run(steps)
        except (psycopg2.Error, Terminated):
            more = f" and {len(steps) - 1} more, all in one transaction" if steps[1:] else ""
            log.warning("not finished: %s%s", steps[0], more)
            raise
        seconds = time.monotonic() - started
        for step in steps:
            subject = {"step": step.kind, "schema": step.schema, "object": step.name}
            each = seconds / len(steps)
            extra = {**subject, "duration_ms": round(1000 * each)}
            log.info("%s (%s)", step, duration(each), extra=extra)
        return seconds

    def brief(self, steps: List[Step]) -> None:
        """Run steps in one transaction, in one round trip, once their locks are had."""
        statements = [statement for step in steps for statement in step.statements]
        if steps[-1].run is not Run.NEW:
            statements += self.journal.after(steps[-1])
        self.locked(
            steps[-1],
            lambda: database.transaction(
                self.connection, statements, lock_timeout=self.settings.lock_timeout
            ),
        )

    def online(self, steps: List[Step]) -> None:
        """Run each statement outside a transaction, for as long as it takes, watched."""
        for step in steps:
            self._once_free(step)
            for statement in step.statements:
                database.lift_restrictions(self.connection)
                try:
                    with watch.build(self.connection, self.control, step, statement):
                        database.alone(self.connection, statement)
                except psycopg2.Error as error:
                    if advice.out_of_space(error):
                        self.give_back(step)
                    raise
            self.note(self.journal.after(step))

    def give_back(self, step: Step) -> None:
        """Drop the half of an index that has filled the disk: everybody else needs the space."""
        if step.kind in BUILDS:
            names = (quote_ident(name, self.connection) for name in (step.schema, step.name))
            drop = f"DROP INDEX CONCURRENTLY {'.'.join(names)}"
            with suppress(psycopg2.Error):  # then the next run drops it
                with watch.build(self.connection, self.control, step, drop):
                    database.alone(self.connection, drop)
                log.warning("dropped what was built of %s: it filled the disk", step.name)

    def _once_free(self, step: Step) -> None:
        """Wait until nobody vacuums the table or builds an index on it.

        A build that waits for such a lock has a snapshot already, for which the other build waits
        in turn: a deadlock that ends either of them.
        """
        lock = f"LOCK TABLE {step.relation} IN SHARE UPDATE EXCLUSIVE MODE"
        self.locked(
            step,
            lambda: database.transaction(
                self.connection,
                [lock, *self.journal.before(step)],
                lock_timeout=min(SHARED_LOCK_SECONDS, self.settings.lock_patience),
            ),
        )

    def batches(self, steps: List[Step]) -> None:
        """Run an UPDATE of a whole table page range by page range, each in its own transaction.

        The rows that it fills itself may move to a later page, but they are filled. A killed
        backfill goes on where it was, since it looks only for rows that have no value.
        """
        for step in steps:
            self.note(self.journal.before(step))
            pages, per_batch = self._pages(step)
            with watch.progress(str(step), pages) as advance:
                for first in range(0, pages, per_batch):
                    self._batch(step, first, min(first + per_batch, pages))
                    advance(min(per_batch, pages - first))

    def _pages(self, step: Step) -> Tuple[int, int]:
        """Return how many pages the table has, and how many hold about `BATCH_ROWS` rows."""
        pages, rows = database.ask(
            self.connection,
            "SELECT pg_relation_size(oid) / current_setting('block_size')::integer, "
            f"GREATEST(reltuples, 0) FROM pg_class WHERE oid = '{step.relation}'::regclass",
        )[0]
        per_page = min(ITEMS_PER_PAGE, max(1, round(rows / pages) if pages and rows else 50))
        return pages, max(1, BATCH_ROWS // per_page)

    def _batch(self, step: Step, first: int, last: int) -> None:
        # A list of row addresses is the one way to read a page range that every version from 12
        # on does without scanning the table.
        addresses = (
            f"SELECT format('(%s,%s)', page, item)::tid FROM generate_series({first}, {last - 1}) "
            f"AS page, generate_series(1, {ITEMS_PER_PAGE}) AS item"
        )
        statements = [f"{sql} AND ctid = ANY (ARRAY({addresses}))" for sql in step.statements]
        self.locked(
            step,
            lambda: database.transaction(
                self.connection, statements, lock_timeout=self.settings.lock_timeout
            ),
        )

    def note(self, statements: List[str]) -> None:
        if statements:
            database.transaction(self.connection, statements)

    def locked(self, step: Step, action: Callable[[], None]) -> None:
        """Try `action` until it gets its lock; say who is in the way."""
        started = said = time.monotonic()

        def say() -> None:
            nonlocal said
            now = time.monotonic()
            if said == started or now - said > watch.REMINDER_SECONDS:
                said = now
                for blocker in self._blockers(step):
                    log.warning("%s waits for a lock held by %s", step, blocker)

        try:
            retries.until_locked(self.settings, action, say)
        except errors.LockNotAvailable:
            waited = f"{time.monotonic() - started:.0f} s"
            raise Refused(
                f"{step}: no lock within {waited} (LOCK_PATIENCE).\n  It is held by "
                + ("; ".join(self._blockers(step)) or "somebody who has just let go")
                + "\n  What was finished stays; safe to run again."
            ) from None

    def _blockers(self, step: Step) -> List[str]:
        pid = self.connection.info.backend_pid
        return locks.blockers(self.control, step.relation, pid)


def _together(steps: Iterable[Step]) -> Iterator[List[Step]]:
    """Split the steps into those that one transaction takes, whole schemas each."""
    ordered: Dict[str, List[Step]] = {}
    for step in steps:
        ordered.setdefault(step.schema, []).append(step)
    batch: List[Step] = []
    schemas: Set[str] = set()
    for step in (step for of_schema in ordered.values() for step in of_schema):
        if step.schema not in schemas and len(schemas) == SCHEMAS_PER_TRANSACTION:
            yield batch
            batch, schemas = [], set()
        schemas.add(step.schema)
        batch.append(step)
    if batch:
        yield batch
