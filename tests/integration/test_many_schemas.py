"""Many schemas: alike ones are one thing, and what goes wrong in one ends that schema only."""

import re
import signal
from pathlib import Path
from typing import List

import pytest

from converge.names import HISTORY_TABLE, lock_key
from tests.support.database import Database
from tests.support.job import Run, Spawn
from tests.support.waiting import RUN_LOCK, holding, until

VERIFIED = """SELECT count(*) FROM pg_class WHERE relname = 'eater_schema_history'
AND obj_description(oid, 'pg_class') LIKE '%verified%'"""
LACKING = "ALTER TABLE {0}.weight DROP weight; DROP INDEX {0}.idx_dishes_name"
IN_THE_WAY = "DROP TABLE t005.dishes; CREATE VIEW t005.dishes AS SELECT 1 AS id"
CURRENT = " INFO  schema is current: version "


def names(count: int) -> List[str]:
    return [f"t{number:03}" for number in range(1, count + 1)]


@pytest.fixture
def tenants(database: Database, run: Run) -> List[str]:
    """Six schemas that are as the models describe."""
    schemas = names(6)
    assert run(POSTGRES_SCHEMAS=",".join(schemas)).code == 0
    return schemas


def drift(database: Database, schemas: List[str]) -> None:
    for schema in schemas:
        database.execute(LACKING.format(schema))


def columns(database: Database) -> List[str]:
    """Return the schemas whose weight has its column."""
    query = """SELECT table_schema FROM information_schema.columns
    WHERE table_name = 'weight' AND column_name = 'weight' ORDER BY 1"""
    return [schema for (schema,) in database.rows(query)]


def test_a_schema_that_is_like_others_costs_one_message(run: Run, tenants: List[str]) -> None:
    """What a row answers is asked of each, and ends the question before."""
    verified = run("--verify", POSTGRES_SCHEMAS=",".join(tenants), LOG_LEVEL="DEBUG")
    assert verified.code == 0
    sent = re.findall(r" DEBUG (.*?)(?=\n\d\d:|\n\d{4}-|\Z)", verified.err, re.DOTALL)
    assert any(sql.startswith("ROLLBACK; BEGIN") and "t006.dishes_id_seq" in sql for sql in sent)
    assert [sql.strip() for sql in sent].count("ROLLBACK") == 1  # the last


def test_identical_plans_are_shown_once(database: Database, run: Run, tenants: List[str]) -> None:
    """A plan is one thing for all schemas that it is the same for; the others' stand apart."""
    drift(database, tenants[2:])
    database.execute("ALTER TABLE t004.dishes DROP COLUMN contains")
    plan = run("--plan", POSTGRES_SCHEMAS=",".join(tenants))
    assert plan.code == 0
    heads = [line for line in plan.out.splitlines() if re.match("-- (The same|In) ", line)]
    assert heads == [
        "-- In 2 schemas: t001, t002",
        "-- The same 3 steps in 3 schemas: t003, t005, t006",
        "-- In t004",
    ]
    assert plan.out.count("ADD COLUMN weight") == 2
    verified = run("--verify", POSTGRES_SCHEMAS=",".join(tenants))
    assert verified.code == 5
    assert "add column t003.weight.weight" in verified.out
    assert "The same in 2 other schemas: t005, t006\n" in verified.out


def test_what_is_alike_is_done_alike(database: Database, run: Run, tenants: List[str]) -> None:
    """The plan of one schema is right for all that are in its state."""
    drift(database, tenants)
    database.execute("ALTER TABLE t004.dishes DROP COLUMN contains")
    result = run(POSTGRES_SCHEMAS=",".join(tenants))
    assert result.code == 0, result.err
    assert columns(database) == tenants
    assert CURRENT in run(POSTGRES_SCHEMAS=",".join(tenants)).err
    assert "as the models describe" in run("--verify", POSTGRES_SCHEMAS=",".join(tenants)).out


@pytest.mark.long
@pytest.mark.parametrize("odd", ["date", "weight", "user", "Sales 2025", "público", "it's", "a.b"])
def test_a_schema_may_have_any_name(database: Database, run: Run, odd: str) -> None:
    """A name that is a column's, a type's or a word of SQL is nothing but the schema's."""
    listed = f'"{odd}",public,plain,"{odd} 2"'
    assert run(POSTGRES_SCHEMAS=listed).code == 0
    for schema in (odd, "public", "plain", f"{odd} 2"):
        quoted = '"' + schema.replace('"', '""') + '"'
        database.execute(LACKING.format(quoted).replace("%", "%%"))
    result = run(POSTGRES_SCHEMAS=listed)
    assert result.code == 0, result.err
    assert len(columns(database)) == 4
    assert CURRENT in run(POSTGRES_SCHEMAS=listed).err


