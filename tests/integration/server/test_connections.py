"""How many connections a run has: what the server or a pooler has to have free for it."""

import time

import pytest

from converge.names import APPLICATION_NAME
from tests.support.database import Database
from tests.support.job import Spawn

OPEN = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"


@pytest.mark.long
@pytest.mark.parametrize("parallel", [1, 3])
def test_a_run_has_two_connections_for_each_that_works(
    database: Database, spawn: Spawn, parallel: int
) -> None:
    """One holds the run lock of its schemas, the other works: docs/kubernetes.md says so."""
    schemas = ",".join(f"tenant_{number}" for number in range(1 + parallel * 20))
    job = spawn(POSTGRES_SCHEMAS=schemas, PARALLEL=str(parallel), ENABLE_PERFORMANCE_TEST="false")
    most = 0
    while job.poll() is None:
        most = max(most, database.value(OPEN, (APPLICATION_NAME,)))
        time.sleep(0.02)
    assert job.returncode == 0
    assert most == parallel * 2
