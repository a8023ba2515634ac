"""Databases that are set up in an unusual way: said so, with a way out that works."""

import re
from contextlib import closing, suppress
from typing import Any, Dict, Iterator, List

import pytest
from psycopg2 import errors

from tests.support.catalogs import SAMPLE_ROWS, described, everything
from tests.support.database import Database, drop
from tests.support.drift import INDEX
from tests.support.job import Run
from tests.support.pooler import Pooler

RAISING = """CREATE FUNCTION freeze() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  IF {} THEN RAISE EXCEPTION 'changes are frozen' USING ERRCODE = '{}'; END IF; END $$;
CREATE EVENT TRIGGER frozen ON {} EXECUTE FUNCTION freeze();"""
# Of them, the first refuses whatever is tried out, the others one statement.
FROZEN = {
    "ddl_command_start": RAISING.format("true", "P0001", "ddl_command_start"),
    "another code": RAISING.format("true", "23505", "ddl_command_start"),
    "table_rewrite": RAISING.format("true", "P0001", "table_rewrite"),
}
MODES = ["", "--plan", "--verify"]
TYPE = "ALTER TABLE weight ALTER weight TYPE real"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("trigger", list(FROZEN))
def test_an_event_trigger_that_raises_is_a_refusal(
    initialised: Database, run: Run, trigger: str, mode: str
) -> None:
    """At the first attempt, with its words and function; disabled, it is in nobody's way."""
    initialised.execute(f"{TYPE}; {FROZEN[trigger]}")
    before = everything(initialised)
    result = run(*mode.split())
    said = result.out + result.err
    assert result.code == (5 if (trigger, mode) == ("table_rewrite", "--verify") else 4), said
    assert re.search(
        r" The server says: changes are frozen "
        r"\(PL/pgSQL function (public\.)?\"freeze\"\(\) line 2 at RAISE\)\.\n",
        said,
    )
    statement = "ALTER EVENT TRIGGER frozen DISABLE;"
    assert f"    {statement}\n" in said
    assert "attempt" not in said
    assert everything(initialised) == before
    initialised.execute(statement)
    assert run().code == 0


@pytest.mark.parametrize("mode", MODES)
def test_an_extension_that_the_server_refuses_is_a_refusal(
    database: Database, run: Run, mode: str
) -> None:
    """Managed servers have lists of those that they admit; here somebody's trigger is one."""
    only = "tg_tag = 'CREATE EXTENSION'"
    database.execute(RAISING.format(only, "0A000", "ddl_command_start"))
    result = run(*mode.split())
    assert result.code == 4
    assert "The server says: changes are frozen" in result.err
    assert "Nothing was changed." in result.err
    assert described(database) == {}
    database.execute("ALTER EVENT TRIGGER frozen DISABLE")
    assert run().code == 0


@pytest.fixture
def made(server: Dict[str, Any], database: Database) -> Iterator[List[Database]]:
    """Databases that a test makes itself are dropped."""
    others: List[Database] = []
    yield others
    for other in others:
        other.close()
        drop(database, other.name)


def test_a_database_without_an_encoding_is_said_to_have_none(
    database: Database, run: Run, made: List[Database]
) -> None:
    """Only where its bytes are no UTF-8: else it is a database as any other."""
    other = Database(database.server, f"{database.name}_ascii")
    how = "TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
    database.execute(f"CREATE DATABASE {other.name} {how}")
    made.append(other)
    own = {"POSTGRES_DB": other.name}
    assert run(**own).code == 0
    assert " schema is current: " in run(ENABLE_PERFORMANCE_TEST="true", **own).err
    other.execute('ALTER TABLE "user" DROP CONSTRAINT user_pkey')
    other.execute("""SET client_encoding = SQL_ASCII;
        INSERT INTO "user" (email) SELECT convert_from('\\xfc', 'SQL_ASCII')
        FROM generate_series(1, 2)""")
    for mode in MODES:
        result = run(*mode.split(), **own)
        assert result.code == 4
        assert result.err.endswith(
            "refused: the database is SQL_ASCII: it holds any bytes, and some are no UTF-8.\n"
            '  The server says: invalid byte sequence for encoding "UTF8": 0xfc.\n'
            "  Change these bytes, or move the data into a database whose encoding is UTF8.\n"
            "  Finished steps stay; safe to run again.\n"
        )
    other.execute('DELETE FROM "user"')
    assert run(**own).code == 0


def test_a_table_that_a_crash_empties_is_warned_of(initialised: Database, run: Run) -> None:
    """It is no difference, but nobody may know; the statement makes it last."""
    initialised.execute("ALTER TABLE weight SET UNLOGGED")
    words = (
        "public.weight is UNLOGGED: a crash of the server empties it. This makes it last, and "
        "rewrites it:"
    )
    statement = "ALTER TABLE public.weight SET LOGGED;"
    for mode in "--verify", "":
        result = run(*mode.split())
        assert result.code == 0
        assert f" WARNING {words}\n    {statement}\n" in result.err
    assert f"-- warning: {words}\n--     {statement}\n" in run("--plan").out
    initialised.execute(statement)
    assert "UNLOGGED" not in run("--verify").err + run("--plan").out


