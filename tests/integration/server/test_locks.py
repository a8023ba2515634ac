"""Live traffic goes first: what waits, for how long, and what it says."""

import io
import os
import re
import signal
import sys
import threading
import time
from typing import List

import pytest

from converge.names import lock_key
from converge.server.locks import LOCK_POLL_SECONDS
from tests.support.catalogs import SAMPLE_ROWS, described
from tests.support.copies import copy_of
from tests.support.database import Database
from tests.support.job import Run, Spawn
from tests.support.waiting import FREE, OURS, RUN_LOCK, WAITS, holding, until

LONGEST_WAIT_SECONDS = 10.0  # on a busy machine; what is waited for takes half a minute and more
ENDED = f"SELECT count(*) = 0 FROM {OURS}"
CURRENT = " INFO  schema is current: version 1, verified "
WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted)"
POLLS = f"SELECT count(*) = 1 FROM {OURS} AND query LIKE 'SELECT pg_try_advisory%'"


@pytest.fixture
def drifted(initialised: Database) -> Database:
    """A database in which a live table lacks a column, and another an index."""
    initialised.execute(SAMPLE_ROWS + "ALTER TABLE weight DROP weight; DROP INDEX idx_dishes_name")
    return initialised


def test_a_held_lock_stalls_nobody_else(drifted: Database, spawn: Spawn) -> None:
    """While a run waits for its lock, others go on; it succeeds when the lock is released."""
    other = holding(drifted, "SELECT * FROM weight")
    process = spawn(LOCK_PATIENCE="30s")
    until(drifted, WAITS)
    drifted.execute("SET statement_timeout = '5s'")
    waits: List[float] = []
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        started = time.monotonic()
        drifted.execute("SELECT * FROM weight")
        waits.append(time.monotonic() - started)
    other.close()
    errors = process.communicate(timeout=30)[1]
    assert process.returncode == 0, errors
    assert 0.05 < max(waits) < LONGEST_WAIT_SECONDS  # they did queue behind an attempt
    assert re.search(
        r" WARNING add column public\.weight\.weight waits for a lock on public\.weight held by "
        r"pid \d+ \(reader\), idle in transaction, for 00:0\d:\d\d: BEGIN; SELECT \* FROM weight\n",
        errors,
    )
    assert "weight" in described(drifted)["weight"]["columns"]


def test_when_the_patience_is_over_the_holder_is_named(drifted: Database, run: Run) -> None:
    """Exit code 6 says who: pid, name, state, age and query. Nothing was done before that."""
    other = holding(drifted, "SELECT * FROM weight")
    result = run(LOCK_PATIENCE="500ms")
    pid = other.info.backend_pid
    other.close()
    assert result.code == 6
    assert re.search(
        r" ERROR add column public\.weight\.weight: could not acquire the lock within "
        r"LOCK_PATIENCE \(500 ms\)\.\n"
        rf"  It waited for a lock on public\.weight held by pid {pid} \(reader\), "
        r"idle in transaction, for 00:0\d:\d\d: BEGIN; SELECT \* FROM weight\n"
        r"  Nothing was changed; run again\.\n\Z",
        result.err,
    )
    assert "idx_dishes_name" not in described(drifted)["dishes"]["indexes"]
    until(drifted, FREE)
    assert run().code == 0


def test_a_run_waits_for_another_and_says_so(drifted: Database, run: Run) -> None:
    """The run lock is polled, and its holder named, once."""
    other = holding(drifted, RUN_LOCK, name="another run")
    pid = other.info.backend_pid
    ending = threading.Timer(1 + 3 * LOCK_POLL_SECONDS, other.close)
    ending.start()
    result = run()
    ending.join()
    errors = result.err
    assert result.code == 0, errors
    line = (
        r" INFO  waiting for another run to finish \(0 s\): pid (\d+), another run, for "
        r"00:0\d:\d\d\n"
    )
    assert re.findall(line, errors) == [str(pid)]


def test_eight_runs_that_wait_together_do_the_work_once(database: Database, spawn: Spawn) -> None:
    """Whoever gets the lock later looks again, and has nothing to do."""
    other = holding(database, RUN_LOCK)
    runs = [spawn() for _ in range(8)]
    until(database, POLLS.replace("= 1", "= 8"))
    other.close()
    errors = [process.communicate(timeout=60)[1] for process in runs]
    assert [process.returncode for process in runs] == [0] * 8, errors
    assert sum(CURRENT in text for text in errors) == 7
    assert not any("WARNING" in text for text in errors)


