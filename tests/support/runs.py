"""One run of the real engine on any models, and one rollback, as `create_tables.py` has them."""

from itertools import islice
from typing import NamedTuple, Optional, Sequence, Tuple

from converge.change.apply import Applier
from converge.compare.compare import make_plan
from converge.compare.desired import Desired
from converge.history.journal import Journal
from converge.history.look import Fingerprints
from converge.history.rollback import Rollback, plan_rollback
from converge.plan import Plan
from converge.server.connection import Connection
from converge.server.inspect import inspect
from converge.settings.extension import Extension
from converge.settings.variables import Settings
from tests.support.locked import run_lock


class Ran(NamedTuple):
    """The plan that was run, and what a second look finds different."""

    plan: Plan
    left: Tuple[str, ...] = ()


def converge(
    control: Connection,
    settings: Settings,
    desired: Desired,
    version: Optional[str] = None,
    *,
    steps: Optional[int] = None,
) -> Ran:
    """Bring a database to the models; a plan with refusals is not run.

    `version` tells models from others; by default what they say does. With fewer `steps` than it
    has, the run is interrupted behind these.
    """
    facts = inspect(control, settings, desired.extensions)
    with run_lock(control, settings) as work:
        plan = make_plan(work, facts, settings=settings, desired=desired)
        if plan.refusals:
            return Ran(plan)
        models = version or str(desired.create_all(settings.schemas[0]))
        journal = Journal(plan, work, Fingerprints(models, "any rules"))
        applied = Applier(settings, work, control, journal).apply(journal.opening())
        done = list(islice(applied, steps))
        if len(done) == steps:
            return Ran(plan)
        after = facts.after_run(settings)
        proof = make_plan(work, after, settings=settings, desired=desired)
        if not proof.differences():
            journal.verified(proof)
        return Ran(plan, tuple(proof.differences()))


def roll_back(
    control: Connection,
    settings: Settings,
    extensions: Sequence[Extension] = (),
    to: Optional[int] = None,
) -> Rollback:
    """Undo the newest version, or those after one; nothing is done if that is refused."""
    with run_lock(control, settings) as work:
        rollback = plan_rollback(work, settings, inspect(work, settings, extensions), to)
        if not rollback.plan.refusals:
            list(Applier(settings, work, control, rollback).apply(rollback.plan))
            rollback.record(work, 0.1)
    return rollback
