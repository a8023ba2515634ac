"""The rollback: versions of each schema undone, or what would be done for that printed."""

import logging
from typing import TYPE_CHECKING, Dict, Sequence

import chater
import converge
from converge.console.markdown import prose
from converge.console.question import on_terminal
from converge.console.summary import put, put_at
from converge.console.telling import refuse, refuse_any, tell_failed, tell_warnings
from converge.events import about
from converge.names import APPLICATION_NAME
from converge.server import retries
from converge.server.connection import Connection
from converge.text import counted
from job import Job, share_out
from plans import MARKDOWN, asked_at, print_whole

if TYPE_CHECKING:
    from converge.plan import Alike

log = logging.getLogger(APPLICATION_NAME)

OTHERS_AGAIN = "Name these alone to run again: of the others, that would undo one version more."


def roll_back(job: Job) -> None:
    """Undo versions, once that is agreed to; where it was interrupted, begin again.

    Of many schemas, each is for itself; if one is refused, nothing is undone in any.
    """
    schemas = job.settings.schemas
    newest = converge.newest_runs(job.connection, schemas)
    if on_terminal() and not job.options.yes:  # without the run lock: an answer may take hours
        rollback = planned(job, job.connection, schemas)
        refuse(rollback.plan)
        converge.ask(rollback, job.settings)
        job.options = job.options._replace(yes=True)

    def work(one: Job, group: Sequence[str], wait: bool) -> bool:
        while not undo(one, group, newest, wait=wait):
            if not wait:
                return False
        return True

    if schemas[1:]:
        refuse_any(alike(job, schemas))
        share_out(job, schemas, work)
    else:
        retries.until_done(job.settings, lambda: work(job, schemas, wait=True))
    put_at(
        logging.INFO,
        f"{counted(job.tally.undone, 'step')} undone.\ntime: {job.stopwatch}",
        "summary",
        undone=job.tally.undone,
        seconds=job.stopwatch.seconds,
    )
    tell_failed(job.failed, schemas, *([OTHERS_AGAIN] if job.options.to is None else []))


def undo(job: Job, schemas: Sequence[str], newest: Dict[str, int], *, wait: bool = True) -> bool:
    """Undo under the run lock, and record that; return False if another run has been at work.

    Raises `Refused` if `newest` are no longer the newest runs: then that is another version.
    """
    connection, settings = job.connection, job.settings.of(schemas)
    with converge.run_lock(connection, settings, wait=wait) as work:
        if work is None:
            return False
        known = {schema: newest[schema] for schema in schemas if schema in newest}
        converge.require_newest(work, schemas, known)
        with job.step("plan"):
            rollback = planned(job, work, schemas)
            refuse(rollback.plan)
            if job.options.to is None and not job.options.yes:
                converge.refuse_older(rollback, job.fingerprints.models)
            tell_warnings(rollback.plan)
        with job.step("undo"):
            applier = converge.Applier(settings, work, connection, rollback)
            seconds = 0.0
            for done in applier.apply(rollback.plan):
                job.tally.add(done)
                seconds += done.seconds
            rollback.record(work, seconds)
    for target in rollback.targets:
        extra = about("version_reached", schema=target.schema, version=target.version)
        log.info("%s", target, extra=extra)
        job.ran.versions.add(target.version)
    return True


def planned(job: Job, connection: Connection, schemas: Sequence[str]) -> "converge.Rollback":
    """Return what a rollback does; nothing is touched."""
    settings = job.settings.of(schemas)
    facts = converge.inspect(connection, settings, chater.EXTENSIONS)
    return converge.plan_rollback(connection, settings, facts, job.options.to)


def alike(job: Job, schemas: Sequence[str]) -> "Sequence[Alike]":
    """Return what a rollback does in each schema, once for those that are alike."""
    return converge.alike((name, planned(job, job.connection, [name]).plan) for name in schemas)


def print_rollback(job: Job) -> None:
    """Print what a rollback would execute. Raises `Refused` if it would do nothing at all."""
    schemas, at = job.settings.schemas, asked_at(job)
    whole = planned(job, job.connection, schemas)
    found = [one for one in alike(job, schemas) if not one.plan.empty]
    for change in whole.changes if at is None else ():  # a document has them as fields
        put(f"-- {change}" if job.options.format != MARKDOWN else f"{prose(change)}\n")
    if found or at is not None:
        print_whole(job, found, at, [target.versions for target in whole.targets])