@pytest.mark.long
def test_the_order_in_which_schemas_are_named_does_not_matter(
    database: Database, spawn: Spawn
) -> None:
    """Runs that share some of their schemas never wait for each other in a circle."""
    database.execute("CREATE EXTENSION pg_trgm")
    other = holding(database, RUN_LOCK.replace(str(lock_key("public")), str(lock_key("b"))))
    runs = [spawn(POSTGRES_SCHEMAS=order) for order in ("a,b,c", "c,b,a", "b,c,a", "c,a,b")]
    until(database, POLLS.replace("= 1", "= 4"))
    other.close()
    errors = [process.communicate(timeout=60)[1] for process in runs]
    assert [process.returncode for process in runs] == [0] * 4, errors
    created = [
        schema
        for text in errors
        for schema in re.findall(r" INFO  created in (\w), in one transaction: 1 schema, 7 ", text)
    ]
    assert sorted(created) == ["a", "b", "c"]
    assert not any("WARNING" in text for text in errors)


@pytest.mark.parametrize(("mode", "code"), [("--plan", 0), ("--verify", 5), ("--history", 0)])
def test_looking_waits_for_no_run(drifted: Database, run: Run, mode: str, code: int) -> None:
    """Only what changes something takes the run lock."""
    other = holding(drifted, RUN_LOCK)
    ended = threading.Timer(15, other.cancel)
    ended.start()
    result = run(mode)
    ended.cancel()
    other.close()
    assert result.code == code
    assert "waiting" not in result.err


def test_a_waiting_run_does_not_block_a_concurrent_build(drifted: Database, spawn: Spawn) -> None:
    """Neither the run that holds the lock nor the one that polls for it holds a snapshot."""
    other = holding(drifted, "SELECT * FROM weight")
    runs = [spawn(LOCK_PATIENCE="30s"), spawn(LOCK_PATIENCE="30s")]
    until(drifted, POLLS)
    until(drifted, WAITS)
    drifted.execute("SET statement_timeout = '5s'")
    drifted.execute("CREATE INDEX CONCURRENTLY idx_other ON dishes (calories)")
    other.close()
    errors = [process.communicate(timeout=30)[1] for process in runs]
    assert [process.returncode for process in runs] == [0, 0], errors


def test_a_build_outlasts_the_transaction_timeout(drifted: Database, spawn: Spawn) -> None:
    """However long it waits for older transactions; the same timeout of others still counts."""
    if not drifted.rows("SELECT 1 FROM pg_settings WHERE name = 'transaction_timeout'"):
        pytest.skip("transaction_timeout came with PostgreSQL 17")
    other = holding(drifted, "LOCK dishes IN ROW EXCLUSIVE MODE")
    drifted.execute(f"ALTER DATABASE {drifted.name} SET transaction_timeout = '500ms'")
    process = spawn()
    waiting = WAITS.replace(" AND pid", " AND clock_timestamp() - xact_start > '1s' AND pid")
    until(drifted, waiting)
    other.close()
    errors = process.communicate(timeout=30)[1]
    assert process.returncode == 0, errors
    assert "WARNING" not in errors


BLOCKED = {
    "table": ("SELECT * FROM weight", WAITS),
    "run lock": (RUN_LOCK, POLLS),
    "build": ("LOCK dishes IN ROW EXCLUSIVE MODE", WAITS),
}
SIGNALS = [(signal.SIGTERM, 143), (signal.SIGINT, 130)]


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=["TERM", "INT"])
@pytest.mark.parametrize("blocked", list(BLOCKED))
def test_a_signal_ends_a_run_within_a_second(
    drifted: Database, spawn: Spawn, run: Run, blocked: str, number: signal.Signals, code: int
) -> None:
    """Whatever it waits for, the run ends, leaves no lock, and the next one finishes."""
    lock, waits = BLOCKED[blocked]
    other = holding(drifted, lock)
    process = spawn(LOCK_PATIENCE="60s")
    until(drifted, waits)
    started = time.monotonic()
    process.send_signal(number)
    errors = process.communicate(timeout=30)[1]
    assert time.monotonic() - started < LONGEST_WAIT_SECONDS
    assert process.returncode == code
    assert errors.endswith(
        f" ERROR stopped by {number.name}: the running statement was cancelled.\n"
        "  Finished steps stay; the next run continues from there.\n"
    )
    until(drifted, ENDED, seconds=LONGEST_WAIT_SECONDS)
    other.close()
    until(drifted, FREE)
    assert run().code == 0
    assert run("--verify").code == 0


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=["TERM", "INT"])
def test_a_signal_ends_a_run_that_has_no_connection_yet(
    spawn: Spawn, number: signal.Signals, code: int
) -> None:
    """A pod that waits for its database can be deleted."""
    process = spawn(POSTGRES_HOST="127.0.0.1", POSTGRES_PORT="1", RETRY_DELAY="1h")
    assert process.stderr is not None
    assert "attempt 1 of 2 failed" in process.stderr.readline()
    started = time.monotonic()
    process.send_signal(number)
    errors = process.communicate(timeout=30)[1]
    assert time.monotonic() - started < LONGEST_WAIT_SECONDS
    assert process.returncode == code
    assert f" ERROR stopped by {number.name}: " in errors


