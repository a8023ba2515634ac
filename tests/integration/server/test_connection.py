"""No connection, no right, no server: what is said, and that nothing is changed."""

import re
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator
from urllib.parse import quote_plus

import pytest

from tests.support.catalogs import SAMPLE_ROWS, described, everything
from tests.support.database import FAST, Database
from tests.support.drift import TERMINATE
from tests.support.job import Run, Spawn
from tests.support.proxy import HOST, Proxy
from tools import embedded

PASSWORDS = ["with blank", "p@ss%word", "quo'te\"d", "пароль", "$HOME${X}", "back\\slash", "#=;&"]


@pytest.mark.parametrize(("attempts", "said"), [(1, "1 attempt"), (3, "3 attempts")])
def test_each_failed_attempt_is_one_line(run: Run, attempts: int, said: str) -> None:
    """MAX_RETRIES counts them all; the last word is complete."""
    address = {"POSTGRES_HOST": HOST, "POSTGRES_PORT": "1"}
    result = run(**address, POSTGRES_DB="d", POSTGRES_USER="u", MAX_RETRIES=str(attempts))
    assert result.code == 3
    line = r" WARNING connecting to 127\.0\.0\.1:1: attempt (\d) of (\d) failed: .*refused"
    each = [(str(number), str(attempts)) for number in range(1, attempts + 1)]
    assert re.findall(line, result.err) == each
    assert re.search(
        rf" ERROR no connection to 127\.0\.0\.1:1, database d, user u, after {said}\.\n"
        r"  .*Connection refused\n(.*\n)?"
        r"  Check POSTGRES_HOST and POSTGRES_PORT, and that the server is running\.\n"
        r"  Safe to run again\.\n\Z",
        result.err,
    )


REASONS = {
    "host": (
        {"POSTGRES_HOST": "no.such.host.invalid"},
        'could not translate host name "no.such.host.invalid" to address: ',
        "Check POSTGRES_HOST: this name cannot be resolved here.",
    ),
    "socket": (
        {"POSTGRES_HOST": "/no/such/directory"},
        "No such file or directory\n",
        "Check POSTGRES_HOST (a socket directory), and that the server is running.",
    ),
    "database": (
        {"POSTGRES_DB": "no_such_database"},
        'FATAL:  database "no_such_database" does not exist\n',
        "Check POSTGRES_DB: create it with CREATE DATABASE, or name another.",
    ),
}


@pytest.mark.parametrize("what", list(REASONS))
def test_each_reason_has_its_own_advice(run: Run, what: str) -> None:
    """Exit code 3 comes with the server's reason and what to check."""
    variables, reason, advice = REASONS[what]
    result = run(**variables)
    assert result.code == 3
    assert reason in result.err
    assert result.err.endswith(f"\n  {advice}\n  Safe to run again.\n")


CLOSED = {
    "ALTER ROLE {0} RENAME TO {0}_renamed": (
        'FATAL:  role "{0}" does not exist\n',
        "Check POSTGRES_USER: create the role, or name another.",
    ),
    "ALTER ROLE {0} NOLOGIN": (
        'FATAL:  role "{0}" is not permitted to log in\n',
        "Let an administrator run:\n    ALTER ROLE {0} LOGIN;",
    ),
    "REVOKE CONNECT ON DATABASE {0} FROM PUBLIC": (
        'FATAL:  permission denied for database "{0}"\n',
        "Let an administrator run:\n    GRANT CONNECT ON DATABASE {0} TO {0};",
    ),
    "ALTER ROLE {0} CONNECTION LIMIT 0": (
        'FATAL:  too many connections for role "{0}"\n',
        "Close other connections, or raise the CONNECTION LIMIT.",
    ),
}


@pytest.mark.parametrize("statement", list(CLOSED))
def test_a_door_that_is_closed_to_a_role_says_how_it_opens(
    database: Database, run: Run, role: str, statement: str
) -> None:
    """Where the server names the role or the database, there may be another reason."""
    database.execute(statement.format(role))
    with admitted(database, role, "trust"):
        result = run(POSTGRES_USER=role)
    if "RENAME" in statement:
        database.execute(f"ALTER ROLE {role}_renamed RENAME TO {role}")
    reason, advice = CLOSED[statement]
    assert result.code == 3
    assert reason.format(role) in result.err
    assert result.err.endswith(f"\n  {advice.format(role)}\n  Safe to run again.\n")


