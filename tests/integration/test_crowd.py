"""Many runs at once: the work is done once, and nobody waits for longer than that."""

import os
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from psycopg2 import errors

from converge.compare import trial
from converge.server.messages import ask
from converge.server.retries import connect
from converge.settings.loading import load_settings
from tests.support.catalogs import all_rows, described
from tests.support.copies import copy_of, load
from tests.support.crowd import LOG_DDL, TIMEOUT_SECONDS, Crowd, logged_ddl
from tests.support.database import FAST, Database
from tests.support.job import Run, Spawn
from tests.support.waiting import until
from tools import embedded

MANY = int(os.environ.get("EATER_CROWD", "50"))
# Beyond the work; meant to be one, and seen to be so. Fifty processes may share one slow core.
LONGEST_WAIT_SECONDS = 5.0
OURS = "pg_stat_activity WHERE application_name = 'eater-init' AND datname = current_database()"
POLLS = f"SELECT count(*) = {{}} FROM {OURS} AND query LIKE 'SELECT pg_try_advisory%'"
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
RECORDED = "SELECT count(*), sum(finished), sum(json_array_length(steps)) FROM eater_schema_history"
STATES = ["empty", "late_2024"]


@pytest.fixture
def complaints(server: Dict[str, Any]) -> Callable[[], List[str]]:
    """What the server has complained of in a test; of another's server only deadlocks are known."""
    log = Path(server["host"]) / "log"
    before = log.stat().st_size if log.exists() else 0

    def read() -> List[str]:
        if not log.exists():
            return []
        lines = log.read_bytes()[before:].decode("utf-8", "replace").splitlines()
        return [line for line in lines if any(f" {word}:  " in line for word in WORDS)]

    return read


WORDS = ("ERROR", "FATAL", "PANIC")


@pytest.fixture
def expected(database: Database, run: Run, state: str) -> Iterator[Any]:
    """What one run does; the database is left as before it."""
    load(database, state)
    database.execute(LOG_DDL)
    database.close()
    with copy_of(database) as copy:
        assert run(POSTGRES_DB=copy.name).code == 0
        yield outcome(copy)


def outcome(database: Database) -> Any:
    """Return all that one run and many may not differ in: also each change, once."""
    return described(database), all_rows(database), logged_ddl(database)


@pytest.mark.long
@pytest.mark.parametrize("state", STATES)
def test_fifty_runs_at_once_do_the_work_once(
    database: Database,
    expected: Any,
    complaints: Callable[[], List[str]],
    tmp_path: Path,
) -> None:
    """All exit 0, the server logs each change once, and nothing has gone wrong for anybody."""
    crowd = Crowd(tmp_path, [database.environment] * MANY)
    assert crowd.join() == [0] * MANY, crowd.output()
    assert outcome(database) == expected
    count, finished, planned = database.rows(RECORDED)[0]
    assert (count, finished) == (1, planned)
    assert crowd.count("changes were made") == 1
    assert {record["level"] for record in crowd.log()} == {"DEBUG", "INFO"}, crowd.output()
    assert complaints() == []
    assert database.value(DEADLOCKS) == 0


# What the first run cannot do: `weight` is being created, or read.
BLOCKED = {"empty": "CREATE TABLE weight (time integer)", "late_2024": "SELECT FROM weight"}


@pytest.mark.long
@pytest.mark.parametrize("state", STATES)
def test_when_the_holder_is_killed_another_goes_on(
    database: Database, expected: Any, state: str, tmp_path: Path
) -> None:
    """The others have waited; one of them does what is left, and the rest have noticed at once."""
    other = database.connect()
    other.cursor().execute(f"BEGIN; {BLOCKED[state]}")
    crowd = Crowd(tmp_path, [database.environment] * MANY)
    worker = crowd.worker()
    until(database, POLLS.format(MANY - 1), seconds=TIMEOUT_SECONDS)
    worker.kill()
    worker.join()
    other.close()
    assert Counter(crowd.join()) == {-9: 1, 0: MANY - 1}, crowd.output()
    assert outcome(database) == expected
    assert crowd.count("changes were made") <= 1  # what the killed one had sent may end after it
    assert crowd.longest_wait() < LONGEST_WAIT_SECONDS
    assert database.value(DEADLOCKS) == 0