def test_a_name_that_is_a_columns_too_stays_the_columns(database: Database, run: Run) -> None:
    """The plan of `plain` is right for `name`, and that of `name` is for nobody else."""
    schemas = ["plain", "name", "more", "other"]
    listed = ",".join(schemas)
    assert run(POSTGRES_SCHEMAS=listed).code == 0
    for schema in schemas:
        database.execute(f"ALTER TABLE {schema}.dishes DROP name")
    result = run(POSTGRES_SCHEMAS=listed)
    assert result.code == 0, result.err
    found = """SELECT table_schema FROM information_schema.columns
    WHERE table_name = 'dishes' AND column_name IN ('name', 'more', 'other') ORDER BY 1"""
    assert database.rows(found) == [(schema,) for schema in sorted(schemas)]


def test_one_refusal_anywhere_and_nothing_is_done(
    database: Database, run: Run, tenants: List[str]
) -> None:
    """ON_REFUSAL=stop: everything is planned before the first change."""
    drift(database, tenants)
    database.execute(IN_THE_WAY)
    result = run(POSTGRES_SCHEMAS=",".join(tenants))
    assert result.code == 4
    assert "refused: t005.dishes is a view; the models say a table." in result.err
    assert columns(database) == []


def test_refused_schemas_are_skipped(database: Database, run: Run, tenants: List[str]) -> None:
    """ON_REFUSAL=skip: the others are done, and the exit code says that some were not."""
    drift(database, tenants)
    database.execute(f"{IN_THE_WAY}; {IN_THE_WAY.replace('t005', 't003')}")
    planned = run("--plan", POSTGRES_SCHEMAS=",".join(tenants), ON_REFUSAL="skip")
    assert planned.code == 4
    assert "nothing at all would be done" not in planned.out
    assert "nothing would be done here, the other schemas would be; exit code 4." in planned.out
    result = run(POSTGRES_SCHEMAS=",".join(tenants), ON_REFUSAL="skip")
    assert result.code == 4
    assert columns(database) == [schema for schema in tenants if schema not in ("t003", "t005")]
    assert " ERROR 2 of 6 schemas not done: t003, t005\n" in result.err
    done = [schema for schema in tenants if schema not in ("t003", "t005")]
    assert [line.split()[0] for line in result.out.splitlines() if line[:2] == "t0"] == done
    again = run(POSTGRES_SCHEMAS=",".join(tenants), ON_REFUSAL="skip")
    assert again.code == 4
    assert "comparing in full: schema t003, t005 has changed" in again.err


def test_a_refused_schema_is_no_canary(database: Database, run: Run, tenants: List[str]) -> None:
    """ON_REFUSAL=skip: as long as one is refused, new ones are made all the same."""
    database.execute(IN_THE_WAY)
    listed = ",".join([*tenants, "t007"])
    result = run(POSTGRES_SCHEMAS=listed, ON_REFUSAL="skip")
    assert result.code == 4
    assert " ERROR 1 of 7 schemas not done: t005\n" in result.err
    assert columns(database) == [*tenants, "t007"]


def test_what_is_refused_everywhere_is_said_once(
    database: Database, run: Run, tenants: List[str], role: str
) -> None:
    """What no run can do in any schema ends it before the first is tried."""
    drift(database, tenants)
    database.execute(f"REVOKE TEMPORARY ON DATABASE {database.name} FROM PUBLIC")
    result = run(POSTGRES_SCHEMAS=",".join(tenants), ON_REFUSAL="skip", POSTGRES_USER=role)
    assert result.code == 4
    assert result.err.count("refused: ") == 1
    assert f"{role} lacks the right to create temporary tables" in result.err


def test_an_error_ends_one_schema(database: Database, run: Run, tenants: List[str]) -> None:
    """A lock that is not free in one schema is waited for there, and the others are done."""
    drift(database, tenants)
    other = holding(database, "SELECT * FROM t004.weight")
    result = run(POSTGRES_SCHEMAS=",".join(tenants), LOCK_PATIENCE="500ms")
    other.close()
    assert result.code == 6
    assert columns(database) == [schema for schema in tenants if schema != "t004"]
    assert " WARNING schema t004: " in result.err
    assert "It waited for a lock on t004.weight held by pid" in result.err
    assert run(POSTGRES_SCHEMAS=",".join(tenants)).code == 0
    assert columns(database) == tenants


