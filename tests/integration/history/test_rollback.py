"""Every kind of step can be taken back."""

import re
from typing import Any, List, NamedTuple, Tuple

import pytest

from converge.quoting import identifier
from tests.support.catalogs import SAMPLE_ROWS, all_rows, described, everything
from tests.support.database import Database
from tests.support.desired import METADATA
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
    "change padded type": "ALTER TABLE weight ALTER date TYPE char(12)",
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
    "replace key with all that a key may have": "ALTER TABLE total_for_day DROP CONSTRAINT "
    "total_for_day_pkey; ALTER TABLE total_for_day ADD CONSTRAINT own PRIMARY KEY (date) "
    "INCLUDE (user_email) DEFERRABLE INITIALLY DEFERRED",
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


class Lost(NamedTuple):
    """What an undo would lose, and how that is averted."""

    before: str  # what the version has found
    since: str  # what somebody has done to its rows
    refused: str
    kept: str  # a query for the values, in its first column, after the way out and the rollback
    values: List[Tuple[Any, ...]]
    by_hand: str = ""  # empty: what is printed is typed as it is


LOST = {
    "a table with rows": Lost(
        "DROP TABLE alcohol_for_day",
        "INSERT INTO alcohol_for_day SELECT '2024-11-08', 'a', 1, 2, '{}' "
        "FROM generate_series(1, 1)",
        "'create table public.alcohol_for_day' would lose the values of 1 row.\n"
        "  Nothing was changed. Keep them under another name:\n"
        "    ALTER TABLE public.alcohol_for_day RENAME TO alcohol_for_day_saved;\n",
        "SELECT date::text, user_email, total_calories FROM alcohol_for_day_saved",
        [("2024-11-08", "a", 2)],
    ),
    "a column with other values": Lost(
        "ALTER TABLE dishes_day DROP user_email",
        "UPDATE dishes_day SET user_email = 'ann@example.org'",
        "'add column public.dishes_day.user_email' would lose the values of 1 row.\n"
        "  Nothing was changed. Keep them under another name:\n"
        "    ALTER TABLE public.dishes_day RENAME COLUMN user_email TO user_email_saved;\n"
        "    ALTER TABLE public.dishes_day ALTER COLUMN user_email_saved DROP NOT NULL;\n",
        'SELECT user_email_saved, "time" FROM dishes_day',
        [("ann@example.org", 1731024000)],
    ),
    "a number of every row, which is the key": Lost(
        "ALTER TABLE dishes DROP id",
        "UPDATE dishes SET id = 41",
        "'add column public.dishes.id' would lose the values of 1 row.\n"
        "  Nothing was changed. Keep them under another name:\n"
        "    ALTER TABLE public.dishes DROP CONSTRAINT dishes_pkey;\n"
        "    ALTER TABLE public.dishes RENAME COLUMN id TO id_saved;\n"
        "    ALTER TABLE public.dishes ALTER COLUMN id_saved DROP NOT NULL;\n",
        "SELECT id_saved, name FROM dishes",
        [(41, "soup")],
    ),
    "a column of a key that took the place of another": Lost(
        "ALTER TABLE total_for_day DROP user_email; "
        "ALTER TABLE total_for_day ADD CONSTRAINT total_for_day_pkey PRIMARY KEY (today)",
        "UPDATE total_for_day SET user_email = 'ann@example.org'",
        "'add column public.total_for_day.user_email' would lose the values of 1 row.\n"
        "  Nothing was changed. Keep them under another name:\n"
        "    ALTER TABLE public.total_for_day DROP CONSTRAINT total_for_day_pkey;\n"
        "    ALTER TABLE public.total_for_day RENAME COLUMN user_email TO user_email_saved;\n"
        "    ALTER TABLE public.total_for_day ALTER COLUMN user_email_saved DROP NOT NULL;\n",
        "SELECT user_email_saved, today::text FROM total_for_day",
        [("ann@example.org", "2024-11-08")],
    ),
    "a type that has no way back": Lost(
        "ALTER TABLE weight ALTER date TYPE cidr USING '10.0.0.0/8'",
        "UPDATE weight SET date = '10.1.0.0/16'",
        "'change type public.weight.date' would lose the values of 1 row.\n"
        "  Nothing was changed. Keep them under another name:\n"
        "    ALTER TABLE public.weight ADD COLUMN date_saved character varying;\n"
        "    UPDATE public.weight SET date_saved = date;\n"
        "    ALTER TABLE public.weight ALTER COLUMN date TYPE cidr USING date::cidr;\n",
        "SELECT date_saved, date::text, pg_typeof(date)::text FROM weight",
        [("10.1.0.0/16", "10.1.0.0/16", "cidr")],
    ),
    "a type that has no way back, of a key": Lost(
        "ALTER TABLE total_for_day ALTER user_email TYPE cidr USING '10.0.0.0/8'",
        "UPDATE total_for_day SET user_email = '10.1.0.0/16'",
        "'change type public.total_for_day.user_email' would lose the values of 1 row.\n"
        "  Nothing was changed. Keep them under another name:\n"
        "    ALTER TABLE public.total_for_day ADD COLUMN user_email_saved character varying;\n"
        "    UPDATE public.total_for_day SET user_email_saved = user_email;\n"
        "    ALTER TABLE public.total_for_day ALTER COLUMN user_email TYPE cidr "
        "USING user_email::cidr;\n",
        "SELECT user_email_saved, user_email::text, pg_typeof(user_email)::text FROM total_for_day",
        [("10.1.0.0/16", "10.1.0.0/16", "cidr")],
    ),
    "a number that the server would round": Lost(
        "ALTER TABLE weight ALTER weight TYPE numeric(8,2)",
        "UPDATE weight SET weight = 61.255",
        "'change type public.weight.weight' is not possible: the values of 1 row would not fit.\n"
        "  Nothing was changed. Change them to what fits; find them with:\n"
        "    SELECT * FROM public.weight WHERE weight IS NOT NULL AND NOT (CASE WHEN ",
        "SELECT weight::text, pg_typeof(weight)::text FROM weight",
        [("61.25", "numeric")],
        "UPDATE weight SET weight = 61.25",
    ),
    "a text whose end would be taken for padding": Lost(
        "ALTER TABLE weight ALTER date TYPE char(10)",
        "UPDATE weight SET date = '6-11-2024 '",
        "'change type public.weight.date' is not possible: the values of 1 row would not fit.\n"
        "  Nothing was changed. Change them to what fits; find them with:\n"
        "    SELECT * FROM public.weight WHERE date IS NOT NULL AND NOT "
        "(char_length(date) <= 10 AND date = rtrim(date));\n",
        "SELECT rtrim(date) FROM weight",
        [("06-11-2024",)],
        "UPDATE weight SET date = '06-11-2024'",
    ),
    "a value that no longer fits": Lost(
        "ALTER TABLE weight ALTER date TYPE varchar(10)",
        "UPDATE weight SET date = 'the day before yesterday'",
        "'change type public.weight.date' is not possible: the values of 1 row would not fit.\n"
        "  Nothing was changed. Change them to what fits; find them with:\n"
        "    SELECT * FROM public.weight WHERE date IS NOT NULL AND NOT "
        "(char_length(date) <= 10);\n",
        "SELECT date FROM weight",
        [("06-11-2024",)],
        "UPDATE weight SET date = '06-11-2024'",
    ),
    "json that jsonb would change": Lost(
        "ALTER TABLE dishes_day ALTER contains TYPE jsonb",
        """UPDATE dishes_day SET contains = '{"b":1, "a": 2}'""",
        "'change type public.dishes_day.contains' is not possible: the values of 1 row would not "
        "fit.\n  Nothing was changed. Change them to what fits; find them with:\n"
        "    SELECT * FROM public.dishes_day WHERE contains IS NOT NULL AND NOT (CASE WHEN ",
        "SELECT contains::text FROM dishes_day",
        [('{"a": 2, "b": 1}',)],
        "UPDATE dishes_day SET contains = contains::jsonb::json",
    ),
    "json that jsonb does not take": Lost(
        "ALTER TABLE dishes_day ALTER contains TYPE jsonb",
        """UPDATE dishes_day SET contains = '{"a": "\\u0000", "b": 1e9999999}'""",
        "'change type public.dishes_day.contains' is not possible: the values of 1 row would not "
        "fit.\n  Nothing was changed. Change them to what fits; find them with:\n"
        "    SELECT * FROM public.dishes_day WHERE contains IS NOT NULL AND NOT (CASE WHEN ",
        "SELECT contains::text FROM dishes_day",
        [("{}",)],
        "UPDATE dishes_day SET contains = '{}'",
    ),
    "a NULL where NOT NULL comes back": Lost(
        'UPDATE "user" SET language = \'en\'; ALTER TABLE "user" ALTER language SET NOT NULL',
        'UPDATE "user" SET language = NULL',
        "'drop not null public.user.language' is not possible: the values of 1 row would not fit."
        "\n  Nothing was changed. Change them to what fits; find them with:\n"
        '    SELECT * FROM public."user" WHERE language IS NULL;\n',
        'SELECT language FROM "user"',
        [("de",)],
        "UPDATE \"user\" SET language = 'de'",
    ),
}


