"""From an empty database to one that is as the models describe, and again."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Tuple

import pytest

from converge.quoting import identifier
from tests.support.catalogs import SAMPLE_ROWS, all_rows, described, everything, files
from tests.support.database import Database
from tests.support.desired import INDEXES, METADATA
from tests.support.job import Run, Spawn
from tests.support.program import copy_program
from tests.support.waiting import until

FORBID_DDL = """
CREATE FUNCTION forbid_ddl() RETURNS event_trigger LANGUAGE plpgsql
  AS $$ BEGIN RAISE EXCEPTION 'DDL was sent: %', tg_tag; END $$;
CREATE EVENT TRIGGER forbid_ddl ON ddl_command_start EXECUTE FUNCTION forbid_ddl();
"""


RELATIONS = (
    "FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i', 'S')"
)


def counts(database: Database, schema: str = "public") -> Tuple[int, int]:
    """Return how many managed tables and how many of their indexes a schema has."""
    tables = described(database, schema)
    return len(tables), sum(len(table["indexes"] or {}) for table in tables.values())


def test_an_empty_database_gets_seven_tables_and_25_indexes(database: Database, run: Run) -> None:
    """One run takes an empty database to the models."""
    result = run()
    assert result.code == 0
    assert counts(database) == (7, 25)
    assert "public        7        0       25          0\n" in result.out


@pytest.mark.usefixtures("initialised")
def test_a_second_run_changes_nothing_and_sends_no_ddl(database: Database, run: Run) -> None:
    """A server that refuses every DDL statement does not disturb a run with nothing to do."""
    database.execute(SAMPLE_ROWS)
    database.execute(FORBID_DDL)
    before = everything(database), files(database), all_rows(database)
    result = run()
    assert (result.code, result.out) == (0, ""), result.err
    assert "schema is current: version 1, verified" in result.err
    assert (everything(database), files(database), all_rows(database)) == before


def test_an_empty_database_is_initialised_entirely_or_not_at_all(
    database: Database, run: Run
) -> None:
    """One statement that fails takes everything back with it."""
    only_indexes = "ON ddl_command_start WHEN tag IN ('CREATE INDEX')"
    database.execute(FORBID_DDL.replace("ON ddl_command_start", only_indexes))
    database.execute("ALTER EVENT TRIGGER forbid_ddl DISABLE")
    database.execute("CREATE EXTENSION pg_trgm; ALTER EVENT TRIGGER forbid_ddl ENABLE")
    assert run().code == 4
    assert counts(database) == (0, 0)


NAMES = ['we "ird', "it's", "UPPER", "with, comma", "per%cent", "n" * 63, "ж" * 31, "select"]


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_may_have_any_name(database: Database, run: Run, name: str) -> None:
    """Whatever PostgreSQL takes as a name works, in every mode."""
    schemas = '"{}"'.format(name.replace('"', '""'))
    assert run("--plan", POSTGRES_SCHEMAS=schemas).code == 0
    assert run(POSTGRES_SCHEMAS=schemas).code == 0
    assert counts(database, name) == (7, 25)
    assert "schema is current" in run(POSTGRES_SCHEMAS=schemas).err
    assert run("--verify", POSTGRES_SCHEMAS=schemas).code == 0
    assert run("--history", POSTGRES_SCHEMAS=schemas).code == 0
    assert run("--rollback", POSTGRES_SCHEMAS=schemas).code == 0
    assert counts(database, name) == (0, 0)


def test_each_schema_gets_the_full_set(database: Database, run: Run) -> None:
    """Tenants are alike, those that exist and those that are new."""
    assert "is new" not in run(POSTGRES_SCHEMAS="public").err
    result = run(POSTGRES_SCHEMAS="public, tenant_a, tenant_b")
    assert result.code == 0
    assert "is new" not in result.err
    assert described(database, "tenant_a") == described(database, "public")
    assert described(database, "tenant_b") == described(database, "public")


def test_a_schema_that_a_slip_would_create_is_noticed(database: Database, run: Run) -> None:
    """It is named beside the one that was meant, before anything is done."""
    run(POSTGRES_SCHEMAS="berlin, paris")
    warning = "schema pariss is new; there is paris"
    assert f"-- warning: {warning}\n" in run("--plan", POSTGRES_SCHEMAS="berlin, pariss").out


def test_a_refusal_in_one_schema_keeps_all_as_they_are(database: Database, run: Run) -> None:
    """Tenants stay alike: what can't be done for one is not begun for another."""
    database.execute("CREATE SCHEMA tenant_b; CREATE VIEW tenant_b.dishes AS SELECT 1 AS id")
    before = everything(database)
    result = run(POSTGRES_SCHEMAS="public, tenant_a, tenant_b")
    assert result.code == 4
    assert result.err.endswith(
        " ERROR refused: tenant_b.dishes is a view; the models say a table.\n"
        "  Nothing was changed. Rename the view:\n"
        "    ALTER VIEW tenant_b.dishes RENAME TO dishes_old;\n"
    )
    assert everything(database) == before


