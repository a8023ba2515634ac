"""Every kind of step can be taken back."""

import re

import pytest

from tests.support.catalogs import SAMPLE_ROWS, all_rows, described, everything
from tests.support.database import Database
from tests.support.job import Run, Spawn
from tests.support.waiting import WAITS, holding, until

BEFORE = {
    "create table": "DROP TABLE alcohol_for_day",
    "add column": "ALTER TABLE dishes_day DROP user_email",
    "add computed column": "ALTER TABLE dishes_day DROP date",
    "change type": "ALTER TABLE weight ALTER weight TYPE real",
    "change type to date": "ALTER TABLE dishes_day ALTER date TYPE varchar "
    "USING to_char(date, 'DD-MM-YYYY')",
    "widen type": "ALTER TABLE weight ALTER date TYPE varchar(10)",
    "change type of json": "ALTER TABLE dishes_day ALTER contains TYPE jsonb",
    "change type of timestamp": "ALTER TABLE dishes_day ALTER date TYPE timestamp",
    "change fraction": "ALTER TABLE dishes ALTER weight TYPE real",
    "set not null": "ALTER TABLE weight ALTER weight DROP NOT NULL",
    "drop not null": "UPDATE \"user\" SET language = 'en'; "
    'ALTER TABLE "user" ALTER language SET NOT NULL',
    "set default": 'ALTER TABLE "user" ALTER language DROP DEFAULT',
    "set other default": "ALTER TABLE \"user\" ALTER language SET DEFAULT 'de'",
    "restore sequence": "ALTER TABLE dishes ALTER id DROP DEFAULT",
    "comment": "COMMENT ON TABLE weight IS 'other'",
    "create index": "DROP INDEX idx_weight_date",
    "replace index": "DROP INDEX idx_weight_date; CREATE INDEX idx_weight_date ON weight (weight)",
    "add key": "ALTER TABLE weight DROP CONSTRAINT weight_pkey",
    "replace key": "ALTER TABLE total_for_day DROP CONSTRAINT total_for_day_pkey; "
    "ALTER TABLE total_for_day ADD CONSTRAINT total_for_day_pkey PRIMARY KEY (today)",
}


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("kind", list(BEFORE))
def test_each_kind_of_step_is_undone(database: Database, run: Run, kind: str) -> None:
    """Afterwards the catalog, and every row, is what it was before the version."""
    database.execute(SAMPLE_ROWS + "DROP TABLE eater_schema_history;" + BEFORE[kind])
    before = described(database), all_rows(database)
    assert run().code == 0
    assert described(database) != before[0]
    result = run("--rollback")
    assert result.code == 0, result.err
    assert described(database) == before[0]
    assert all_rows(database) == before[1]


@pytest.mark.usefixtures("initialised")
def test_a_column_with_other_values_is_not_dropped(database: Database, run: Run) -> None:
    """What somebody wrote since would be lost: exit code 4, with the query that shows it."""
    database.execute(SAMPLE_ROWS + "DROP TABLE eater_schema_history;" + BEFORE["add column"])
    run()
    database.execute("UPDATE dishes_day SET user_email = 'ann@example.org'")
    before = described(database), all_rows(database)
    result = run("--rollback")
    assert result.code == 4
    assert "'add column public.dishes_day.user_email' would lose the values of 1 row." in result.err
    assert (described(database), all_rows(database)) == before


