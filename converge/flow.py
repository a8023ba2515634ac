"""Converging: lock, plan, apply, verify, record.

This is the door to everything that imports SQLAlchemy, which a run that finds nothing to do can't
afford: the import takes ten times the work of the whole check.
"""

import logging
from contextlib import ExitStack
from typing import List, Tuple

import verify
from converge.change.apply import Applier
from converge.compare import compare as migrations
from converge.console.summary import Stopwatch
from converge.errors import Refused, Terminated
from converge.history import journal as history
from converge.history.journal import Journal
from converge.outcome import Outcome
from converge.plan import Plan
from converge.server import inspect as preflight
from converge.server import locks
from converge.server.connection import Connection
from converge.server.inspect import Server
from converge.settings.variables import Settings
from converge.text import counted

log = logging.getLogger(__name__)


def converge(settings: Settings, outcome: Outcome, stopwatch: Stopwatch) -> List[Tuple[str, str]]:
    """Bring the database to the models and return the tables that want ANALYZE: schema and name.

    Raises `Refused` before anything was changed, or when a lock is not had; `VerificationFailed`;
    or what the server says: then a new call plans anew.
    """
    outcome.tables = migrations.TABLES
    _converge(settings, outcome, stopwatch)
    changed = {(done.step.schema, done.step.table) for done in outcome.done if done.step.table}
    if len(changed) == len(settings.schemas) * len(outcome.tables):
        return sorted(changed)  # all of them, as on an empty database: nothing is left to ask
    return [*changed, *verify.stale(outcome.connection, settings, outcome.tables)]


def plan_only(settings: Settings, connection: Connection) -> Plan:
    """Return the plan without taking the run lock; nothing is touched."""
    return migrations.make_plan(connection, settings, inspect(settings, connection))


def inspect(settings: Settings, connection: Connection) -> Server:
    """Look whether a run can succeed at all, and warn of what it would silently lose."""
    server = preflight.inspect(connection, settings)
    if server.ctype in ("C", "POSIX"):
        log.warning(
            "LC_CTYPE of database %s is %s: pg_trgm drops every letter that is not ASCII, so "
            "e-mail autocomplete finds none of them. Create the database with C.UTF-8 or a "
            "language's locale.",
            server.database,
            server.ctype,
        )
    return server


def _converge(settings: Settings, outcome: Outcome, stopwatch: Stopwatch) -> None:
    connection = outcome.connection
    with stopwatch.step("inspect"):
        server = inspect(settings, connection)
    creates_extension = server.extension_schema is None
    keys = locks.lock_keys(connection, settings, database_wide=creates_extension)
    with ExitStack() as stack:
        with stopwatch.step("lock"):
            while not locks.take_run_lock(connection, keys):
                locks.wait_for_run_lock(connection, keys)
                if _is_done_by_another(connection, settings):
                    return
            work = stack.enter_context(locks.run_lock_held(settings, connection))
            if _is_done_by_another(work, settings):  # since the first look
                return
            if creates_extension:  # another run may have done that meanwhile
                server = preflight.inspect(work, settings)
        with stopwatch.step("plan"):
            plan = migrations.make_plan(work, settings, server)
            _tell(plan)
        journal = Journal(plan, work)
        with stopwatch.step("apply"):
            _apply(Applier(settings, work, connection, journal), journal.opening(), outcome)
        with stopwatch.step("verify"):
            if not settings.verify_indexes:
                log.info("verification is switched off (VERIFY_INDEXES)")
                return
            if plan.steps:
                home = migrations.extension_home(settings, server)
                server = server._replace(extension_schema=home)
                plan = migrations.make_plan(work, settings, server)
            verify.verify(plan)
            journal.verified(plan)


def _is_done_by_another(connection: Connection, settings: Settings) -> bool:
    done = history.look(connection, settings) is not None
    if done:
        log.info("another run has done it")
    return done


def _apply(applier: Applier, plan: Plan, outcome: Outcome) -> None:
    left = len(plan.steps)
    try:
        for done in applier.apply(plan):
            outcome.done.append(done)
            left -= 1
    except Terminated:
        log.warning("left for another run: %s", counted(left, "step"))
        raise


def _tell(plan: Plan) -> None:
    """Log what is left alone and how much there is to do. Raises `Refused` if that is too much."""
    for note in plan.notes:
        log.info("left alone, %s", note)
    if plan.refusals:
        raise Refused("\n".join(map(str, plan.refusals)))
    log.info("%s to do", counted(len(plan.steps), "step"))
