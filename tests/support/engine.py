"""The engine on any models, as a run of the job has it: plan, apply, verify, roll back."""

from contextlib import closing, contextmanager
from typing import Iterator, NamedTuple, Tuple

from sqlalchemy import MetaData

from converge.compare.compare import make_plan
from converge.compare.desired import Desired
from converge.plan import Plan
from converge.server.connection import Connection
from converge.server.inspect import inspect
from converge.server.retries import connect
from converge.settings.extension import Extension
from converge.settings.loading import load_settings
from converge.settings.variables import Settings
from tests.support.database import Database
from tests.support.runs import converge, roll_back

DATE_SHAPES = ("YYYY-MM-DD", "DD-MM-YYYY")
EXTENSIONS = (Extension("btree_gist"),)


class Engine(NamedTuple):
    """A database, and what is needed to run on it."""

    database: Database
    control: Connection
    settings: Settings

    def plan(self, metadata: MetaData) -> Plan:
        """Compare, as `--plan` does."""
        facts = inspect(self.control, self.settings, EXTENSIONS)
        wanted = desired(metadata)
        return make_plan(self.control, facts, settings=self.settings, desired=wanted)

    def converge(self, metadata: MetaData) -> Plan:
        """Bring the database to the models, prove it, and return the plan that did it."""
        plan, left = converge(self.control, self.settings, desired(metadata))
        assert (plan.refusals, left) == ((), ())
        return plan

    def refused(self, metadata: MetaData) -> Tuple[str, ...]:
        """Return what is refused; then nothing would be changed."""
        return tuple(str(refusal) for refusal in self.plan(metadata).refusals)

    def roll_back(self) -> None:
        """Undo the newest version."""
        plan = roll_back(self.control, self.settings, EXTENSIONS).plan
        assert plan.refusals == ()
        assert plan.steps


def desired(metadata: MetaData) -> Desired:
    return Desired(metadata, extensions=EXTENSIONS, date_shapes=DATE_SHAPES)


@contextmanager
def engine_on(database: Database) -> Iterator[Engine]:
    """Yield the engine on a database, with the settings of a test's run."""
    settings = load_settings(database.environment, "/nonexistent")
    with closing(connect(settings)) as control:
        yield Engine(database, control, settings)
