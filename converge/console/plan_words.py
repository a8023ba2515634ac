"""What the texts of a plan say of its steps, in words that its formats share."""

from typing import Dict, List, Sequence, Tuple

from converge.console.review import Outlook, Review, Reviewed
from converge.quoting import identifier, qualified, typed
from converge.steps import Kind, Lock, Run, Step, Undoable
from converge.text import counted, roughly, size, some

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
STAYS: Dict[Undoable, str] = {
    Undoable.NO: "cannot be undone: a rollback leaves what it writes",
    Undoable.GUARDED: "cannot be undone once a row has a value that would be lost",
}
# What is new has no values yet; that a rollback drops none which came later needs no warning.
NEW = (Kind.CREATE_TABLE, Kind.ADD_COLUMN)


def waits(step: Step) -> List[str]:
    """Return a line for each lock: what it is on, and who waits meanwhile."""
    besides = [(qualified(step.schema, table), lock) for table, lock in step.locks]
    first, *others = [(step.relation, step.lock), *besides]
    return [_waits(*first), *(f"and {_waits(*other)}" for other in others)]


def _waits(relation: str, lock: Lock) -> str:
    return WHO_WAITS[lock].format(relation)


def changed(step: Step) -> Sequence[str]:
    """Return what a step changes, and into what; nothing of one that only adds or drops."""
    both = (step.before, step.after)
    return [text or "none" for text in both] if any(both) else []


def stands_out(step: Step) -> List[str]:
    """Return what a reviewer must not miss: rows that change, and what cannot be undone."""
    found = ["changes rows that are there"] if step.changes_rows else []
    if step.undoable in STAYS and step.kind not in NEW:
        found.append(STAYS[step.undoable])
    return found


def touched(one: Reviewed, schemas: int) -> str:
    """Return how large the step's table is, if it is known; of several schemas, the largest one."""
    if one.bytes is None:
        return ""
    rows = f"some {counted(one.rows, 'row')}" if one.rows else "no rows"
    if one.rows is None:
        rows = "rows unknown before an ANALYZE"
    where = f"the largest of {schemas:,} is in {one.schema}: " if schemas > 1 else ""
    return f"{where}{rows}, {size(one.bytes)}"


def estimate(one: Reviewed, schemas: int) -> str:
    """Return how long it takes, if that depends on the size; it says that it is an estimate."""
    if one.seconds is None or one.total_seconds is None or one.rows == 0:
        return ""
    in_all = f" ({roughly(one.total_seconds)} in all schemas)" if schemas > 1 else ""
    return f"{roughly(one.seconds)}{in_all}, estimated from its size"


def why(step: Step) -> str:
    """Return why a step is there: the difference that it closes, or whom it serves."""
    return step.why if step.on_the_way else " -> ".join(changed(step)) or step.why


def runnable(step: Step) -> List[str]:
    """Return the statements as one types them."""
    statements = [f"{typed(statement)};" for statement in step.statements]
    # Typed one by one, a proof that fails would not keep the next statement from its loss.
    if step.run in (Run.AHEAD, Run.BRIEF) and statements[1:]:
        return ["BEGIN;", *statements, "COMMIT;"]
    return statements


def ending(review: Review, ahead: Outlook) -> List[str]:
    """Return the last lines of a plan: what everybody waits for, and how much there is."""
    return [*_long(review), _verdict(review, ahead)]


def _long(review: Review) -> List[str]:
    locks = [(number, one.step.lock) for number, one in enumerate(review.steps, 1)]
    kinds: Tuple[Tuple[str, Lock], ...] = (("rewritten", Lock.REWRITE), ("read", Lock.READ))
    lines = []
    for what, kind in kinds:
        numbers = ", ".join(str(number) for number, lock in locks if lock is kind)
        if numbers:
            lines.append(f"Everybody waits while a table is {what}: step {numbers}.")
    total = sum(one.total_seconds or 0.0 for one in review.steps)
    if total >= 1:
        lines.append(f"In all {roughly(total)}, estimated from sizes: the order of magnitude.")
    return lines


def _verdict(review: Review, ahead: Outlook) -> str:
    steps, refused = len(review.steps), len(review.plan.refusals)
    nothing = "nothing at all would be done, exit code 4"
    if refused and ahead.spared:
        nothing = "nothing would be done here, the other schemas would be; exit code 4"
    if refused:
        return f"{refused} refused, {steps} possible: {nothing}."
    if not steps:
        return "Nothing to do: the database is as the models describe."
    if ahead.refused and not ahead.spared:
        return f"{counted(steps, 'step')} possible: {nothing}, as another schema is refused."
    return f"{counted(steps, 'step')}; the schema's history records them."


def where(review: Review) -> str:
    """Return in which schemas a plan is so."""
    names = [identifier(schema) for schema in review.schemas]
    return f"In {some(names)}"


def same(review: Review) -> str:
    """Return in which schemas the plan has the same steps."""
    if not review.steps or not review.schemas[1:]:
        return where(review)
    return f"The same {counted(len(review.steps), 'step')} i{where(review)[1:]}"
