"""Live traffic goes first: what waits, for how long, and what it says."""

import signal
import threading
import time
from typing import List

import pytest
from psycopg2.extensions import connection

import locks
from tests.conftest import Database, Run, Spawn
from tests.support.catalogs import SAMPLE_ROWS, described

LONGEST_WAIT_SECONDS = 1.5  # LOCK_TIMEOUT is 0.2 s; machines are noisy


def holding(database: Database, statement: str, name: str = "reader") -> connection:
    """Open a transaction that holds the locks of a statement until it is closed."""
    other = database.connect(application_name=name)
    other.cursor().execute(f"BEGIN; {statement}")
    return other


@pytest.fixture
def drifted(database: Database, run: Run) -> Database:
    """A database in which a live table lacks a column."""
    run()
    database.execute(SAMPLE_ROWS + "ALTER TABLE weight DROP weight")
    return database


def test_a_held_lock_stalls_nobody_else(drifted: Database, spawn: Spawn) -> None:
    """While a run waits for its lock, others go on; it succeeds when the lock is released."""
    other = holding(drifted, "SELECT * FROM weight")
    process = spawn(LOCK_PATIENCE="30s")
    waits: List[float] = []
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        started = time.monotonic()
        drifted.execute("SELECT * FROM weight")
        waits.append(time.monotonic() - started)
    other.close()
    errors = process.communicate(timeout=30)[1]
    assert process.returncode == 0, errors
    assert "add column public.weight.weight waits for a lock held by pid" in errors
    assert max(waits) < LONGEST_WAIT_SECONDS
    assert "weight" in described(drifted)["weight"]["columns"]


def test_when_the_patience_is_over_the_holder_is_named(drifted: Database, run: Run) -> None:
    """Exit code 4 says who: pid, application_name, state, age and query."""
    other = holding(drifted, "SELECT * FROM weight")
    result = run(LOCK_PATIENCE="500ms")
    pid = other.info.backend_pid
    other.close()
    assert result.code == 4
    assert f"held by pid {pid} (reader), idle in transaction, for 0:00:0" in result.err
    assert ": BEGIN; SELECT * FROM weight\n  What was finished stays; safe to run" in result.err
    assert run().code == 0


def test_a_run_waits_for_another_and_says_so(drifted: Database, spawn: Spawn) -> None:
    """The run lock is polled, and its holder named."""
    key = locks.lock_key("public")
    lock = f"SELECT pg_advisory_xact_lock({locks.LOCK_CLASS}, {key})"
    other = holding(drifted, lock, name="another run")
    pid = other.info.backend_pid
    process = spawn()
    time.sleep(2)
    assert process.poll() is None
    other.close()
    errors = process.communicate(timeout=30)[1]
    assert process.returncode == 0, errors
    assert errors.count("waiting for another run to finish") == 1
    assert f"pid {pid}, another run, for" in errors


def test_a_waiting_run_does_not_block_a_concurrent_build(drifted: Database, spawn: Spawn) -> None:
    """Neither the run that holds the lock nor the one that polls for it holds a snapshot."""
    other = holding(drifted, "SELECT * FROM weight")
    runs = [spawn(LOCK_PATIENCE="30s"), spawn(LOCK_PATIENCE="30s")]
    time.sleep(1.5)
    drifted.execute("SET lock_timeout = '5s'")
    drifted.execute("CREATE INDEX CONCURRENTLY idx_other ON dishes (calories)")
    other.close()
    errors = [process.communicate(timeout=30)[1] for process in runs]
    assert [process.returncode for process in runs] == [0, 0], errors


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
@pytest.mark.parametrize("blocked", ["table", "run lock", "build"])
def test_a_signal_ends_a_run_within_a_second(
    drifted: Database, spawn: Spawn, run: Run, blocked: str, number: signal.Signals, code: int
) -> None:
    """Whatever it waits for, the run ends, leaves no lock, and the next one finishes."""
    drifted.execute("DROP INDEX idx_dishes_name")
    key = locks.lock_key("public")
    holds = {
        "table": "SELECT * FROM weight",
        "run lock": f"SELECT pg_advisory_xact_lock({locks.LOCK_CLASS}, {key})",
        "build": "LOCK dishes IN ROW EXCLUSIVE MODE",
    }
    other = holding(drifted, holds[blocked])
    process = spawn(LOCK_PATIENCE="60s")
    time.sleep(2.5)
    started = time.monotonic()
    process.send_signal(number)
    errors = process.communicate(timeout=30)[1]
    assert time.monotonic() - started < LONGEST_WAIT_SECONDS
    assert process.returncode == code
    assert f"stopped by {number.name}: " in errors
    other.close()
    time.sleep(0.3)
    advisory = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
    advisory += "WHERE locktype = 'advisory' AND datname = current_database()"
    assert drifted.value(advisory) == 0
    assert run().code == 0
    assert run("--verify").code == 0


def test_a_query_behind_an_exclusive_lock_waits_no_longer_than_the_patience(
    drifted: Database, run: Run
) -> None:
    """Not even the comparison hangs."""
    other = holding(drifted, "LOCK TABLE weight")
    started = time.monotonic()
    result = run(LOCK_PATIENCE="500ms")
    other.close()
    assert result.code == 4
    assert time.monotonic() - started < 10
    assert "safe to run again" in result.err


def test_runs_of_different_schemas_do_not_wait_for_each_other(database: Database, run: Run) -> None:
    """Each schema has a run lock of its own, once pg_trgm is there."""
    database.execute("CREATE EXTENSION pg_trgm")
    key = locks.lock_key("tenant_a")
    other = holding(database, f"SELECT pg_advisory_xact_lock({locks.LOCK_CLASS}, {key})")
    ended = threading.Timer(15, other.cancel)
    ended.start()
    result = run(POSTGRES_SCHEMAS="tenant_b")
    ended.cancel()
    other.close()
    assert result.code == 0
    assert "waiting" not in result.err
