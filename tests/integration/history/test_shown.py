"""What `--history` shows, and that a rollback lets nothing of it be forgotten."""

import re
from typing import List

import pytest

from tests.support.database import Database
from tests.support.job import Run
from tests.support.rollbacks import interrupt

ROWS = (
    "SELECT run, version, action, finished, undone, verified_at IS NOT NULL "
    "FROM eater_schema_history ORDER BY run"
)


def shown(text: str) -> List[List[str]]:
    """Return the cells of a table, without its head."""
    return [re.split("  +", line) for line in text.splitlines()[2:]]


@pytest.mark.usefixtures("initialised")
def test_the_history_keeps_what_was_undone(database: Database, run: Run) -> None:
    """How many steps there were and when they were verified; what is undone stands beside."""
    models = database.value("SELECT left(desired, 12) FROM eater_schema_history")
    assert re.fullmatch("[0-9a-f]{12}", models)
    (before,) = shown(run("--history").out)
    assert before[:7] == ["public", "1", "1", "migrate", "33 of 33", "-", models]
    interrupt(database, run)
    (half,) = shown(run("--history").out)
    assert half == [*before[:5], "27 of 33 undone", *before[6:]]
    assert run("--rollback").code == 0
    rollback, whole = shown(run("--history").out)
    assert whole == [*before[:5], "undone", *before[6:]]
    assert rollback[:7] == ["public", "2", "0", "rollback", "1 of 1", "-", "-"]
    assert database.rows(ROWS) == [
        (1, 1, "migrate", 33, 33, True),
        (2, 0, "rollback", 1, 0, True),
    ]


@pytest.mark.usefixtures("initialised")
def test_the_history_shows_the_steps_of_a_run(database: Database, run: Run) -> None:
    """With the reasons, and which of them are undone."""
    interrupt(database, run)
    result = run("--history", "1")
    assert result.code == 0
    assert result.out.splitlines()[0].split() == ["schema", "step", "undone", "what", "why"]
    rows = shown(result.out)
    assert [row[:3] for row in rows] == [
        ["public", str(number), "-" if number <= 6 else "undone"] for number in range(1, 34)
    ]
    assert rows[0][3:] == ["create extension pg_trgm", "it is missing"]
    # Of a run that was killed, not all steps were begun.
    database.execute("UPDATE eater_schema_history SET finished = 32, undone = 26")
    assert shown(run("--history", "1").out)[-1][:3] == ["public", "33", "not done"]


def test_the_steps_of_a_run_in_several_schemas(database: Database, run: Run) -> None:
    """Each has its own run of that number, or none; where none has it, it is refused."""
    assert run(POSTGRES_SCHEMAS="berlin,paris").code == 0
    assert run("--rollback", POSTGRES_SCHEMAS="paris").code == 0
    of_1 = shown(run("--history", "1", POSTGRES_SCHEMAS="berlin,paris").out)
    assert {row[0] for row in of_1} == {"berlin", "paris"}
    of_2 = shown(run("--history", "2", POSTGRES_SCHEMAS="berlin,paris").out)
    assert {row[0] for row in of_2} == {"paris"}
    for number in "0", "3":
        none = run("--history", number, POSTGRES_SCHEMAS="berlin,paris")
        assert none.code == 4
        assert none.err.endswith(
            f" ERROR refused: there is no run {number} in the history of berlin, paris.\n"
            "  Nothing was changed. Look at --history.\n"
        )


@pytest.mark.usefixtures("initialised")
def test_a_table_of_1_0_0_gets_the_column_with_its_first_rollback(
    database: Database, run: Run
) -> None:
    """It is read without it, and the change of the table is a step of the plan."""
    database.execute("ALTER TABLE eater_schema_history DROP undone")
    assert shown(run("--history").out)[0][4:6] == ["33 of 33", "-"]
    database.execute("DROP INDEX idx_weight_date")
    assert run().code == 0
    title, lock, size, statement = run("--rollback", "--plan").out.split("\n\n")[1].splitlines()
    name = "public.eater_schema_history"
    assert title == f"-- 1. add column {name}.undone: it counts the steps that are undone"
    assert lock == (
        f"--    brief, ACCESS EXCLUSIVE on {name} for an instant: readers and writers wait"
    )
    assert re.fullmatch(r"--    rows unknown before an ANALYZE, \d+ kB", size)
    assert statement == f"ALTER TABLE {name} ADD COLUMN undone integer NOT NULL DEFAULT 0;"
    result = run("--rollback")
    assert result.code == 0, result.err
    assert result.out.startswith("7 steps undone.\n")
    assert database.rows(ROWS) == [
        (1, 1, "migrate", 33, 33, True),
        (2, 1, "repair", 1, 0, True),
        (3, 0, "rollback", 8, 0, True),
    ]


@pytest.mark.usefixtures("initialised")
def test_what_an_interrupted_rollback_has_undone_is_no_repair(database: Database, run: Run) -> None:
    """It belongs to the version, so that another rollback undoes it again; drift does not."""
    interrupt(database, run)
    assert run().code == 0
    database.execute("DROP INDEX idx_weight_date")
    assert run().code == 0
    assert database.rows(ROWS) == [
        (1, 1, "migrate", 33, 27, True),
        (2, 1, "migrate", 27, 0, True),
        (3, 1, "repair", 1, 0, True),
    ]
    assert run("--rollback", "--to", "1").err.endswith("schema public: at version 1 already\n")
    assert run("--rollback").code == 0
    assert database.value("SELECT to_regclass('alcohol_consumption') IS NULL")
    assert [row[4] for row in database.rows(ROWS)] == [33, 27, 0, 0]
