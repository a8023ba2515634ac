"""The least that a role needs is what the README says: with all of it, and without each of it."""

import re
import shutil
import sys
import tempfile
from typing import Dict, Iterator, List

import pytest

from tests.support.catalogs import SAMPLE_ROWS, described, everything
from tests.support.copies import load
from tests.support.database import FAST, Database
from tests.support.documents import section
from tests.support.drift import DRIFT, INDEX
from tests.support.job import Run
from tests.support.waiting import holding
from tools import embedded

SAMPLE_DAY = (
    "INSERT INTO dishes_day VALUES (1, '2025-01-01', 'soup', 1, '{}', 1, '{}', 'ann@example.org')"
)
# In schema public; in a schema of its own; with what it needs created by itself.
PUBLIC, OWN, ITSELF = re.findall(
    r"```sql\n(CREATE ROLE.*?)```", section("Privileges", "docs/operating.md"), re.DOTALL
)
SCHEMA = {PUBLIC: "public", OWN: "platform", ITSELF: "platform"}
RIGHTS = [PUBLIC, OWN, ITSELF]
IDS = ["public", "own", "itself"]


def granted(database: Database, role: str, block: str) -> List[str]:
    """Return the README's statements, for this database and the role, which exists."""
    lines = [line.split("--")[0].strip() for line in block.splitlines()]
    names = {"eater": f'"{database.name}"', "eater_init": role}
    statements = [re.sub(r"\b(eater_init|eater)\b", lambda m: names[m[0]], one) for one in lines]
    return [one for one in statements if not one.startswith("CREATE ROLE")]


@pytest.fixture
def bare(database: Database, role: str) -> str:
    """A role that may do nothing, and that nothing is granted to through PUBLIC."""
    database.execute(f"REVOKE ALL ON DATABASE {database.name} FROM PUBLIC")
    database.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    return role


def settings(role: str, rights: str = PUBLIC) -> Dict[str, str]:
    return {"POSTGRES_USER": role, "POSTGRES_SCHEMAS": SCHEMA[rights]}


def grant(database: Database, role: str, rights: str) -> None:
    if rights == ITSELF and database.value("SHOW server_version_num") < "130000":
        pytest.skip("pg_trgm takes a superuser in PostgreSQL 12")
    for statement in granted(database, role, rights):
        database.execute(statement)


def execute_as(database: Database, role: str, statements: str, schema: str = "public") -> None:
    """Let the role itself do something, in a schema."""
    connection = database.connect(user=role, password=database.environment["POSTGRES_PASSWORD"])
    connection.cursor().execute(f"SET search_path = {schema}, public; {statements}")
    connection.close()


@pytest.mark.long
@pytest.mark.parametrize("rights", RIGHTS, ids=IDS)
def test_the_role_of_the_readme_can_do_everything(
    database: Database, run: Run, bare: str, rights: str
) -> None:
    """From empty, with nothing to do, from a drift, looked at and undone."""
    grant(database, bare, rights)
    own, schema = settings(bare, rights), SCHEMA[rights]
    assert run(**own).code == 0
    assert " INFO  schema is current: version 1, " in run(**own).err
    catalog = described(database, schema)
    drift = SAMPLE_ROWS + "DROP TABLE eater_schema_history;" + DRIFT
    execute_as(database, bare, drift, schema)
    drifted = described(database, schema)
    assert (run("--plan", **own).code, run("--verify", **own).code) == (0, 5)
    assert run(**own).code == 0
    assert (described(database, schema), run("--verify", **own).code) == (catalog, 0)
    assert f"{schema}  " in run("--history", **own).out
    assert run("--rollback", "--plan", **own).code == 0
    assert run("--rollback", **own).code == 0
    assert described(database, schema) == drifted
    assert run(**own).code == 0
    assert described(database, schema) == catalog


# Those without triggers and a history that are somebody else's.
@pytest.mark.parametrize("state", ["early_2026", "half_migrated", "late_2024"])
def test_the_role_of_the_readme_can_mend_earlier_states(
    database: Database, run: Run, bare: str, state: str
) -> None:
    """Once the tables are its own."""
    load(database, state)
    database.execute("DROP EXTENSION IF EXISTS pg_trgm CASCADE")
    grant(database, bare, PUBLIC)
    for table in described(database):
        database.execute(f'ALTER TABLE public."{table}" OWNER TO {bare}')
    assert run(**settings(bare)).code == 0
    assert run("--verify", **settings(bare)).code == 0