def texts(database: Database) -> List[List[Tuple[Any, ...]]]:
    """Return every row as text: some JSON can't be read as anything else."""
    return [
        database.rows(f"SELECT t::text FROM {identifier(table)} t") for table in METADATA.tables
    ]


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("what", list(LOST))
def test_an_undo_that_would_lose_values_is_refused_until_they_are_kept(
    database: Database, run: Run, what: str
) -> None:
    """After the printed way out the rollback succeeds, and all values are still there.

    A later run brings the database to the models again, and leaves them where they are.
    """
    lost = LOST[what]
    database.execute(SAMPLE_ROWS + "DROP TABLE eater_schema_history;" + lost.before)
    assert run().code == 0
    database.execute(lost.since)
    unchanged = everything(database), texts(database)
    result = run("--rollback")
    assert result.code == 4
    (refusal,) = re.findall(r"^.* ERROR refused: undoing (.*)\Z", result.err, re.DOTALL | re.M)
    assert refusal.startswith(lost.refused)
    assert (everything(database), texts(database)) == unchanged
    printed = re.findall("^    .*;$", refusal, re.MULTILINE)
    if lost.by_hand:
        assert len(database.rows(printed[-1])) == 1
    for statement in [lost.by_hand] if lost.by_hand else printed:
        database.execute(statement)
    result = run("--rollback")
    assert result.code == 0, result.err
    assert database.rows(lost.kept) == lost.values
    again = run()
    if again.code == 4:  # the names of the table's indexes are taken
        for statement in re.findall("^    (ALTER INDEX .*;)$", again.err, re.MULTILINE):
            database.execute(statement)
        again = run()
    assert again.code == 0, again.err
    assert [row[0] for row in database.rows(lost.kept)] == [row[0] for row in lost.values]


