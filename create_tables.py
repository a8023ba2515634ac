"""Bring a PostgreSQL database to the state that the models describe, prove it, and exit.

What every option, variable and exit code means stands in README.md.
"""

import logging
import os
import sys
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Tuple

from psycopg2.errors import LockNotAvailable

import chater
import converge
from converge import benchmark
from converge.console import logs
from converge.console.advice import explained
from converge.console.command_line import ALL_RUNS, Options, parse
from converge.console.importing import importing
from converge.console.question import on_terminal
from converge.console.signals import stopped_by_signals
from converge.console.summary import Stopwatch, put, summary
from converge.console.telling import (
    refuse,
    tell_dotenv,
    tell_left_alone,
    tell_plan,
    tell_settings,
    tell_warnings,
)
from converge.errors import ConvergeError, Refused, Terminated
from converge.history.look import Look, fingerprints, look
from converge.names import APPLICATION_NAME
from converge.server import retries
from converge.server.connection import Connection
from converge.settings.variables import Settings, load_settings
from converge.text import counted
from queries import QUERIES
from verify import analyze, stale, verify

if TYPE_CHECKING:
    Compare = Callable[[Connection, converge.ServerFacts], converge.Plan]

log = logging.getLogger(APPLICATION_NAME)
DOTENV = ".env"  # in the current directory


class Job:
    """One run: its settings, its connection, how long its steps took, and what it has done."""

    def __init__(self, settings: Settings, options: Options) -> None:
        self.settings, self.options = settings, options
        self.fingerprints = fingerprints(chater.MODELS, [chater.__file__])
        self.stopwatch = Stopwatch()
        self.step = self.stopwatch.step
        self.done: List[converge.Done] = []
        self._connection: Optional[Connection] = None

    @property
    def connection(self) -> Connection:
        """The open connection; a new one, with retries, if there is none or it was lost."""
        if self._connection is None or self._connection.closed:
            with self.step("connect"):
                self._connection = retries.connect(self.settings)
            converge.watch(self._connection, self.settings)
            where = self.settings
            log.info("connected to %s:%s, database %s", where.host, where.port, where.database)
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def bring_to_models(job: Job) -> None:
    """The README's flow. Interrupted anywhere, it is safe to begin again at its first line."""
    connection, settings = job.connection, job.settings
    with job.step("look"):  # one query: is all as the last verified run left it?
        found = look(connection, settings.schemas, job.fingerprints)
        tell_look(found)
    if not found.current:
        with ExitStack() as held:
            with job.step("lock"):  # one run at a time; the others wait here
                lock = converge.run_lock(connection, settings, [e.name for e in chater.EXTENSIONS])
                work = held.enter_context(lock)
            if work is None:  # another run was at work, and may have done it all
                bring_to_models(job)
                return
            with job.step("inspect"):  # raises Refused if no run can succeed
                facts = converge.inspect(work, settings, chater.EXTENSIONS)
            with job.step("plan"):
                compare = load_models(settings)
                plan = converge.left_over(work, compare(work, facts))
                tell_plan(plan)  # raises Refused before any change
                if plan.steps and facts.brake:
                    log.warning("%s", facts.brake)
            with job.step("apply"):  # what is new in one transaction, what is live step by step
                journal = converge.Journal(plan, work, job.fingerprints)
                applier = converge.Applier(settings, work, connection, journal)
                for done in applier.apply(journal.opening()):
                    job.done.append(done)
            if settings.verify_indexes:
                with job.step("verify"):  # a new plan has to be empty
                    proof = compare(work, facts.after_run(settings))
                    verify(proof)
                    # Not again what another run has recorded since the first look.
                    if plan.steps or not look(work, settings.schemas, job.fingerprints).current:
                        journal.verified(proof)
            else:
                log.info("verification is switched off (VERIFY_INDEXES)")
        found = Look((), tables=plan.tables, stale=stale(connection, settings, plan, job.done))
    with job.step("analyze"):
        analyze(connection, found.stale)
    if settings.enable_performance_test:
        with job.step("benchmark"):
            put(benchmark.report(connection, QUERIES, settings.schemas) + "\n")
    put(summary(job.done, settings.schemas, found.tables, job.stopwatch))
    log.info("done: %s", "changes were made" if job.done else "there was nothing to do")


def load_models(settings: Settings) -> "Compare":
    """Return what plans: the comparison with the models.

    It is the one door to SQLAlchemy, whose import takes ten times the whole look.
    """
    with importing(chater.MODELS[0], settings.password):
        from indexes import INDEXES
        from models import Base
    from converge.compare.compare import make_plan
    from converge.compare.desired import Desired

    desired = Desired(
        Base.metadata,
        indexes=INDEXES,
        extensions=chater.EXTENSIONS,
        backfills=settings.own,
        date_shapes=chater.DATE_SHAPES,
    )
    return partial(make_plan, settings=settings, desired=desired)


def run(job: Job) -> None:
    """Bring the database to the models; where it was interrupted, begin again."""
    retries.until_done(job.settings, lambda: bring_to_models(job))


