"""Earlier states of the platform are brought to the models, or refused as a whole."""

import re
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from tests.support.catalogs import SAMPLE_ROWS, all_rows, described, everything
from tests.support.copies import copy_of
from tests.support.database import Database, fresh_database
from tests.support.earlier import GROWN_APART, STATES, State, expected, known, rows, surroundings
from tests.support.job import Run

LEFTOVERS = """
SELECT relname FROM pg_class WHERE relname ~ '^eater_(new|old)_'
UNION ALL SELECT conname FROM pg_constraint WHERE conname ~ '^eater_(new|old)_'
UNION ALL SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid
"""


@pytest.fixture(scope="module")
def fresh(server: Dict[str, Any], template: str) -> Dict[str, Any]:
    """The catalog of a fresh initialisation."""
    with fresh_database(server, template) as database:
        return known(database, State(Path("public"), "public"), described(database))


OTHER_SETTINGS = "; ".join(
    f"ALTER DATABASE {{0}} SET {setting}"
    for setting in ("DateStyle = 'German'", "TimeZone = 'Asia/Tokyo'", "extra_float_digits = 0")
)


@pytest.mark.parametrize("settings", ["", OTHER_SETTINGS], ids=["", "other settings"])
@pytest.mark.parametrize("state", STATES, ids=[state.name for state in STATES])
def test_an_earlier_state_is_brought_to_the_models(
    database: Database, run: Run, fresh: Dict[str, Any], state: State, settings: str
) -> None:
    """In one run, with every value of every row; a second run changes nothing."""
    state.load(database)
    before, around = rows(database, state), surroundings(database, state)
    database.execute(settings.format(database.name) or "SELECT")
    assert run(POSTGRES_SCHEMAS=state.setting).code == 0
    assert known(database, state, fresh) == fresh
    after = rows(database, state)
    assert {table: after[table] for table in before} == expected(before)
    assert surroundings(database, state) == around
    assert database.rows(LEFTOVERS) == []
    unchanged = everything(database)
    assert "schema is current" in run(POSTGRES_SCHEMAS=state.setting).err
    assert everything(database) == unchanged


# Besides the SQL that is printed, which is all that it takes where this is None.
WAYS_OUT = {
    "public.alcohol_for_day is a view;": None,
    "public.dishes.calories is character varying;": (
        "UPDATE dishes SET calories = '0' WHERE calories = 'many'"
    ),
    "public.dishes.contains is text;": None,
    "public.dishes_day.date is character varying;": "DROP VIEW days",
    "public.dishes_day.dishes_day_pkey is missing:": (
        "DELETE FROM dishes_day a USING dishes_day b WHERE a.time = b.time AND a.ctid > b.ctid"
    ),
    "public.weight.time is missing;": ("UPDATE weight SET time = weight"),
    "public.dishes.dishes_owner is FOREIGN KEY": (
        "INSERT INTO \"user\" (email) VALUES ('legacy@localhost')"
    ),
}


def printed(log: str, what: str) -> str:
    """Return the SQL of a refusal's way out."""
    refusal = log.split(f"refused: {what}")[1].split("\nrefused: ", maxsplit=1)[0]
    return "".join(line for line in refusal.splitlines() if line.startswith("    ")) or "SELECT"


@pytest.mark.long
def test_what_has_grown_apart_is_refused_until_all_ways_out_are_taken(
    database: Database, run: Run
) -> None:
    """Every refusal stands in the first message, save what only then can be seen.

    Each way out is taken as it is printed, or by what its query has found.
    """
    GROWN_APART.load(database)
    ways_out = list(WAYS_OUT)
    for number, what in enumerate(ways_out):
        before, refused = everything(database), run()
        assert (refused.code, everything(database)) == (4, before)
        listed = [text for text in ways_out if f"refused: {text}" in refused.err]
        assert refused.err.count("refused: ") == len(listed)
        # A foreign key is asked for when it is certain what the rows of its table will hold.
        assert set(listed) >= {what, *ways_out[number:-1]}
        database.execute(printed(refused.err, what))
        database.execute(WAYS_OUT[what] or "SELECT")
    assert run().code == 0
    counts = "SELECT (SELECT count(*) FROM dishes), (SELECT count(*) FROM dishes_day)"
    assert database.rows(counts) == [(150, 100)]
    assert "schema is current" in run().err


@pytest.mark.parametrize("state", ["late_2024", "half_migrated"])
def test_dates_are_those_that_the_text_meant(database: Database, run: Run, state: str) -> None:
    """Told apart by shape, or computed from `time` in UTC; never by the server's DateStyle."""
    next(found for found in STATES if found.name == state).load(database)
    days = "SELECT count(*) FROM dishes_day WHERE date <> (to_timestamp(time) AT TIME ZONE 'UTC')"
    assert run().code == 0
    assert database.value(days + "::date") == 0
    assert database.value("SELECT count(*) FROM total_for_day WHERE date <> today") == 0
    assert database.value("SELECT count(*) FROM dishes_day WHERE user_email LIKE 'legacy%'") > 0


