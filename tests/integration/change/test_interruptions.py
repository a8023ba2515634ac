"""A run may end at any statement: the next one finishes."""

import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Iterator, List, NamedTuple, Optional

import pytest

from tests.support import forked
from tests.support.catalogs import SAMPLE_ROWS, all_rows, described
from tests.support.copies import copy_of, load
from tests.support.database import Database
from tests.support.drift import DRIFT
from tests.support.proxy import Proxy, Send
from tests.support.waiting import ALONE, until

# The first statement and each so many after it; by default, the first and last of each shape.
EVERY = os.environ.get("EATER_INTERRUPT_EVERY", "")
# Whatever may differ between statements of one kind: literals, numbers, and names, which are in
# lower case; and how many of them there are.
LITERAL, NUMBER = re.compile(r"'(?:[^']|'')*'"), re.compile(r"\b\d+\b")
WATCHES = "SELECT pg_stat_clear_snapshot()"
READS = "BEGIN READ ONLY"  # and leaves everything as it was
NAMES = re.compile(r'(?:"[^"]*"|\b[a-z_][a-z0-9_.]*)(?:[\s,.]+(?:"[^"]*"|[a-z_][a-z0-9_.]*))*')
TIMEOUT_SECONDS = 60.0
LEFT = """
SELECT relname FROM pg_class WHERE relname ~ '^eater_(new|old)_'
UNION ALL SELECT conname FROM pg_constraint WHERE conname ~ '^eater_(new|old)_'
UNION ALL SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid
UNION ALL SELECT locktype FROM pg_locks l JOIN pg_database d ON d.oid = l.database
  WHERE locktype = 'advisory' AND datname = current_database()
"""
GONE = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"


class Interruption:
    """Counts a run's statements, and interrupts it at the one with the number `at`."""

    def __init__(self, database: Database, at: Optional[int], how: str) -> None:
        self.database, self.at, self.how = database, at, how
        self.statements: List[str] = []
        self.process: Optional[BaseProcess] = None
        self._lock = threading.Lock()
        self._started = threading.Event()

    @contextmanager
    def starting(self) -> Iterator[None]:
        yield
        self._started.set()

    def __call__(self, backend: int, statement: str, send: Send) -> None:
        if WATCHES in statement:  # how often depends on how fast the machine is
            send()
            return
        with self._lock:
            self.statements.append(statement)
            reached = len(self.statements) == self.at
        if not reached:
            send()
        elif self.how == "killed before":
            self._kill()
        elif self.how == "killed during":
            send()
            self._kill()
        elif self.how == "terminated before":
            self._terminate(backend)
            send()
        else:
            send()
            self._terminate(backend)

    def _kill(self) -> None:
        self._started.wait()
        assert self.process is not None
        self.process.kill()

    def _terminate(self, backend: int) -> None:
        own = Database(self.database.server, self.database.name)
        own.execute("SELECT pg_terminate_backend(%s)", (backend,))
        while own.value(GONE, (backend,)):
            pass
        own.close()


class Run(NamedTuple):
    """How an interrupted run ended, and the statements that it sent."""

    code: Optional[int]
    output: str
    statements: List[str]


def run(
    database: Database, directory: Path, *arguments: str, at: Optional[int] = None, how: str = ""
) -> Run:
    """Run the job, and interrupt it at a statement if it comes to so many."""
    proxy = Proxy(database.environment)
    proxy.on_statement = interruption = Interruption(database, at, how)
    environment = {**proxy.environment, "POSTGRES_SSLMODE": "disable", "MAX_RETRIES": "5"}
    with interruption.starting():
        interruption.process = forked.start(directory, environment, arguments)
    forked.join(interruption.process, TIMEOUT_SECONDS)
    proxy.close()
    output = (directory / "output").read_text("utf-8")
    return Run(interruption.process.exitcode, output, interruption.statements)


