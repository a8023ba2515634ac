"""What may lose a value is proven again under its lock, with clients that write all the time."""

import re

import pytest

from tests.support.catalogs import SAMPLE_ROWS
from tests.support.database import Database
from tests.support.job import Run, Spawn
from tests.support.waiting import WAITS, holding, until
from tests.support.writing import kept, writing

LATE = {
    "a day with a time of day": (
        "ALTER TABLE dishes_day ALTER date TYPE timestamp",
        "INSERT INTO dishes_day VALUES (7, '2025-01-01 13:45', 'late', 1, '{}', 1, '{}', 'u')",
        "SELECT date::text FROM dishes_day WHERE time = 7",
        "2025-01-01 13:45:00",
    ),
    "a fraction": (
        "ALTER TABLE dishes ALTER calories TYPE numeric",
        "INSERT INTO dishes VALUES (7, 'late', 12.75, 1, '{}', '{}', 'u')",
        "SELECT calories::text FROM dishes WHERE id = 7",
        "12.75",
    ),
    "a longer text": (
        "ALTER TABLE weight ALTER date TYPE text; ALTER TABLE weight ALTER weight TYPE text",
        "INSERT INTO weight VALUES (7, 'x', 'heavy', 'u')",
        "SELECT weight FROM weight WHERE time = 7",
        "heavy",
    ),
}


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("case", list(LATE))
def test_a_row_that_arrives_before_the_lock_is_not_converted_with_a_loss(
    database: Database, run: Run, spawn: Spawn, case: str
) -> None:
    """The run ends as a refusal; the row is as its writer left it, and the next run names it."""
    drift, insert, ask, expected = LATE[case]
    database.execute(SAMPLE_ROWS + drift)
    writer = holding(database, insert)
    process = spawn()
    until(database, WAITS)
    writer.cursor().execute("COMMIT")
    _, said = process.communicate(timeout=60)
    writer.close()
    assert process.returncode == 4, said
    assert re.search(
        r" ERROR refused: change type public\.\w+\.\w+ would lose values that a client has "
        r"written since it was planned\.\n  Nothing of this step was done; the steps before it are "
        r"finished, and the log names them\. Run again: then the refusal says which rows, and "
        r"what to type\.\n\Z",
        said,
    )
    assert database.value(ask) == expected
    again = run()
    assert again.code == 4
    assert "1 of 2 rows does not convert" in again.err


def test_a_row_that_arrives_before_the_lock_is_not_dropped_by_a_rollback(
    database: Database, run: Run, spawn: Spawn
) -> None:
    """The rollback was planned for empty tables; then somebody signed up."""
    assert run().code == 0
    writer = holding(database, "INSERT INTO \"user\" (email) VALUES ('new@customer.org')")
    process = spawn("--rollback")
    until(database, WAITS)
    writer.cursor().execute("COMMIT")
    _, said = process.communicate(timeout=60)
    writer.close()
    assert process.returncode == 4, said
    lost = " ERROR refused: undo create table public.user would lose values that a client has "
    assert lost + "written since it was planned.\n" in said
    assert database.rows('SELECT email FROM "user"') == [("new@customer.org",)]
    again = run("--rollback")
    assert again.code == 4
    assert "would lose the values of 1 row" in again.err


@pytest.mark.usefixtures("initialised")
def test_no_row_of_a_busy_client_is_lost(database: Database, run: Run) -> None:
    """A client writes all the time, during a run and a rollback; afterwards every row is there."""
    database.execute(
        "ALTER TABLE weight ALTER date TYPE date USING date::date; "
        "ALTER TABLE weight DROP user_email; DROP TABLE eater_schema_history"
    )
    insert = "INSERT INTO weight (time, date, weight) VALUES (%s, '2025-01-02', 1) RETURNING weight"
    with writing(database, insert, pause=0) as written:
        codes = [run().code, run("--rollback").code]
    assert codes[0] in (0, 4, 5), codes
    assert written
    assert kept(database, written)
