"""The modes that touch nothing."""

from typing import List

import pytest

import ddl
import migrations
from tests.conftest import Database, Run
from tests.support.catalogs import described

EVERYTHING = """
SELECT c.relname, c.relkind::text, c.relfilenode::text, c.xmin::text FROM pg_class c
WHERE c.relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'pg\\_%')
UNION ALL SELECT nspname, 'schema', '', '' FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
UNION ALL SELECT extname, 'extension', '', '' FROM pg_extension
UNION ALL SELECT conname, 'constraint', '', '' FROM pg_constraint
UNION ALL SELECT proname, 'function', '', '' FROM pg_proc WHERE oid >= 16384
ORDER BY 1, 2
"""


def statements(plan: str) -> List[str]:
    """Return the SQL of a printed plan."""
    lines = [line for line in plan.splitlines() if not line.startswith("--")]
    return [part for part in "\n".join(lines).split(";\n") if part.strip()]


def test_a_plan_touches_nothing(database: Database, run: Run) -> None:
    """An empty database is still empty afterwards, whatever the comparison created to compare."""
    before = database.rows(EVERYTHING)
    result = run("--plan")
    assert result.code == 0
    assert database.rows(EVERYTHING) == before
    assert result.out.endswith("-- 33 steps; the schema's history records them.\n")


def test_a_plan_can_be_run_by_hand(database: Database, run: Run) -> None:
    """What is printed is complete: it leads to the models."""
    for statement in statements(run("--plan").out + "\n"):
        database.execute(statement)
    assert run("--verify").code == 0
    database.execute("DROP INDEX idx_dishes_name; ALTER TABLE weight DROP date")
    for statement in statements(run("--plan").out + "\n"):
        database.execute(statement)
    assert run("--verify").code == 0


def test_a_plan_needs_no_right_to_create(database: Database, run: Run) -> None:
    """A role that may only look gets the plan, and the right that a run would want."""
    database.execute("CREATE EXTENSION pg_trgm; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    role = f"{database.name}_reader"
    database.execute(f"CREATE ROLE {role} LOGIN")
    result = run("--plan", POSTGRES_USER=role)
    database.execute(f"DROP ROLE {role}")
    assert result.code == 4
    assert f"--     GRANT CREATE ON SCHEMA public TO {role};" in result.out
    assert described(database) == {}


def test_an_empty_plan_says_so(database: Database, run: Run) -> None:
    """Nothing to do is an answer too."""
    run()
    assert run("--plan").out == "-- Nothing to do: the database is as the models describe.\n"
    assert run("--verify").out == "The database is as the models describe.\n"


@pytest.mark.parametrize(
    ("drift", "difference"),
    [
        ("DROP INDEX idx_dishes_name", "create index public.dishes.idx_dishes_name: it is missing"),
        ("ALTER TABLE weight DROP weight", "add column public.weight.weight: it is missing"),
        ("DROP TABLE weight", "create table public.weight: it is missing"),
        ("COMMENT ON TABLE weight IS NULL", "comment public.weight.comments: they differ"),
        (
            "ALTER TABLE weight ALTER weight TYPE text",
            "change type public.weight.weight: is text, the model says double precision",
        ),
        (
            "DROP INDEX idx_dishes_name; CREATE INDEX idx_dishes_name ON dishes (calories)",
            "swap index public.dishes.idx_dishes_name: the model says btree (name)",
        ),
    ],
)
def test_verify_lists_each_difference(
    database: Database, run: Run, drift: str, difference: str
) -> None:
    """Exit code 5 comes with what differs, and nothing is changed."""
    run()
    database.execute(drift)
    before = database.rows(EVERYTHING)
    result = run("--verify")
    assert result.code == 5
    assert difference in result.out
    assert "between database and models" in result.err
    assert database.rows(EVERYTHING) == before


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--help"], 0, "usage: create_tables.py"),
        (["--version"], 0, "create_tables.py 1.0.0\n"),
        (["--nonsense"], 2, "unrecognized arguments: --nonsense"),
        (["--plan", "--verify"], 2, "--plan goes with a run or with --rollback"),
        (["--verify", "--rollback"], 2, "not allowed with argument"),
    ],
)
def test_the_command_line(
    database: Database, run: Run, arguments: List[str], code: int, text: str
) -> None:
    """A mistake on the command line is said, and nothing is done."""
    result = run(*arguments)
    assert result.code == code
    assert text in result.out + result.err
    assert described(database) == {}


KINDS = {
    "btree": ('CREATE INDEX x ON "user" (language)', "btree (language)"),
    "composite": ("CREATE INDEX x ON dishes (user_email, name)", "btree (user_email, name)"),
    "partial": (
        "CREATE INDEX x ON weight (date) WHERE weight > 100",
        "btree (date) WHERE (weight > (100)::double precision)",
    ),
    "gin": (
        'CREATE INDEX x ON "user" USING gin (language public.gin_trgm_ops)',
        "gin (language public.gin_trgm_ops)",
    ),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_of_index_is_worded_as_the_server_words_it(
    database: Database, run: Run, kind: str
) -> None:
    """A definition read from the catalog builds the same index again."""
    run()
    statement, definition = KINDS[kind]
    database.execute(statement)
    found = [table["indexes"].get("x") for table in described(database).values()]
    assert [index["definition"] for index in found if index] == [definition]


def test_the_names_of_the_models_are_all_looked_up() -> None:
    """What could be in the way of a new object is read with the catalog."""
    assert {str(index.name) for index in ddl.INDEXES} <= set(migrations.NAMES)
    assert set(ddl.METADATA.tables) <= set(migrations.NAMES)
