"""Citus: the cluster of TEST_CITUS_URL, or what stands in for its catalogs on any server."""

import os
from contextlib import closing, contextmanager
from typing import Any, Dict, Iterator, List, Tuple

import psycopg2.extensions
import pytest

from tests.support.database import TERMINATE, Database

NOT_TRIED = (
    "Citus was not tried: set TEST_CITUS_URL to a superuser's URL of a coordinator with workers"
)
# As much of it as a plan asks for: nothing is distributed.
STAND_IN = """
INSERT INTO pg_extension SELECT max(oid::bigint) + 1, 'citus', 10, 2200, false, '13.2-1', NULL, NULL
FROM pg_extension;
CREATE TABLE pg_dist_local_group (groupid integer);
INSERT INTO pg_dist_local_group VALUES (0);
CREATE TABLE pg_dist_node (groupid integer, nodename text, nodeport integer, noderole text);
INSERT INTO pg_dist_node VALUES (0, 'coordinator.example.org', 5433, 'primary');
CREATE TABLE pg_dist_schema (schemaid oid, colocationid integer);
CREATE FUNCTION citus_schema_distribute(regnamespace) RETURNS void LANGUAGE sql
  AS 'INSERT INTO public.pg_dist_schema VALUES ($1, 1)'"""
NODES = "SELECT nodename, nodeport FROM pg_dist_node WHERE noderole = 'primary' ORDER BY groupid"


def stand_in(database: Database, *, sharding: bool = False) -> None:
    """Make a database look as if it had Citus, which has new schemas if `sharding`."""
    setting = "citus.enable_schema_based_sharding"
    database.execute(f"{STAND_IN}; ALTER DATABASE {database.name} SET {setting} = {sharding}")
    database.close()


class Cluster(Database):
    """A database on a cluster, seen from the coordinator."""

    def __init__(self, coordinator: Database, worker: Database) -> None:
        super().__init__(coordinator.server, coordinator.name)
        self.worker = worker

    def load(self, schema: str, script: str) -> None:
        """Run a script in a schema, a statement a message: Citus wants them so."""
        with closing(self.connect(options=f"-c search_path={schema},public")) as connection:
            for statement in filter(str.strip, script.split(";\n")):
                connection.cursor().execute(statement)

    @property
    def distributed(self) -> List[str]:
        found = self.rows("SELECT schema_name::text FROM citus_schemas ORDER BY 1")
        return [name for (name,) in found]


@contextmanager
def fresh_cluster(name: str) -> Iterator[Cluster]:
    """A database on every node of TEST_CITUS_URL's cluster; skips if there is none."""
    url = os.environ.get("TEST_CITUS_URL")
    if not url:
        pytest.skip(NOT_TRIED)
    given = psycopg2.extensions.parse_dsn(url)
    with closing(_at(given, given.get("dbname", "postgres"))) as admin:
        nodes = admin.rows(NODES)
    if len(nodes) < 2:
        pytest.fail("TEST_CITUS_URL: pg_dist_node has no worker besides the coordinator")
    databases = [_created(given, node, name) for node in nodes]
    coordinator, *workers = databases
    coordinator.execute("SELECT citus_set_coordinator_host(%s, %s)", nodes[0])
    for node in nodes[1:]:
        coordinator.execute("SELECT citus_add_node(%s, %s)", node)
    try:
        yield Cluster(coordinator, workers[0])
    finally:
        for database in databases:
            database.close()
            _dropped(database)


def _at(given: Dict[str, Any], name: str, node: Tuple[Any, ...] = ()) -> Database:
    server = {"port": 5432, **given}
    if node:
        server.update(host=node[0], port=node[1])
    return Database({key: value for key, value in server.items() if key != "dbname"}, name)


def _created(given: Dict[str, Any], node: Tuple[Any, ...], name: str) -> Database:
    with closing(_at(given, "postgres", node)) as admin:
        admin.execute("SET citus.enable_create_database_propagation = off")
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    database = _at(given, name, node)
    database.execute("CREATE EXTENSION citus")
    return database


def _dropped(database: Database) -> None:
    with closing(_at(database.server, "postgres")) as admin:
        admin.execute("SET citus.enable_create_database_propagation = off")
        admin.execute(TERMINATE, (database.name,))
        admin.execute(f"DROP DATABASE {database.name} WITH (FORCE)")