def roll_back(job: Job) -> None:
    """Undo versions, once that is agreed to; where it was interrupted, begin again."""
    newest = converge.newest_runs(job.connection, job.settings.schemas)
    if on_terminal() and not job.options.yes:  # without the run lock: an answer may take hours
        rollback = planned_rollback(job, job.connection)
        refuse(rollback.plan)
        converge.ask(rollback, job.settings)
        job.options = job.options._replace(yes=True)
    retries.until_done(job.settings, lambda: undo(job, newest))


def undo(job: Job, newest: Dict[str, int]) -> None:
    """Undo under the run lock, and record that.

    Raises `Refused` if `newest` are no longer the newest runs: then that is another version.
    """
    connection, settings = job.connection, job.settings
    with converge.run_lock(connection, settings) as work:
        if work is None:  # another run was at work
            undo(job, newest)
            return
        converge.require_newest(work, settings.schemas, newest)
        with job.step("plan"):
            rollback = planned_rollback(job, work)
            refuse(rollback.plan)
            if job.options.to is None and not job.options.yes:
                converge.refuse_older(rollback, job.fingerprints.models)
            tell_warnings(rollback.plan)
        with job.step("undo"):
            applier = converge.Applier(settings, work, connection, rollback)
            for done in applier.apply(rollback.plan):
                job.done.append(done)
            rollback.record(work, sum(done.seconds for done in job.done))
    for target in rollback.targets:
        log.info("%s", target)
    undone = [s for done in job.done for s in done.steps if s.kind is converge.Kind.UNDO]
    put(f"{counted(len(undone), 'step')} undone.\ntime: {job.stopwatch}")


def planned_rollback(job: Job, connection: Connection) -> "converge.Rollback":
    """Return what a rollback does; nothing is touched."""
    facts = converge.inspect(connection, job.settings, chater.EXTENSIONS)
    return converge.plan_rollback(connection, job.settings, facts, job.options.to)


def print_plan(job: Job) -> None:
    """Print what a run would execute. Raises `Refused` if it would do nothing at all."""
    print_whole(compared(job))


def print_rollback(job: Job) -> None:
    """Print what a rollback would execute. Raises `Refused` if it would do nothing at all."""
    rollback = planned_rollback(job, job.connection)
    for target in rollback.targets:
        put(f"-- {target}")
    if not rollback.plan.empty:
        print_whole(rollback.plan)


def print_whole(plan: "converge.Plan") -> None:
    put(converge.render(plan))
    if plan.refusals:
        found = counted(len(plan.refusals), "difference")
        raise Refused(f"{found} refused, as printed above")


def print_history(job: Job) -> None:
    """Print what runs have changed, or the steps of one."""
    connection, schemas, number = job.connection, job.settings.schemas, job.options.run
    found = (
        converge.show(connection, schemas)
        if number == ALL_RUNS
        else converge.show_run(connection, schemas, number)
    )
    put(found)


def compare_only(job: Job) -> None:
    """Raise `VerificationFailed` with what differs, or print that nothing does."""
    plan = compared(job)
    tell_left_alone(plan)
    tell_warnings(plan)
    verify(plan)
    put("The database is as the models describe.")


def compared(job: Job) -> "converge.Plan":
    """Return the plan without taking the run lock; nothing is touched."""
    facts = converge.inspect(job.connection, job.settings, chater.EXTENSIONS, only_look=True)
    plan = load_models(job.settings)(job.connection, facts).looked_at()
    return converge.left_over(job.connection, plan)


def tell_look(found: Look) -> None:
    """Log what the quick look found, or why a full comparison is needed."""
    if found.current:
        log.info("schema is current: version %s, verified %s", found.version, found.verified)
    else:
        log.info("comparing in full: %s", "; ".join(found.reasons))


def execute(job: Job, mode: Callable[[Job], None]) -> None:
    """Run a mode. If one of its queries waits too long for a lock, say who holds that."""
    try:
        mode(job)
    except LockNotAvailable:
        done = bool(job.done)
        raise converge.not_acquired(job.connection, job.settings, done=done) from None


MODES: Dict[Tuple[str, bool], Callable[[Job], None]] = {  # by mode, and whether to plan only
    ("run", False): run,
    ("run", True): print_plan,
    ("rollback", False): roll_back,
    ("rollback", True): print_rollback,
    ("verify", False): compare_only,
    ("history", False): print_history,
}


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command line and return the exit code; results go to stdout, the rest to stderr."""
    options = parse(argv, chater.VARIABLES)
    logs.set_up("INFO", os.environ.get("LOG_FORMAT", "text").strip().lower())
    try:
        with stopped_by_signals(), explained():
            tell_dotenv(DOTENV, chater.ROOT)
            settings = load_settings(os.environ, DOTENV, own=chater.VARIABLES)
            logs.set_up(settings.log_level, settings.log_format)
            tell_settings(settings, DOTENV)
            with closing(Job(settings, options)) as job:
                execute(job, MODES[options.mode, options.plan])
    except (ConvergeError, Terminated) as error:
        log.error("%s", error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
