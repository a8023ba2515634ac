"""Models that change from one release to the next, on a real database."""

from contextlib import ExitStack, closing
from typing import Any, List, Sequence

from sqlalchemy import MetaData, Table

from converge.change.apply import Applier
from converge.compare.compare import make_plan
from converge.compare.desired import Desired
from converge.console.plan_text import render
from converge.history.journal import Journal
from converge.history.look import Fingerprints
from converge.history.rollback import Rollback, plan_rollback
from converge.plan import Plan
from converge.server.inspect import inspect
from converge.server.retries import connect
from converge.settings.variables import Settings, load_settings
from tests.support.database import Database
from tests.support.locked import run_lock


def release(*tables: Sequence[Any]) -> MetaData:
    """Return models, each of a name and what SQLAlchemy's `Table` gets behind it."""
    metadata = MetaData()
    for name, *parts in tables:
        options = parts.pop() if isinstance(parts[-1], dict) else {}
        Table(name, metadata, *parts, **options)
    return metadata


class Changing:
    """A database, and one release of its models after the other."""

    def __init__(self, database: Database, **variables: str) -> None:
        environment = {**database.environment, **variables}
        self.settings: Settings = load_settings(environment, "none")
        self.database = database

    def planned(self, metadata: MetaData) -> Plan:
        """Return the plan that leads to a release."""
        with ExitStack() as opened:
            work = opened.enter_context(closing(connect(self.settings)))
            facts = inspect(work, self.settings, ())
            desired = Desired(metadata)
            return make_plan(work, facts, settings=self.settings, desired=desired)

    def text(self, metadata: MetaData) -> str:
        """Return what `--plan` prints."""
        return render(self.planned(metadata))

    def refused(self, metadata: MetaData) -> List[str]:
        return [str(refusal) for refusal in self.planned(metadata).refusals]

    def apply(self, metadata: MetaData, *, steps: int = 1000) -> Plan:
        """Bring the database to a release, of which the plan is empty then; return its plan.

        With fewer `steps` than it has, it is interrupted behind these.
        """
        with ExitStack() as opened:
            control = opened.enter_context(closing(connect(self.settings)))
            work = opened.enter_context(run_lock(control, self.settings))
            facts = inspect(work, self.settings, ())
            desired = Desired(metadata)
            plan = make_plan(work, facts, settings=self.settings, desired=desired)
            assert plan.refusals == ()
            journal = Journal(plan, work, Fingerprints(repr(metadata.tables), "any rules"))
            applier = Applier(self.settings, work, control, journal)
            for number, _ in enumerate(applier.apply(journal.opening()), 1):
                if number == steps:
                    return plan
            after = facts.after_run(self.settings)
            proof = make_plan(work, after, settings=self.settings, desired=desired)
            assert proof.differences() == []
            journal.verified(proof)
        return plan

    def rolled_back(self, to: int) -> Plan:
        """Undo the releases after one, and return the plan that did it; it may be refused."""
        with ExitStack() as opened:
            control = opened.enter_context(closing(connect(self.settings)))
            work = opened.enter_context(run_lock(control, self.settings))
            facts = inspect(work, self.settings, ())
            rollback: Rollback = plan_rollback(work, self.settings, facts, to)
            if not rollback.plan.refusals:
                list(Applier(self.settings, work, control, rollback).apply(rollback.plan))
                rollback.record(work, 0.1)
        return rollback.plan
