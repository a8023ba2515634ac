"""Running a plan: what is new in one transaction, what is live step by step.

If it fails, what was finished stays, and a new plan closes the rest: nothing here has to be undone
before another run.
"""

import logging
import time
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import Callable, Dict, Iterable, Iterator, List, Protocol, Sequence

import psycopg2
from psycopg2 import errors

from converge.change.backfill import batches
from converge.change.giving_up import drop_helpers
from converge.change.place import Place, numbered
from converge.change.progress import watched_build
from converge.change.refused import refusal
from converge.change.rehearsal import rehearse
from converge.display import DISPLAY
from converge.errors import LockNotAcquired, Refused, StepFailed, Terminated
from converge.estimates import BYTES_PER_SECOND, work_of
from converge.events import about
from converge.names import HISTORY_TABLE
from converge.plan import Plan
from converge.quoting import qualified
from converge.server import messages, retries
from converge.server.connection import WATCH_SECONDS, Connection
from converge.server.locks import lock_not_acquired
from converge.server.sizes import sizes
from converge.server.waits import Guess, Watcher, onlooker
from converge.settings.variables import Settings
from converge.steps import Done, Lock, Run, Step
from converge.task import Task
from converge.text import counted, duration

log = logging.getLogger(__name__)

# For a lock behind which no reader or writer queues. Autovacuum gives way to whoever waits for
# longer than deadlock_timeout, which by default is a second.
SHARED_LOCK_SECONDS = 2.0
# As in `pg_locks`.
MODES = {
    Lock.NONE: "AccessExclusiveLock",
    Lock.INSTANT: "AccessExclusiveLock",
    Lock.READ: "AccessExclusiveLock",
    Lock.REWRITE: "AccessExclusiveLock",
    Lock.WRITES: "ShareRowExclusiveLock",
    Lock.BUILD: "ShareLock",
    Lock.SHARED: "ShareUpdateExclusiveLock",
    Lock.ROWS: "RowExclusiveLock",
}


class Counting(Protocol):
    """What keeps count of the steps. `after` a brief one runs in the step's own transaction."""

    def before(self, step: Step, /) -> List[str]: ...

    def after(self, step: Step, /) -> List[str]: ...