def places(statements: List[str], how: str) -> List[int]:
    """Return the numbers of the statements to interrupt a run at, from 1.

    What a run that loses its connection leaves on the server is what a killed one leaves.
    """
    if EVERY:
        return list(range(1, len(statements) + 1, int(EVERY)))
    shapes = [shape(statement) for statement in statements]
    first = {each: number for number, each in reversed(list(enumerate(shapes, 1)))}
    last = {each: number for number, each in enumerate(shapes, 1)}
    return sorted({*first.values(), *(last.values() if "killed" in how else ())})


def shape(statement: str) -> str:
    """Return a statement without its names, numbers and literals; of what only reads, nothing."""
    if statement.startswith(READS) and "READ WRITE" not in statement:
        return READS
    return NAMES.sub("x", NUMBER.sub("0", LITERAL.sub("?", statement)))


def left_by(database: Database) -> Any:
    """Return all that runs may differ in."""
    return described(database), all_rows(database), database.rows(LEFT)


BEFORE = ["killed before", "terminated before"]
DURING = ["killed during", "terminated during"]
ALL = [
    *[("empty", how) for how in BEFORE + DURING],
    *[("early_2026", how) for how in BEFORE + DURING],
    *[("late_2024", how) for how in BEFORE],
]


@pytest.mark.long
@pytest.mark.parametrize(("state", "how"), ALL)
def test_a_run_interrupted_at_any_statement_is_finished(
    database: Database, tmp_path: Path, state: str, how: str
) -> None:
    """By the next one if it was killed, by itself if it lost its connection; all rows are there.

    Before a statement is after the one that it follows: the server has got the same.
    """
    load(database, state)
    database.close()

    def interrupted(at: int) -> bool:
        """Interrupt a run there; return whether it came so far."""
        directory = tmp_path / str(at)
        directory.mkdir()
        with copy_of(database) as copy:
            first = run(copy, directory, at=at, how=how)
            if "terminated" in how or len(first.statements) < at:
                assert first.code == 0, first.output
            else:
                assert first.code == -9, first.output
                last = run(copy, directory)
                assert last.code == 0, last.output
            assert left_by(copy) == expected
        return len(first.statements) >= at

    with copy_of(database) as copy:
        whole = run(copy, tmp_path)
        assert whole.code == 0, whole.output
        expected = left_by(copy)
        assert expected[-1] == []
    with ThreadPoolExecutor(2) as two:
        reached = list(two.map(interrupted, places(whole.statements, how)))
    assert all(reached)


@pytest.mark.long
@pytest.mark.parametrize("how", ["killed before", "killed during"])
def test_a_rollback_killed_at_any_statement_is_finished(
    database: Database, tmp_path: Path, how: str
) -> None:
    """By the next one, which goes on from there, and has nothing to undo if it was all done."""
    assert run(database, tmp_path).code == 0
    database.execute(SAMPLE_ROWS + "DROP TABLE eater_schema_history;" + DRIFT)
    assert run(database, tmp_path).code == 0
    database.close()

    def interrupted(at: int) -> bool:
        """Kill a rollback there; return whether it came so far."""
        directory = tmp_path / str(at)
        directory.mkdir()
        with copy_of(database) as copy:
            first = run(copy, directory, "--rollback", at=at, how=how)
            assert (first.code == -9) is (len(first.statements) >= at), first.output
            until(copy, ALONE)  # the last statement of a killed rollback may still be under way
            over = copy.value("SELECT action FROM eater_schema_history ORDER BY run DESC LIMIT 1")
            last = run(copy, directory, "--rollback")
            assert last.code == (4 if over == "rollback" else 0), last.output
            assert left_by(copy) == expected
        return len(first.statements) >= at

    with copy_of(database) as copy:
        whole = run(copy, tmp_path, "--rollback")
        assert whole.code == 0, whole.output
        expected = left_by(copy)
    with ThreadPoolExecutor(2) as two:
        reached = list(two.map(interrupted, places(whole.statements, how)))
    assert all(reached)