def test_a_canary_ends_the_run(database: Database, run: Run, tenants: List[str]) -> None:
    """Where it goes wrong in the first schema, no other is begun."""
    drift(database, tenants)
    other = holding(database, "SELECT * FROM t001.weight")
    result = run(POSTGRES_SCHEMAS=",".join(tenants), LOCK_PATIENCE="500ms")
    other.close()
    assert result.code == 6
    assert columns(database) == []
    assert " WARNING schema t001 is a canary (CANARY_SCHEMAS): no other is begun\n" in result.err


def test_a_canary_that_is_done_is_none(database: Database, run: Run, tenants: List[str]) -> None:
    """The first schema has proved the change; another that is refused does not stand in for it."""
    drift(database, ["t006"])
    database.execute(IN_THE_WAY)
    result = run(POSTGRES_SCHEMAS=",".join(tenants), ON_REFUSAL="skip")
    assert result.code == 4
    assert columns(database) == tenants
    assert " ERROR 1 of 6 schemas not done: t005\n" in result.err


def test_what_another_run_holds_is_done_last(
    database: Database, spawn: Spawn, tenants: List[str]
) -> None:
    """Runs that share schemas do not wait for each other as long as there is other work."""
    drift(database, tenants)
    other = holding(database, RUN_LOCK.replace(str(lock_key("public")), str(lock_key("t002"))))
    process = spawn(POSTGRES_SCHEMAS=",".join(tenants))
    until(database, "SELECT count(*) = 5 FROM (" + COLUMN_OF + ") c")
    assert columns(database) == [schema for schema in tenants if schema != "t002"]
    other.close()
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 0, errors
    assert columns(database) == tenants


COLUMN_OF = """SELECT FROM information_schema.columns
WHERE table_name = 'weight' AND column_name = 'weight'"""


@pytest.mark.long
def test_a_small_index_is_built_at_once(database: Database, run: Run, tenants: List[str]) -> None:
    """Among many schemas; a larger table's is built while everybody works on."""
    drift(database, tenants)
    database.execute(
        "INSERT INTO t003.dishes "
        "SELECT n, 'x', 1, 1, '{}', '{}', 'x' FROM generate_series(1, 20000) n"
    )
    plan = run("--plan", POSTGRES_SCHEMAS=",".join(tenants)).out
    assert "\nCREATE INDEX idx_dishes_name ON t001.dishes (name);\n" in plan
    assert "SHARE on t001.dishes while a small index is built: writers wait, readers go on" in plan
    assert "\nCREATE INDEX CONCURRENTLY idx_dishes_name ON t003.dishes (name);\n" in plan
    assert run(POSTGRES_SCHEMAS=",".join(tenants)).code == 0
    assert CURRENT in run(POSTGRES_SCHEMAS=",".join(tenants)).err