def test_a_database_without_a_public_schema_works(database: Database, run: Run) -> None:
    """pg_trgm then lives in the first schema of the settings."""
    database.execute("DROP SCHEMA public")
    assert run("--plan", POSTGRES_SCHEMAS="tenant").code == 0
    assert run(POSTGRES_SCHEMAS="tenant").code == 0
    assert counts(database, "tenant") == (7, 25)


@pytest.mark.parametrize("schema", ["extensions", "public", 'Ext "1'])
def test_pg_trgm_is_found_wherever_it_lives(database: Database, run: Run, schema: str) -> None:
    """Managed servers keep extensions in a schema of their own."""
    quoted = identifier(schema)
    database.execute(
        f"CREATE SCHEMA IF NOT EXISTS {quoted}; CREATE EXTENSION pg_trgm SCHEMA {quoted}"
    )
    assert run().code == 0
    index = described(database)["user"]["indexes"]["idx_users_email_gin"]
    assert index["definition"] == f"gin (email {quoted}.gin_trgm_ops)"
    assert run("--verify").code == 0


MORE_INDEXES = """
FOR_A_TEST = {"purpose": "a test", "use_case": "a test"}
INDEXES += [
    index("test_btree", Weight.weight, **FOR_A_TEST),
    index("test_composite", Weight.user_email, Weight.weight.desc(), **FOR_A_TEST),
    index("test_partial", Weight.date, **FOR_A_TEST, postgresql_where=Weight.weight >= 100),
    index("test_unique", Weight.user_email, Weight.time, **FOR_A_TEST, unique=True),
    index("test_gin", Weight.date, **FOR_A_TEST, postgresql_using="gin",
          postgresql_ops={"date": "gin_trgm_ops"}),
]
"""
BUILT = {
    "test_btree": "btree (weight)",
    "test_composite": "btree (user_email, weight DESC)",
    "test_partial": "btree (date) WHERE (weight >= (100)::double precision)",
    "test_unique": 'UNIQUE btree (user_email, "time")',
    "test_gin": "gin (date public.gin_trgm_ops)",
}


@pytest.mark.usefixtures("initialised")
def test_every_kind_of_index_is_built(database: Database, run: Run, tmp_path: Path) -> None:
    """B-tree, composite, partial, unique and GIN: on live tables and on new ones, once."""
    copy_program(tmp_path)
    with (tmp_path / "indexes.py").open("a", encoding="utf-8") as indexes_file:
        indexes_file.write(MORE_INDEXES)
    command = [sys.executable, "create_tables.py"]
    environment = {**database.environment, "POSTGRES_SCHEMAS": "public,new"}
    for mode in ([], ["--verify"]):
        done = subprocess.run([*command, *mode], env=environment, cwd=tmp_path, check=False)
        assert done.returncode == 0
    for schema in ("public", "new"):
        indexes = described(database, schema)["weight"]["indexes"]
        assert {name: indexes[name]["definition"] for name in BUILT} == BUILT


