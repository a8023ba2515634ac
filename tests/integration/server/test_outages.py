"""The server goes away, the network falls silent, somebody ends the run."""

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Iterator, List

import pytest

from tests.support.database import FAST, Database
from tests.support.job import Run, Spawn
from tests.support.proxy import Proxy
from tests.support.waiting import until
from tools import embedded

OURS = "FROM pg_stat_activity WHERE datname = current_database()"
# Not just any wait: autovacuum may have a catalog locked for a moment.
WAITS = """SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE d.datname = current_database() AND relation = 'weight'::regclass AND NOT granted)"""
CONNECTED = f"SELECT count(*) = 3 {OURS} AND application_name = 'eater-init'"
END = f"SELECT pg_terminate_backend(pid) {OURS} AND pid <> pg_backend_pid()"
STUBBORN = {"LOCK_TIMEOUT": "10min", "LOCK_PATIENCE": "10min"}
TIMEOUT_SECONDS = 60.0


def drift(database: Database) -> None:
    """Take away what a run puts back step by step; and let it wait in the middle of that."""
    database.execute("DROP INDEX idx_users_email, idx_dishes_name; ALTER TABLE weight DROP weight")


def said(process: "subprocess.Popen[str]", words: str) -> List[str]:
    """Read the log up to a line with these words."""
    assert process.stderr is not None
    lines = [process.stderr.readline()]
    while words not in lines[-1]:
        assert lines[-1], f"it ended without a word of {words!r}: {lines}"
        lines.append(process.stderr.readline())
    return lines


@pytest.mark.parametrize("shutdown", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_a_server_that_restarts_costs_an_attempt(
    own_server: Path, run: Run, spawn: Spawn, shutdown: signal.Signals
) -> None:
    """It is away for a while, and comes back with a recovery after an immediate shutdown."""
    server = embedded.start(str(own_server))
    address = {"host": server.host, "port": server.port, "user": server.user}
    private = Database(address, server.database)
    settings = {**server.environment(), "MAX_RETRIES": "100"}
    assert run(**settings).code == 0
    drift(private)
    reader = private.connect()
    reader.cursor().execute("BEGIN; SELECT FROM weight")
    process = spawn(**settings)
    until(private, WAITS)
    os.kill(postmaster(own_server), shutdown)
    assert " WARNING attempt 1 of 100 was interrupted" in said(process, "planning again")[-1]
    said(process, "attempt 1 of 100 failed")
    embedded.start(str(own_server), options=FAST)
    errors = process.communicate(timeout=TIMEOUT_SECONDS)[1]
    assert process.returncode == 0, errors
    assert run("--verify", **settings).code == 0
    private.close()
    reader.close()


def test_a_server_that_is_starting_is_waited_for(own_server: Path, spawn: Spawn) -> None:
    """It refuses everybody until it is ready, as after a crash."""
    embedded.stop(str(own_server))
    (own_server / "data" / "standby.signal").touch()
    server = embedded.start(str(own_server), options=[*FAST, "hot_standby=off"])
    process = spawn(**{**server.environment(), "MAX_RETRIES": "100"})
    assert "FATAL:  the database system is " in said(process, "attempt 1 of 100 failed")[-1]
    (own_server / "data" / "promote").touch()
    os.kill(postmaster(own_server), signal.SIGUSR1)
    errors = process.communicate(timeout=TIMEOUT_SECONDS)[1]
    assert process.returncode == 0, errors


def postmaster(directory: Path) -> int:
    """Return the process that a server's signals go to."""
    return int((directory / "data" / "postmaster.pid").read_text().split()[0])


@pytest.fixture
def waiting(initialised: Database) -> Iterator[Database]:
    """A drifted database whose `weight` somebody reads, so that a run has to wait."""
    drift(initialised)
    reader = initialised.connect()
    reader.cursor().execute("BEGIN; SELECT FROM weight")
    yield initialised
    reader.close()


@pytest.mark.long
def test_silence_is_noticed(waiting: Database, spawn: Spawn, tcp: Proxy) -> None:
    """A connection whose proxy still acknowledges everything looks alive; nobody answers."""
    settings = {**tcp.environment, **STUBBORN}
    patient, given_up = (spawn(**{**settings, "MAX_RETRIES": n}) for n in ("100", "1"))
    until(waiting, WAITS)
    until(waiting, CONNECTED)
    tcp.silent()
    errors = given_up.communicate(timeout=TIMEOUT_SECONDS)[1]
    assert given_up.returncode == 3
    assert re.search(
        r" ERROR the connection was lost: no answer for \d+ s, nor to a new connection\n"
        r"  Check the network: firewall, network policy, POSTGRES_HOST\.\n"
        r"  Finished steps stay; safe to run again\.\n\Z",
        errors,
    )
    said(patient, "attempt 1 of 100 was interrupted, planning again: no answer for ")
    tcp.cut()
    tcp.resume()
    waiting.execute(END)
    errors = patient.communicate(timeout=TIMEOUT_SECONDS)[1]
    assert patient.returncode == 0, errors


def test_a_signal_ends_a_run_whose_network_is_silent(
    waiting: Database, spawn: Spawn, tcp: Proxy
) -> None:
    """A cancellation that nobody answers is not waited for."""
    process = spawn(**{**tcp.environment, **STUBBORN})
    until(waiting, WAITS)
    tcp.silent()
    process.terminate()
    errors = process.communicate(timeout=5)[1]
    assert process.returncode == 143
    assert " ERROR stopped by SIGTERM: the running statement was cancelled.\n" in errors


def test_a_second_signal_ends_a_run_at_once(waiting: Database, spawn: Spawn, tcp: Proxy) -> None:
    """While the first one is being answered: it does not come to its last word."""
    process = spawn(**{**tcp.environment, **STUBBORN})
    until(waiting, WAITS)
    tcp.silent()
    os.kill(process.pid, signal.SIGSTOP)
    process.terminate()
    process.send_signal(signal.SIGINT)
    os.kill(process.pid, signal.SIGCONT)
    errors = process.communicate(timeout=TIMEOUT_SECONDS)[1]
    assert process.returncode in (130, 143)
    assert "stopped by" not in errors