# From 17 on, and from 15 on where there is ICU.
VERSIONED = ("builtin BUILTIN_LOCALE 'C.UTF-8'", "icu ICU_LOCALE 'en'")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_collation_that_has_changed_is_passed_on(
    database: Database, run: Run, made: List[Database], log_format: str
) -> None:
    """Its indexes may be out of order; after the statements there is no warning."""
    other = Database(database.server, f"{database.name}_en")
    for provider in VERSIONED:
        with suppress(errors.SyntaxError, errors.FeatureNotSupported, errors.WrongObjectType):
            how = f"TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER {provider}"
            database.execute(f"CREATE DATABASE {other.name} {how}")
            made.append(other)
            break
    else:
        pytest.skip("this server notes no version of a database's collation")
    own = {"POSTGRES_DB": other.name, "LOG_FORMAT": log_format}
    assert "collation" not in run(**own).err
    database.execute(
        "UPDATE pg_database SET datcollversion = '0' WHERE datname = %s", (other.name,)
    )
    result = run(**own)
    assert result.code == 0
    assert "the server says: WARNING:  database " in result.err
    assert "has a collation version mismatch" in result.err
    reindex = f"REINDEX DATABASE CONCURRENTLY {other.name}"
    assert f"    {reindex};" in result.err
    refresh = re.search(r"ALTER DATABASE \S+ REFRESH COLLATION VERSION", result.err)
    assert refresh is not None
    other.execute(reindex)
    other.execute(refresh[0])
    assert "collation" not in run(**own).err


@pytest.mark.parametrize(("mode", "code"), [("", 0), ("--plan", 0), ("--verify", 5)])
def test_other_clients_temporary_tables_are_in_nobodys_way(
    initialised: Database, run: Run, pooler: Pooler, mode: str, code: int
) -> None:
    """A pooler hands their sessions on, with all that is in pg_temp."""
    initialised.execute(INDEX)
    clients = [initialised.connect(**pooler.address) for _ in range(2)]
    for client in clients:
        client.cursor().execute("BEGIN")
    for client in clients:  # each in a session of its own
        client.cursor().execute("CREATE TEMP TABLE weight (); CREATE TEMP VIEW dishes AS SELECT 1")
    for client in clients:
        client.cursor().execute("COMMIT")
    result = run(*mode.split(), MAX_RETRIES="1", **pooler.environment)
    assert result.code == code, result.err
    for client in clients:
        client.close()


HISTORY_MODES = ["", "--plan", "--verify", "--history", "--rollback", "--rollback --plan"]


@pytest.mark.parametrize("mode", HISTORY_MODES)
def test_a_table_with_the_historys_name_is_refused(database: Database, run: Run, mode: str) -> None:
    """With the statement, after which the run succeeds; the table keeps its rows."""
    database.execute(
        "CREATE TABLE eater_schema_history (id serial PRIMARY KEY, note text); "
        "INSERT INTO eater_schema_history (note) VALUES ('mine')"
    )
    result = run(*mode.split())
    said = result.out + result.err
    assert result.code == (5 if mode == "--verify" else 4), said
    assert "public.eater_schema_history is a table with other columns; " in said
    assert "attempt" not in said
    statement = "ALTER TABLE public.eater_schema_history RENAME TO eater_schema_history_old;"
    assert f"    {statement}\n" in said
    database.execute(statement)
    assert run().code == 0
    assert database.value("SELECT note FROM eater_schema_history_old") == "mine"


BRAKES = {
    "ALTER DATABASE … SET": "ALTER DATABASE {0} SET",
    "ALTER ROLE … IN DATABASE … SET": "ALTER ROLE {1} IN DATABASE {0} SET",
}


@pytest.mark.parametrize("where", list(BRAKES))
def test_a_default_of_read_only_is_written_over_with_a_warning(
    initialised: Database, run: Run, where: str
) -> None:
    """Once, and only where something is to be written."""
    initialised.execute(SAMPLE_ROWS + INDEX)
    alter = BRAKES[where].format(initialised.name, initialised.server["user"])
    initialised.execute(f"{alter} default_transaction_read_only = on")
    line = f" WARNING default_transaction_read_only is on ({where}); a run writes all the same\n"
    assert run("--plan").err.count(line) == 0
    result = run()
    assert (result.code, result.err.count(line)) == (0, 1)
    assert run().err.count(line) == 0
    with closing(initialised.connect()) as other, other.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
        cursor.execute(f"{alter} default_transaction_read_only = off")