class Interrupting(io.StringIO):
    """A stream in the middle of whose first line SIGTERM comes."""

    def write(self, text: str) -> int:
        is_first = self.tell() == 0
        written = super().write(text)
        if is_first:
            os.kill(os.getpid(), signal.SIGTERM)
        return written


def test_a_signal_in_the_middle_of_a_log_line_counts(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logging passes over every ordinary exception."""
    stream = Interrupting()
    monkeypatch.setattr(sys, "stderr", stream)
    assert run().code == 143
    assert " ERROR stopped by SIGTERM: " in stream.getvalue()
    assert described(database) == {}


@pytest.mark.long
def test_a_killed_run_leaves_nothing_that_another_waits_for(
    drifted: Database, spawn: Spawn, run: Run
) -> None:
    """The server notices that it is gone (from 14 on), and its half index is built again."""
    other = holding(drifted, "LOCK dishes IN ROW EXCLUSIVE MODE")
    process = spawn()
    until(drifted, WAITS)
    process.kill()
    process.wait()
    notices = drifted.value("SHOW server_version_num") >= "140000"
    if not notices:
        other.close()
    until(drifted, ENDED)
    other.close()
    invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    until(drifted, FREE)
    assert drifted.value(invalid) == notices  # else the build went on to its end
    assert run().code == 0
    assert drifted.value(invalid) == 0


QUERIES = {
    "": "weight",
    "--plan": "weight",
    "--verify": "weight",
    "--history": "eater_schema_history",
    "--rollback": "eater_schema_history",
    "--rollback --plan": "eater_schema_history",
}


ENDS = {True: "Nothing was changed; run again", False: "Finished steps stay; safe to run again"}


@pytest.mark.parametrize("mode", list(QUERIES))
def test_a_query_behind_an_exclusive_lock_waits_no_longer_than_the_patience(
    drifted: Database, run: Run, mode: str
) -> None:
    """Not even the comparison hangs; the holder is named."""
    statement = f"LOCK TABLE {QUERIES[mode]}"
    other = holding(drifted, statement)
    pid = other.info.backend_pid
    started = time.monotonic()
    result = run(*mode.split(), LOCK_PATIENCE="500ms")
    other.close()
    assert result.code == 6
    assert time.monotonic() - started < 10
    assert re.search(
        r" ERROR a query could not acquire the lock within LOCK_PATIENCE \(500 ms\)\.\n"
        rf"  It waited for a lock on public\.{QUERIES[mode]} held by pid {pid} \(reader\), "
        rf"idle in transaction, for 00:00:\d\d: BEGIN; {statement}\n"
        rf"  {ENDS[bool(mode)]}\.\n\Z",
        result.err,
    )


def test_a_query_behind_a_queue_names_whom_the_queue_waits_for(drifted: Database, run: Run) -> None:
    """An ACCESS EXCLUSIVE lock that is only waited for stops whoever comes later as well."""
    reader = holding(drifted, "SELECT * FROM weight")
    other = drifted.connect()
    queued = threading.Thread(target=other.cursor().execute, args=["BEGIN; LOCK TABLE weight"])
    queued.start()
    until(drifted, WAITING)
    result = run("--plan", LOCK_PATIENCE="500ms")
    pid = reader.info.backend_pid
    reader.close()
    queued.join()
    other.close()
    assert result.code == 6
    assert f"\n  It waited for a lock on public.weight held by pid {pid} (reader), " in result.err
    assert result.err.count(" held by ") == 1


def test_holders_in_another_database_are_not_named(drifted: Database, run: Run) -> None:
    """A table of a copied database has the same number as the original."""
    with copy_of(drifted) as copy:
        theirs = holding(copy, "SELECT * FROM weight", name="of the copy")
        ours = holding(drifted, "SELECT * FROM weight")
        result = run(LOCK_PATIENCE="300ms")
        theirs.close()
        ours.close()
    assert result.code == 6
    assert "held by pid " in result.err
    assert "of the copy" not in result.err


def test_runs_of_different_schemas_do_not_wait_for_each_other(database: Database, run: Run) -> None:
    """Each schema has a run lock of its own, once pg_trgm is there."""
    database.execute("CREATE EXTENSION pg_trgm")
    other = holding(database, RUN_LOCK)
    ended = threading.Timer(15, other.cancel)
    ended.start()
    result = run(POSTGRES_SCHEMAS="tenant_b")
    ended.cancel()
    other.close()
    assert result.code == 0
    assert "waiting" not in result.err