@pytest.mark.long
def test_runs_of_different_schemas_share_only_the_extension(
    database: Database, complaints: Callable[[], List[str]], tmp_path: Path
) -> None:
    """One creates it, whoever comes first; each does the work of its own schema."""
    schemas = [f"tenant_{number}" for number in range(8)]
    environments = [{**database.environment, "POSTGRES_SCHEMAS": schema} for schema in schemas]
    crowd = Crowd(tmp_path, environments)
    assert crowd.join() == [0] * 8, crowd.output()
    assert crowd.done("create_extension") == 1
    assert crowd.done("create_table") == 8 * 7
    assert complaints() == []


@pytest.mark.long
def test_concurrent_builds_of_different_schemas_end(
    database: Database, run: Run, complaints: Callable[[], List[str]], tmp_path: Path
) -> None:
    """Each build waits for older snapshots, those of other builds too, and for no run lock."""
    schemas = [f"tenant_{number}" for number in range(8)]
    assert run(POSTGRES_SCHEMAS=",".join(schemas)).code == 0
    for schema in schemas:
        database.execute(f"DROP INDEX {schema}.idx_dishes_name, {schema}.idx_weight_date")
    environments = [{**database.environment, "POSTGRES_SCHEMAS": schema} for schema in schemas]
    crowd = Crowd(tmp_path, environments)
    assert crowd.join() == [0] * 8, crowd.output()
    assert crowd.done("create_index") == 8 * 2
    assert crowd.count("waiting for another run") == 0
    assert complaints() == []


@pytest.fixture
def small_server(own_server: Path) -> Database:
    """A server with room for eight connections."""
    embedded.stop(str(own_server))
    server = embedded.start(str(own_server), options=[*FAST, "max_connections=8"])
    return Database({"host": server.host, "port": server.port, "user": server.user}, "postgres")


def test_a_full_server_is_waited_for(small_server: Database, tmp_path: Path) -> None:
    """Who waits for another run has one connection and no more, so the one who works can."""
    environment = {**small_server.environment, "MAX_RETRIES": "1000"}
    crowd = Crowd(tmp_path, [environment] * 20)
    assert crowd.join() == [0] * 20, crowd.output()
    assert crowd.count("too many clients") > 0
    assert crowd.count("changes were made") == 1


def test_a_run_that_gets_no_second_connection_lets_go_of_the_first(
    small_server: Database, spawn: Spawn
) -> None:
    """And of the run lock; it tries again, or says what to do."""
    others = [small_server.connect() for _ in range(7)]
    errors = spawn(**{**small_server.environment, "MAX_RETRIES": "1"}).communicate()[1]
    assert errors.endswith(
        " ERROR the run's second connection could not be opened: "
        "FATAL:  sorry, too many clients already\n"
        "  Close other connections, or raise max_connections.\n"
        "  Finished steps stay; safe to run again.\n"
    )
    patient = spawn(**{**small_server.environment, "MAX_RETRIES": "1000"})
    assert patient.stderr is not None
    lines = [patient.stderr.readline() for _ in range(3)]
    assert "attempt 1 of 1000 was interrupted, planning again: FATAL:  sorry, " in lines[2]
    for other in others:
        other.close()
    errors = patient.communicate()[1]
    assert patient.returncode == 0, errors


def test_an_extension_that_another_run_creates_meanwhile_is_no_refusal(database: Database) -> None:
    """Between the look at what is lacking and the trial: another attempt finds it."""
    with closing(connect(load_settings(database.environment, "no such file"))) as connection:

        def create() -> None:
            ask(connection, "SET TRANSACTION READ WRITE; CREATE EXTENSION plpgsql")

        def asking(query: str) -> List[Tuple[Any, ...]]:
            return ask(connection, query)

        with pytest.raises(errors.DuplicateObject) as raised:
            create()
        assert not trial.objects(raised.value, asking, ["plpgsql"], create)