def test_pg_trgm_goes_where_the_role_may_use_it(database: Database, run: Run, bare: str) -> None:
    """In public it would be there, and yet not be found."""
    grant(database, bare, ITSELF)
    database.execute(f"REVOKE USAGE ON SCHEMA public FROM {bare}")
    assert run(**settings(bare, ITSELF)).code == 0
    home = "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'pg_trgm'"
    assert database.value(home) == "platform"


def test_the_role_of_the_readme_finds_pg_trgm_in_another_schema(
    database: Database, run: Run, bare: str
) -> None:
    """Managed servers keep extensions in a schema of their own, which is not the role's."""
    grant(database, bare, PUBLIC)
    database.execute("DROP EXTENSION pg_trgm; CREATE SCHEMA extensions")
    database.execute("CREATE EXTENSION pg_trgm SCHEMA extensions")
    before = everything(database)
    statement = f"GRANT USAGE ON SCHEMA extensions TO {bare};"
    assert_refused(run, bare, statement)
    assert everything(database) == before
    database.execute(statement)
    assert run(**settings(bare)).code == 0


# What takes a right away, the exit code without it, and the statement that it comes with.
LACKING = {
    "LOGIN": ("ALTER ROLE {0} NOLOGIN", 3, "ALTER ROLE {0} LOGIN;"),
    "CONNECT": (
        'REVOKE CONNECT ON DATABASE "{0}" FROM {0}',
        3,
        "GRANT CONNECT ON DATABASE {0} TO {0};",
    ),
    "TEMPORARY": (
        'REVOKE TEMPORARY ON DATABASE "{0}" FROM {0}',
        4,
        "GRANT TEMPORARY ON DATABASE {0} TO {0};",
    ),
    "EXTENSION": ("DROP EXTENSION pg_trgm CASCADE", 4, "CREATE EXTENSION pg_trgm;"),
    "USAGE": (
        "REVOKE USAGE ON SCHEMA public FROM {0}",
        4,
        "GRANT USAGE, CREATE ON SCHEMA public TO {0};",
    ),
    "CREATE": (
        "REVOKE CREATE ON SCHEMA public FROM {0}",
        4,
        "GRANT CREATE ON SCHEMA public TO {0};",
    ),
}


FOR_A_RUN = {"EXTENSION", "CREATE"}  # nobody needs them to look


def test_each_right_of_the_readme_is_taken_away_once() -> None:
    """A right that is added there is added here."""
    without_names = re.sub(r"--.*| ON .*|CREATE ROLE \w+|PASSWORD '…'|SCHEMA public;", "", PUBLIC)
    without_names = without_names.replace("CREATE EXTENSION pg_trgm", "EXTENSION")
    assert set(re.findall(r"\b[A-Z]+\b", without_names)) - {"GRANT"} == set(LACKING)


@pytest.mark.parametrize("state", ["empty", "live"])
@pytest.mark.parametrize("right", list(LACKING))
def test_without_a_right_nothing_is_changed_and_the_statement_is_said(
    database: Database, run: Run, bare: str, right: str, state: str
) -> None:
    """With the statement, the run succeeds; a plan is no run, and notes what that lacks."""
    grant(database, bare, PUBLIC)
    if state == "live":
        assert run(**settings(bare)).code == 0
        database.execute(INDEX)
    take_away, code, statement = LACKING[right]
    database.execute(take_away.format(bare))
    before = everything(database)
    for mode in [], ["--plan"]:
        result = run(*mode, **settings(bare))
        assert result.code == (0 if mode and right in FOR_A_RUN else code)
        said = statement.format(bare)
        if mode and right == "USAGE":
            said = said.replace(", CREATE", "")
        assert f" {said}\n" in result.out + result.err
        assert everything(database) == before
    database.execute(statement.format(bare))
    assert run(**settings(bare)).code == 0
    assert run("--verify", **settings(bare)).code == 0


