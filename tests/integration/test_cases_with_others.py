"""Cases that take somebody else: another session, a prepared transaction, a role, a server."""

from contextlib import closing
from typing import Iterator, List

import pytest

from tests.support.catalogs import SAMPLE_ROWS, all_rows, everything
from tests.support.database import Database
from tests.support.job import Run, Spawn
from tests.support.waiting import WAITS, holding, says, until


@pytest.fixture
def owner(database: Database, role: str) -> Iterator[str]:
    """The role that `role`, which logs in, acts as; it made all tables, which are empty."""
    name = f"{role}_owner"
    database.execute(
        f"CREATE ROLE {name}; GRANT {name} TO {role}; ALTER ROLE {role} NOINHERIT; "
        f"ALTER ROLE {role} SET role = '{name}'; GRANT CREATE ON DATABASE {database.name} "
        f"TO {name}; GRANT ALL ON SCHEMA public TO {name}; CREATE EXTENSION pg_trgm"
    )
    yield name
    database.execute(f"ALTER ROLE {role} RESET ALL; DROP OWNED BY {name}; DROP ROLE {name}")


DRAWS = "ALTER TABLE dishes ALTER id DROP DEFAULT; ALTER SEQUENCE dishes_id_seq OWNED BY NONE;"
TAKEN_OVER = {
    "table": (
        "DROP INDEX idx_weight_date; ALTER TABLE weight OWNER TO CURRENT_USER",
        [],
        "ALTER TABLE public.weight OWNER TO {0};",
    ),
    "sequence": (
        f"{DRAWS} ALTER SEQUENCE dishes_id_seq OWNER TO CURRENT_USER",
        [],
        "ALTER SEQUENCE public.dishes_id_seq OWNER TO {0};",
    ),
    "schema": (
        "DROP INDEX idx_weight_date; REVOKE CREATE ON SCHEMA public FROM {0}, PUBLIC",
        [],
        "GRANT CREATE ON SCHEMA public TO {0};",
    ),
    "table to roll back": (
        "ALTER TABLE weight OWNER TO CURRENT_USER",
        ["--rollback"],
        "ALTER TABLE public.weight OWNER TO {0};",
    ),
}


@pytest.mark.parametrize("what", list(TAKEN_OVER))
def test_a_right_is_given_to_the_role_that_acts(
    database: Database, run: Run, role: str, owner: str, what: str
) -> None:
    """Case 30: `ALTER ROLE … SET role`; given to the one that logs in, it is of no use."""
    assert run(POSTGRES_USER=role).code == 0
    sql, arguments, statement = TAKEN_OVER[what]
    database.execute(sql.format(owner))
    result = run(*arguments, POSTGRES_USER=role)
    assert result.code == 4, result.err
    assert result.err.endswith(f"    {statement.format(owner)}\n")
    database.execute(statement.format(owner))
    again = run(*arguments, POSTGRES_USER=role)
    assert again.code == 0, again.err


@pytest.fixture
def drifted(initialised: Database) -> Database:
    """A live database in which a column and an index are missing."""
    initialised.execute(SAMPLE_ROWS + "ALTER TABLE weight DROP date; DROP INDEX idx_dishes_name")
    return initialised


@pytest.fixture
def forgotten(drifted: Database) -> Iterator[List[str]]:
    """The transactions that are prepared; what is left of them is rolled back afterwards."""
    names: List[str] = []
    yield names
    for (name,) in drifted.rows("SELECT gid FROM pg_prepared_xacts WHERE gid = ANY (%s)", (names,)):
        drifted.execute(f"ROLLBACK PREPARED '{name}'")


def prepare(database: Database, statement: str, names: List[str]) -> str:
    """Prepare a transaction that nobody remembers."""
    names.append(f"forgotten {database.name}")
    with closing(database.connect()) as other, other.cursor() as cursor:
        cursor.execute(f"BEGIN; {statement}; PREPARE TRANSACTION '{names[-1]}'")
    return f"ROLLBACK PREPARED '{names[-1]}'"


def test_a_prepared_transaction_is_named(drifted: Database, run: Run, forgotten: List[str]) -> None:
    """Case 39: it has no process; what ends it is said, and with that the run goes on."""
    way_out = prepare(drifted, "INSERT INTO weight VALUES (99, 1, 'u1')", forgotten)
    result = run(LOCK_PATIENCE="1s")
    assert result.code == 6, result.err
    assert "has just ended" not in result.err
    assert way_out in result.err
    drifted.execute(way_out)
    assert run().code == 0


def test_a_build_that_waits_for_a_prepared_transaction_says_so(
    drifted: Database, spawn: Spawn, forgotten: List[str]
) -> None:
    """Case 51: it would wait without an end, and nobody to be named blocks it."""
    drifted.execute("ALTER TABLE weight ADD date varchar NOT NULL DEFAULT ''")
    name = "INSERT INTO dishes SELECT 7, name, 1, 1, '{}', '{}', 'u' FROM dishes"
    way_out = prepare(drifted, name, forgotten)
    process = spawn()
    assert says(process, way_out, within=30)
    drifted.execute(way_out)
    output = process.communicate(timeout=60)[1]
    assert process.returncode == 0, output


