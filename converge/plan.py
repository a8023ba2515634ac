"""The plan: the steps that close the difference, what is refused, what is left alone."""

import enum
from typing import FrozenSet, List, Mapping, NamedTuple, Optional, Tuple

from converge.text import counted


class Run(enum.Enum):
    """How a step's statements run: the word for it in `--plan`, and what that means."""

    NEW = ("new", "with everything else that is new, in one transaction")
    BRIEF = ("brief", "alone in a transaction, under LOCK_TIMEOUT, until LOCK_PATIENCE is over")
    ONLINE = ("online", "outside a transaction, each for as long as it takes; it blocks nobody")
    BATCHES = ("batches", "some 10,000 rows at a time, each in a transaction of its own")

    def __init__(self, word: str, meaning: str) -> None:
        self.word, self.meaning = word, meaning


class Lock:
    """Who waits while a step runs. https://www.postgresql.org/docs/current/explicit-locking.html"""

    NONE = "no lock that anybody uses yet"
    INSTANT = "ACCESS EXCLUSIVE on {0} for an instant: readers and writers wait"
    REWRITE = "ACCESS EXCLUSIVE on {0} while it is rewritten: readers and writers wait"
    SHARED = "SHARE UPDATE EXCLUSIVE on {0}: readers and writers go on"
    ROWS = "ROW EXCLUSIVE on {0}, and each batch's rows: others write other rows"


class Step(NamedTuple):
    """One change. `statements` are complete SQL, without a semicolon.

    `undo_online`, each outside a transaction, and then `undo`, in a transaction under `undo_lock`
    (if it is another than `lock`), take it back; `guard` counts the rows that this would lose.
    """

    kind: str  # 'create table', 'add column', …: what the summary counts
    schema: str
    table: str
    relation: str  # the table, qualified and quoted; empty if there is none yet
    name: str  # of the table, column, constraint or index
    why: str
    statements: Tuple[str, ...]
    run: Run
    lock: str
    undo_online: Tuple[str, ...] = ()
    undo: Tuple[str, ...] = ()
    guard: Optional[str] = None
    undo_lock: str = ""
    on_the_way: bool = False  # it closes no difference by itself, but another step needs it

    @property
    def rewrites(self) -> bool:
        return self.lock == Lock.REWRITE.format(self.relation)

    def __str__(self) -> str:
        of_table = self.table if self.table and self.kind != "create table" else ""
        parts = [self.schema if self.table else "", of_table, self.name]
        return f"{self.kind} {'.'.join(part for part in parts if part)}"


class Refusal(NamedTuple):
    """A difference that can't be closed safely: the whole message, and what it is about."""

    schema: str
    table: str
    message: str

    def __str__(self) -> str:
        return f"refused: {self.message}"


class Plan(NamedTuple):
    """`desired` minus `live`. Empty: the database is as the models describe."""

    steps: Tuple[Step, ...] = ()
    refusals: Tuple[Refusal, ...] = ()
    fingerprints: Mapping[str, str] = {}  # of the live schemas
    recorded: FrozenSet[str] = frozenset()  # the schemas that have a history
    tables: Tuple[str, ...] = ()  # that the models know
    notes: Tuple[str, ...] = ()  # what is left alone: unmanaged, or accepted as it is

    @property
    def empty(self) -> bool:
        return not self.steps and not self.refusals

    def differences(self) -> List[str]:
        """Return the message for each difference, of a comparison that changes nothing anyway."""
        found = [f"{step}: {step.why}" for step in self.steps if not step.on_the_way]
        messages = [refusal.message.replace(f"{NOTHING_CHANGED} ", "") for refusal in self.refusals]
        return found + [f"can't be closed: {message}" for message in messages]


NOTHING_CHANGED = "Nothing was changed."


def render(plan: Plan) -> str:
    """Return the plan as SQL that says why, how and under which lock each statement runs."""
    lines = [_comment(f"left alone, {note}") for note in plan.notes]
    used = [run for run in Run if run in {step.run for step in plan.steps}]
    lines += [""] + [f"-- {run.word}: {run.meaning}" for run in used]
    for number, step in enumerate(plan.steps, 1):
        lines += ["", _comment(f"{number}. {step}: {step.why}")]
        lines += [_comment(f"   {step.run.word}, {step.lock}")]
        lines += [f"{statement};" for statement in step.statements]
    for refusal in plan.refusals:
        lines += ["", _comment(str(refusal))]
    lines += ["", *(f"-- {line}" for line in summary(plan))]
    return "\n".join(lines).strip("\n")


def _comment(text: str) -> str:
    # A name may hold a line break, after which the rest of it would be SQL.
    return "\n".join(f"-- {line}" for line in text.splitlines())


def summary(plan: Plan) -> List[str]:
    """Return the lines at the end of a plan: what everybody waits for, and how much there is."""
    rewritten = [str(n) for n, step in enumerate(plan.steps, 1) if step.rewrites]
    waits = f"Everybody waits while a table is rewritten: step {', '.join(rewritten)}."
    lines = [waits] if rewritten else []
    if plan.refusals:
        counts = f"{len(plan.refusals)} refused, {len(plan.steps)} possible"
        return [*lines, f"{counts}: nothing at all would be done, exit code 4."]
    if plan.steps:
        return [*lines, f"{counted(len(plan.steps), 'step')}; the schema's history records them."]
    return ["Nothing to do: the database is as the models describe."]