REFUSED = {
    "dates": (
        "ALTER TABLE dishes_day ALTER date TYPE varchar; UPDATE dishes_day SET date = '31-02-2024'",
        "refused: public.dishes_day.date is character varying; the model says date.\n"
        "  1 of 1 row does not convert, e.g. time=1731024000 '31-02-2024'.\n"
        "  Nothing was changed. Find them with:\n"
        '    SELECT "time", date FROM public.dishes_day WHERE date IS NOT NULL AND NOT (CASE WHEN ',
    ),
    "duplicates": (
        "ALTER TABLE dishes_day DROP CONSTRAINT dishes_day_pkey; "
        "INSERT INTO dishes_day SELECT * FROM dishes_day",
        'refused: public.dishes_day.dishes_day_pkey is missing: PRIMARY KEY ("time").\n'
        "  1 value is duplicated, e.g. time=1731024000 (2 rows).\n",
    ),
    "nulls": (
        "ALTER TABLE weight DROP CONSTRAINT weight_pkey; ALTER TABLE weight ALTER time DROP NOT "
        "NULL; UPDATE weight SET time = NULL",
        "refused: public.weight.time is nullable; the model requires NOT NULL and declares no "
        "backfill for existing rows.\n  1 of 1 row is NULL.\n  Nothing was changed. "
        'Find them with:\n    SELECT "time" FROM public.weight WHERE "time" IS NULL;\n',
    ),
    "a foreign key on the old key": (
        "ALTER TABLE dishes DROP CONSTRAINT dishes_pkey; ALTER TABLE dishes ADD CONSTRAINT "
        "dishes_pkey PRIMARY KEY (id, name); CREATE TABLE other (id integer, name varchar, FOREIGN "
        "KEY (id, name) REFERENCES dishes)",
        "refused: public.dishes.dishes_pkey is PRIMARY KEY (id, name); the model says "
        "PRIMARY KEY (id).\n  Foreign keys depend on it: other_id_name_fkey on public.other.\n"
        "  Nothing was changed. Drop them, run again, and create those again that the models do "
        "not know:\n    ALTER TABLE public.other DROP CONSTRAINT other_id_name_fkey;\n"
        "    ALTER TABLE public.other ADD CONSTRAINT other_id_name_fkey "
        "FOREIGN KEY (id, name) REFERENCES public.dishes(id, name);\n",
    ),
    "a view on the column": (
        "ALTER TABLE weight ALTER weight TYPE real; CREATE VIEW heavy AS SELECT weight FROM weight",
        "refused: public.weight.weight is real; the model says double precision.\n"
        "  It is used by view public.heavy.\n"
        "  Nothing was changed. Drop what is in the way, run again, create it again.\n",
    ),
    "a check that only the old type can have": (
        "ALTER TABLE weight ALTER date TYPE integer USING 20241108; "
        "ALTER TABLE weight ADD CONSTRAINT sane CHECK (date > 5)",
        "The server says: operator does not exist: character varying > integer.",
    ),
}


# The way out of those that no value of a row is in the way of: before and after the run.
MENDED = {
    "a foreign key on the old key": (
        "ALTER TABLE other DROP CONSTRAINT other_id_name_fkey",
        "ALTER TABLE other ADD FOREIGN KEY (id) REFERENCES dishes",
    ),
    "a view on the column": (
        "DROP VIEW heavy",
        "CREATE VIEW heavy AS SELECT weight FROM weight",
    ),
    "a collation": ("", "SELECT"),  # as it is printed
}


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("reason", list(REFUSED))
def test_what_is_not_safe_is_refused_and_nothing_is_changed(
    database: Database, run: Run, reason: str
) -> None:
    """Possible changes beside it are not made either; exit code 4."""
    drift, message = REFUSED[reason]
    database.execute(SAMPLE_ROWS + drift + "; DROP INDEX idx_users_email")
    catalog, rows = described(database), all_rows(database)
    result = run()
    assert result.code == 4
    assert message in result.err
    assert (described(database), all_rows(database)) == (catalog, rows)
    if reason in MENDED:
        before, after = MENDED[reason]
        database.execute(before or result.err.splitlines()[-1])
        assert run().code == 0
        database.execute(after)
        assert all_rows(database) == rows
        assert run("--verify").code == 0


@pytest.mark.usefixtures("initialised")
def test_every_refusal_is_listed(database: Database, run: Run) -> None:
    """Who mends one thing need not run again to learn of the next."""
    database.execute(SAMPLE_ROWS + REFUSED["dates"][0] + ";" + REFUSED["nulls"][0])
    result = run("--plan")
    assert result.code == 4
    assert result.out.count("-- refused: ") == 2


