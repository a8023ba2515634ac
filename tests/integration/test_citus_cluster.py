"""The job on a real Citus, of which TEST_CITUS_URL names the coordinator; without it they skip."""

import uuid
from contextlib import closing
from typing import Iterator

import pytest

from converge.names import HISTORY_TABLE
from tests.support.citus import Cluster, fresh_cluster
from tests.support.earlier import STATES, rows
from tests.support.job import Run

TENANTS = {"POSTGRES_SCHEMAS": "tenant_a,tenant_b,tenant_c", "CITUS_DISTRIBUTE": "true"}
LATE_2024 = next(state for state in STATES if state.name == "late_2024")


@pytest.fixture
def database() -> Iterator[Cluster]:
    """Here it is one on a cluster."""
    with fresh_cluster(f"eater_test_{uuid.uuid4().hex[:12]}") as cluster:
        yield cluster


def test_tenants_come_into_being_change_and_go_back(database: Cluster, run: Run) -> None:
    """The whole flow: first run, nothing to do, a repair, verification, rollback."""
    assert run(**TENANTS).code == 0
    assert database.distributed == ["tenant_a", "tenant_b", "tenant_c"]
    tables = database.value("SELECT count(*) FROM citus_tables WHERE citus_table_type = 'schema'")
    assert tables == 3 * 8
    again = run(**TENANTS)
    assert "schema is current: version 1" in again.err
    assert "there was nothing to do" in again.err
    database.execute("DROP INDEX tenant_b.idx_dishes_name")
    database.execute("ALTER TABLE tenant_c.weight ALTER COLUMN weight DROP NOT NULL")
    assert run("--verify", **TENANTS).code == 5
    assert run(**TENANTS).code == 0
    assert run("--verify", **TENANTS).code == 0
    assert run("--rollback", "--yes", **TENANTS).code == 0
    left = "SELECT relation FROM (SELECT table_name::text FROM citus_tables) AS t (relation)"
    names = {name.split(".")[1] for (name,) in database.rows(left)}
    assert names == {HISTORY_TABLE}


def test_an_older_state_is_migrated_on_its_worker(database: Cluster, run: Run) -> None:
    """Types, backfills, keys, indexes: every row stays, once the copies of rows have gone."""
    database.execute("CREATE SCHEMA tenant")
    database.load("tenant", LATE_2024.path.read_text("utf-8"))
    database.execute("SELECT citus_schema_distribute('tenant')")
    state = LATE_2024._replace(schema="tenant")
    before = rows(database, state)
    refused = run(POSTGRES_SCHEMAS="tenant")
    assert refused.code == 4
    for line in refused.err.splitlines():
        if line.strip().startswith("SELECT truncate_local_data"):
            database.execute(line)
    assert run(POSTGRES_SCHEMAS="tenant").code == 0
    assert run("--verify", POSTGRES_SCHEMAS="tenant").code == 0
    after = rows(database, state)
    assert {name: len(found) for name, found in after.items() if found} == {
        name: len(found) for name, found in before.items() if found
    }


def test_live_traffic_on_a_worker_does_not_queue(database: Cluster, run: Run) -> None:
    """LOCK_TIMEOUT holds there too; who has the lock is looked up where that is known."""
    variables = {**TENANTS, "LOCK_PATIENCE": "1s", "MAX_RETRIES": "1"}
    assert run(**variables).code == 0
    database.execute('ALTER TABLE tenant_a."user" ALTER COLUMN language DROP DEFAULT')
    with closing(database.worker.connect()) as reader, reader.cursor() as cursor:
        cursor.execute('BEGIN; SELECT count(*) FROM tenant_a."user"')
        result = run(**variables)
        *_, shown = (line for line in result.err.splitlines() if "citus_stat_activity" in line)
        at_work = [query for _, _, query in database.rows(shown)]
    assert result.code == 6
    assert "It waited for a session on a worker. This shows those that are at work:" in result.err
    assert [query for query in at_work if 'FROM tenant_a."user"' in query]
    assert run(**variables).code == 0


def test_a_worker_is_refused(database: Cluster, run: Run) -> None:
    """It names the coordinator, as the cluster knows it."""
    assert run(**TENANTS).code == 0
    coordinator, worker = database.environment, database.worker.environment
    at_worker = {name: worker[name] for name in ("POSTGRES_HOST", "POSTGRES_PORT")}
    result = run(**TENANTS, **at_worker)
    assert result.code == 4
    address = f"POSTGRES_HOST={coordinator['POSTGRES_HOST']} and POSTGRES_PORT="
    assert f"Name the coordinator: {address}{coordinator['POSTGRES_PORT']}." in result.err


def test_the_way_out_of_what_citus_does_not_do(database: Cluster, run: Run) -> None:
    """Off the worker, a run does it; distributed again, the schema is as the models describe."""
    tenant = {"POSTGRES_SCHEMAS": "tenant_a", "CITUS_DISTRIBUTE": "true"}
    assert run(**tenant).code == 0
    database.execute("DROP TABLE tenant_a.dishes")
    database.execute("CREATE TABLE tenant_a.dishes (name varchar)")
    refused = run(**tenant)
    assert refused.code == 4
    off, on = (line for line in refused.err.splitlines() if "SELECT citus_schema_" in line)
    database.execute(off)
    assert run(**{**tenant, "CITUS_DISTRIBUTE": "false"}).code == 0
    database.execute(on)
    assert run("--verify", **tenant).code == 0
    assert database.distributed == ["tenant_a"]
