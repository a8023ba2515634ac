"""A real PostgreSQL, a fresh database a test, and the job as its users start it.

The server is TEST_DATABASE_URL's (a superuser's URL), or the embedded one. Without either the tests
fail and say how to get one; they never skip themselves green.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import psycopg2
import psycopg2.extensions
import pytest
from psycopg2 import sql

import create_tables
from converge.errors import EaterInitError
from tools import embedded

ROOT = Path(__file__).resolve().parent.parent
# Nothing of this server outlives the tests, so it need not survive a crash.
FAST = ("fsync=off", "full_page_writes=off", "max_connections=200", "log_statement=all")


class Result(NamedTuple):
    """How a run ended."""

    code: int
    out: str
    err: str


class Database:
    """A database of one test's own. Every call is committed at once."""

    def __init__(self, server: Dict[str, Any], name: str) -> None:
        self.server, self.name = server, name
        self._connection: Optional[psycopg2.extensions.connection] = None

    @property
    def environment(self) -> Dict[str, str]:
        """The variables of a run on this database, impatient and without the benchmark."""
        return {
            "POSTGRES_HOST": str(self.server["host"]),
            "POSTGRES_PORT": str(self.server["port"]),
            "POSTGRES_DB": self.name,
            "POSTGRES_USER": str(self.server["user"]),
            "POSTGRES_PASSWORD": str(self.server.get("password") or "any"),
            "MAX_RETRIES": "2",
            "RETRY_DELAY": "100ms",
            "LOCK_PATIENCE": "10s",
            "ENABLE_PERFORMANCE_TEST": "false",
        }

    def connect(self, **parameters: Any) -> psycopg2.extensions.connection:
        """Open another connection to it, in autocommit mode; the test closes it."""
        psycopg2.extensions.set_wait_callback(None)  # the job sets one, for the whole process
        connection: psycopg2.extensions.connection = psycopg2.connect(
            **{**self.server, "dbname": self.name, **parameters}
        )
        connection.autocommit = True
        return connection

    def rows(self, statement: str, parameters: Any = None) -> List[Tuple[Any, ...]]:
        """Run a statement; return its rows, none if it has no result."""
        psycopg2.extensions.set_wait_callback(None)
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def execute(self, statement: str, parameters: Any = None) -> None:
        self.rows(statement, parameters)

    def value(self, statement: str, parameters: Any = None) -> Any:
        """Return the first column of the first row."""
        return self.rows(statement, parameters)[0][0]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--without-pgbouncer", action="store_true", help="leave its tests out")
    parser.addoption(
        "--share",
        default="1/1",
        help="2/7: every test, with the second of seven shares of its parameters; at least one",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: List[pytest.Item]) -> None:
    """Leave out the parameters that are in another's share."""
    share, shares = map(int, config.getoption("--share").split("/"))
    tests: Dict[str, List[pytest.Item]] = {}
    for item in items:
        tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = {item for same in tests.values() for item in same[(share - 1) % len(same) :: shares]}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


@pytest.fixture(scope="session")
def server() -> Iterator[Dict[str, Any]]:
    """The connection parameters of a superuser's server."""
    url = os.environ.get("TEST_DATABASE_URL")
    if url:
        yield {"port": 5432, **psycopg2.extensions.parse_dsn(url)}
        return
    folder = tempfile.mkdtemp(prefix="eater-init-tests-")
    try:
        running = embedded.start(folder, options=FAST)
    except EaterInitError as error:
        pytest.fail(f"{error}\n  For the tests: set TEST_DATABASE_URL, or as above.", pytrace=False)
    yield running._asdict()
    embedded.stop(folder)
    shutil.rmtree(folder)


@pytest.fixture
def database(server: Dict[str, Any]) -> Iterator[Database]:
    """A fresh database; it is dropped afterwards, whatever still uses it."""
    with fresh_database(server) as database:
        yield database


@contextmanager
def fresh_database(server: Dict[str, Any]) -> Iterator[Database]:
    """The same, for fixtures that outlive a test."""
    admin = Database({**server}, str(server.get("database") or server.get("dbname") or "postgres"))
    admin.server.pop("database", None)
    fresh = Database(admin.server, f"eater_test_{uuid.uuid4().hex[:12]}")
    name = sql.Identifier(fresh.name)
    create = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' "
    connection = admin.connect()
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(create + "LC_CTYPE 'C.UTF-8'").format(name))
        yield fresh
        fresh.close()
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        cursor.execute(end, (fresh.name,))
        cursor.execute(sql.SQL("DROP DATABASE {}").format(name))
    connection.close()


Run = Callable[..., Result]


@pytest.fixture
def run(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Run:
    """Run the job in this process: `run("--plan", LOG_LEVEL="DEBUG")`; None unsets a variable."""

    def run_job(*arguments: str, **variables: Optional[str]) -> Result:
        _set_environment(monkeypatch, {**database.environment, **variables})
        monkeypatch.chdir(tmp_path)  # where there is no .env
        capsys.readouterr()
        try:
            code = create_tables.main(list(arguments))
        except SystemExit as error:  # argparse's way to end
            code = int(error.code or 0)
        finally:
            psycopg2.extensions.set_wait_callback(None)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run_job


def _set_environment(monkeypatch: pytest.MonkeyPatch, variables: Dict[str, Optional[str]]) -> None:
    for name in [name for name in os.environ if name.startswith("POSTGRES_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def spawn(database: Database, tmp_path: Path) -> Iterator[Spawn]:
    """Start the job as a process of its own; whatever still runs is killed afterwards."""
    started: List[subprocess.Popen[str]] = []

    def spawn_job(*arguments: str, **variables: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "create_tables.py"), *arguments],
            cwd=tmp_path,
            env={**os.environ, **database.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield spawn_job
    for process in started:
        process.kill()
        process.communicate()