@pytest.mark.usefixtures("initialised")
def test_a_large_table_is_not_rewritten(database: Database, run: Run) -> None:
    """REWRITE_MAX_ROWS counts rows; the refusal names the setting, and what else to type."""
    database.execute(
        SAMPLE_ROWS + "ALTER TABLE dishes_day ALTER date TYPE varchar; "
        "ALTER TABLE dishes_day ALTER date SET DEFAULT '1970-01-01'"
    )
    result = run(REWRITE_MAX_ROWS="0")
    assert result.code == 4
    assert re.search(
        r" ERROR refused: public\.dishes_day\.date is character varying; the model says date\.\n"
        r"  That rewrites the table while everybody waits: 1 row, \d+ kB; REWRITE_MAX_ROWS is 0\.\n"
        r"  Nothing was changed\. In a maintenance window, run with REWRITE_MAX_ROWS=1, or type:\n"
        r"    ALTER TABLE public\.dishes_day ALTER COLUMN date DROP DEFAULT;\n"
        r"    ALTER TABLE public\.dishes_day ALTER COLUMN date TYPE date USING CASE .* END;\n\Z",
        result.err,
    )
    with copy_of(database) as by_hand:
        for statement in result.err.splitlines()[-2:]:
            by_hand.execute(statement)
        assert run(REWRITE_MAX_ROWS="0", POSTGRES_DB=by_hand.name).code == 0
        expected_rows = all_rows(by_hand)
        by_hand.close()
    assert run(REWRITE_MAX_ROWS="1").code == 0
    assert all_rows(database) == expected_rows


@pytest.mark.usefixtures("initialised")
def test_a_large_table_is_not_numbered(database: Database, run: Run) -> None:
    """A sequence rewrites its table; after the printed statement the run finishes."""
    catalog = described(database)
    database.execute(SAMPLE_ROWS + "ALTER TABLE dishes DROP id")
    result = run(REWRITE_MAX_ROWS="0")
    assert result.code == 4
    assert re.search(
        r" ERROR refused: public\.dishes\.id is missing; a sequence numbers the rows\.\n"
        r"  That rewrites the table while everybody waits: 1 row, \d+ kB; REWRITE_MAX_ROWS is 0\.\n"
        r"  Nothing was changed\. In a maintenance window, run with REWRITE_MAX_ROWS=1, or type:\n"
        r"    ALTER TABLE public\.dishes ADD COLUMN id SERIAL NOT NULL;\n\Z",
        result.err,
    )
    database.execute(result.err.splitlines()[-1])
    assert run(REWRITE_MAX_ROWS="0").code == 0
    assert described(database) == catalog


@pytest.mark.usefixtures("initialised")
def test_a_wider_varchar_is_no_rewrite(database: Database, run: Run) -> None:
    """The table keeps its file."""
    database.execute("ALTER TABLE weight ALTER date TYPE varchar(50)")
    node = "SELECT relfilenode FROM pg_class WHERE relname = 'weight'"
    before = database.value(node)
    assert run().code == 0
    assert database.value(node) == before
    assert described(database)["weight"]["columns"]["date"]["type"] == "character varying"


@pytest.mark.usefixtures("initialised")
def test_a_backfill_goes_in_batches(database: Database, run: Run) -> None:
    """No transaction holds the rows of a whole table."""
    database.execute(
        "ALTER TABLE weight ALTER user_email DROP NOT NULL; INSERT INTO weight "
        "SELECT g, '2024-11-08', g, NULL FROM generate_series(1, 25000) g; ANALYZE weight"
    )
    assert run().code == 0
    transactions = database.value("SELECT count(DISTINCT xmin::text) FROM weight")
    assert 3 <= transactions <= 10
    assert database.value("SELECT count(*) FROM weight WHERE user_email = 'legacy@localhost'") > 0


@pytest.mark.usefixtures("initialised")
def test_an_index_is_replaced_by_one_of_the_same_name(database: Database, run: Run) -> None:
    """A valid temporary index that an interrupted run left is put to use."""
    database.execute(
        "DROP INDEX idx_weight_date; CREATE INDEX idx_weight_date ON weight (weight); "
        "CREATE INDEX eater_new_idx_weight_date ON weight (date)"
    )
    node = "SELECT relfilenode FROM pg_class WHERE relname = %s"
    built = database.value(node, ("eater_new_idx_weight_date",))
    assert run().code == 0
    assert database.value(node, ("idx_weight_date",)) == built
    assert database.rows(LEFTOVERS) == []


ODD: List[Tuple[str, int]] = [("2024-02-29", 0), ("29-02-2023", 4), ("2024-13-01", 4), ("", 4)]


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize(("text", "code"), [*ODD, ("0000-01-01", 4), ("2024-1-1", 4)])
def test_only_real_days_are_dates(database: Database, run: Run, text: str, code: int) -> None:
    """Exactly YYYY-MM-DD and DD-MM-YYYY, of the real calendar."""
    database.execute(SAMPLE_ROWS + "ALTER TABLE dishes_day ALTER date TYPE varchar")
    database.execute("UPDATE dishes_day SET date = %s", (text,))
    assert run().code == code