class Applier:
    """Runs steps on `connection`; `control`, which holds the run lock, watches what takes long."""

    def __init__(
        self, settings: Settings, connection: Connection, control: Connection, journal: Counting
    ) -> None:
        self.settings, self.connection, self.control = settings, connection, control
        self.journal = journal
        self.finished = self.left = 0  # steps
        self.place = Place()
        self.task = Task("")  # what is shown of the one that runs
        self.how = {
            Run.AHEAD: self._brief,
            Run.BRIEF: self._brief,
            Run.ONLINE: self._online,
            Run.BATCHES: self._batches,
        }

    def apply(self, plan: Plan) -> Iterator[Done]:
        """Run the steps of a plan without refusals, yielding what is finished.

        Raises `Refused` if the server would not take all of it: then nothing was changed. Raises
        `LockNotAcquired` if a lock could not be acquired within LOCK_PATIENCE, else `StepFailed`:
        what was finished stays; a new plan closes the rest.
        """
        refusals = rehearse(plan, self._tried)
        if refusals:
            raise Refused.of(*refusals)
        self.finished, self.left = 0, len(plan.steps)
        self.place = Place(0, numbered(plan.steps))
        try:
            for step in plan.steps:
                if step.run is Run.AHEAD:
                    yield self._alone(step)
            for steps in _together([step for step in plan.steps if step.run is Run.NEW]):
                yield self._timed(steps, partial(self._new, steps))
            for step in plan.steps:
                if step.run not in (Run.AHEAD, Run.NEW):
                    yield self._alone(step)
        except Terminated:
            extra = about("steps_left", count=self.left)
            log.warning("%s left for the next run", counted(self.left, "step"), extra=extra)
            raise

    def _alone(self, step: Step) -> Done:
        return self._timed([step], partial(self.how[step.run], step))

    def _tried(self, step: Step, statements: Sequence[str]) -> None:
        with self._shown([step]):
            self._in_transaction(step, statements, end="ROLLBACK")

    def _timed(self, steps: Sequence[Step], action: Callable[[], None]) -> Done:
        """Run the action of the steps, and say how long it took."""
        started = time.monotonic()
        try:
            with self._shown(steps):
                action()
        except (psycopg2.Error, LockNotAcquired, Terminated) as error:
            more = f" and {len(steps) - 1} more, all in one transaction" if steps[1:] else ""
            extra = about("step_unfinished", count=len(steps), **_subject(steps[0]))
            log.warning("not finished: %s%s", steps[0], more, extra=extra)
            if not isinstance(error, Terminated):  # after that, another run goes on from here
                drop_helpers(self.connection, self.settings, steps[0])
            if isinstance(error, psycopg2.Error):
                why = refusal(steps[0], error)
                raise StepFailed(error, why, finished=self.finished) from error
            raise
        self.finished, self.left = self.finished + len(steps), self.left - len(steps)
        self.place = self.place.after(steps)
        done = Done(tuple(steps), time.monotonic() - started)
        _tell(done)
        return done

    @contextmanager
    def _shown(self, steps: Sequence[Step]) -> Iterator[None]:
        """Show, while the block runs, how far the steps are, the last of them by name."""
        place = self.place.after(steps) if numbered(steps) else Place()
        self.task = Task(str(steps[-1]), *place, subject=_subject(steps[-1]))
        with DISPLAY.showing(self.task):
            yield

    def _new(self, steps: Sequence[Step]) -> None:
        """Run all steps in one transaction, in one round trip."""
        statements: List[str] = []
        for schema in dict.fromkeys(step.schema for step in steps):
            ours = [step for step in steps if step.schema == schema]
            statements += _found_along(
                ours[0].path, [sql for step in ours for sql in step.statements]
            )
        self._locked(steps[-1], statements, self.settings.lock_timeout)

    def _brief(self, step: Step) -> None:
        """Run a step in one transaction, in one round trip, once its lock is acquired."""
        self._foresee(step)
        self._in_transaction(step, [*step.statements, *self.journal.after(step)])

    def _foresee(self, step: Step) -> None:
        """Show how long a step will take that the server counts nothing of."""
        work = work_of(step)
        if work is not None:
            for size in sizes(self.connection, [step.schema], [step.table]).values():
                self.task.expect(size.bytes / BYTES_PER_SECOND[work])

    def _in_transaction(
        self, step: Step, statements: Sequence[str], *, end: str = "COMMIT"
    ) -> None:
        found = _found_along(step.path, statements)
        self._locked(step, found, self.settings.lock_timeout, end=end)

    def _online(self, step: Step) -> None:
        """Run each statement outside a transaction, for as long as it takes, watched."""
        self._once_free(step)
        for statement in step.statements:
            messages.lift_restrictions(self.connection, step.path)
            try:
                self._build(statement)
            except psycopg2.Error as error:
                if not isinstance(error, errors.DuplicateTable):  # that index is somebody else's
                    self._give_back(step)
                raise
        self._note(step, self.journal.after(step))

    def _build(self, statement: str) -> None:
        with onlooker(self.settings) as observe, watched_build(self.connection, observe, self.task):
            messages.alone(self.connection, statement)

    def _give_back(self, step: Step) -> None:
        """Drop the half of an index: it takes space, and a unique one refuses rows already."""
        if step.kind.builds_index and not self.connection.closed:
            drop = f"DROP INDEX CONCURRENTLY {qualified(step.schema, step.name)}"
            with suppress(psycopg2.Error):  # then the next run drops it
                self._build(drop)
                extra = about("index_dropped", **_subject(step))
                log.warning("dropped the unfinished index %s", step.name, extra=extra)

    def _once_free(self, step: Step) -> None:
        """Wait until nobody vacuums the table or builds an index on it.

        A build that waits for such a lock has a snapshot already, for which the other build waits
        in turn: a deadlock that ends either of them.
        """
        lock = f"LOCK TABLE {step.relation} IN SHARE UPDATE EXCLUSIVE MODE"
        statements = [lock, *self.journal.before(step)]
        self._locked(step, statements, min(SHARED_LOCK_SECONDS, self.settings.lock_patience))

    def _batches(self, step: Step) -> None:
        """Run an UPDATE of a whole table in batches, each in its own transaction."""
        self._note(step, self.journal.before(step))

        def batch(statements: Sequence[str]) -> None:
            self._in_transaction(step, statements)

        batches(self.connection, step, self.task, batch)

    def _note(self, step: Step, statements: List[str]) -> None:
        if statements:
            self._in_transaction(step, statements)

    def _locked(
        self, step: Step, statements: Sequence[str], timeout: float, *, end: str = "COMMIT"
    ) -> None:
        """Try a transaction until it gets its locks; say who is in the way."""
        watcher = Watcher(
            self.connection, lambda: nullcontext(self.control), self.task.blocked, _guesses(step)
        )

        def attempt() -> None:
            messages.transaction(self.connection, statements, lock_timeout=timeout, end=end)

        with self.connection.watched(watcher, min(timeout / 2, WATCH_SECONDS)):
            try:
                retries.until_locked(self.settings, attempt, watcher.missed)
            except errors.LockNotAvailable:
                found = watcher.in_the_way()
                tried_only = end == "ROLLBACK"
                raise lock_not_acquired(
                    f"{step}:", self.settings, found, done=not tried_only
                ) from None


