"""The engine on models that are not the platform's."""

from contextlib import closing
from pathlib import Path
from typing import List

from sqlalchemy import MetaData

from converge.change.apply import Applier
from converge.compare.compare import make_plan
from converge.compare.desired import Desired
from converge.console.plan_text import render
from converge.errors import Refused
from converge.history.journal import Journal
from converge.history.look import Fingerprints
from converge.history.rollback import plan_rollback
from converge.plan import Plan
from converge.server.inspect import inspect
from converge.server.retries import connect
from converge.settings.variables import load_settings
from tests.support.database import Database
from tests.support.locked import run_lock

BACKFILLS = {"owner": "it's 100%"}


def converged(database: Database, metadata: MetaData, version: str = "1") -> Plan:
    """Bring a database to models, prove that a second run is empty, and return the plan."""
    settings = load_settings(database.environment, str(Path("no such file")))
    desired = Desired(metadata, backfills=BACKFILLS)
    with closing(connect(settings)) as control, run_lock(control, settings) as work:
        facts = inspect(control, settings, ())
        plan = make_plan(work, facts, settings=settings, desired=desired)
        if plan.refusals:
            raise Refused("\n".join(map(str, plan.refusals)))
        assert render(plan)
        journal = Journal(plan, work, Fingerprints(version, "any rules"))
        list(Applier(settings, work, control, journal).apply(journal.opening()))
        proof = make_plan(work, facts.after_run(settings), settings=settings, desired=desired)
        assert proof.differences() == []
        journal.verified(proof)
    return plan


def rolled_back(database: Database) -> List[str]:
    """Undo the newest version, and return what is refused."""
    settings = load_settings(database.environment, str(Path("no such file")))
    with closing(connect(settings)) as control, run_lock(control, settings) as work:
        rollback = plan_rollback(work, settings, inspect(control, settings, ()), None)
        refusals = [str(refusal) for refusal in rollback.plan.refusals]
        if not refusals:
            list(Applier(settings, work, control, rollback).apply(rollback.plan))
            rollback.record(work, 0)
    return refusals
