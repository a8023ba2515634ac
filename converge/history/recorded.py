"""Runs as the history has them: read, and their steps as what undoes them."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from psycopg2 import errors

from converge.errors import Refused
from converge.names import HISTORY_TABLE
from converge.quoting import qualified
from converge.server.connection import Connection
from converge.server.messages import ask, rows
from converge.server.others import taken_history
from converge.steps import IndexChange, Kind, Lock, Undo

# The tables that version 1.0.0 has created have no column `undone`.
UNDONE = "(to_jsonb({row}) ->> 'undone')::integer"
RENAMES = {kind.value for kind in Kind if kind.renames}
NOUNS = {
    Kind.CREATE_TYPE.value: "type",
    Kind.CREATE_SEQUENCE.value: "sequence",
    Kind.CREATE_TABLE.value: "table",
    Kind.RENAME_TABLE.value: "table",
    Kind.ADD_COLUMN.value: "column",
    Kind.RENAME_COLUMN.value: "column",
    Kind.ADD_KEY.value: "constraint",
    Kind.ADD_CONSTRAINT.value: "constraint",
    Kind.RENAME_CONSTRAINT.value: "constraint",
    Kind.CREATE_INDEX.value: "index",
    Kind.SWAP_INDEX.value: "index",
    Kind.RENAME_INDEX.value: "index",
}
HIDDEN = {Kind.RENAME_TABLE.value: "former", Kind.RENAME_COLUMN.value: "table"}
RUNS = (
    "SELECT run, version, action, desired, steps, finished, "
    + UNDONE.format(row="h")
    + " FROM {table} h ORDER BY run DESC"
)


class RecordedStep(NamedTuple):
    """A step of an earlier run. `title` and `why` are for people only."""

    title: str
    why: str
    table: str
    undo: Undo
    drops: Optional[str]  # the column that undoing it drops; empty: the table
    adds: str = ""  # the constraint that it has added, in the place of none
    renames: bool = False
    hides: str = ""  # the table whose older steps go by other names than there are behind it
    makes: Sequence[Sequence[str]] = ()  # nouns and names: what was not there before, by that name
    former: str = ""  # the name that it has taken from it
    remakes: bool = False  # undoing it makes a type anew, and converts what holds its values

    @property
    def guarded(self) -> List[Tuple[str, str]]:
        """The tables of which rows would lose values, and the conditions by which they do."""
        own = [(self.table, self.undo.guard)] if self.undo.guard is not None else []
        return [*own, *self.undo.besides]


class RecordedRun(NamedTuple):
    """A run of one schema."""

    run: int
    version: int
    action: str
    desired: str
    steps: List[RecordedStep]
    finished: int
    undone: Optional[int]  # so many of the finished steps, newest first; None: no such column

    @property
    def in_effect(self) -> int:
        return self.finished - (self.undone or 0)


def runs(connection: Connection, schema: str) -> List[RecordedRun]:
    """Return the runs of a schema, newest first; none if it has no history."""
    table = qualified(schema, HISTORY_TABLE)
    exists = "SELECT to_regclass(%(table)s) IS NOT NULL"
    if not rows(connection, exists, {"table": table})[0][0]:
        return []
    return recorded(connection, schema)


def recorded(connection: Connection, schema: str) -> List[RecordedRun]:
    """Return the runs of a schema that has a history, newest first; in one query."""
    table = qualified(schema, HISTORY_TABLE)
    try:
        found = ask(connection, RUNS.format(table=table))
    except errors.UndefinedColumn:
        raise Refused.of(taken_history(schema)) from None
    return [
        RecordedRun(run, version, action, desired, _steps(steps), finished, undone)
        for run, version, action, desired, steps, finished, undone in found
    ]


def _steps(stored: List[Dict[str, Any]]) -> List[RecordedStep]:
    if all("kind" in step for step in stored):
        return [_step(step) for step in stored]
    from converge.history.of_1_0_0 import undos  # where there is such a history

    return [
        RecordedStep(step["step"], step.get("why", ""), *undo, makes=_made_by_1_0_0(*undo))
        for step, undo in zip(stored, undos(stored))
    ]


def _made_by_1_0_0(table: str, undo: Undo, drops: Optional[str]) -> List[Tuple[str, str]]:
    """Return what a step has made, as far as what takes it back drops that again."""
    made = [("column" if drops else "table", drops or table)] if drops is not None else []
    return made + [("index", change.name) for change in undo.indexes if not change.builds]


def _step(stored: Dict[str, Any]) -> RecordedStep:
    undo = stored["undo"]
    drops = {Kind.CREATE_TABLE.value: "", Kind.ADD_COLUMN.value: stored["name"]}
    adds = stored["kind"] == Kind.ADD_CONSTRAINT.value and len(undo["statements"]) == 1
    hidden, noun = HIDDEN.get(stored["kind"]), NOUNS.get(stored["kind"])
    return RecordedStep(
        stored["step"],
        stored["why"],
        stored["table"],
        Undo(
            tuple(IndexChange(**change) for change in undo["indexes"]),
            tuple(undo["statements"]),
            Lock(undo["lock"]),
            undo["creates"],
            tuple(undo["leaves"]),
            undo["guard"],
            tuple(undo["keep"]),
            tuple((table, guard) for table, guard in undo.get("besides", ())),
        ),
        drops.get(stored["kind"]),
        stored["name"] if adds else "",
        stored["kind"] in RENAMES,
        stored[hidden] if hidden else "",
        [*([(noun, stored["name"])] if noun else []), *stored.get("holds", ())],
        stored.get("former", ""),
        stored["kind"] == Kind.ADD_VALUE.value,
    )