OWNERS = {
    "table": "ALTER TABLE public.dishes OWNER TO {0};",
    "history": "ALTER TABLE public.eater_schema_history OWNER TO {0};",
    "sequence": "ALTER SEQUENCE public.dishes_id_seq OWNER TO {0};",
}
LOOSE_SEQUENCE = (
    "ALTER TABLE dishes ALTER id DROP DEFAULT; ALTER SEQUENCE dishes_id_seq OWNED BY NONE;"
)


@pytest.mark.parametrize("what", list(OWNERS))
def test_what_belongs_to_another_role_is_refused_before_any_change(
    database: Database, run: Run, bare: str, what: str
) -> None:
    """Other tables, which are its own, wait as well. (An index is always its table's owner's.)"""
    grant(database, bare, PUBLIC)
    run(**settings(bare))
    database.execute(f"{LOOSE_SEQUENCE} DROP INDEX idx_dishes_name, idx_weight_date")
    database.execute(OWNERS[what].format(database.server["user"]))
    before = everything(database)
    assert_refused(run, bare, OWNERS[what].format(bare))
    assert everything(database) == before
    database.execute(OWNERS[what].format(bare))
    assert run(**settings(bare)).code == 0
    assert run("--verify", **settings(bare)).code == 0


def assert_refused(run: Run, role: str, statement: str) -> None:
    result = run(**settings(role))
    assert result.code == 4
    assert " ERROR refused: " in result.err
    assert f"\n    {statement}\n" in result.err


TAKEN = {
    "table": "ALTER TABLE dishes OWNER TO {1}",
    "history": "ALTER TABLE eater_schema_history OWNER TO {1}",
    "create": "REVOKE CREATE ON SCHEMA public FROM {0}",
}


@pytest.mark.parametrize("what", list(TAKEN))
def test_a_rollback_without_a_right_is_refused_as_a_whole(
    database: Database, run: Run, bare: str, what: str
) -> None:
    """Nothing is undone of the other tables either."""
    grant(database, bare, PUBLIC)
    run(**settings(bare))
    drift = "DROP INDEX idx_weight_date; CREATE INDEX idx_weight_date ON weight (weight)"
    execute_as(database, bare, f"DROP TABLE eater_schema_history; {drift}; {INDEX}")
    run(**settings(bare))
    database.execute(TAKEN[what].format(bare, database.server["user"]))
    before = everything(database)
    results = [run(*mode.split(), **settings(bare)) for mode in ("--rollback", "--rollback --plan")]
    assert [result.code for result in results] == [4, 4]
    assert everything(database) == before
    statement = results[0].err.splitlines()[-1]
    assert re.match(r"    (ALTER TABLE|GRANT CREATE ON SCHEMA) ", statement)
    assert statement[4:] in results[1].out
    database.execute(statement)
    assert run("--rollback", **settings(bare)).code == 0


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("lacking", ["USAGE ON SCHEMA public", "SELECT ON eater_schema_history"])
def test_a_history_that_may_not_be_read_is_said(
    database: Database, run: Run, bare: str, lacking: str
) -> None:
    """Exit code 4, with the statements; reading it takes no other right."""
    rest = {"USAGE ON SCHEMA public", "SELECT ON eater_schema_history"} - {lacking}
    database.execute(
        f"GRANT CONNECT ON DATABASE {database.name} TO {bare}; GRANT {rest.pop()} TO {bare}"
    )
    result = run("--history", **settings(bare))
    assert result.code == 4
    assert re.search(r" ERROR refused: permission denied for \w+ \w+\.\n", result.err)
    *_, usage, select = result.err.splitlines()
    database.execute(usage + select)
    assert "public    1        1  migrate" in run("--history", **settings(bare)).out


def test_a_change_that_could_not_be_recorded_is_not_begun(
    database: Database, run: Run, bare: str
) -> None:
    """The history is a new table, even where the change takes no right to create."""
    grant(database, bare, PUBLIC)
    run(**settings(bare))
    database.execute("DROP TABLE eater_schema_history; COMMENT ON TABLE weight IS NULL")
    database.execute(f"REVOKE CREATE ON SCHEMA public FROM {bare}")
    before = everything(database)
    assert_refused(run, bare, f"GRANT CREATE ON SCHEMA public TO {bare};")
    assert everything(database) == before


