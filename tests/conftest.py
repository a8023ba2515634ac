"""A real PostgreSQL, a fresh database a test, and the job as its users start it.

The server is TEST_DATABASE_URL's (a superuser's URL), or the embedded one. Without either the tests
fail and say how to get one; they never skip themselves green.
"""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Generator, Iterator, List, Optional

import psycopg2.extensions
import pytest

import create_tables
from converge.errors import ConvergeError
from tests.support import forked
from tests.support.database import FAST, Database, fresh_database
from tests.support.job import Result, Run, Spawn
from tests.support.log_lines import Checker
from tests.support.program import ROOT
from tools import embedded

# Kerberos' library, which libpq asks at each connect, reads the environment while another thread
# may be setting a variable: getenv(3) then crashes now and then.
os.environ["PGGSSENCMODE"] = "disable"

# Of a test's parameters are tried before a commit: at least two, and one of so many. `.ci/run`
# tries all of them.
FEW, OF_MANY = 2, 20


def pytest_addoption(parser: pytest.Parser) -> None:
    for what in ("pgbouncer", "translations", "chromium"):
        parser.addoption(f"--without-{what}", action="store_true", help="leave its tests out")
    parser.addoption("--whole", action="store_true", help="all parameters of each test")
    parser.addoption("--long", action="store_true", help="some parameters, of long tests too")
    parser.addoption(
        "--share",
        default="",
        help="2/7: the second of seven shares, which together have all parameters of each test",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: List[pytest.Item]) -> None:
    """Leave out what is in another's share, and most of a test's parameters before a commit."""
    tests: Dict[str, List[pytest.Item]] = {}
    for item in items:
        tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    share = config.getoption("--share")
    if share:
        number, shares = map(int, share.split("/"))
        kept = set(_shared(list(tests.values()), number, shares))
    elif config.getoption("--whole"):
        return
    else:
        long = config.getoption("--long")
        tried = [same for same in tests.values() if long or not _is_long(same)]
        kept = {item for same in tried for item in _few(same)}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def _is_long(same: List[pytest.Item]) -> bool:
    return same[0].get_closest_marker("long") is not None


def _few(same: List[pytest.Item]) -> List[pytest.Item]:
    """Return the parameters of a test that are tried each time: all of those without a server."""
    if "unit" in same[0].path.parts:
        return same
    return same[:: -(-len(same) // max(FEW, len(same) // OF_MANY))]


def _shared(tests: List[List[pytest.Item]], number: int, shares: int) -> Iterator[pytest.Item]:
    """Yield the tests of a share: each parameter is in one, some in the last as well."""
    for place, same in enumerate(tests):
        whole = number == shares and same[0].get_closest_marker("on_the_newest") is not None
        for turn, item in enumerate(same):
            if whole or (number - place - turn) % shares == 0:
                yield item


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Say how many workers `-n auto` means: each has a server of its own, unless one is given."""
    return 0 if "TEST_DATABASE_URL" in os.environ else (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a report hold no letter without a UTF-8, as workers send it in UTF-8."""
    report = yield
    for number, (name, text) in enumerate(report.sections):
        report.sections[number] = (name, text.encode("utf-8", "backslashreplace").decode())
    return report


@pytest.fixture(autouse=True)
def _log_as_its_schema_has_it() -> Iterator[None]:
    """Let whatever a test makes the program say be valid for machines, too."""
    checker = Checker()
    logging.getLogger().addHandler(checker)
    yield
    logging.getLogger().removeHandler(checker)
    assert checker.wrong == []


def pytest_terminal_summary(terminalreporter: Any) -> None:  # its class is in pytest 9
    """Say where pictures are that tests have kept."""
    ended = [one for end in ("passed", "failed") for one in terminalreporter.stats.get(end, ())]
    told = [pair for report in ended for pair in report.user_properties]
    for directory in sorted({where for what, where in told if what == "screenshots"}):
        terminalreporter.write_line(f"Screenshots: {directory}/")


@pytest.fixture(scope="session")
def server() -> Iterator[Dict[str, Any]]:
    """The connection parameters of a superuser's server."""
    url = os.environ.get("TEST_DATABASE_URL")
    if url:
        yield {"port": 5432, **psycopg2.extensions.parse_dsn(url)}
        return
    directory = tempfile.mkdtemp(prefix="eater-init-tests-")
    try:
        running = embedded.start(directory, options=FAST)
    except ConvergeError as error:
        pytest.fail(f"{error}\n  For the tests: set TEST_DATABASE_URL, or as above.", pytrace=False)
    yield running._asdict()
    embedded.stop(directory)
    shutil.rmtree(directory)


@pytest.fixture
def database(server: Dict[str, Any], request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh database, empty or `initialised`; it is dropped afterwards."""
    wanted = "initialised" in request.fixturenames
    with fresh_database(server, request.getfixturevalue("template") if wanted else None) as fresh:
        yield fresh


@pytest.fixture(scope="session")
def template(server: Dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database that a first run has brought to the models."""
    with fresh_database(server) as database:
        directory = tmp_path_factory.mktemp("template")
        process = forked.start(directory, database.environment)
        process.join()
        assert process.exitcode == 0, (directory / "output").read_text("utf-8")
        yield database.name


@pytest.fixture
def initialised(database: Database) -> Database:
    """The database, with a first run behind it: a copy takes a tenth of that run's time."""
    return database


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
