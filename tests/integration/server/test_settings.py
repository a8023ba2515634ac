"""Whatever is set for the role or the database, a run comes to the same."""

import threading
from itertools import chain
from typing import Any, Dict, Iterator, List

import pytest
from psycopg2 import errors

from tests.support import forked
from tests.support.catalogs import all_rows, described
from tests.support.copies import STATES
from tests.support.database import Database, fresh_database
from tests.support.job import Run
from tests.support.waiting import holding

# What is converted from and to text, and what a literal may hold.
VALUES = """
ALTER TABLE weight ALTER weight TYPE varchar USING weight::text;
ALTER TABLE dishes_day ALTER dish_name TYPE float USING estimated_avg_calories / 3.0;
"""
DRIFTED = (STATES / "late_2024.sql").read_text("utf-8") + VALUES
EMAIL = {"DEFAULT_USER_EMAIL": r"it's\me@localhost"}
# None hides what another one does.
SETTINGS = [
    ["DateStyle = 'German'", "TimeZone = 'Pacific/Kiritimati'", "extra_float_digits = -15"],
    ["client_min_messages = debug5", "search_path = nowhere", "statement_timeout = 100"],
    ["default_transaction_isolation = serializable", "quote_all_identifiers = on"],
    ["default_transaction_read_only = on", "standard_conforming_strings = off"],
    ["idle_in_transaction_session_timeout = 1", "lock_timeout = 1"],
    ["lc_messages = 'de_DE.UTF-8'"],  # not every server knows it
    ["transaction_timeout = 100"],  # from 17 on
]
AT_ONCE = [
    "IntervalStyle = sql_standard",
    "array_nulls = off",
    "backslash_quote = off",
    "bytea_output = escape",
    "check_function_bodies = off",
    "client_encoding = LATIN1",
    "constraint_exclusion = on",
    "default_tablespace = nowhere",
    "default_transaction_deferrable = on",
    "enable_tidscan = off",
    "escape_string_warning = on",
    "row_security = off",
    "session_replication_role = replica",
    "synchronous_commit = off",
    "transform_null_equals = on",
    "work_mem = 64",
]


@pytest.fixture(scope="module")
def expected(
    server: Dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dict[str, Any]]:
    """What a run comes to where nothing is set."""
    with fresh_database(server) as database:
        database.execute(DRIFTED)
        process = forked.start(tmp_path_factory.mktemp("run"), {**database.environment, **EMAIL})
        process.join()
        assert process.exitcode == 0
        yield outcome(database)


BRAKE, WRITES = "default_transaction_read_only is on", "a run writes all the same"


def warnings(log: str) -> List[str]:
    """Return those of the run's own; the server itself warns of a tablespace that is missing."""
    found = [line.partition(" WARNING ")[2] for line in log.splitlines() if " WARNING " in line]
    return [line for line in found if not line.startswith("the server says: ")]


def outcome(database: Database) -> Dict[str, Any]:
    tables = described(database)
    for table in tables.values():
        del table["owner"]
    return {"tables": tables, "rows": all_rows(database)}


@pytest.fixture
def drifted(database: Database, role: str) -> Database:
    """A database from late 2024, which belongs to a role of its own."""
    database.execute("CREATE EXTENSION pg_trgm")
    database.execute(f"GRANT CREATE ON DATABASE {database.name} TO {role}")
    database.execute(
        f"GRANT ALL ON SCHEMA public TO {role}; SET ROLE {role}; {DRIFTED}; RESET ROLE"
    )
    return database


@pytest.mark.parametrize("settings", [*SETTINGS, AT_ONCE], ids=", ".join)
def test_a_setting_of_the_role_changes_nothing(
    drifted: Database, run: Run, role: str, expected: Dict[str, Any], settings: List[str]
) -> None:
    """The rows and the catalog are those of a run without it, and the next finds nothing to do."""
    for setting in settings:
        try:
            drifted.execute(f"ALTER ROLE {role} SET {setting}")
        except (errors.UndefinedObject, errors.InvalidParameterValue) as error:
            pytest.skip(f"this server does not know it: {error}")
    result = run(POSTGRES_USER=role, **EMAIL)
    assert result.code == 0, result.err
    brake = any("read_only" in setting for setting in settings)
    assert warnings(result.err) == [f"{BRAKE} (ALTER ROLE … SET); {WRITES}"] * brake
    assert outcome(drifted) == expected
    again = run(POSTGRES_USER=role, **EMAIL)
    assert again.code == 0
    assert "schema is current" in again.err


