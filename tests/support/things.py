"""A database that is brought to any models, as a run does it."""

from contextlib import closing
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table

from converge.change.apply import Applier
from converge.compare.compare import make_plan
from converge.compare.desired import Desired
from converge.history.journal import Journal
from converge.history.look import Fingerprints
from converge.plan import Plan
from converge.server.inspect import inspect
from converge.server.retries import connect
from converge.settings.extension import Extension
from converge.settings.variables import load_settings
from tests.support.database import Database
from tests.support.locked import run_lock

EXTENSIONS = (Extension("citext"),)


def converged(database: Database, metadata: MetaData, **variables: str) -> Plan:
    """Return the plan that was run; one with refusals was not."""
    settings = load_settings({**database.environment, **variables}, "no such file")
    desired = Desired(metadata, extensions=EXTENSIONS)
    prints = Fingerprints(repr(metadata.tables), "any rules")
    with closing(connect(settings)) as control:
        facts = inspect(control, settings, EXTENSIONS)
        with run_lock(control, settings) as work:
            plan = make_plan(work, facts, settings=settings, desired=desired)
            if plan.refusals:
                return plan
            journal = Journal(plan, work, prints)
            list(Applier(settings, work, control, journal).apply(journal.opening()))
            after = facts.after_run(settings)
            proof = make_plan(work, after, settings=settings, desired=desired)
            assert proof.differences() == []
            journal.verified(proof)
    return plan


def thing_with(*wanted: Any) -> MetaData:
    """Return models of one table, `thing`, with these columns besides its key."""
    metadata = MetaData()
    Table("thing", metadata, Column("id", Integer, primary_key=True), *wanted)
    return metadata
