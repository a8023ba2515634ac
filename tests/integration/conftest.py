"""A network between a run and its server."""

from typing import Iterator

import pytest

from tests.conftest import Database
from tests.support.proxy import Proxy


@pytest.fixture
def tcp(database: Database) -> Iterator[Proxy]:
    """A TCP door to the database; a run takes it with `run(**tcp.environment)`."""
    proxy = Proxy(database.environment)
    yield proxy
    proxy.close()