def test_settings_of_the_database_change_nothing(
    drifted: Database, run: Run, role: str, expected: Dict[str, Any]
) -> None:
    """Not even all of them at once, which every newer server knows."""
    for setting in [*chain(*SETTINGS[:-2]), *AT_ONCE]:
        drifted.execute(f"ALTER DATABASE {drifted.name} SET {setting}")
    result = run(POSTGRES_USER=role, **EMAIL)
    drifted.execute(f"ALTER DATABASE {drifted.name} RESET ALL")
    drifted.close()
    assert result.code == 0, result.err
    assert outcome(drifted) == expected


def test_deferrable_transactions_wait_for_nobody(database: Database, run: Run, role: str) -> None:
    """A serializable, read-only and deferrable one would wait for all serializable writers."""
    database.execute(f"ALTER ROLE {role} SUPERUSER")
    for name in ("isolation = serializable", "read_only = on", "deferrable = on"):
        database.execute(f"ALTER ROLE {role} SET default_transaction_{name}")
    writer = holding(
        database, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT txid_current()"
    )
    ended = threading.Timer(20, writer.close)
    ended.start()
    for writes in True, False:
        result = run(POSTGRES_USER=role, ENABLE_PERFORMANCE_TEST="true")
        assert result.code == 0, result.err
        assert warnings(result.err) == [f"{BRAKE} (ALTER ROLE … SET); {WRITES}"] * writes
    assert not writer.closed
    ended.cancel()
    writer.close()


def test_no_query_is_compiled(database: Database, run: Run) -> None:
    """Where the server can, as most packages of it: compiling takes longer than all the rest."""
    database.execute(f"ALTER DATABASE {database.name} SET jit = on")
    database.execute("""
        CREATE TABLE seen (jit text);
        CREATE FUNCTION see() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
          INSERT INTO public.seen VALUES (current_setting('jit')); END $$;
        CREATE EVENT TRIGGER see ON ddl_command_end EXECUTE FUNCTION see();
    """)
    database.close()
    assert run().code == 0
    assert database.rows("SELECT DISTINCT jit FROM seen") == [("off",)]


LOG_DDL = """
CREATE TABLE ddl_log (tag text, what text);
CREATE FUNCTION log_ddl() RETURNS event_trigger SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO public.ddl_log VALUES (tg_tag, tg_event); END $$;
CREATE EVENT TRIGGER log_start ON ddl_command_start EXECUTE FUNCTION log_ddl();
CREATE EVENT TRIGGER log_end ON ddl_command_end EXECUTE FUNCTION log_ddl();
CREATE EVENT TRIGGER log_drop ON sql_drop EXECUTE FUNCTION log_ddl();
CREATE EVENT TRIGGER log_rewrite ON table_rewrite EXECUTE FUNCTION log_ddl();
"""


def test_event_triggers_that_log_ddl_disturb_nothing(
    drifted: Database, run: Run, role: str, expected: Dict[str, Any]
) -> None:
    """They log what was done, not what was tried and rolled back."""
    drifted.execute(LOG_DDL)
    result = run(POSTGRES_USER=role, **EMAIL)
    assert result.code == 0, result.err
    assert outcome(drifted) == expected
    logged = "SELECT count(*) FROM ddl_log WHERE (tag, what) = (%s, %s)"
    assert drifted.value(logged, ("CREATE INDEX", "ddl_command_end")) > 0
    before = drifted.value("SELECT count(*) FROM ddl_log")
    assert run(POSTGRES_USER=role, **EMAIL).code == 0
    assert drifted.value("SELECT count(*) FROM ddl_log") == before