HISTORY = "LOCK TABLE eater_schema_history IN SHARE ROW EXCLUSIVE MODE"


def test_who_locks_the_history_is_named(drifted: Database, run: Run) -> None:
    """Case 41: a step writes into it in its own transaction."""
    other = holding(drifted, HISTORY, name="archivist")
    result = run(LOCK_PATIENCE="1s")
    other.close()
    assert result.code == 6, result.err
    assert "has just ended" not in result.err
    assert "(archivist)" in result.err
    assert run().code == 0


def test_who_locks_the_history_is_named_in_a_rollback(initialised: Database, run: Run) -> None:
    """Case 41, the other way round."""
    other = holding(initialised, HISTORY, name="archivist")
    result = run("--rollback", LOCK_PATIENCE="1s")
    other.close()
    assert result.code == 6, result.err
    assert "(archivist)" in result.err
    assert run("--rollback").code == 0


def test_a_lock_that_is_in_nobodys_way_is_not_blamed(drifted: Database, run: Run) -> None:
    """Case 39: a reader does not keep an index from being built; who holds such a lock does."""
    drifted.execute("ALTER TABLE weight ADD date varchar NOT NULL DEFAULT ''")
    reader = holding(drifted, "SELECT FROM dishes", name="reader")
    other = holding(drifted, "LOCK dishes IN SHARE UPDATE EXCLUSIVE MODE", name="vacuumer")
    result = run(LOCK_PATIENCE="1s")
    reader.close()
    other.close()
    assert result.code == 6, result.err
    assert "(vacuumer)" in result.err
    assert "(reader)" not in result.err


@pytest.mark.parametrize("mode", ["--history", "--rollback"])
def test_a_table_with_the_name_of_the_history_is_refused_in_each_mode(
    initialised: Database, run: Run, mode: str
) -> None:
    """Case 56: nothing of it is changed, and once it is renamed there is no history."""
    initialised.execute(
        "DROP TABLE eater_schema_history; "
        "CREATE TABLE eater_schema_history (id serial PRIMARY KEY, note text)"
    )
    before = everything(initialised), all_rows(initialised)
    result = run(mode)
    assert result.code == 4, result.err
    assert "public.eater_schema_history" in result.err
    assert (everything(initialised), all_rows(initialised)) == before
    statement = "ALTER TABLE public.eater_schema_history RENAME TO eater_schema_history_old;"
    assert f"    {statement}\n" in result.err
    initialised.execute(statement)
    assert run().code == 0


def test_a_value_that_no_index_takes_keeps_both_schemas_as_they_are(
    initialised: Database, run: Run
) -> None:
    """Case 21: the first schema was changed, the second was not."""
    initialised.execute("CREATE SCHEMA two")
    both = {"POSTGRES_SCHEMAS": "public,two"}
    assert run(**both).code == 0
    initialised.execute(
        SAMPLE_ROWS + "DROP INDEX idx_weight_date; DROP INDEX two.idx_dishes_name; "
        "INSERT INTO two.dishes SELECT * FROM dishes; UPDATE two.dishes SET name = "
        "(SELECT string_agg(md5(g::text), '') FROM generate_series(1, 140) g)"
    )
    before = everything(initialised)
    result = run(**both)
    assert result.code == 4, result.err
    assert "two.dishes" in result.err
    assert everything(initialised) == before


LATE = {
    "a value of an added column": (
        "ALTER TABLE weight DROP user_email",
        "UPDATE weight SET user_email = 'late@example.org'",
        "SELECT user_email FROM weight",
        "late@example.org",
    ),
    "a value of a changed type": (
        "ALTER TABLE weight ALTER date TYPE date USING date::date",
        "UPDATE weight SET date = 'yesterday evening'",
        "SELECT date FROM weight",
        "yesterday evening",
    ),
    "a NULL where NOT NULL would come back": (
        'UPDATE "user" SET language = \'en\'; ALTER TABLE "user" ALTER language SET NOT NULL',
        'UPDATE "user" SET language = NULL',
        'SELECT language IS NULL FROM "user"',
        True,
    ),
}


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("what", list(LATE))
def test_what_arrives_before_the_lock_of_a_rollback_is_kept(
    database: Database, run: Run, spawn: Spawn, what: str
) -> None:
    """Case 4, of other steps than one that creates a table: planned for rows that it would keep."""
    drift, late, ask, expected = LATE[what]
    database.execute(f"{SAMPLE_ROWS} DROP TABLE eater_schema_history; {drift}")
    assert run().code == 0
    writer = holding(database, late)
    process = spawn("--rollback")
    until(database, WAITS)
    writer.cursor().execute("COMMIT")
    said = process.communicate(timeout=60)[1]
    writer.close()
    assert process.returncode == 4, said
    assert database.value(ask) == expected
    assert run("--rollback").code == 4
