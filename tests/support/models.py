"""The engine on models that are not the platform's."""

from contextlib import closing
from typing import List

from sqlalchemy import MetaData

from converge.compare.desired import Desired
from converge.errors import Refused
from converge.plan import Plan
from converge.server.retries import connect
from converge.settings.loading import load_settings
from tests.support.database import Database
from tests.support.plans import rendered
from tests.support.runs import converge, roll_back

BACKFILLS = {"owner": "it's 100%"}


def converged(database: Database, metadata: MetaData, version: str = "1") -> Plan:
    """Bring a database to models, prove that a second run is empty, and return the plan."""
    settings = load_settings(database.environment, "no such file")
    with closing(connect(settings)) as control:
        plan, left = converge(control, settings, Desired(metadata, backfills=BACKFILLS), version)
    if plan.refusals:
        raise Refused("\n".join(map(str, plan.refusals)))
    assert rendered(plan)
    assert left == (), left
    return plan


def rolled_back(database: Database) -> List[str]:
    """Undo the newest version, and return what is refused."""
    settings = load_settings(database.environment, "no such file")
    with closing(connect(settings)) as control:
        return [str(refusal) for refusal in roll_back(control, settings).plan.refusals]
