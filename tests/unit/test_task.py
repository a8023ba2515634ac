"""What is said of a step that takes long, where there is no terminal, and to machines."""

import json
import logging
from typing import Iterator, List, NamedTuple, Optional, Tuple

import pytest

from converge.console.logs import JsonFormatter
from converge.console.many import SECONDS_OF_A_STEP, Progress
from converge.display import DISPLAY
from converge.pacing import FIRST_SECONDS
from converge.task import Task

SUBJECT = {"step": "create_index", "schema": "public", "object": "idx_weight_date"}
NAME = "create index public.weight.idx_weight_date"


class Blocked(NamedTuple):
    """Who is waited for."""

    pid: int

    @property
    def cause(self) -> Tuple[object, ...]:
        return (self.pid,)

    @property
    def facts(self) -> "dict[str, object]":
        return {"pid": self.pid, "name": "psql"}

    def __str__(self) -> str:
        return f"pid {self.pid}"


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Kept(logging.Handler):
    """Keeps what was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: List[logging.LogRecord] = []
        self.texts: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.texts.append(f"{record.levelname} {record.getMessage()}")


@pytest.fixture
def kept() -> Iterator[Kept]:
    DISPLAY.set_up(None, bars=True)
    handler, root = Kept(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel("INFO")
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def running(clock: Clock) -> Task:
    return Task(NAME, 2, 3, subject=SUBJECT, clock=clock)


def looked(task: Task, clock: Clock, at: float, share: float, who: Optional[int] = None) -> None:
    clock.now = at
    waits = [] if who is None else [Blocked(who)]
    task.look(share, phase="building index: scanning table", waits=waits)


def test_a_line_says_all(kept: Kept) -> None:
    """On schedule, and at once when somebody is in the way."""
    clock = Clock()
    task = running(clock)
    with DISPLAY.showing(task):
        looked(task, clock, 2, 0.1)
        looked(task, clock, 3, 0.25)
        looked(task, clock, 9, 0.6)
        looked(task, clock, 10, 0.625)
        looked(task, clock, 15, 0.625, 7)
        looked(task, clock, 16, 0.625, 7)
    at = f"INFO step 2 of 3: {NAME}:"
    assert kept.texts == [
        f"{at} 25 %, building index: scanning table, for 3 s, 9 s left",
        f"{at} 62 %, building index: scanning table, for 10 s, 6 s left",
        f"{at} 62 %, building index: scanning table, for 15 s, 6 s left, waits for pid 7",
    ]


def test_machines_get_the_same_as_fields(kept: Kept) -> None:
    """Of an event that the schema of the log's lines knows."""
    clock = Clock()
    task = running(clock)
    with DISPLAY.showing(task):
        looked(task, clock, 3, 0.25)
        looked(task, clock, 6, 0.25, 7)
    first, second = (json.loads(JsonFormatter().format(record)) for record in kept.records)
    facts = {**SUBJECT, "number": 2, "total": 3, "percent": 25, "event": "progress"}
    facts["phase"] = "building index: scanning table"
    assert first.items() >= {**facts, "elapsed_s": 3, "eta_s": 9}.items()
    assert "blocked_by" not in first
    assert second.items() >= {**facts, "elapsed_s": 6, "eta_s": 9}.items()
    assert second["blocked_by"] == [{"pid": 7, "name": "psql"}]


def test_a_lock_that_is_waited_for_is_a_warning(kept: Kept) -> None:
    """The step gives up after LOCK_PATIENCE, and others queue behind it."""
    task = running(Clock())
    with DISPLAY.showing(task):
        task.blocked([Blocked(7), Blocked(8)])
        task.blocked([])
    assert kept.texts == [
        f"WARNING step 2 of 3: {NAME} waits for pid 7",
        f"WARNING step 2 of 3: {NAME} waits for pid 8",
    ]
    [line] = [json.loads(JsonFormatter().format(record)) for record in kept.records[:1]]
    assert line["event"] == "blocked"
    assert line["blocked_by"] == [{"pid": 7, "name": "psql"}]


def test_what_nobody_counts_is_estimated(kept: Kept) -> None:
    """VALIDATE has no progress on any server: there is the size of its table."""
    clock = Clock()
    task = Task("validate constraint public.t.c", clock=clock)
    with DISPLAY.showing(task):
        task.expect(240)
        clock.now = 30
        task.blocked([])
        clock.now = 300
        task.blocked([])
    said = "INFO validate constraint public.t.c: for"
    assert kept.texts == [
        f"{said} 30 s of some 4 min, estimated from its size",
        f"{said} 5 min 0 s of some 4 min, estimated from its size",
    ]
    found = [json.loads(JsonFormatter().format(record)) for record in kept.records]
    assert found[0]["eta_s"] == 210
    assert "eta_s" not in found[1]


def test_an_estimate_of_a_moment_is_not_worth_saying(kept: Kept) -> None:
    """It would stand beside a step that takes minutes."""
    clock = Clock()
    task = Task("validate constraint public.t.c", clock=clock)
    with DISPLAY.showing(task):
        task.expect(1)
        clock.now = 30
        task.blocked([])
    assert kept.texts == ["INFO validate constraint public.t.c: for 30 s"]


def test_of_many_schemas_a_step_speaks_only_if_it_takes_very_long(kept: Kept) -> None:
    """The schemas have their line meanwhile, though none is finished."""
    clock = Clock()
    progress = Progress(1000, clock)
    task = running(clock)
    with progress, DISPLAY.showing(task):
        progress.advance(100)
        looked(task, clock, FIRST_SECONDS[0], 0.1)
        looked(task, clock, SECONDS_OF_A_STEP, 0.5)
    assert kept.texts == [
        "INFO 100 of 1,000 schemas",
        "INFO 100 of 1,000 schemas",
        f"INFO step 2 of 3: {NAME}: 50 %, building index: scanning table, for 30 s, 30 s left",
    ]