LOST = {
    "a type that has no way back": (
        "ALTER TABLE weight ALTER weight TYPE numeric",
        "",
        "'change type public.weight.weight' would lose the values of 1 row.\n"
        "  Nothing was changed. Save and delete them first; find them with:\n"
        "    SELECT * FROM public.weight WHERE weight IS NOT NULL;",
    ),
    "a value that no longer fits": (
        "ALTER TABLE weight ALTER date TYPE varchar(10)",
        "UPDATE weight SET date = 'the day before yesterday'",
        "'change type public.weight.date' would lose the values of 1 row.\n"
        "  Nothing was changed. Save and delete them first; find them with:\n"
        "    SELECT * FROM public.weight WHERE date IS NOT NULL AND NOT (char_length(date) <= 10);",
    ),
    "json that jsonb would change": (
        "ALTER TABLE dishes_day ALTER contains TYPE jsonb",
        """UPDATE dishes_day SET contains = '{"b":1, "a": 2}'""",
        "'change type public.dishes_day.contains' would lose the values of 1 row.\n",
    ),
    "json that jsonb does not take": (
        "ALTER TABLE dishes_day ALTER contains TYPE jsonb",
        """UPDATE dishes_day SET contains = '{"a": "\\u0000", "b": 1e9999999}'""",
        "'change type public.dishes_day.contains' would lose the values of 1 row.\n",
    ),
    "a NULL where NOT NULL comes back": (
        'UPDATE "user" SET language = \'en\'; ALTER TABLE "user" ALTER language SET NOT NULL',
        'UPDATE "user" SET language = NULL',
        "'drop not null public.user.language' would lose the values of 1 row.\n",
    ),
    "a table with rows": (
        "DROP TABLE alcohol_for_day",
        "INSERT INTO alcohol_for_day SELECT '2024-11-08', 'a', 1, 2, '{}' "
        "FROM generate_series(1, 1)",
        "'create table public.alcohol_for_day' would lose the values of 1 row.\n"
        "  Nothing was changed. Save and delete them first; find them with:\n"
        "    SELECT * FROM public.alcohol_for_day;",
    ),
}


@pytest.mark.parametrize("what", list(LOST))
def test_an_undo_that_would_lose_data_is_refused(database: Database, run: Run, what: str) -> None:
    """With the number of rows and the query that finds them; nothing is changed."""
    before, since, message = LOST[what]
    run()
    database.execute(SAMPLE_ROWS + "DROP TABLE eater_schema_history;" + before)
    assert run().code == 0
    database.execute(since or "SELECT")
    tables = ("weight", "dishes_day", '"user"', "alcohol_for_day")
    texts = [f"SELECT t::text FROM {table} t" for table in tables]
    unchanged = everything(database), [database.rows(text) for text in texts]
    result = run("--rollback")
    assert result.code == 4
    assert f"refused: undoing {message}" in result.err
    assert (everything(database), [database.rows(text) for text in texts]) == unchanged


@pytest.mark.usefixtures("initialised")
def test_an_undo_that_rewrites_a_large_table_is_refused(database: Database, run: Run) -> None:
    """Widening a type took an instant; narrowing it again does not."""
    database.execute(SAMPLE_ROWS + "DROP TABLE eater_schema_history;" + BEFORE["widen type"])
    run()
    assert "-- Everybody waits while a table is rewritten: step 1.\n" in (
        run("--rollback", "--plan").out
    )
    result = run("--rollback", REWRITE_MAX_ROWS="0")
    assert result.code == 4
    assert result.err.endswith(
        " ERROR refused: undoing 'change type public.weight.date' rewrites the table while "
        "everybody waits: 1 row; REWRITE_MAX_ROWS is 0.\n"
        "  Nothing was changed. Raise it for one run, or in a maintenance window.\n"
    )
    assert run("--rollback", REWRITE_MAX_ROWS="1").code == 0


@pytest.mark.usefixtures("initialised")
def test_a_rollback_behind_a_held_lock_waits_and_says_for_whom(
    database: Database, run: Run, spawn: Spawn
) -> None:
    """It stalls nobody meanwhile, and gives up after LOCK_PATIENCE; another goes on from there."""
    database.execute(SAMPLE_ROWS + "DROP TABLE eater_schema_history;" + BEFORE["set not null"])
    before = described(database)
    run()
    other = holding(database, "SELECT * FROM weight")
    result = run("--rollback", LOCK_PATIENCE="1s")
    assert result.code == 4
    assert re.search(
        r" ERROR undo set not null public\.weight\.weight: no lock within \d s "
        r"\(LOCK_PATIENCE\)\.\n  It is held by pid \d+ \(reader\), idle in transaction, .*\n"
        r"  What was finished stays; safe to run again\.\n\Z",
        result.err,
    )
    process = spawn("--rollback", LOCK_PATIENCE="30s")
    until(database, WAITS)
    database.execute("SET statement_timeout = '5s'; SELECT * FROM weight")
    other.close()
    assert process.wait(30) == 0
    assert described(database) == before
