"""What stands on a terminal: bars at its bottom, the log above them, and nothing in between."""

import errno
import io
import json
import logging
import os
import re
import threading
import time
from contextlib import contextmanager
from typing import Iterator, NamedTuple, Optional, Tuple

import pytest

from converge.console import logs
from converge.console.many import Progress
from converge.display import DISPLAY
from converge.errors import ConvergeError
from converge.names import APPLICATION_NAME
from converge.task import Task
from tests.support.screen import Terminal, terminal, unlike

TITLE = "create index public.dishes_day.idx_dishes_day_user_email"
QUERY = "SELECT count(*) FROM public.dishes_day"
LOG = r"(\S+ (INFO|WARNING) +)?thread \d line \d+ end"
BAR = r" *\d+ % \|.*\| \d+ s(, \d+ s left)?"


class Blocked(NamedTuple):
    """Who is waited for."""

    text: str

    @property
    def cause(self) -> Tuple[object, ...]:
        return (self.text,)

    @property
    def facts(self) -> "dict[str, object]":
        return {"query": self.text}

    def __str__(self) -> str:
        return self.text


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    DISPLAY.set_up(None, bars=True)
    for handler in logging.getLogger().handlers[:]:
        if handler.get_name() == APPLICATION_NAME:
            logging.getLogger().removeHandler(handler)


@contextmanager
def shown(columns: int, monkeypatch: pytest.MonkeyPatch, form: str = "text") -> Iterator[Terminal]:
    """Log to a terminal while the block runs."""
    with terminal(columns) as opened, open(os.dup(opened.theirs), "w", encoding="utf-8") as stderr:
        monkeypatch.setattr("sys.stderr", stderr)
        monkeypatch.setenv("TERM", "xterm")
        logs.set_up("INFO", form)
        yield opened


def settled(opened: Terminal, pattern: str) -> "list[str]":
    """Return what stands there once a line is like this."""
    deadline = time.monotonic() + 10
    while not any(re.search(pattern, line) for line in opened.lines):
        assert time.monotonic() < deadline, opened.lines
        time.sleep(0.005)
    return opened.lines


def half_done(waits: "Optional[list[Blocked]]" = None) -> Task:
    """A build of 30 s, of which 20 are left."""
    clock = Clock()
    task = Task(TITLE, number=2, of=3, clock=clock)
    clock.now = 10
    task.look(1 / 3, phase="building index: loading tuples in tree")
    task.look(waits=waits or [])
    return task


def test_a_bar_says_how_far_a_step_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which step of how many, the share that is done, since when, how long still, and the phase."""
    task = half_done()
    with shown(80, monkeypatch) as opened, DISPLAY.showing(task):
        DISPLAY.refresh()
        lines = settled(opened, "loading")
    assert lines == [
        f"step 2 of 3: {TITLE}",
        " 33 % |██████████████████▏                                    | 10 s, 20 s left",
        "building index: loading tuples in tree",
    ]


def test_a_narrow_terminal_shows_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom it waits for has lines of its own, in which no name is cut off."""
    task = half_done([Blocked(f"the transaction of pid 12345 (analyst), active: {QUERY}")])
    with shown(40, monkeypatch) as opened, DISPLAY.showing(task):
        DISPLAY.refresh()
        lines = settled(opened, "dishes_day$")
    assert lines == [
        "step 2 of 3: create index public.dishes",
        "  _day.idx_dishes_day_user_email",
        " 33 % |████▉          | 10 s, 20 s left",
        "building index: loading tuples in tree",
        "waits for the transaction of pid 12345",
        "  (analyst), active: SELECT count(*)",
        "  FROM public.dishes_day",
    ]