def test_a_schema_that_goes_meanwhile_is_not_made_again(
    database: Database, spawn: Spawn, tenants: List[str]
) -> None:
    """A pattern creates none, also where it has found it a moment ago."""
    drift(database, tenants)
    other = holding(database, "SELECT FROM t001.weight")
    process = spawn(POSTGRES_SCHEMAS="t0*")
    until(database, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")
    database.execute("DROP SCHEMA t005 CASCADE")
    other.close()
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 0, errors
    assert " INFO  left alone: schema t005, which is gone since a pattern found it\n" in errors
    assert columns(database) == [schema for schema in tenants if schema != "t005"]


def test_rows_decide_too(database: Database, run: Run, tenants: List[str]) -> None:
    """Schemas in the same state have different plans where their rows answer otherwise."""
    for schema in tenants:
        database.execute(f"ALTER TABLE {schema}.dishes_day ALTER date TYPE text")
    database.execute(
        "INSERT INTO t003.dishes_day VALUES (1, '31-02-2024', 'x', 1, '{}', 1, '{}', 'x')"
    )
    database.execute(
        "INSERT INTO t004.dishes_day VALUES (1, '2024-02-03', 'x', 1, '{}', 1, '{}', 'x')"
    )
    result = run(POSTGRES_SCHEMAS=",".join(tenants), ON_REFUSAL="skip")
    assert result.code == 4
    assert "t003.dishes_day.date" in result.err
    types = database.rows(
        "SELECT table_schema FROM information_schema.columns WHERE table_name = 'dishes_day' "
        "AND column_name = 'date' AND data_type = 'date' ORDER BY 1"
    )
    assert [schema for (schema,) in types] == [s for s in tenants if s != "t003"]


@pytest.mark.long
def test_many_speak_in_numbers(database: Database, run: Run) -> None:
    """Beyond 20 schemas, the log and the summary tell what is the same once."""
    result = run(POSTGRES_SCHEMAS=",".join(names(30)), PARALLEL="3")
    assert result.code == 0, result.err
    assert re.search(r"30 schemas: t001, t002, t003 … +7 +0 +25 +0\n", result.out)
    assert "created in" not in result.err
    assert database.value(VERIFIED) == 30
    again = run(POSTGRES_SCHEMAS="t0*")
    assert again.code == 0
    assert CURRENT in again.err


@pytest.mark.long
def test_a_signal_ends_all_connections(
    database: Database, spawn: Spawn, tenants: List[str]
) -> None:
    """SIGTERM ends what every connection does, within a second or so."""
    drift(database, tenants)
    others = [holding(database, f"SELECT * FROM {s}.weight") for s in tenants[1:]]
    process = spawn(POSTGRES_SCHEMAS=",".join(tenants), PARALLEL="3", LOCK_PATIENCE="60s")
    until(database, "SELECT count(*) >= 1 FROM pg_locks WHERE NOT granted")
    process.send_signal(signal.SIGTERM)
    errors = process.communicate(timeout=20)[1]
    for other in others:
        other.close()
    assert process.returncode == 143, errors
    assert columns(database) == ["t001"]


def test_a_rollback_of_many(database: Database, run: Run, tenants: List[str]) -> None:
    """Each schema's newest version is undone; identical plans are shown once."""
    listed = ",".join(tenants)
    plan = run("--rollback", "--plan", POSTGRES_SCHEMAS=listed)
    assert plan.code == 0
    assert plan.out.startswith("-- 6 schemas: t001, t002, t003 …: version 1 to version 0\n")
    assert "-- The same 7 steps in 6 schemas: t001, t002, t003 …\n" in plan.out
    result = run("--rollback", POSTGRES_SCHEMAS=listed)
    assert result.code == 0, result.err
    assert f"{6 * 7} steps undone." in result.out
    assert columns(database) == []


def test_a_rollback_says_how_to_run_again(database: Database, run: Run, tenants: List[str]) -> None:
    """The same again would undo a second version of those that are done."""
    other = holding(database, "SELECT FROM t004.weight")
    listed = ",".join(tenants)
    result = run("--rollback", "--yes", POSTGRES_SCHEMAS=listed, LOCK_PATIENCE="500ms")
    other.close()
    assert result.code == 6
    assert columns(database) == ["t004"]
    assert "1 of 6 schemas not done: t004\n" in result.err
    assert "Name these alone to run again: of the others, that would undo one version" in result.err
    assert run("--rollback", "--yes", POSTGRES_SCHEMAS="t004").code == 0
    assert columns(database) == []


@pytest.mark.long
def test_shards_share_the_schemas(database: Database, spawn: Spawn, tmp_path: Path) -> None:
    """Eight pods begin at once, three are killed and begin again: each schema is done once."""
    schemas = names(400)
    (tmp_path / "schemas").write_text("\n".join(schemas))
    given = {"POSTGRES_SCHEMAS": "", "POSTGRES_SCHEMAS_FILE": str(tmp_path / "schemas")}
    pods = [spawn(**given, SHARD=f"{number}/8") for number in range(1, 9)]
    until(database, f"SELECT count(*) > 60 FROM pg_class WHERE relname = '{HISTORY_TABLE}'")
    for pod in pods[:3]:
        pod.kill()
    errors = [pod.communicate(timeout=300)[1] for pod in pods]
    assert [pod.returncode for pod in pods] == [-9] * 3 + [0] * 5, errors
    again = [spawn(**given, SHARD=f"{number}/8") for number in (1, 2, 3)]
    errors = [pod.communicate(timeout=300)[1] for pod in again]
    assert [pod.returncode for pod in again] == [0] * 3, errors
    runs = " UNION ALL ".join(f"SELECT run, finished FROM {s}.{HISTORY_TABLE}" for s in schemas)
    counts = f"SELECT run, finished, count(*) FROM ({runs}) r GROUP BY 1, 2 ORDER BY 2"
    assert database.rows(counts) == [(1, 33, 399), (1, 34, 1)]  # one has made the extension
    assert database.value(VERIFIED) == 400