def test_eight_runs_at_once_do_the_work_once(database: Database, spawn: Spawn) -> None:
    """All exit 0; one has changed the database, the others found it done."""
    started = [spawn(MAX_RETRIES="3") for _ in range(8)]
    errors = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0] * 8, errors
    created = " INFO  created in public, in one transaction: 1 extension, 7 tables, 25 indexes, "
    assert sum(created in text for text in errors) == 1
    assert database.value("SELECT count(*) FROM eater_schema_history") == 1
    assert database.value(f"SELECT count(DISTINCT xmin::text) {RELATIONS}") == 1
    assert not any("WARNING" in text for text in errors)


def test_json_logs_carry_step_schema_object_and_duration(database: Database, run: Run) -> None:
    """One object a line, for whoever collects them; what is new took its time together."""
    result = run(LOG_FORMAT="json", LOG_LEVEL="DEBUG")
    lines = [json.loads(line) for line in result.err.splitlines()]
    done = {(line["step"], line["object"]): line for line in lines if "object" in line}
    indexes = {("create_index", str(index.name)) for index in INDEXES}
    assert indexes | {("create_table", name) for name in METADATA.tables} < set(done)
    assert {line["schema"] for line in done.values()} == {"public"}
    assert {line["level"] for line in done.values()} == {"DEBUG"}
    assert not any("duration_ms" in line for line in done.values())
    (new,) = (line for line in lines if line["event"] == "created")
    assert (new["level"], new["schemas"], new["created"]["index"]) == ("INFO", ["public"], 25)
    assert isinstance(new["duration_ms"], int)
    database.execute("DROP INDEX idx_dishes_name")
    lines = [json.loads(line) for line in run(LOG_FORMAT="json").err.splitlines()]
    (built,) = (line for line in lines if line.get("object") == "idx_dishes_name")
    assert (built["step"], built["schema"], built["level"]) == ("create_index", "public", "INFO")
    assert isinstance(built["duration_ms"], int)


def test_steps_are_logged_in_the_order_of_the_flow(database: Database, run: Run) -> None:
    """Who reads the log can follow it in the README."""
    result = run(LOG_FORMAT="json", LOG_LEVEL="DEBUG", ENABLE_PERFORMANCE_TEST="true")
    lines = [json.loads(line) for line in result.err.splitlines()]
    steps = [line["step"] for line in lines if line["event"] == "run_step_done"]
    flow = ["connect", "look", "lock", "inspect", "plan", "apply", "verify", "analyze", "benchmark"]
    assert steps == flow
    summary = json.loads(result.out.splitlines()[-1])
    assert list(summary["seconds"]) == flow
    assert summary["message"].splitlines()[-1].startswith("time: connect ")


ANALYZED = """SELECT bool_and(last_analyze IS NOT NULL) FROM pg_stat_user_tables
WHERE relname <> 'eater_schema_history'"""


@pytest.mark.usefixtures("initialised")
def test_a_run_with_nothing_to_do_is_four_lines_unless_asked(database: Database, run: Run) -> None:
    """Each replica has them in front of its log; the queries are timed all the same."""
    timed = {"ENABLE_PERFORMANCE_TEST": "true"}
    run()  # which analyzes, as a copy of a database has no statistics
    until(database, ANALYZED)  # up to 14 these are told of in a while
    result = run(**timed)
    assert result.out == ""
    said = [re.sub(r"^\S+Z ", "", line) for line in result.err.splitlines()]
    begin = ["INFO  connected to ", "INFO  schema is current: version 1, verified "]
    assert [line.startswith(start) for line, start in zip(said, begin)] == [True, True]
    assert said[2:] == [
        "INFO  analyzed nothing: the statistics are fresh",
        "INFO  done: there was nothing to do",
    ]
    asked = run(**timed, LOG_LEVEL="DEBUG")
    assert asked.out.startswith("query ")
    assert "public        0        0        0          7\n" in asked.out
    assert "benchmark" in asked.out.splitlines()[-1]