HOSTILE = [
    "host=127.0.0.1 dbname=postgres",
    "'; DROP DATABASE postgres; --",
    'a"b',
    "\\' user=postgres",
    "$(id)",
    "%(x)s %s {0}",
    "\u0435ater",  # Cyrillic
    "a" * 64,
    "template0",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("variable", ["POSTGRES_DB", "POSTGRES_USER", "POSTGRES_HOST"])
def test_a_hostile_name_is_nothing_but_a_name(
    database: Database, run: Run, variable: str, name: str
) -> None:
    """libpq and the server take it literally; nobody is there."""
    before = everything(database)
    result = run(**{variable: f"/no/{name}" if variable == "POSTGRES_HOST" else name})
    assert (result.code, result.out) == (3, "")
    assert result.err.endswith("\n  Safe to run again.\n")
    assert everything(database) == before


@pytest.mark.long
def test_a_server_that_does_not_answer_is_given_up(run: Run, tcp: Proxy) -> None:
    """An attempt ends after ten seconds, also where packets are lost without a word."""
    tcp.silent()
    result = run(**{**tcp.environment, "MAX_RETRIES": "1"})
    assert result.code == 3
    assert result.err.endswith(
        "\n  timeout expired\n"
        "  Check the network: firewall, network policy, POSTGRES_HOST.\n  Safe to run again.\n"
    )


def test_a_server_may_start_after_the_job(database: Database, spawn: Spawn) -> None:
    """In a new cluster nobody knows who comes first."""
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
    process = spawn(POSTGRES_HOST=HOST, POSTGRES_PORT=str(port), MAX_RETRIES="100")
    assert process.stderr is not None
    assert "attempt 1 of 100 failed: " in process.stderr.readline()
    late = Proxy(database.environment, port=port)
    errors = process.communicate(timeout=30)[1]
    late.close()
    assert process.returncode == 0, errors
    assert len(described(database)) == 7


@pytest.mark.usefixtures("initialised")
def test_a_run_that_loses_its_connection_plans_again(database: Database, run: Run) -> None:
    """A server that restarts costs an attempt, and what was finished is not done twice."""
    database.execute("DROP INDEX idx_users_email, idx_weight_date" + TERMINATE.format("= 2"))
    result = run()
    assert result.code == 0, result.err
    assert result.err.count(" WARNING attempt 1 of 2 was interrupted, planning again: ") == 1
    assert "public        0        0        2          5\n" in result.out
    for index in ("user.idx_users_email", "weight.idx_weight_date"):
        assert result.err.count(f" INFO  create index public.{index} (") == 1


def test_a_connection_that_is_lost_again_and_again_is_exit_code_3(
    database: Database, run: Run
) -> None:
    """An empty database is then as empty as before."""
    database.execute("CREATE EXTENSION pg_trgm" + TERMINATE.format("> 0"))
    result = run()
    assert result.code == 3
    assert " ERROR the connection was lost: " in result.err
    assert result.err.endswith("\n  Finished steps stay; safe to run again.\n")
    assert described(database) == {}


def test_a_run_goes_through_a_network(database: Database, run: Run, tcp: Proxy, role: str) -> None:
    """It costs few round trips, connections included, however much there is to create.

    Without those for passwords, which are the server's choice.
    """
    database.execute(f"ALTER ROLE {role} SUPERUSER")
    settings = {**tcp.environment, "POSTGRES_USER": role}
    with admitted(database, role, "trust"):
        assert run(**settings).code == 0
        first = tcp.round_trips - tcp.connections  # each says good-bye, and waits for no answer
        assert run(**settings).code == 0
        second = tcp.round_trips - tcp.connections - first
    assert first <= 15
    assert second <= 5


@pytest.fixture
def guarded(database: Database, role: str) -> Iterator[str]:
    """A role that is asked for its password, and may do everything once it is in."""
    database.execute(f"ALTER ROLE {role} SUPERUSER; SET password_encryption = 'scram-sha-256'")
    with admitted(database, role, "scram-sha-256"):
        yield role


@contextmanager
def admitted(database: Database, role: str, method: str) -> Iterator[None]:
    """Let a role in by a method of authentication, whatever the server's rules are."""
    path = database.value("SHOW hba_file")
    before = database.value("SELECT pg_read_file(%s)", (path,))
    rules = f"local all {role} {method}\nhost all {role} all {method}\n"
    _write(database, path, rules + before)
    try:
        yield
    finally:
        _write(database, path, before)


def _write(database: Database, path: str, text: str) -> None:
    large_object = database.value("SELECT lo_from_bytea(0, %s)", (text.encode(),))
    database.execute("SELECT lo_export(%s, %s)", (large_object, path))
    database.execute("SELECT pg_reload_conf(), pg_sleep(0.2)")  # there is nothing else to wait for


@pytest.mark.parametrize("password", PASSWORDS)
def test_any_password_works_and_is_never_shown(
    database: Database, guarded: str, run: Run, tmp_path: Path, password: str
) -> None:
    """From the environment, a file or .env; not at DEBUG, not in JSON, not when it is wrong."""
    database.execute(f"ALTER ROLE {guarded} PASSWORD %s", (password,))
    (tmp_path / "secret").write_text(password + "\n", "utf-8")
    user = {"POSTGRES_USER": guarded, "LOG_LEVEL": "DEBUG", "MAX_RETRIES": "1"}
    results = [
        run(**user, POSTGRES_PASSWORD=password),
        run(**user, POSTGRES_PASSWORD=None, POSTGRES_PASSWORD_FILE=str(tmp_path / "secret")),
    ]
    escaped = password.replace("\\", "\\\\").replace("'", "\\'")
    (tmp_path / ".env").write_text(f"POSTGRES_PASSWORD='{escaped}'\n", "utf-8")
    results.append(run(**user, POSTGRES_PASSWORD=None))
    assert [result.code for result in results] == [0, 0, 0]
    wrong = run(**user, POSTGRES_PASSWORD=password + "x", LOG_FORMAT="json")
    assert wrong.code == 3
    for shown in (text for result in [*results, wrong] for text in (result.out, result.err)):
        assert password not in shown
        assert quote_plus(password) not in shown


def test_a_wrong_password_is_said_without_it(guarded: str, run: Run) -> None:
    """The advice names the variables."""
    result = run(POSTGRES_USER=guarded, POSTGRES_PASSWORD="wrong")
    assert result.code == 3
    assert result.err.endswith(
        f'FATAL:  password authentication failed for user "{guarded}"\n'
        "  Check POSTGRES_USER and POSTGRES_PASSWORD, and that the password has not expired.\n"
        "  It is not tried again, because that may lock the account.\n  Safe to run again.\n"
    )


RIGHTS = {
    "temporary tables": (
        "CREATE EXTENSION pg_trgm; REVOKE TEMPORARY ON DATABASE {0} FROM PUBLIC; "
        "GRANT CREATE ON SCHEMA public TO {0}",
        "{0} lacks the right to create temporary tables, which the comparison needs.\n"
        "  Nothing was changed. Let an administrator run:\n"
        "    GRANT TEMPORARY ON DATABASE {0} TO {0};",
    ),
    "create in the schema": (
        "CREATE EXTENSION pg_trgm; REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "schema public lacks alcohol_consumption, alcohol_for_day, dishes, dishes_day, "
        "total_for_day, user, weight, and {0} lacks the right to create in it.\n"
        "  Nothing was changed. Let an administrator run:\n"
        "    GRANT CREATE ON SCHEMA public TO {0};",
    ),
    "create the schema": (
        "CREATE EXTENSION pg_trgm; DROP SCHEMA public CASCADE; CREATE SCHEMA ext; "
        "GRANT USAGE ON SCHEMA ext TO PUBLIC; CREATE EXTENSION pg_trgm SCHEMA ext",
        "schema public is missing, and {0} lacks the right to create it.\n"
        "  Nothing was changed. Let an administrator run:\n"
        "    CREATE SCHEMA public AUTHORIZATION {0};",
    ),
    "create the extension": (
        "GRANT CREATE ON SCHEMA public TO {0}",
        "extension pg_trgm is missing, and {0} lacks the right to create it.\n"
        "  Nothing was changed. Let an administrator run in database {0}:\n"
        "    CREATE EXTENSION pg_trgm;",
    ),
    "use the extension": (
        "CREATE SCHEMA ext; CREATE EXTENSION pg_trgm SCHEMA ext; "
        "GRANT CREATE ON SCHEMA public TO {0}",
        "extension pg_trgm is in schema ext, which {0} lacks the right to use.\n"
        "  Nothing was changed. Let an administrator run:\n"
        "    GRANT USAGE ON SCHEMA ext TO {0};",
    ),
    "own the table": (
        "CREATE EXTENSION pg_trgm; CREATE TABLE weight (time integer); "
        "GRANT CREATE ON SCHEMA public TO {0}",
        "public.weight differs from the models, belongs to {1}, and cannot be read.\n"
        "  Nothing was changed. Run as its owner, or let an administrator run:\n"
        "    ALTER TABLE public.weight OWNER TO {0};",
    ),
}


@pytest.mark.parametrize("right", list(RIGHTS))
def test_a_missing_right_is_said_as_the_statement_that_gives_it(
    database: Database, run: Run, role: str, right: str
) -> None:
    """Exit code 4, nothing changed; after the statement the run succeeds."""
    before, message = (text.format(role, database.server["user"]) for text in RIGHTS[right])
    database.execute(before)
    catalog = everything(database)
    result = run(POSTGRES_USER=role)
    assert result.code == 4
    assert result.err.endswith(f" ERROR refused: {message}\n")
    assert everything(database) == catalog
    statements = [line for line in message.splitlines() if line.startswith("    ")]
    database.execute(statements[0])
    assert run(POSTGRES_USER=role).code == 0


def test_all_missing_rights_are_said_at_once(database: Database, run: Run, role: str) -> None:
    """Nobody asks an administrator twice."""
    database.execute(f"REVOKE TEMPORARY ON DATABASE {database.name} FROM PUBLIC")
    result = run(POSTGRES_USER=role)
    assert result.code == 4
    assert f"\n    GRANT TEMPORARY ON DATABASE {role} TO {role};\n" in result.err
    assert "\n    CREATE EXTENSION pg_trgm;\n" in result.err


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("noted", [True, False])
def test_a_role_that_may_change_nothing_is_enough_when_nothing_is_to_do(
    database: Database, run: Run, role: str, noted: bool
) -> None:
    """An administrator may run it first; replicas with fewer rights then find it done."""
    database.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    if noted:
        database.execute(f"REVOKE TEMPORARY ON DATABASE {database.name} FROM PUBLIC")
    else:
        database.execute("COMMENT ON TABLE eater_schema_history IS NULL")
    result = run(POSTGRES_USER=role)
    assert result.code == 0, result.err
    assert ("schema is current: version 1, " in result.err) is noted
    assert ("the verification cannot be recorded: permission denied" in result.err) is not noted


@pytest.mark.usefixtures("initialised")
def test_a_history_of_another_role_is_refused(database: Database, run: Run, role: str) -> None:
    """A change that cannot be recorded is not begun."""
    database.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
    for table in described(database):
        database.execute(f'ALTER TABLE "{table}" OWNER TO {role}')
    database.execute("DROP INDEX idx_dishes_name")
    result = run(POSTGRES_USER=role)
    statement = f"ALTER TABLE public.eater_schema_history OWNER TO {role};"
    assert result.code == 4
    assert result.err.endswith(
        " ERROR refused: public.eater_schema_history, which records changes, belongs to another "
        f"role.\n  Nothing was changed. Let an administrator run:\n    {statement}\n"
    )
    database.execute(statement)
    assert run(POSTGRES_USER=role).code == 0


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("mode", ["", "--plan", "--verify", "--history", "--rollback"])
def test_an_old_server_is_refused(run: Run, tcp: Proxy, mode: str) -> None:
    """Before any query that it would not understand."""
    tcp.rewrite = lambda said: re.sub(rb"(server_version\x00)\d\d", rb"\g<1>11", said)
    result = run(*mode.split(), **tcp.environment, POSTGRES_SSLMODE="disable")
    assert result.code == 4
    assert result.err.endswith(
        " ERROR refused: the server is PostgreSQL 11; 12 is the oldest that is supported.\n"
        "  Nothing was changed. Upgrade the server.\n"
    )


@pytest.fixture
def standby(run: Run, own_server: Path) -> embedded.Server:
    """A server that replays what a primary, which is gone, had in it: the schema, and a row."""
    directory = str(own_server)
    primary = embedded.start(directory)
    assert run(**primary.environment()).code == 0
    server = {"host": primary.host, "port": primary.port, "user": primary.user}
    Database(server, primary.database).execute(SAMPLE_ROWS)  # so that ANALYZE would be due
    embedded.stop(directory)
    (own_server / "data" / "standby.signal").touch()
    return embedded.start(directory, options=FAST)


def test_a_standby_is_refused_when_there_is_something_to_do(
    run: Run, standby: embedded.Server
) -> None:
    """Whatever the mode; when nothing is to be written, a standby is as good as its primary."""
    settings = standby.environment()
    for mode, schema in ("", "new"), ("--plan", "new"), ("--rollback", "public"):
        result = run(*mode.split(), **settings, POSTGRES_SCHEMAS=schema)
        assert result.code == 4
        assert result.err.endswith(
            f" ERROR refused: {standby.host} is a read-only standby.\n"
            "  Nothing was changed. Name the primary in POSTGRES_HOST.\n"
        )
    result = run(**settings, ENABLE_PERFORMANCE_TEST="true")
    assert result.code == 0, result.err
    assert " INFO  analyzed nothing: " in result.err
