"""Bring a PostgreSQL database to the state that the models describe, prove it, and exit.

What every option, variable and exit code means stands in README.md.
"""

import logging
import os
import sys
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Sequence, Tuple

from psycopg2.errors import LockNotAvailable

import chater
import converge
from converge import benchmark
from converge.console import logs
from converge.console.advice import explained
from converge.console.command_line import ALL_RUNS, parse
from converge.console.ending import ended
from converge.console.signals import stopped_by_signals
from converge.console.summary import Ran, put, put_at, put_summary
from converge.console.telling import (
    refuse_any,
    tell_dotenv,
    tell_failed,
    tell_left_alone,
    tell_plan,
    tell_settings,
    tell_warnings,
)
from converge.events import about
from converge.history.look import Look, look
from converge.names import APPLICATION_NAME
from converge.server import retries
from converge.server.schemas import with_schemas
from converge.settings.loading import load_settings
from job import Job, share_out
from plans import asked_at, print_whole, require_all_approved, require_approved, require_place
from report import reported
from rollback import print_rollback, roll_back
from verify import analyze, stale, verify

if TYPE_CHECKING:
    from converge.plan import Alike

log = logging.getLogger(APPLICATION_NAME)
DOTENV = ".env"  # in the current directory


def bring_to_models(job: Job) -> None:
    """The README's flow. Interrupted anywhere, it is safe to begin again at its first line."""
    schemas = job.settings.schemas
    with job.step("look"):  # one query: is all as the last verified run left it?
        found = look(job.connection, schemas, job.fingerprints)
        job.ran.versions.update(found.versions)
        tell_look(found)
    if found.pending and schemas[1:]:
        bring_many(job, found.pending)
    elif found.pending and not bring(job, schemas):
        bring_to_models(job)  # another run was at work, and may have done it all
        return
    if found.stale or not schemas[1:]:  # of many, the others are analyzed by now
        with job.step("analyze"):
            analyze(job.connection, found.stale or not_analyzed(job, schemas))
    if job.settings.timed_schemas:
        with job.step("benchmark"):
            time_queries(job)
    done = [schema for schema in schemas if schema not in job.failed]
    put_summary(job.tally, done, len(job.tables or found.tables), job.stopwatch)
    tell_failed(job.failed, schemas)
    job.ran.said = "changes were made" if job.tally else "there was nothing to do"


def bring(job: Job, schemas: Sequence[str], *, wait: bool = True) -> bool:
    """Bring schemas to the models, under their run locks.

    Return False if another run has been at work on them: with `wait`, once it has ended.
    """
    settings = job.settings.of(schemas)
    extensions = [extension.name for extension in chater.EXTENSIONS]
    with ExitStack() as held:
        with job.step("lock"):  # one run at a time; the others wait here
            lock = converge.run_lock(job.connection, settings, extensions, wait=wait)
            work = held.enter_context(lock)
        if work is None:
            return False
        with job.step("inspect"):  # raises Refused if no run can succeed
            facts = converge.inspect(work, settings, chater.EXTENSIONS)
        with job.step("plan"):
            plan = converge.left_over(work, job.comparison.plan(work, facts, settings))
            tell_plan(plan)  # raises Refused before any change
            require_approved(job, work, plan)
            if plan.steps and facts.brake:
                log.warning("%s", facts.brake, extra=about("read_only_default"))
        with job.step("apply"):  # what is new in one transaction, what is live step by step
            journal = converge.Journal(plan, work, job.fingerprints)
            applier = converge.Applier(settings, work, job.connection, journal)
            for done in applier.apply(journal.opening()):
                job.tally.add(done)
        if settings.verify_indexes:
            with job.step("verify"):  # a new plan has to be empty
                proof = job.comparison.survey(work, facts.after_run(settings), settings)
                verify(proof)
                # Not again what another run has recorded since the first look.
                if plan.steps or not look(work, schemas, job.fingerprints).current:
                    journal.verified(converge.joined(alike.each() for alike in proof))
                if logs.in_json():  # the last line tells them
                    job.ran.versions.update(look(work, schemas, job.fingerprints).versions)
        else:
            extra = about("not_verified", setting="VERIFY_INDEXES")
            log.info("verification is switched off (VERIFY_INDEXES)", extra=extra)
    return True


def time_queries(job: Job) -> None:
    """Time the key queries; what they took is of interest where something was changed."""
    job.timings = benchmark.timings(job.connection, job.queries, job.settings.timed_schemas)
    text = benchmark.as_table(job.timings) + "\n"
    put_at(job.tally.level, text, "query_report", queries=[one.facts for one in job.timings])


def not_analyzed(job: Job, schemas: Sequence[str]) -> Sequence[Tuple[str, str]]:
    """Return schema and name of the tables that a run has changed, or that are stale anyway."""
    if not job.tables:  # nothing was compared
        return ()
    return stale(job.connection, schemas, job.tables, job.tally.changed(schemas))


