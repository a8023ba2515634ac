"""The engine on any models, as a run of the job has it: plan, apply, verify, roll back."""

from contextlib import closing, contextmanager
from typing import Iterator, NamedTuple, Tuple

from sqlalchemy import MetaData

from converge.change.apply import Applier
from converge.compare.compare import make_plan
from converge.compare.desired import Desired
from converge.history.journal import Journal
from converge.history.look import Fingerprints
from converge.history.rollback import plan_rollback
from converge.plan import Plan
from converge.server.connection import Connection
from converge.server.inspect import ServerFacts, inspect
from converge.server.retries import connect
from converge.settings.extension import Extension
from converge.settings.variables import Settings, load_settings
from tests.support.database import Database
from tests.support.locked import run_lock

DATE_SHAPES = ("YYYY-MM-DD", "DD-MM-YYYY")
EXTENSIONS = (Extension("btree_gist"),)


class Engine(NamedTuple):
    """A database, and what is needed to run on it."""

    database: Database
    control: Connection
    settings: Settings

    def plan(self, metadata: MetaData) -> Plan:
        """Compare, as `--plan` does."""
        return self._plan(self.control, self._facts(), metadata)

    def converge(self, metadata: MetaData) -> Plan:
        """Bring the database to the models, prove it, and return the plan that did it."""
        facts = self._facts()
        with run_lock(self.control, self.settings) as work:
            plan = self._plan(work, facts, metadata)
            assert plan.refusals == ()
            # The same models are the same version, also where a second run has no steps.
            models = str(Desired(metadata).create_all("public"))
            journal = Journal(plan, work, Fingerprints(models, "any rules"))
            list(Applier(self.settings, work, self.control, journal).apply(journal.opening()))
            proof = self._plan(work, facts.after_run(self.settings), metadata)
            assert proof.differences() == []
            journal.verified(proof)
        return plan

    def refused(self, metadata: MetaData) -> Tuple[str, ...]:
        """Return what is refused; then nothing would be changed."""
        return tuple(str(refusal) for refusal in self.plan(metadata).refusals)

    def roll_back(self) -> None:
        """Undo the newest version."""
        with run_lock(self.control, self.settings) as work:
            rollback = plan_rollback(work, self.settings, self._facts())
            assert rollback.plan.refusals == ()
            assert rollback.plan.steps
            list(Applier(self.settings, work, self.control, rollback).apply(rollback.plan))
            rollback.record(work, 0)

    def _facts(self) -> ServerFacts:
        return inspect(self.control, self.settings, EXTENSIONS)

    def _plan(self, connection: Connection, facts: ServerFacts, metadata: MetaData) -> Plan:
        desired = Desired(metadata, extensions=EXTENSIONS, date_shapes=DATE_SHAPES)
        return make_plan(connection, facts, settings=self.settings, desired=desired)


@contextmanager
def engine_on(database: Database) -> Iterator[Engine]:
    """Yield the engine on a database, with the settings of a test's run."""
    settings = load_settings(database.environment, "/nonexistent")
    with closing(connect(settings)) as control:
        yield Engine(database, control, settings)
