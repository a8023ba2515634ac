"""Plans as a person sees them, and steps to put into them."""

from typing import Any

from converge.console.plan_text import render_all
from converge.console.review import reviewed
from converge.plan import Alike, Plan, Refusal, WayOut
from converge.steps import Kind, Lock, Run, Step, Undo

MISFITS = Refusal(
    "public",
    "public.weight.date",
    "is character varying; the model says date.",
    WayOut("Find them with:", ("SELECT `time` FROM public.weight",), asks=True),
    ("1 of 2 rows does not convert.",),
)


def rendered(plan: Plan) -> str:
    """Return a plan as text, without sizes."""
    return render_all(reviewed([Alike(plan, ("public",))], {}))


def step(kind: Kind, name: str, *statements: str, **more: Any) -> Step:
    """Return a step on the table `public.weight`, if no other is told."""
    brief = Step(
        kind=kind,
        schema="public",
        table="weight",
        name=name,
        why="it is missing",
        statements=statements or ("SELECT 1",),
        run=Run.BRIEF,
        lock=Lock.INSTANT,
    )
    return brief._replace(**more)


def plan(*steps: Step, **more: Any) -> Plan:
    return Plan(steps, **more).numbered()


REWRITE = step(
    Kind.CHANGE_TYPE,
    "weight",
    "ALTER TABLE public.weight ALTER COLUMN weight TYPE double precision",
    why="it is real; the model says double precision",
    lock=Lock.REWRITE,
    undo=Undo(guard="weight > 1e9"),
    before="real",
    after="double precision",
)
FILL = step(
    Kind.BACKFILL,
    "owner",
    "UPDATE public.weight SET owner = 'me' WHERE owner IS NULL",
    why="rows that have none",
    run=Run.BATCHES,
    lock=Lock.ROWS,
    on_the_way=True,
    lasting=True,
    before="NULL",
    after="'me'",
)
BUILD = step(
    Kind.CREATE_INDEX,
    "by_date",
    "CREATE INDEX CONCURRENTLY by_date ON public.weight (date)",
    run=Run.ONLINE,
    lock=Lock.SHARED,
    creates=True,
    method="btree",
)
