"""Who connects, and through what."""

from typing import Iterator

import pytest

from tests.conftest import Database
from tests.support.proxy import Proxy


@pytest.fixture
def role(database: Database) -> Iterator[str]:
    """A role that may log in, and no more; with the password that `run` uses anyway."""
    password = (database.environment["POSTGRES_PASSWORD"],)
    database.execute(f"CREATE ROLE {database.name} LOGIN PASSWORD %s", password)
    yield database.name
    database.execute(f"DROP OWNED BY {database.name}; DROP ROLE {database.name}")


@pytest.fixture
def tcp(database: Database) -> Iterator[Proxy]:
    """A TCP door to the database; a run takes it with `run(**tcp.environment)`."""
    proxy = Proxy(database.environment)
    yield proxy
    proxy.close()
