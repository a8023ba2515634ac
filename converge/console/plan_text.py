"""A plan as SQL that says why, how and under which lock each statement runs."""

from typing import List, Sequence, Tuple

from converge.console.changes import Changes, by_table
from converge.console.plan_words import HOW, change, ending, estimate, stands_out, touched, waits
from converge.console.review import Review, Reviewed, joined
from converge.plan import Plan
from converge.quoting import identifier
from converge.steps import Run, Step
from converge.text import counted, some

PSQL_FINDS: Tuple[str, ...] = ("public",)  # what is named without a schema, by default


def render_all(found: Sequence[Review], *, skips: bool = False) -> str:
    """Return the plans of all schemas, one for those that have the same.

    With `skips`, a schema that is refused does not keep the others from being done.
    """
    refused = sum(bool(review.plan.refusals) for review in found)
    spared = skips and 0 < refused < len(found)
    if all(len(review.schemas) == 1 for review in found) and not spared:
        return render(joined(found))
    return "\n\n".join(
        f"{_where(review)}\n{render(review, stopped=refused > 0, spared=spared)}"
        for review in found
    )


def _where(review: Review) -> str:
    steps = len(review.steps)
    same = f"The same {counted(steps, 'step')} in " if steps and review.schemas[1:] else "In "
    names = [identifier(schema) for schema in review.schemas]
    return _comment(f"{same}{some(names)}") + "\n"


def render(review: Review, *, stopped: bool = False, spared: bool = False) -> str:
    """Return a whole plan; with its comments it can be pasted into psql.

    `stopped`: some schema is refused, this or another; `spared`: that stops no other.
    """
    plan = review.plan
    lines = [_comment(f"left alone: {note}") for note in plan.left_alone()]
    lines += [_comment(f"warning: {warning}") for warning in plan.warnings]
    used = {step.run for step in plan.steps}
    lines += [""] + [f"-- {run.value}: {HOW[run]}" for run in Run if run in used]
    path = PSQL_FINDS
    for number, one in enumerate(review.steps, 1):
        if one.step.path not in ((), path):
            path = one.step.path
            lines += ["", f"SET search_path = {', '.join(map(identifier, path))};"]
        lines += ["", *_step(number, one, len(review.schemas))]
    for refusal in plan.refusals:
        lines += ["", _comment(str(refusal))]
    lines += ["", *(_comment(line) for line in _tables(plan))]
    lines += ["", *(f"-- {line}" for line in ending(review, stopped=stopped, spared=spared))]
    return "\n".join(lines).strip("\n")


def _step(number: int, one: Reviewed, schemas: int) -> List[str]:
    """Return a step's title, what stands out, how it runs, and its statements."""
    step = one.step
    first, *others = waits(step)
    size = "; ".join(filter(None, (touched(one, schemas), estimate(one, schemas))))
    details = [
        change(step) if step.on_the_way else "",
        f"{step.run.value}, {first}",
        *others,
        size,
    ]
    lines = [f"{number}. {step}: {_why(step)}"]
    lines += [f"! {line}" for line in stands_out(step)]
    lines += [f"   {line}" for line in details if line]
    return [*map(_comment, lines), *_statements(step)]


def _why(step: Step) -> str:
    """Return why a step is there: the difference that it closes, or whom it serves."""
    return step.why if step.on_the_way else change(step) or step.why


def _statements(step: Step) -> List[str]:
    statements = [f"{statement};" for statement in step.statements]
    # Typed one by one, a proof that fails would not keep the next statement from its loss.
    if step.run in (Run.AHEAD, Run.BRIEF) and statements[1:]:
        return ["BEGIN;", *statements, "COMMIT;"]
    return statements


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
