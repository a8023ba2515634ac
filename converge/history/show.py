"""The history as tables for people."""

from typing import Any, Callable, Dict, Iterable, Iterator, List, Sequence, Tuple, TypeVar

from psycopg2 import errors

from converge.console.summary import LINE_EACH
from converge.errors import Refused
from converge.history.recorded import UNDONE, RecordedRun, runs
from converge.names import HISTORY_TABLE
from converge.plan import Refusal, WayOut
from converge.quoting import identifier, literal, qualified
from converge.server.connection import Connection
from converge.server.failures import first_line
from converge.server.inspect import ADMINISTRATOR
from converge.server.messages import ask, rows
from converge.server.others import taken_history
from converge.text import duration, some, table

SHOW = """SELECT run, version, action, finished || ' of ' || json_array_length(steps),
  finished, {undone}, COALESCE(NULLIF(left(desired, 12), ''), '-'),
  to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC'),
  extract(epoch FROM verified_at - started_at)::float,
  applied_by, tool_version
FROM {table} h ORDER BY run DESC"""
HEAD = (
    *("schema", "run", "version", "action", "steps", "undone"),
    *("models", "started", "duration", "by", "tool"),
)
TIMES = ("started", "duration")
STEPS_HEAD = ("schema", "step", "undone", "what", "why")
T = TypeVar("T")


def show(connection: Connection, schemas: Sequence[str]) -> str:
    """Return the history of the schemas as a table, newest run first.

    Of many schemas, those with the same history are one, with the times of the first of them.
    Raises `Refused` if the role may not read it.
    """
    body: List[Sequence[Any]] = []
    for schema in schemas:
        for *run, finished, undone, models, started, seconds, role, tool in _read(
            connection, schema, _rows
        ):
            taken = "not verified" if seconds is None else duration(seconds)
            took_back = _undone(undone or 0, finished)
            body.append((schema, *run, took_back, models, started, taken, role, tool))
    if len(schemas) > LINE_EACH:
        body = _together(body)
    return table(HEAD, body) if body else "No run has changed anything yet."


def _together(body: Iterable[Sequence[Any]]) -> List[Sequence[Any]]:
    """Return the lines of schemas whose histories differ in their times only as those of one."""
    by_schema: Dict[str, List[Sequence[Any]]] = {}
    for line in body:
        by_schema.setdefault(line[0], []).append(line)
    alike: Dict[Tuple[Sequence[Any], ...], List[str]] = {}
    for schema, lines in by_schema.items():
        alike.setdefault(tuple(_without_times(line) for line in lines), []).append(schema)
    return [
        (some(schemas), *line[1:]) for schemas in alike.values() for line in by_schema[schemas[0]]
    ]


def _without_times(line: Sequence[Any]) -> Sequence[Any]:
    timed = HEAD if len(line) == len(HEAD) else STEPS_HEAD
    return tuple(cell for name, cell in zip(timed, line) if name not in ("schema", *TIMES))


def show_run(connection: Connection, schemas: Sequence[str], number: int) -> str:
    """Return the steps of each schema's run of that number as a table, first step first.

    Raises `Refused` if no schema has such a run, or if the role may not read it.
    """
    found = [
        (schema, run)
        for schema in schemas
        for run in _read(connection, schema, runs)
        if run.run == number
    ]
    if not found:
        what = f"there is no run {number} in the history of {', '.join(map(identifier, schemas))}."
        raise Refused.of(Refusal("", "", what, WayOut("Look at --history.")))
    body: List[Sequence[Any]] = [row for schema, run in found for row in _steps(schema, run)]
    if len(schemas) > LINE_EACH:
        body = _together(body)
    return table(STEPS_HEAD, body) if body else f"Run {number} had no steps."


def _steps(schema: str, run: RecordedRun) -> Iterator[Sequence[object]]:
    for number, step in enumerate(run.steps, 1):
        undone = "-" if number <= run.in_effect else "undone"
        state = undone if number <= run.finished else "not done"
        yield schema, number, state, _line(step.title), _line(step.why)


def _undone(undone: int, finished: int) -> str:
    if not undone:
        return "-"
    return "undone" if undone == finished else f"{undone} of {finished} undone"


def _line(text: str) -> str:
    return " ".join(text.split())


def _rows(connection: Connection, schema: str) -> List[Tuple[Any, ...]]:
    relation = qualified(schema, HISTORY_TABLE)
    if not rows(connection, f"SELECT to_regclass({literal(relation)})")[0][0]:
        return []
    return ask(connection, SHOW.format(table=relation, undone=UNDONE.format(row="h")))


def _read(
    connection: Connection, schema: str, what: Callable[[Connection, str], List[T]]
) -> List[T]:
    """Return what is read of a schema's history, or raise `Refused`."""
    try:
        return what(connection, schema)
    except errors.UndefinedColumn:
        raise Refused.of(taken_history(schema)) from None
    except errors.InsufficientPrivilege as error:
        role = identifier(rows(connection, "SELECT current_user")[0][0])
        grants = (
            f"GRANT USAGE ON SCHEMA {identifier(schema)} TO {role}",
            f"GRANT SELECT ON {qualified(schema, HISTORY_TABLE)} TO {role}",
        )
        refusal = Refusal(schema, "", f"{first_line(error)}.", WayOut(ADMINISTRATOR, grants))
        raise Refused.of(refusal) from None