def test_when_nobody_is_in_the_way_any_more_nobody_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor is there a trace of a step that is done."""
    task = half_done([Blocked("pid 7")])
    with shown(80, monkeypatch) as opened:
        with DISPLAY.showing(task):
            DISPLAY.refresh()
            settled(opened, "waits for pid 7")
            task.look(0.5)
            assert len(settled(opened, " 50 %")) == 3
        logging.getLogger("test").info("done")
        assert unlike(settled(opened, "done"), r"\S+ INFO  done", "") == []


@pytest.mark.parametrize("columns", [80, 40])
def test_lines_of_the_log_stand_above_the_bars(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """Also those of other threads; none holds parts of two."""
    log = logging.getLogger("test")

    def work(number: int) -> None:
        task = Task(f"thread {number}", number=number, of=4)
        task.started -= 1
        with DISPLAY.showing(task):
            for line in range(8):
                task.look(line / 8)
                log.info("thread %d line %d end", number, line)

    with shown(columns, monkeypatch) as opened:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        log.info("thread 9 line 99 end")
        lines = settled(opened, "line 99 end")
        title = r"step \d of 4: thread \d"
        for screen in opened.screens:
            # The last line may be half read, with what is not yet redrawn above it.
            assert unlike(screen[:-1], LOG, BAR, title) == []
    assert unlike(lines, LOG, "") == []
    assert len([line for line in lines if line]) == 33


def test_a_terminal_that_becomes_narrower_keeps_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was one line is two, and goes away with the next look."""
    log, task = logging.getLogger("test"), half_done([Blocked("pid 12345 (analyst): " + "x" * 50)])
    with shown(80, monkeypatch) as opened, DISPLAY.showing(task):
        log.info("before")
        settled(opened, "waits")
        opened.resize(40)
        log.info("after")
        lines = settled(opened, " after")
        narrow = settled(opened, "xxxx$")
        opened.resize(80)
        DISPLAY.refresh()
        wide = settled(opened, TITLE)
    assert unlike(lines[:2], r"\S+ INFO  (before|after)") == []
    assert [line for line in narrow if "%" in line] == [" 33 % |████▉          | 10 s, 20 s left"]
    assert len(wide) == 2 + 5


def test_a_bar_takes_no_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a session that holds a lock runs is its own text, and may mean harm."""
    task = half_done([Blocked("pid 1: SELECT \x1b[2J\n1")])
    with shown(80, monkeypatch) as opened, DISPLAY.showing(task):
        DISPLAY.refresh()
        lines = settled(opened, "^1$")
    assert lines[-2:] == [r"waits for pid 1: SELECT \x1b[2J", "1"]


def test_more_than_fits_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log keeps a line at least."""
    task = half_done([Blocked(f"pid {number}") for number in range(100)])
    with shown(80, monkeypatch) as opened, DISPLAY.showing(task):
        DISPLAY.refresh()
        logging.getLogger("test").info("here")
        lines = settled(opened, "here")
        assert len(settled(opened, "waits for pid 19")) == 24
    assert lines[0].endswith("here")


def test_a_run_over_many_schemas_has_a_bar_beside_its_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one of the schemas is first; both are drawn anew with each of them."""
    with shown(80, monkeypatch) as opened, Progress(50) as progress, DISPLAY.showing(half_done()):
        progress.advance(24)
        progress.fail("t025", ConvergeError("no"))
        lines = settled(opened, "25 of 50")
    assert unlike(lines[:1], r"\S+ WARNING schema t025: no") == []
    assert unlike(lines[1:2], r" 50 % \|█+▌? +\| 25 of 50 schemas, 1 failed(, \d+ s left)?") == []
    assert lines[2] == f"step 2 of 3: {TITLE}"
    assert len(lines) == 5


def test_json_has_no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line is an object."""
    with shown(80, monkeypatch, "json") as opened, DISPLAY.showing(half_done()):
        DISPLAY.refresh()
        logging.getLogger("test").info("here")
        lines = "".join(settled(opened, '"here"'))
    assert [json.loads(line)["level"] for line in lines.replace("}{", "}\n{").splitlines()] == [
        "INFO",
        "INFO",
    ]


def test_a_terminal_that_obeys_nothing_has_no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is called dumb."""
    with shown(80, monkeypatch) as opened, DISPLAY.showing(half_done()):
        monkeypatch.setenv("TERM", "dumb")
        logs.set_up("INFO", "text")
        DISPLAY.refresh()
        logging.getLogger("test").info("here")
        lines = settled(opened, "here")
    assert unlike(lines[-2:], r"\S+ INFO  here", "") == []
    assert "█" not in "".join(lines)


def test_a_terminal_without_blocks_has_a_bar_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under LC_ALL=C."""
    with terminal(80) as opened, open(os.dup(opened.theirs), "w", encoding="ascii") as stderr:
        monkeypatch.setattr("sys.stderr", stderr)
        monkeypatch.setenv("TERM", "xterm")
        logs.set_up("INFO", "text")
        with DISPLAY.showing(half_done()):
            DISPLAY.refresh()
            assert " 33 % |####" in "\n".join(settled(opened, "loading"))


class Gone(io.StringIO):
    """A terminal whose window was closed."""

    def isatty(self) -> bool:
        return True

    def write(self, _: str, /) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_terminal_that_is_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run goes on, unless it is told to end."""
    monkeypatch.setenv("TERM", "xterm")
    DISPLAY.set_up(Gone(), bars=True)
    with DISPLAY.showing(half_done()):
        DISPLAY.refresh()
    assert DISPLAY.isatty()
