"""Models that change from one release to the next, on a real database."""

from contextlib import closing
from typing import Any, List, Optional, Sequence

from sqlalchemy import MetaData, Table

from converge.compare.compare import make_plan
from converge.compare.desired import Desired
from converge.history.left_over import left_over
from converge.plan import Plan
from converge.server.inspect import inspect
from converge.server.retries import connect
from converge.settings.loading import load_settings
from converge.settings.variables import Settings
from tests.support.database import Database
from tests.support.plans import rendered
from tests.support.runs import converge, roll_back


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
        with closing(connect(self.settings)) as work:
            facts = inspect(work, self.settings, ())
            return make_plan(work, facts, settings=self.settings, desired=Desired(metadata))

    def text(self, metadata: MetaData) -> str:
        """Return what `--plan` prints."""
        return rendered(self.planned(metadata))

    def left_over(self, metadata: MetaData) -> List[str]:
        """Return what of a release's plan is said of things that a run has made."""
        plan = self.planned(metadata)
        with closing(connect(self.settings)) as connection:
            return [str(one) for one in left_over(connection, plan).unmanaged if one.version]

    def refused(self, metadata: MetaData) -> List[str]:
        return [str(refusal) for refusal in self.planned(metadata).refusals]

    def apply(self, metadata: MetaData, *, steps: Optional[int] = None) -> Plan:
        """Bring the database to a release, of which the plan is empty then; return its plan.

        With fewer `steps` than it has, it is interrupted behind these.
        """
        with closing(connect(self.settings)) as control:
            plan, left = converge(control, self.settings, Desired(metadata), steps=steps)
        assert (plan.refusals, left) == ((), ())
        return plan

    def rolled_back(self, to: int) -> Plan:
        """Undo the releases after one, and return the plan that did it; it may be refused."""
        with closing(connect(self.settings)) as control:
            return roll_back(control, self.settings, to=to).plan
