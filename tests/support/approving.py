"""Plans as somebody has approved them."""

import json
from contextlib import closing
from pathlib import Path
from typing import Sequence

from converge.console.plan_json import RUN, Heading, document
from converge.console.plan_read import Approved, read_plan
from converge.console.review import reviewed
from converge.history.approved import plan_differs
from converge.history.look import Fingerprints
from converge.plan import Alike, Plan, Refusal
from converge.server.place import here_and_now
from converge.server.retries import connect
from converge.settings.variables import Settings

MADE_FROM = Fingerprints("any models", "any rules")


def approved(settings: Settings, plan: Plan, file: Path) -> Approved:
    """Return a plan as it is read from a file."""
    with closing(connect(settings)) as connection:
        heading = Heading(RUN, here_and_now(connection), *MADE_FROM)
    whole = document(reviewed([Alike(plan, settings.schemas)], {}), heading)
    file.write_text(json.dumps(whole), "utf-8")
    return read_plan(str(file))


def refused(settings: Settings, before: Approved, plan: Plan) -> Sequence[Refusal]:
    """Return what of a new plan was not approved."""
    with closing(connect(settings)) as connection:
        return plan_differs(before, connection, "public", plan, MADE_FROM).refusals
