"""Which schemas a run is for, asked of a real server."""

from contextlib import closing
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import psycopg2
import pytest

from converge.errors import ConfigurationError, LockNotAcquired
from converge.server.retries import connect
from converge.server.schemas import named_schemas, with_schemas
from converge.settings.loading import load_settings
from tests.support.database import Database
from tests.support.waiting import holding

Named = Callable[..., Tuple[str, ...]]
UNUSABLE = "The configuration is unusable; nothing was done.\n  "
HOSTILE = ['x"; DROP SCHEMA public; --', "it's", "a\\b", "%s", "a b", "a\nb", "Größe"]


@pytest.fixture
def named(database: Database, tmp_path: Path) -> Named:
    """Return the names for variables: `named(POSTGRES_SCHEMAS="a*")`."""

    def ask(**variables: str) -> Tuple[str, ...]:
        environment = {**database.environment, **variables}
        settings = load_settings(environment, str(tmp_path / "none"))
        with closing(connect(settings)) as connection:
            return named_schemas(connection, settings)

    return ask


def complaint(named: Named, **variables: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        named(**variables)
    assert caught.value.exit_code == 2
    text = str(caught.value)
    assert text.startswith(UNUSABLE)
    return text[len(UNUSABLE) :]


def create(database: Database, *names: str) -> None:
    for name in names:
        database.execute("SELECT set_config('a.name', %s, false)", (name,))
        database.execute(
            "DO $$ BEGIN EXECUTE format('CREATE SCHEMA %I', current_setting('a.name')); END $$"
        )


TENANTS = (
    "tenant_2",
    "tenant_10",
    "tenant_1",
    "tenantX1",
    "Tenant_1",
    "größe_ü",
    "größe_uu",
    "a%b",
)
PATTERNS: Dict[str, Tuple[str, ...]] = {
    "tenant_*": ("tenant_1", "tenant_10", "tenant_2"),
    "tenant_?": ("tenant_1", "tenant_2"),
    "tenant?1": ("tenantX1", "tenant_1"),
    "größe_?": ("größe_ü",),
    "a%*": ("a%b",),
    "new,tenant_2,t*,other": (
        "new",
        "tenant_2",
        "tenantX1",
        "tenant_1",
        "tenant_10",
        "other",
    ),
    '"t*",tenant_1?': ("t*", "tenant_10"),
    "*a*": ("Tenant_1", "a%b", "tenantX1", "tenant_1", "tenant_10", "tenant_2"),
}


@pytest.mark.parametrize("text", list(PATTERNS))
def test_a_pattern_stands_for_the_schemas_that_there_are(
    database: Database, named: Named, text: str
) -> None:
    """Sorted, each name where it is first mentioned, and never the server's own."""
    create(database, *TENANTS)
    assert named(POSTGRES_SCHEMAS=text) == PATTERNS[text]


def test_a_star_alone_is_all_but_the_systems(database: Database, named: Named) -> None:
    """Temporary ones are the system's too."""
    create(database, "a", *HOSTILE)
    database.execute("CREATE TEMP TABLE t ()")
    assert sorted(named(POSTGRES_SCHEMAS="*")) == sorted(["a", "public", *HOSTILE])


def test_a_pattern_that_matches_nothing_is_said(
    database: Database, named: Named, caplog: pytest.LogCaptureFixture
) -> None:
    """A slip in it would leave schemas out without a word."""
    create(database, "tenant_1")
    assert named(POSTGRES_SCHEMAS="tenant_*,tennant_*") == ("tenant_1",)
    assert caplog.messages == ["POSTGRES_SCHEMAS: no schema is like tennant_*"]
    assert complaint(named, POSTGRES_SCHEMAS="a*,b?") == (
        "POSTGRES_SCHEMAS: no schema is like a* or b?"
    )


def test_plain_names_are_not_asked_about(database: Database, named: Named) -> None:
    """No round trip is made: a run that finds nothing to do stays one query."""
    settings = load_settings(database.environment, "none")
    with closing(connect(settings)) as connection:
        before = connection.statement
        assert named_schemas(connection, settings) == ("public",)
        assert connection.statement == before


QUERIES: Dict[str, Tuple[str, ...]] = {
    "SELECT name FROM tenants ORDER BY id DESC": ("c", "a", "b"),
    "TABLE only_names": ("b", "a", "c"),
    "VALUES ('x'), ('y'), ('x')": ("x", "y"),
    "WITH t AS (SELECT 'x'::varchar(9)) TABLE t -- all of them": ("x",),
    "SELECT nspname FROM pg_namespace WHERE nspname = 'public';": ("public",),
    "SELECT '%s' || chr(59)": ("%s;",),
    "SELECT 'tenant_*'": ("tenant_*",),
    "SELECT DISTINCT 'größe' /* even so */": ("größe",),
}


@pytest.mark.parametrize("query", list(QUERIES))
def test_a_query_names_schemas_in_its_order(database: Database, named: Named, query: str) -> None:
    """Tables are found as psql finds them; nothing that it returns is a pattern."""
    database.execute(
        "CREATE TABLE tenants AS SELECT * FROM (VALUES (2, 'b'), (3, 'a'), (7, 'c'))"
        " AS t (id, name); CREATE VIEW only_names AS SELECT name FROM tenants"
    )
    assert named(POSTGRES_SCHEMAS_QUERY=query) == QUERIES[query]


def test_names_of_a_query_are_just_names(database: Database, named: Named) -> None:
    """Whatever is in them."""
    database.execute("CREATE TABLE tenants AS SELECT unnest(%s) AS name", (HOSTILE,))
    assert list(named(POSTGRES_SCHEMAS_QUERY="TABLE tenants")) == HOSTILE


ONE_COLUMN = "POSTGRES_SCHEMAS_QUERY must return one column, of type text or name"
WRONG_QUERIES = {
    "SELECT name FROM tenants": 'POSTGRES_SCHEMAS_QUERY: relation "tenants" does not exist',
    "SELECT 'hunter2) AS name": (
        'POSTGRES_SCHEMAS_QUERY: unterminated quoted string at or near "…"'
    ),
    "SELECT 'a' 'hunter2'": 'POSTGRES_SCHEMAS_QUERY: syntax error at or near "…"',
    "SELEC 'hunter2'": 'POSTGRES_SCHEMAS_QUERY: syntax error at or near "SELEC"',
    "SELECT 'a', 'b'": ONE_COLUMN,
    "SELECT": ONE_COLUMN,
    "SELECT 1": ONE_COLUMN,
    "SELECT 'a'::char(5)": ONE_COLUMN,
    "SELECT '' WHERE false": "POSTGRES_SCHEMAS_QUERY names no schema",
    "SELECT NULL::text": "POSTGRES_SCHEMAS_QUERY names no schema",
    "SELECT ''": "POSTGRES_SCHEMAS_QUERY: a name is empty",
    "SELECT 'pg_catalog'::name": (
        "POSTGRES_SCHEMAS_QUERY: the name 'pg_catalog' is reserved by PostgreSQL"
    ),
    "SELECT repeat('ü', 32)": (
        f"POSTGRES_SCHEMAS_QUERY: the name {'ü' * 32!r} is longer than 63 bytes"
    ),
    "INSERT INTO public.t VALUES ('a') RETURNING a": (
        'POSTGRES_SCHEMAS_QUERY: syntax error at or near "INSERT"'
    ),
    "COMMIT": 'POSTGRES_SCHEMAS_QUERY: syntax error at or near "COMMIT"',
    "SELECT make_schema()": (
        "POSTGRES_SCHEMAS_QUERY: cannot execute CREATE SCHEMA in a read-only transaction"
    ),
    "SELECT 1 / 0": "POSTGRES_SCHEMAS_QUERY: division by zero",
}
MAKE_SCHEMA = """CREATE FUNCTION make_schema() RETURNS text LANGUAGE plpgsql AS
$$ BEGIN CREATE SCHEMA made; RETURN 'made'; END $$"""


@pytest.mark.parametrize("query", list(WRONG_QUERIES))
def test_a_query_that_is_none_is_refused(database: Database, named: Named, query: str) -> None:
    """With the server's first line, which has nothing of what may be secret in it."""
    database.execute(MAKE_SCHEMA)
    message = complaint(named, POSTGRES_SCHEMAS_QUERY=query)
    assert message == WRONG_QUERIES[query]
    assert not database.value("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'made')")


def test_rows_that_are_null_are_said(
    database: Database, named: Named, caplog: pytest.LogCaptureFixture
) -> None:
    """As an outer join makes them."""
    query = "SELECT * FROM (VALUES ('b'), (NULL), ('a'), (NULL)) AS t"
    assert named(POSTGRES_SCHEMAS_QUERY=query) == ("b", "a")
    assert caplog.messages == ["POSTGRES_SCHEMAS_QUERY: NULL, in 2 rows, names no schema"]


def test_a_query_that_sees_only_a_part_is_refused(
    database: Database, named: Named, role: str
) -> None:
    """Row security would leave tenants out without a word."""
    database.execute(
        f"CREATE TABLE tenants AS SELECT 'a'::text AS name; "
        f"ALTER TABLE tenants ENABLE ROW LEVEL SECURITY; GRANT SELECT ON tenants TO {role}"
    )
    query = {"POSTGRES_USER": role, "POSTGRES_SCHEMAS_QUERY": "TABLE tenants"}
    assert complaint(named, **query) == (
        "POSTGRES_SCHEMAS_QUERY: "
        'query would be affected by row-level security policy for table "tenants"'
    )


def test_a_query_does_not_take_for_ever(named: Named, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the role has set; a minute, besides the time that it may wait for a lock."""
    monkeypatch.setattr("converge.server.schemas.QUERY_SECONDS", 0.2)
    query = {"LOCK_PATIENCE": "100ms", "POSTGRES_SCHEMAS_QUERY": "SELECT pg_sleep(60)::text"}
    assert complaint(named, **query) == "POSTGRES_SCHEMAS_QUERY took longer than 200 ms"


def test_a_query_that_waits_for_a_lock_gives_up(database: Database, named: Named) -> None:
    """With the exit code of all that does."""
    database.execute("CREATE TABLE tenants (name text)")
    holder = holding(database, "LOCK TABLE tenants")
    with pytest.raises(LockNotAcquired) as caught:
        named(LOCK_PATIENCE="300ms", POSTGRES_SCHEMAS_QUERY="TABLE tenants")
    holder.close()
    assert str(caught.value) == (
        "POSTGRES_SCHEMAS_QUERY could not acquire a lock within LOCK_PATIENCE (300 ms).\n"
        "  Nothing was changed; run again."
    )


def test_a_lost_connection_is_no_mistake_of_the_query(named: Named) -> None:
    """It is tried again, as everywhere."""
    with pytest.raises(psycopg2.OperationalError, match="terminating connection"):
        named(POSTGRES_SCHEMAS_QUERY="SELECT pg_terminate_backend(pg_backend_pid())::text")


def test_nothing_of_a_query_stays(database: Database, tmp_path: Path) -> None:
    """Neither its transaction nor a setting: the next statement is as if there had been none."""
    query = "SELECT set_config('search_path', 'nowhere', false)"
    environment = {**database.environment, "POSTGRES_SCHEMAS_QUERY": query}
    settings = load_settings(environment, str(tmp_path / "none"))
    with closing(connect(settings)) as connection:
        assert with_schemas(connection, settings).schemas == ("nowhere",)
        with closing(connection.cursor()) as cursor:
            cursor.execute("ROLLBACK; SHOW search_path")
            assert cursor.fetchall() == [('"$user", public',)]


def test_ten_thousand_names_are_no_matter(named: Named) -> None:
    """They come in one answer, in their order."""
    names: List[Any] = [f"tenant_{number:05}" for number in range(10_000)]
    query = "SELECT format('tenant_%s', lpad(n::text, 5, '0')) FROM generate_series(0, 9999) AS n"
    assert list(named(POSTGRES_SCHEMAS_QUERY=query)) == names