def _found_along(path: Sequence[str], statements: Sequence[str]) -> List[str]:
    """Return the statements, with names that have no schema found in those of the path."""
    return [*([f"SET LOCAL {messages.search_path(path)}"] if path else []), *statements]


def _guesses(step: Step) -> List[Guess]:
    """Return the locks that a step may wait for, where it was not seen for which: also its count.

    An attempt is short, and the look at it may come too late.
    """
    own = [(step.table, step.lock)] if step.table else []
    found = [Guess(step.schema, table, MODES[lock]) for table, lock in [*own, *step.locks]]
    return [*found, Guess(step.schema, HISTORY_TABLE, "RowExclusiveLock")]


def _tell(done: Done) -> None:
    """Log what was done: what is new in a line, and its steps at DEBUG; else a line each step."""
    milliseconds = round(1000 * done.seconds)
    if done.steps[0].run is not Run.NEW:
        [step] = done.steps
        extra = about("step_done", **_subject(step), duration_ms=milliseconds)
        log.info("%s (%s)", step, duration(done.seconds), extra=extra)
        return
    for step in done.steps:
        log.debug("%s", step, extra=about("step_done", **_subject(step)))
    created = _created(done.steps)
    if not created:
        return
    schemas = list(dict.fromkeys(step.schema for step in done.steps))
    counts = ", ".join(counted(number, noun) for noun, number in created.items())
    what = f"created in {', '.join(schemas)}, in one transaction: {counts}"
    extra = about("created", schemas=schemas, created=created, duration_ms=milliseconds)
    log.info("%s (%s)", what, duration(done.seconds), extra=extra)


def _subject(step: Step) -> Dict[str, object]:
    return {"step": step.kind.value, "schema": step.schema, "object": step.name}


def _created(steps: Sequence[Step]) -> Dict[str, int]:
    """Return how many of each noun are created."""
    nouns = [step.kind.noun for step in steps if step.kind.noun]
    return {noun: nouns.count(noun) for noun in dict.fromkeys(nouns)}


def _together(steps: Iterable[Step]) -> List[List[Step]]:
    """Split the steps into those that one transaction takes: a schema's.

    The locks of one, some 60, are few among the 6,400 that a server has by default (64, its
    max_locks_per_transaction, for each of 100 connections).
    """
    ordered: Dict[str, List[Step]] = {}
    for step in steps:
        ordered.setdefault(step.schema, []).append(step)
    return list(ordered.values())
