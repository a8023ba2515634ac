"""Who connects, and through what."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator

import pytest

from tests.support.catalogs import SAMPLE_ROWS
from tests.support.database import FAST, Database
from tests.support.job import Run
from tests.support.pooler import Pooler
from tests.support.proxy import Proxy
from tools import embedded


@pytest.fixture
def role(database: Database) -> Iterator[str]:
    """A role that may log in, and no more; with the password that `run` uses anyway."""
    password = (database.environment["POSTGRES_PASSWORD"],)
    database.execute(f"CREATE ROLE {database.name} LOGIN PASSWORD %s", password)
    yield database.name
    database.execute(f"DROP OWNED BY {database.name}; DROP ROLE {database.name}")


@pytest.fixture
def owner(database: Database, run: Run, role: str) -> Iterator[str]:
    """A role that owns all tables, is no superuser, and made them with a first run."""
    database.execute(f"GRANT CREATE ON DATABASE {database.name} TO {role}")
    database.execute(f"GRANT ALL ON SCHEMA public TO {role}; CREATE EXTENSION pg_trgm")
    assert run(POSTGRES_USER=role).code == 0
    database.execute(SAMPLE_ROWS)
    yield role
    database.execute(f"ALTER ROLE {role} RESET ALL")


@pytest.fixture
def tcp(database: Database) -> Iterator[Proxy]:
    """A TCP door to the database; a run takes it with `run(**tcp.environment)`."""
    proxy = Proxy(database.environment)
    yield proxy
    proxy.close()


@pytest.fixture(scope="session")
def created_server() -> Iterator[Path]:
    """The directory of a server that was never used, to be copied: its creation takes seconds."""
    if sys.version_info < (3, 9):
        pytest.skip("there is no embedded PostgreSQL for Python 3.8")
    directory = tempfile.mkdtemp(prefix="eater-init-tests-")
    with pytest.MonkeyPatch.context() as patch:
        if "TEST_SERVER_WHEEL" in os.environ:  # of another version than the wheel's
            patch.syspath_prepend(os.environ["TEST_SERVER_WHEEL"])
        embedded.start(directory, options=FAST)
        embedded.stop(directory)
    yield Path(directory)
    shutil.rmtree(directory)


@pytest.fixture
def own_server(created_server: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory of a running server that may be stopped."""
    if "TEST_SERVER_WHEEL" in os.environ:
        monkeypatch.syspath_prepend(os.environ["TEST_SERVER_WHEEL"])
    directory = tempfile.mkdtemp(prefix="eater-init-tests-")
    subprocess.run(["cp", "-a", f"{created_server}/.", directory], check=True)
    embedded.start(directory, options=FAST)
    yield Path(directory)
    embedded.stop(directory)
    shutil.rmtree(directory)


@pytest.fixture
def pooler(database: Database, role: str, request: pytest.FixtureRequest) -> Iterator[Pooler]:
    """A PgBouncer with two connections; a run takes it with `run(**pooler.environment)`."""
    if request.config.getoption("--without-pgbouncer"):
        pytest.skip("--without-pgbouncer")
    started = Pooler(database.environment, role)
    yield started
    started.close()
