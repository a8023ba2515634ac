"""A plan as SQL that says why, how and under which lock each statement runs."""

from typing import Dict, List, Sequence, Tuple

from converge.plan import Alike, Plan, joined
from converge.quoting import identifier, qualified
from converge.steps import Lock, Run, Step
from converge.text import counted, some

PSQL_FINDS: Tuple[str, ...] = ("public",)  # what is named without a schema, by default
HOW: Dict[Run, str] = {
    Run.AHEAD: "alone in a transaction, before all that is new",
    Run.NEW: "with everything else that is new, in one transaction",
    Run.BRIEF: "alone in a transaction, under LOCK_TIMEOUT, until LOCK_PATIENCE is over",
    Run.ONLINE: "outside a transaction, each for as long as it takes; it blocks nobody",
    Run.BATCHES: "some 10,000 rows at a time, each batch in a transaction of its own",
}
WHO_WAITS: Dict[Lock, str] = {
    Lock.NONE: "no lock that anybody uses yet",
    Lock.INSTANT: "ACCESS EXCLUSIVE on {} for an instant: readers and writers wait",
    Lock.READ: "ACCESS EXCLUSIVE on {} while every row is read: readers and writers wait",
    Lock.REWRITE: "ACCESS EXCLUSIVE on {} while it is rewritten: readers and writers wait",
    Lock.WRITES: "SHARE ROW EXCLUSIVE on {} for an instant: writers wait, readers go on",
    Lock.BUILD: "SHARE on {} while a small index is built: writers wait, readers go on",
    Lock.SHARED: "SHARE UPDATE EXCLUSIVE on {}: readers and writers go on",
    Lock.ROWS: "ROW EXCLUSIVE on {}, and each batch's rows: others write other rows",
}


def render_all(found: Sequence[Alike]) -> str:
    """Return the plans of all schemas, one for those that have the same."""
    if all(len(alike.schemas) == 1 for alike in found):
        return render(joined(alike.plan for alike in found))
    return "\n\n".join(f"{_where(alike)}\n{render(alike.plan)}" for alike in found)


def _where(alike: Alike) -> str:
    steps = len(alike.plan.steps)
    same = f"The same {counted(steps, 'step')} in " if steps and alike.schemas[1:] else "In "
    names = [identifier(schema) for schema in alike.schemas]
    return _comment(f"{same}{some(names)}") + "\n"


def render(plan: Plan) -> str:
    """Return the whole plan; with its comments it can be pasted into psql."""
    lines = [_comment(f"left alone: {note}") for note in plan.left_alone()]
    lines += [_comment(f"warning: {warning}") for warning in plan.warnings]
    used = {step.run for step in plan.steps}
    lines += [""] + [f"-- {run.value}: {HOW[run]}" for run in Run if run in used]
    path = PSQL_FINDS
    for number, step in enumerate(plan.steps, 1):
        if step.path not in ((), path):
            path = step.path
            lines += ["", f"SET search_path = {', '.join(map(identifier, path))};"]
        lines += ["", *_step(number, step)]
    for refusal in plan.refusals:
        lines += ["", _comment(str(refusal))]
    lines += ["", *(f"-- {line}" for line in summary(plan))]
    return "\n".join(lines).strip("\n")


def _step(number: int, step: Step) -> List[str]:
    waits = [WHO_WAITS[step.lock].format(step.relation)]
    waits += [WHO_WAITS[lock].format(qualified(step.schema, table)) for table, lock in step.locks]
    how = [f"   {step.run.value}, {waits[0]}", *(f"   and {other}" for other in waits[1:])]
    lines = [_comment(line) for line in (f"{number}. {step}: {step.why}", *how)]
    statements = [f"{statement};" for statement in step.statements]
    # Typed one by one, a proof that fails would not keep the next statement from its loss.
    if step.run in (Run.AHEAD, Run.BRIEF) and statements[1:]:
        statements = ["BEGIN;", *statements, "COMMIT;"]
    return lines + statements


def _comment(text: str) -> str:
    # A name may hold a line break, after which the rest of it would be SQL.
    return "\n".join(f"-- {line}" for line in text.splitlines())


def summary(plan: Plan) -> List[str]:
    """Return the lines at the end of a plan: what everybody waits for, and how much there is."""
    rewrites = [str(n) for n, step in enumerate(plan.steps, 1) if step.lock is Lock.REWRITE]
    reads = [str(n) for n, step in enumerate(plan.steps, 1) if step.lock is Lock.READ]
    lines = [
        f"Everybody waits while a table is {what}: step {', '.join(numbers)}."
        for what, numbers in (("rewritten", rewrites), ("read", reads))
        if numbers
    ]
    if plan.refusals:
        counts = f"{len(plan.refusals)} refused, {len(plan.steps)} possible"
        return [*lines, f"{counts}: nothing at all would be done, exit code 4."]
    if plan.steps:
        return [*lines, f"{counted(len(plan.steps), 'step')}; the schema's history records them."]
    return ["Nothing to do: the database is as the models describe."]