def test_what_nobody_asked_for_follows_the_level(database: Database, run: Run) -> None:
    """The report and the summary are news of a run; a plan, asked for, is always there."""
    quiet = run(ENABLE_PERFORMANCE_TEST="true", LOG_LEVEL="WARNING")
    assert quiet == (0, "", "")
    assert run("--plan", LOG_LEVEL="CRITICAL").out.startswith("-- Nothing to do")


@pytest.mark.usefixtures("initialised")
def test_the_summary_counts_by_schema(database: Database, run: Run) -> None:
    """What was created, altered, indexed and left unchanged; and the time of each step."""
    database.execute("DROP INDEX idx_dishes_name; ALTER TABLE weight DROP weight")
    *table, times = run(POSTGRES_SCHEMAS="public, tenant_a").out.splitlines()
    assert table == [
        "schema    created  altered  indexed  unchanged",
        "--------  -------  -------  -------  ---------",
        "public          0        1        1          5",
        "tenant_a        7        0       25          0",
    ]
    steps = ["connect", "look", "plan", "lock", "inspect", "apply", "verify", "analyze"]
    assert re.sub(r" (\d+ ms|\d+\.\d s)", "", times) == f"time: {', '.join(steps)}"


def test_results_go_to_stdout_and_logs_to_stderr(database: Database, run: Run) -> None:
    """A pipe gets the report and nothing else."""
    result = run(ENABLE_PERFORMANCE_TEST="true")
    assert result.out.startswith("query ")
    assert "e-mail autocomplete" in result.out
    assert "INFO" not in result.out
    assert "query" not in result.err


BREAKS = {
    "an error": ("RAISE EXCEPTION 'no'", "no"),
    "a timeout": (
        "RAISE query_canceled USING MESSAGE = 'canceling statement due to statement timeout'",
        "canceling statement due to statement timeout",
    ),
    "a lost connection": (
        "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN true",
        "FATAL:  terminating connection due to administrator command",
    ),
}


@pytest.fixture
def owner(initialised: Database, run: Run, role: str) -> str:
    """A role that owns an initialised database with rows, and is no superuser."""
    initialised.execute(f"{SAMPLE_ROWS}; GRANT ALL ON SCHEMA public TO {role}")
    for table in [*METADATA.tables, "eater_schema_history"]:
        initialised.execute(f'ALTER TABLE "{table}" OWNER TO {role}')
    assert run(POSTGRES_USER=role).code == 0
    return role