# The steps of the newest run as version 1.0.0 had them: SQL, and no facts.
STORED_BY_1_0_0 = """UPDATE eater_schema_history SET steps = (
  SELECT json_agg(json_build_object('step', s ->> 'step', 'why', s ->> 'why',
    'relation', CASE s ->> 'table' WHEN '' THEN '' ELSE 'public.' || quote_ident(s ->> 'table') END,
    'undo', s #> '{undo,statements}', 'undo_online', '[]'::json, 'undo_lock', '', 'guard', NULL))
  FROM json_array_elements(steps) s) WHERE run = (SELECT max(run) FROM eater_schema_history)"""
DEPENDENTS = {
    "view": (
        'CREATE VIEW v AS SELECT email FROM "user"',
        "'create table public.user' is not possible: view public.v depends on public.\"user\"",
        "DROP VIEW v",
    ),
    "views of a column": (
        "DROP TABLE eater_schema_history; ALTER TABLE weight DROP user_email",
        "'add column public.weight.user_email' is not possible: view public.v, view public.w "
        "depend on public.weight.user_email",
        "DROP VIEW v, w",
    ),
}


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("what", list(DEPENDENTS))
@pytest.mark.parametrize("of_1_0_0", [False, True])
def test_what_others_built_on_is_not_dropped(
    database: Database, run: Run, what: str, of_1_0_0: bool
) -> None:
    """The rollback is refused as a whole, while it is planned; without them it goes on."""
    before, refused, way_out = DEPENDENTS[what]
    database.execute(before)
    if what != "view":
        assert run().code == 0
        for name in "v", "w":
            database.execute(f"CREATE VIEW {name} AS SELECT user_email FROM weight")
    if of_1_0_0:
        database.execute(STORED_BY_1_0_0)
    unchanged = everything(database)
    plan, result = run("--rollback", "--plan"), run("--rollback")
    assert (plan.code, result.code) == (4, 4), result.err
    assert f"-- refused: undoing {refused}.\n" in plan.out
    assert result.err.endswith(
        f" ERROR refused: undoing {refused}.\n"
        "  Nothing was changed. Drop what is in the way, run again, create it again.\n"
    )
    assert everything(database) == unchanged
    database.execute(way_out)
    assert run("--rollback").code == 0


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
        "  Nothing was changed. In a maintenance window, run with REWRITE_MAX_ROWS=1.\n"
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
    assert result.code == 6
    assert re.search(
        r" ERROR undo set not null public\.weight\.weight: could not acquire the lock within "
        r"LOCK_PATIENCE \(1\.0 s\)\.\n"
        r"  It waited for a lock on public\.weight held by pid \d+ \(reader\), idle .*\n"
        r"  (Finished steps stay; safe to|Nothing was changed;) run again\.\n\Z",
        result.err,
    )
    process = spawn("--rollback", LOCK_PATIENCE="30s")
    until(database, WAITS)
    database.execute("SET statement_timeout = '5s'; SELECT * FROM weight")
    other.close()
    assert process.wait(30) == 0
    assert described(database) == before
