"""Cases of servers: a standby that is gone, extensions, encodings, what a pool leaves behind."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Iterator

import psycopg2
import pytest

from tests.support.catalogs import SAMPLE_ROWS
from tests.support.database import FAST, Database, drop
from tests.support.job import Run, Spawn
from tests.support.pooler import POOL_SIZE, Pooler
from tests.support.waiting import says
from tools import embedded


@pytest.mark.long
def test_a_commit_that_waits_for_a_standby_says_so(own_server: Path, spawn: Spawn) -> None:
    """Case 44: LOCK_PATIENCE does not end it, as nothing is locked; the setting is named."""
    server = embedded.start(str(own_server))
    database = Database({"host": server.host, "port": 5432, "user": server.user}, server.database)
    first = spawn(**database.environment)
    assert first.wait(60) == 0
    database.execute("DROP INDEX idx_weight_date; ALTER TABLE weight DROP date")
    database.execute("ALTER SYSTEM SET synchronous_standby_names = 'ghost'")
    database.execute("SELECT pg_reload_conf(), pg_sleep(0.5)")
    process = spawn(**database.environment)
    said = says(process, "synchronous_standby_names", within=30)
    database.execute("ALTER SYSTEM RESET synchronous_standby_names")
    database.execute("SELECT pg_reload_conf()")
    database.close()
    output = process.communicate(timeout=60)[1]
    assert process.returncode == 0, output
    assert said


@pytest.fixture
def untrusting() -> Iterator[Database]:
    """A database of a server where only superusers may create pg_trgm."""
    if sys.version_info < (3, 9):
        pytest.skip("there is no embedded PostgreSQL for Python 3.8")
    directory = tempfile.mkdtemp(prefix="eater-init-tests-")
    extensions = Path(directory, "extension")
    # https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-EXTENSION-CONTROL-PATH
    path = f"extension_control_path={directory}:$system"
    server = embedded.start(directory, options=[*FAST, path])
    database = Database({"host": server.host, "port": 5432, "user": server.user}, server.database)
    share = database.value("SELECT setting FROM pg_config() WHERE name = 'SHAREDIR'")
    extensions.mkdir()
    for file in Path(share, "extension").glob("pg_trgm*"):
        shutil.copy(file, extensions)
    control = extensions / "pg_trgm.control"
    control.write_text(control.read_text("utf-8").replace("trusted = true", "trusted = false"))
    for file in [extensions, *extensions.iterdir()]:
        file.chmod(0o755)
    yield database
    database.close()
    embedded.stop(directory)
    shutil.rmtree(directory)


@pytest.mark.long
def test_an_extension_that_is_not_trusted_is_refused(untrusting: Database, run: Run) -> None:
    """Case 50: the server's version does not tell; with the printed statement the run succeeds."""
    untrusting.execute(
        "CREATE ROLE plain LOGIN; GRANT CREATE ON DATABASE postgres TO plain; "
        "GRANT ALL ON SCHEMA public TO plain"
    )
    settings = {**untrusting.environment, "POSTGRES_USER": "plain"}
    assert "CREATE EXTENSION pg_trgm" in run("--plan", **settings).out
    result = run(**settings)
    assert result.code == 4, result.err
    assert "pg_trgm is missing, and plain lacks the right to create it." in result.err
    assert result.err.endswith("    CREATE EXTENSION pg_trgm;\n")
    untrusting.execute("CREATE EXTENSION pg_trgm")
    assert run(**settings).code == 0


@pytest.fixture
def sql_ascii(database: Database, run: Run) -> Iterator[Database]:
    """A database in SQL_ASCII, as the models describe, with a row in each table."""
    name = f"{database.name}_ascii"
    database.execute(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' "
        "LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    own = Database(database.server, name)
    assert run(POSTGRES_DB=name).code == 0
    own.execute(SAMPLE_ROWS)
    yield own
    own.close()
    drop(database, name)


BYTES = {
    "duplicates": (
        'ALTER TABLE "user" DROP CONSTRAINT user_pkey; INSERT INTO "user" (email) '
        "SELECT E'm\\374ller@example.org' FROM generate_series(1, 2)",
        4,
    ),
    "text that does not fit": (
        "ALTER TABLE dishes ALTER calories TYPE varchar; UPDATE dishes SET calories = E'\\374'",
        4,
    ),
    "a comment and nothing to do": ("COMMENT ON COLUMN dishes.name IS E'\\374'", 0),
    "a comment that differs": ("COMMENT ON COLUMN weight.date IS E'\\374'", 0),
    "a default": ("ALTER TABLE \"user\" ALTER language SET DEFAULT E'\\374'", 0),
    "a view on the column": (
        "CREATE VIEW v AS SELECT date || E'\\374' AS d FROM dishes_day; DROP INDEX idx_weight_date",
        0,
    ),
}


@pytest.mark.parametrize("what", list(BYTES))
def test_bytes_without_an_encoding_are_shown_or_explained(
    sql_ascii: Database, run: Run, what: str
) -> None:
    """Case 52: nothing is wrong with them, but that nobody knows which letters they are."""
    sql, code = BYTES[what]
    sql_ascii.execute(sql)
    for mode in ["--plan"], ["--verify"], []:
        result = run(*mode, POSTGRES_DB=sql_ascii.name)
        assert result.code in (code, 5 if mode == ["--verify"] else code, 4), result.err
        if result.code == 4 and code == 0:
            assert "SQL_ASCII" in result.err


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("kind", ["TABLE weight ()", "VIEW weight AS SELECT 1", "SEQUENCE weight"])
def test_what_is_left_in_pg_temp_behind_a_pooler_is_in_nobodys_way(
    database: Database, run: Run, pooler: Pooler, kind: str
) -> None:
    """Case 55: another client's, in the session that the run gets; it is there afterwards."""
    database.execute("DROP INDEX idx_weight_date")
    temporary = _in_each_session(pooler, database, f"CREATE TEMP {kind}")
    assert temporary == POOL_SIZE
    found = "SELECT count(*) FROM pg_class WHERE relname = 'weight' AND relpersistence = 't'"
    verify = run("--verify", **pooler.environment)
    assert verify.code == 5, verify.err
    assert "idx_weight_date" in verify.out
    result = run(MAX_RETRIES="1", **pooler.environment)
    assert result.code == 0, result.err
    assert database.value(found) == POOL_SIZE


def _in_each_session(pooler: Pooler, database: Database, statement: str) -> int:
    """Run a statement in each session of the pool; return in how many."""
    user = database.environment["POSTGRES_USER"]
    clients = [
        psycopg2.connect(**pooler.address, dbname=database.name, user=user)
        for _ in range(POOL_SIZE)
    ]
    for client in clients:  # all at the same time, so that each has a session of its own
        client.cursor().execute(statement)
    for client in clients:
        client.commit()
        client.close()
    return len(clients)