@pytest.mark.parametrize("what", list(BREAKS))
def test_the_benchmark_never_fails_a_run(
    database: Database, run: Run, owner: str, what: str
) -> None:
    """A query that can't be timed is a warning, whatever happens to it."""
    body, warning = BREAKS[what]
    database.execute(
        f"CREATE FUNCTION break() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN {body}; END $$; "
        "CREATE POLICY break ON dishes_day USING (break()); "
        "ALTER TABLE dishes_day ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    )
    result = run(ENABLE_PERFORMANCE_TEST="true", POSTGRES_USER=owner)
    assert (result.code, result.out) == (0, ""), result.err
    line = f"WARNING benchmark: what a user ate on a date in public: not timed: {warning}\n"
    assert line in result.err


def test_the_benchmark_needs_no_right_to_read(database: Database, run: Run, owner: str) -> None:
    """A query on a table that the role may not read is a line that says so."""
    database.execute(f"REVOKE SELECT ON dishes FROM {owner}")
    result = run(ENABLE_PERFORMANCE_TEST="true", POSTGRES_USER=owner, LOG_LEVEL="DEBUG")
    assert result.code == 0, result.err
    (line,) = (line for line in result.out.splitlines() if line.startswith("dish by name"))
    assert re.sub(" +", " ", line) == (
        "dish by name - - not timed: permission denied for table dishes"
    )


def test_without_verification_it_says_so(database: Database, run: Run) -> None:
    """VERIFY_INDEXES=false plans once."""
    result = run(VERIFY_INDEXES="false")
    assert result.code == 0
    assert "verification is switched off (VERIFY_INDEXES)" in result.err


def test_a_dotenv_file_configures_a_run(database: Database, run: Run, tmp_path: Path) -> None:
    """What the environment does not say is read from .env in the current directory."""
    (tmp_path / ".env").write_text(f"POSTGRES_DB='{database.name}'\nPOSTGRES_SCHEMAS=a,b\n")
    result = run(POSTGRES_DB=None)
    assert result.code == 0, result.err
    assert counts(database, "a") == counts(database, "b") == (7, 25)
    assert counts(database, "public") == (0, 0)


def test_only_what_changed_or_is_stale_is_analyzed(database: Database, run: Run) -> None:
    """A restart of a replica does not scan everybody's tables."""
    database.execute("CREATE EXTENSION pg_trgm")
    run()
    database.execute(SAMPLE_ROWS)
    database.close()  # a session's statistics are complete when it has ended
    _wait_for_statistics(database)
    database.execute("ANALYZE")
    database.close()
    database.execute("DROP INDEX idx_weight_date; DELETE FROM alcohol_for_day")
    database.close()
    _wait_for_statistics(database, deleted=1)
    result = run()
    assert result.code == 0
    assert "analyzed public.alcohol_for_day, public.weight\n" in result.err


def _wait_for_statistics(database: Database, deleted: int = 0) -> None:
    query = "SELECT sum(n_tup_ins) >= 7 AND sum(n_tup_del) >= %s FROM pg_stat_user_tables"
    deadline = time.monotonic() + 10
    while not database.value(query, (deleted,)) and time.monotonic() < deadline:
        time.sleep(0.1)


@pytest.mark.usefixtures("initialised")
def test_statistics_take_as_long_as_they_need(database: Database, run: Run) -> None:
    """A large table's ANALYZE may outlast the role's statement_timeout."""
    database.execute(
        SAMPLE_ROWS + "CREATE FUNCTION slow(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql "
        "AS 'BEGIN PERFORM pg_sleep(1.5); RETURN $1; END'; CREATE INDEX ON weight (slow(time)); "
        f"ALTER DATABASE {database.name} SET statement_timeout = '1s'"
    )
    database.execute("COMMENT ON TABLE weight IS NULL")
    result = run()
    assert result.code == 0, result.err
    assert re.search(r" analyzed .*public\.weight\b", result.err)


def test_lc_ctype_c_is_a_warning_that_says_what_it_costs(database: Database, run: Run) -> None:
    """pg_trgm finds no letter beyond ASCII there, and says nothing itself."""
    name = f"{database.name}_c"
    database.execute(f"CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    result = run(POSTGRES_DB=name)
    database.execute(f"DROP DATABASE {name}")
    assert result.code == 0
    assert (
        f" WARNING LC_CTYPE of database {name} is C: pg_trgm ignores every letter that is not "
        "ASCII, so e-mail autocomplete finds none of them. Create the database with C.UTF-8 or a "
        "language's locale.\n"
    ) in result.err
    assert "LC_CTYPE" not in run().err


def test_hostile_settings_of_role_and_database_do_not_matter(database: Database, run: Run) -> None:
    """Nobody's timeouts, search path or formats reach what a run does."""
    for setting in (
        "statement_timeout = '1min'",
        "lock_timeout = '1ms'",
        "default_transaction_read_only = on",
        "default_transaction_isolation = serializable",
        "search_path = nowhere",
        "DateStyle = 'German'",
        "TimeZone = 'Asia/Tokyo'",
    ):
        database.execute(f"ALTER DATABASE {database.name} SET {setting}")
    database.close()
    result = run()
    assert result.code == 0, result.err
    database.execute("SET default_transaction_read_only = off")
    database.execute("DROP INDEX public.idx_dishes_name")
    assert run().code == 0
    assert counts(database) == (7, 25)
