"""No connection, no right, no server: what is said, and that nothing is changed."""

from typing import Dict, Iterator
from urllib.parse import quote_plus

import pytest

from tests.conftest import Database, Run
from tests.support.catalogs import described
from tests.support.proxy import Proxy

PASSWORDS = ["with blank", "p@ss%word", "quo'te\"d", "пароль", "$HOME${X}", "back\\slash", "#=;&"]


def test_a_refused_connection_says_where_why_and_what_to_check(run: Run) -> None:
    """Each attempt is one line; the last word is complete."""
    result = run(POSTGRES_HOST="127.0.0.1", POSTGRES_PORT="1", POSTGRES_DB="d", POSTGRES_USER="u")
    assert result.code == 3
    assert result.err.count("connecting to 127.0.0.1:1: attempt ") == 2
    assert "attempt 2 of 2 failed: " in result.err
    assert "no connection to 127.0.0.1:1, database d, user u, after 2 attempts.\n" in result.err
    assert "Connection refused" in result.err
    assert result.err.endswith(
        "  Check POSTGRES_HOST and POSTGRES_PORT, and that the server runs.\n  Safe to run again.\n"
    )


@pytest.mark.parametrize(
    ("variables", "reason", "advice"),
    [
        (
            {"POSTGRES_HOST": "no.such.host.invalid"},
            "could not translate host name",
            "Check POSTGRES_HOST: the name is unknown here.",
        ),
        (
            {"POSTGRES_DB": "no_such_database"},
            'database "no_such_database" does not exist',
            "Check POSTGRES_DB: create it with CREATE DATABASE, or name another.",
        ),
        (
            {"POSTGRES_USER": "nobody_here"},
            'role "nobody_here" does not exist',
            "Check POSTGRES_USER: create the role, or name another.",
        ),
        (
            {"POSTGRES_HOST": "/no/such/folder"},
            "No such file or directory",
            "Check POSTGRES_HOST (a socket folder), and the server.",
        ),
    ],
    ids=["host", "database", "role", "socket"],
)
def test_each_reason_has_its_own_advice(
    run: Run, variables: Dict[str, str], reason: str, advice: str
) -> None:
    """Exit code 3 comes with the server's reason and what to check."""
    result = run(**variables)
    assert result.code == 3
    assert reason in result.err
    assert f"\n  {advice}\n" in result.err


def test_a_run_goes_through_a_network(run: Run, tcp: Proxy) -> None:
    """It costs few round trips, connections included, however much there is to create."""
    assert run(**tcp.environment).code == 0
    first = tcp.round_trips - tcp.connections  # each says good-bye, and waits for no answer
    assert run(**tcp.environment).code == 0
    second = tcp.round_trips - tcp.connections - first
    assert first <= 15
    assert second <= 5


@pytest.fixture
def guarded(database: Database) -> Iterator[Database]:
    """A database that asks one role for its password, if the server's files can be reached."""
    hba = database.value("SHOW hba_file")
    database.execute(f"CREATE ROLE {database.name} LOGIN CREATEDB SUPERUSER")
    lines = "SELECT pg_read_file('pg_hba.conf')"
    before = str(database.value(lines))
    rule = f"local {database.name} {database.name} scram-sha-256\n"
    _write(database, hba, rule + before)
    yield database
    _write(database, hba, before)
    database.execute(f"DROP OWNED BY {database.name}; DROP ROLE {database.name}")


def _write(database: Database, path: str, text: str) -> None:
    database.execute("CREATE TEMP TABLE IF NOT EXISTS hba (line text)")
    database.execute("TRUNCATE hba")
    for line in filter(None, text.splitlines()):  # COPY would quote an empty one
        database.execute("INSERT INTO hba VALUES (%s)", (line,))
    database.execute(f"COPY hba TO '{path}' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')")
    database.execute("SELECT pg_reload_conf(); SELECT pg_sleep(0.2)")


def test_any_password_works_and_is_never_shown(guarded: Database, run: Run) -> None:
    """Not at DEBUG, not in JSON, not when it is wrong, not when a run fails."""
    for password in PASSWORDS:
        guarded.execute(f"ALTER ROLE {guarded.name} PASSWORD %s", (password,))
        user = {"POSTGRES_USER": guarded.name, "LOG_LEVEL": "DEBUG"}
        good = run(**user, POSTGRES_PASSWORD=password)
        assert good.code == 0, good.err
        bad = run(**user, POSTGRES_PASSWORD=password + "x", LOG_FORMAT="json", MAX_RETRIES="1")
        assert bad.code == 3
        assert "password authentication failed" in bad.err
        assert "Check POSTGRES_USER and POSTGRES_PASSWORD." in bad.err
        for shown in (good.out, good.err, bad.out, bad.err):
            assert password not in shown
            assert quote_plus(password) not in shown


RIGHTS = {
    "temporary tables": (
        "CREATE EXTENSION pg_trgm; REVOKE TEMPORARY ON DATABASE {db} FROM PUBLIC; "
        "GRANT CREATE ON SCHEMA public TO {role}",
        'GRANT TEMPORARY ON DATABASE "{db}" TO "{role}";',
    ),
    "create in the schema": (
        "CREATE EXTENSION pg_trgm; REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT CREATE ON SCHEMA public TO {role};",
    ),
    "create the extension": (
        "GRANT CREATE ON SCHEMA public TO {role}",
        "CREATE EXTENSION pg_trgm;",
    ),
    "use the extension": (
        "CREATE SCHEMA ext; CREATE EXTENSION pg_trgm SCHEMA ext; "
        "GRANT CREATE ON SCHEMA public TO {role}",
        'GRANT USAGE ON SCHEMA "ext" TO "{role}";',
    ),
}


@pytest.mark.parametrize("right", list(RIGHTS))
def test_a_missing_right_is_said_as_the_statement_that_gives_it(
    database: Database, run: Run, right: str
) -> None:
    """Exit code 4, nothing changed; after the statement the run succeeds."""
    role = f"{database.name}_role"
    database.execute(f"CREATE ROLE {role} LOGIN")
    before, statement = (text.format(db=database.name, role=role) for text in RIGHTS[right])
    database.execute(before)
    result = run(POSTGRES_USER=role)
    assert result.code == 4
    assert f"\n    {statement}\n" in result.err
    assert "Nothing was changed." in result.err
    assert described(database) == {}
    database.execute(statement)
    assert run(POSTGRES_USER=role).code == 0
    database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_somebody_elses_table_is_refused_before_anything_is_done(
    database: Database, run: Run
) -> None:
    """Even one that can't be read gets the statement that hands it over."""
    role = f"{database.name}_role"
    database.execute(
        f"CREATE EXTENSION pg_trgm; CREATE TABLE weight (time integer); "
        f"CREATE ROLE {role} LOGIN; GRANT CREATE ON SCHEMA public TO {role}"
    )
    result = run(POSTGRES_USER=role)
    tables = set(described(database))
    database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert result.code == 4
    assert f"\n    ALTER TABLE public.weight OWNER TO {role};\n" in result.err
    assert tables == {"weight"}