@pytest.mark.parametrize("may_read", [True, False])
def test_who_holds_a_lock_is_named_with_or_without_the_right_to_see_more(
    database: Database, run: Run, bare: str, may_read: bool
) -> None:
    """The process id and the name are everybody's, the rest takes pg_read_all_stats."""
    grant(database, bare, PUBLIC)
    if may_read:
        database.execute(f"GRANT pg_read_all_stats TO {bare}")
    run(**settings(bare))
    database.execute("ALTER TABLE weight DROP weight")
    other = holding(database, "SELECT * FROM weight")
    result = run(**settings(bare), LOCK_PATIENCE="300ms")
    pid = other.info.backend_pid
    other.close()
    seen = r"idle in transaction, for 00:0\d:\d\d: BEGIN; SELECT \* FROM weight"
    said = seen if may_read else "<insufficient privilege>"
    assert result.code == 6
    waited = rf"\n  It waited for a lock on public\.weight held by pid {pid} \(reader\), {said}\n"
    assert re.search(waited, result.err)


@pytest.fixture(scope="module")
def without_pg_trgm() -> Iterator[embedded.Server]:
    """A server on which no extension is installed."""
    if sys.version_info < (3, 9):
        pytest.skip("there is no embedded PostgreSQL for Python 3.8")
    directory = tempfile.mkdtemp(prefix="eater-init-tests-")
    # https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-EXTENSION-CONTROL-PATH
    yield embedded.start(directory, options=[*FAST, f"extension_control_path={directory}"])
    embedded.stop(directory)
    shutil.rmtree(directory)


@pytest.mark.parametrize("mode", ["", "--plan", "--verify"])
def test_a_server_without_pg_trgm_is_refused(
    run: Run, without_pg_trgm: embedded.Server, mode: str
) -> None:
    """There is no statement that helps, but a package."""
    result = run(*mode.split(), **without_pg_trgm.environment())
    assert result.code == 4
    assert result.err.endswith(
        " ERROR refused: extension pg_trgm is not installed on the server.\n"
        "  Nothing was changed. Let an administrator install PostgreSQL's contrib package "
        "(Debian: postgresql-contrib), then run again.\n"
    )


@pytest.fixture
def monitor(initialised: Database, role: str) -> str:
    """A role that may read all tables, and no more."""
    initialised.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    return role


def test_who_may_only_read_sees_what_differs_and_nothing_else(
    initialised: Database, run: Run, monitor: str
) -> None:
    """The rights that a run takes are no difference: both see the same."""
    drift = "ALTER TABLE weight DROP date; DROP TABLE dishes; ALTER TABLE dishes_day ALTER date"
    initialised.execute(f"{INDEX}; {drift} TYPE varchar; DROP EXTENSION pg_trgm CASCADE")
    initialised.execute(f"REVOKE CREATE ON SCHEMA public FROM PUBLIC; {SAMPLE_DAY}")
    own, theirs = run("--verify"), run("--verify", POSTGRES_USER=monitor)
    assert (own.code, theirs.code) == (5, 5)
    missing = "create index public.user.idx_users_email_gin: it is missing"
    assert theirs.out.splitlines() == [line for line in own.out.splitlines() if line != missing]
    plan = run("--plan", POSTGRES_USER=monitor)
    assert plan.code == 0
    note = "-- left alone: this role could not run it: public.weight needs a change, but belongs to"
    assert note in plan.out
    assert "ALTER TABLE public.weight ADD COLUMN" in plan.out


def test_who_may_not_even_read_is_told_the_right_to(
    initialised: Database, run: Run, monitor: str
) -> None:
    """Where rows decide what differs; with it, the comparison succeeds."""
    initialised.execute("ALTER TABLE dishes_day ALTER date TYPE varchar")
    initialised.execute(f"REVOKE SELECT ON dishes_day FROM {monitor}; {SAMPLE_DAY}")
    grant = f"GRANT SELECT ON public.dishes_day TO {monitor};"
    result = run("--verify", POSTGRES_USER=monitor)
    assert result.code == 5
    owner = initialised.server["user"]
    assert result.out == (
        f"cannot be closed: public.dishes_day differs from the models, belongs to {owner}, and "
        f"cannot be read.\n  Let an administrator run:\n    {grant}\n"
    )
    initialised.execute(grant)
    assert "change type public.dishes_day.date" in run("--verify", POSTGRES_USER=monitor).out
