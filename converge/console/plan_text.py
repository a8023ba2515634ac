"""A plan as SQL that says why, how and under which lock each statement runs."""

from typing import List, Sequence, Tuple

from converge.console.changes import Changes, by_table
from converge.console.plan_words import (
    HOW,
    changed,
    ending,
    estimate,
    runnable,
    same,
    stands_out,
    touched,
    waits,
    why,
)
from converge.console.review import Outlook, Review, Reviewed, outlook, together
from converge.plan import Plan
from converge.quoting import identifier, typed
from converge.steps import Run

PSQL_FINDS: Tuple[str, ...] = ("public",)  # what is named without a schema, by default


def render_all(found: Sequence[Review], *, skips: bool = False) -> str:
    """Return the plans of all schemas, one for those that have the same.

    With `skips`, a schema that is refused does not keep the others from being done.
    """
    ahead = outlook(found, skips=skips)
    return "\n\n".join(render(review, ahead) for review in together(found, ahead))


def render(review: Review, ahead: Outlook) -> str:
    """Return a whole plan; with its comments it can be pasted into psql."""
    plan = review.plan
    lines = [_comment(f"left alone: {note}") for note in plan.left_alone()]
    lines += [_comment(f"warning: {warning}") for warning in plan.warnings]
    used = {step.run for step in plan.steps}
    lines += [""] + [f"-- {run.value}: {HOW[run]}" for run in Run if run in used]
    path = PSQL_FINDS
    for number, one in enumerate(review.steps, 1):
        if one.step.path not in ((), path):
            path = one.step.path
            lines += ["", typed(f"SET search_path = {', '.join(map(identifier, path))};")]
        lines += ["", *_step(number, one, len(review.schemas))]
    for refusal in plan.refusals:
        lines += ["", _comment(str(refusal))]
    lines += ["", *(_comment(line) for line in _tables(plan))]
    lines += ["", *(f"-- {line}" for line in ending(review, ahead))]
    schemas = [_comment(same(review)), ""] if review.schemas else []
    return "\n".join([*schemas, "\n".join(lines).strip("\n")])


def _step(number: int, one: Reviewed, schemas: int) -> List[str]:
    """Return a step's title, what stands out, how it runs, and its statements."""
    step = one.step
    first, *others = waits(step)
    size = "; ".join(filter(None, (touched(one, schemas), estimate(one, schemas))))
    details = [
        " -> ".join(changed(step)) if step.on_the_way else "",
        f"{step.run.value}, {first}",
        *others,
        size,
    ]
    lines = [f"{number}. {step}: {why(step)}"]
    lines += [f"! {line}" for line in stands_out(step)]
    lines += [f"   {line}" for line in details if line]
    return [*map(_comment, lines), *runnable(step)]


def _tables(plan: Plan) -> List[str]:
    """Return the summary of a plan with steps: a line each for `+`, `~`, `-` and `=`."""
    found = by_table(plan) if plan.steps else []
    width = max((len(one.where) for one in found), default=0)
    return [
        f"{where:{width}}  {line}"
        for one in found
        for where, line in zip([one.where, *[""] * len(_signs(one))], _signs(one))
    ]


def _signs(one: Changes) -> List[str]:
    parts = (("+", one.added), ("~", one.changed), ("-", one.dropped), ("=", one.left_alone))
    lines = [f"{sign} {', '.join(names)}" for sign, names in parts if names]
    return [f"{line} (left alone)" if line[0] == "=" else line for line in lines]


def _comment(text: str) -> str:
    # A name may hold a line break, after which the rest of it would be SQL.
    return "\n".join(f"-- {line}" for line in text.splitlines())