def bring_many(job: Job, schemas: Sequence[str]) -> None:
    """Bring many schemas to the models, each for itself; what ended some is in `job.failed`.

    With ON_REFUSAL=stop, raises `Refused` before the first change if any schema is refused.
    """

    def work(one: Job, group: Sequence[str], wait: bool) -> bool:
        while group and not bring(one, group, wait=wait):
            if not wait:
                return False
            group = look(one.connection, group, one.fingerprints).pending
        with one.step("analyze"):
            analyze(one.connection, not_analyzed(one, group))
        return True

    if job.settings.on_refusal == "stop":
        with job.step("plan"):
            found = survey(job, schemas)
            refuse_any(found)
            require_all_approved(job, found)
    else:  # raises Refused if a run can succeed in none
        converge.inspect(job.connection, job.settings.of(()), chater.EXTENSIONS)
    share_out(job, schemas, work)


def run(job: Job) -> None:
    """Bring the database to the models; where it was interrupted, begin again."""
    retries.until_done(job.settings, lambda: bring_to_models(job))


def apply_plan(job: Job) -> None:
    """Do what a run does, if it is what was approved: raises `Refused` with what has changed."""
    retries.until_done(job.settings, lambda: require_place(job))
    run(job)


def print_plan(job: Job) -> None:
    """Print what a run would execute. Raises `Refused` if something is refused."""
    at = asked_at(job)
    print_whole(job, compared(job), at)


def print_history(job: Job) -> None:
    """Print what runs have changed, or the steps of one."""
    connection, schemas, number = job.connection, job.settings.schemas, job.options.run
    found = (
        converge.show(connection, schemas)
        if number == ALL_RUNS
        else converge.show_run(connection, schemas, number)
    )
    put(found, "history")


def compare_only(job: Job) -> None:
    """Raise `VerificationFailed` with what differs, or print that nothing does."""
    found = compared(job)
    for alike in found:
        tell_left_alone(alike.plan)
        tell_warnings(alike.plan)
    verify(found)
    put("The database is as the models describe.")


def compared(job: Job) -> "List[Alike]":
    """Return the plans without taking the run lock, as those have them who only look."""
    with job.step("compare"):
        found = survey(job, job.settings.schemas, only_look=True)
        job.compared = [
            alike._replace(plan=converge.left_over(job.connection, alike.plan.looked_at()))
            for alike in found
        ]
    return job.compared


def survey(job: Job, schemas: Sequence[str], *, only_look: bool = False) -> "List[Alike]":
    """Return what a run would do in each schema, once for those that are alike."""
    connection, settings = job.connection, job.settings.of(schemas)
    facts = converge.inspect(connection, settings, chater.EXTENSIONS, only_look=only_look)
    return job.comparison.survey(connection, facts, settings)


def tell_look(found: Look) -> None:
    """Log what the quick look found, or why a full comparison is needed."""
    if found.current:
        version = ", ".join(map(str, found.versions))
        extra = about("schema_current", versions=found.versions, verified=found.verified)
        log.info("schema is current: version %s, verified %s", version, found.verified, extra=extra)
    else:
        extra = about("comparing", reasons=found.reasons)
        log.info("comparing in full: %s", "; ".join(found.reasons), extra=extra)


def execute(job: Job, mode: Callable[[Job], None]) -> None:
    """Run a mode. If one of its queries waits too long for a lock, say who holds that."""
    try:
        job.settings = retries.until_done(
            job.settings, lambda: with_schemas(job.connection, job.settings)
        )
        if job.settings.schemas:
            mode(job)
        else:
            job.ran.said = "none of the schemas is this shard's"
    except LockNotAvailable:
        done = bool(job.tally)
        raise converge.not_acquired(job.connection, job.settings, done=done) from None


MODES: Dict[Tuple[str, bool], Callable[[Job], None]] = {  # by mode, and whether to plan only
    ("run", False): run,
    ("run", True): print_plan,
    ("apply", False): apply_plan,
    ("rollback", False): roll_back,
    ("rollback", True): print_rollback,
    ("verify", False): compare_only,
    ("history", False): print_history,
}


def start(argv: Optional[List[str]], ran: Ran) -> None:
    """Read the command line and the settings, and run the mode that is asked for."""
    with stopped_by_signals(), explained():
        options = parse(argv, chater.VARIABLES)
        tell_dotenv(DOTENV, chater.ROOT)
        settings = load_settings(os.environ, DOTENV, own=chater.VARIABLES)
        logs.set_up(settings.log_level, settings.log_format)
        tell_settings(settings, DOTENV)
        with closing(Job(settings, options, ran)) as job, reported(job, compared):
            execute(job, MODES[options.mode, options.plan])


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command line and return the exit code; results go to stdout, the rest to stderr."""
    logs.set_up("INFO", logs.first_format(os.environ, DOTENV))
    ran = Ran()
    exit_code = ended(lambda: start(argv, ran))
    logs.finish(f"done: {ran.said}" if ran.said and not exit_code else "", exit_code, **ran.facts)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
