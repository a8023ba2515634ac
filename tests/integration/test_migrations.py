"""Earlier states of the platform are brought to the models, or refused as a whole."""

from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from tests.conftest import Database, Run
from tests.support.catalogs import SAMPLE_ROWS, all_rows, described

STATES = sorted((Path(__file__).parent.parent / "support" / "states").glob("*.sql"))
LEFTOVERS = """
SELECT relname FROM pg_class WHERE relname ~ '^eater_(new|old)_'
UNION ALL SELECT conname FROM pg_constraint WHERE conname ~ '^eater_(new|old)_'
UNION ALL SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid
"""


def known(database: Database) -> Dict[str, Any]:
    """Return the catalog without what the models do not know, and with accepted types as theirs."""
    tables = described(database)
    wider = {"bigint": "integer", "text[]": "character varying[]"}
    for table in tables.values():
        for name in ("health_rating", "food_health_level", "image_id", "added_sugar_tsp"):
            table["columns"].pop(name, None)
        for name in ("idx_dishes_day_sugar", "somebody_elses_ccnew"):
            (table["indexes"] or {}).pop(name, None)
        for name, column in table["columns"].items():
            column["type"] = wider.get(column["type"], column["type"])
            if name in ("time", "user_email"):
                column["default"] = None  # a live default where the model has none
    return tables


@pytest.fixture
def fresh(database: Database, run: Run) -> Dict[str, Any]:
    """The catalog of a fresh initialisation, in another schema."""
    run(POSTGRES_SCHEMAS="fresh")
    catalog = described(database, "fresh")
    database.execute("DROP SCHEMA fresh CASCADE; DROP EXTENSION pg_trgm")
    return catalog


@pytest.mark.parametrize("settings", ["", "DateStyle = 'SQL, MDY'", "DateStyle = 'German'"])
@pytest.mark.parametrize("state", STATES, ids=[state.stem for state in STATES])
def test_an_earlier_state_is_brought_to_the_models(
    database: Database, run: Run, fresh: Dict[str, Any], state: Path, settings: str
) -> None:
    """In one run, with every row; the result equals a fresh one; a second run changes nothing."""
    database.execute(state.read_text("utf-8"))
    if settings:
        database.execute(f"ALTER DATABASE {database.name} SET {settings}")
        database.execute(f"ALTER DATABASE {database.name} SET TimeZone = 'Asia/Tokyo'")
    before = database.rows("SELECT time, to_jsonb(d) FROM dishes_day d ORDER BY time")
    weights = database.rows("SELECT time, weight FROM weight ORDER BY time")
    database.close()
    assert run().code == 0
    assert known(database) == fresh
    assert database.rows(LEFTOVERS) == []
    after = dict(database.rows("SELECT time, to_jsonb(d) FROM dishes_day d ORDER BY time"))
    for time, row in before:
        kept = {"dish_name": row["dish_name"], "ingredients": row["ingredients"]}
        assert {name: after[time][name] for name in kept} == kept
    assert database.rows("SELECT time, weight FROM weight ORDER BY time") == weights
    assert "schema is current" in run().err


@pytest.mark.parametrize("state", ["late_2024", "half_migrated"])
def test_dates_are_those_that_the_text_meant(database: Database, run: Run, state: str) -> None:
    """Told apart by shape, or computed from `time` in UTC; never by the server's DateStyle."""
    path = next(found for found in STATES if found.stem == state)
    database.execute(path.read_text("utf-8"))
    days = "SELECT count(*) FROM dishes_day WHERE date <> (to_timestamp(time) AT TIME ZONE 'UTC')"
    assert run().code == 0
    assert database.value(days + "::date") == 0
    assert database.value("SELECT count(*) FROM total_for_day WHERE date <> today") == 0
    assert database.value("SELECT count(*) FROM dishes_day WHERE user_email LIKE 'legacy%'") > 0


REFUSED = {
    "dates": (
        "ALTER TABLE dishes_day ALTER date TYPE varchar; UPDATE dishes_day SET date = '31-02-2024'",
        "refused: public.dishes_day.date is character varying, the model says date.\n"
        "  1 of 1 row does not convert, e.g. time=1731024000 '31-02-2024'.\n"
        "  Nothing was changed. Find them with:\n    SELECT time, date FROM public.dishes_day",
    ),
    "duplicates": (
        "ALTER TABLE dishes_day DROP CONSTRAINT dishes_day_pkey; "
        "INSERT INTO dishes_day SELECT * FROM dishes_day",
        'refused: public.dishes_day.dishes_day_pkey is missing: PRIMARY KEY ("time").\n'
        "  There more than once: 1 value, e.g. time=1731024000 2 times.",
    ),
    "nulls": (
        "ALTER TABLE weight DROP CONSTRAINT weight_pkey; ALTER TABLE weight ALTER time DROP NOT "
        "NULL; UPDATE weight SET time = NULL",
        "refused: public.weight.time may be NULL, the model says NOT NULL and no value for older "
        "rows.\n  1 of 1 row is NULL, e.g. None.",
    ),
    "a foreign key on the old key": (
        "ALTER TABLE dishes DROP CONSTRAINT dishes_pkey; ALTER TABLE dishes ADD CONSTRAINT "
        "dishes_pkey PRIMARY KEY (id, name); CREATE TABLE other (id integer, name varchar, FOREIGN "
        "KEY (id, name) REFERENCES dishes)",
        "Foreign keys depend on it: other_id_name_fkey on public.other.",
    ),
    "a view on the column": (
        "ALTER TABLE weight ALTER weight TYPE real; CREATE VIEW heavy AS SELECT weight FROM weight",
        "It is used by view public.heavy.",
    ),
    "a collation": (
        'ALTER TABLE weight ALTER date TYPE varchar COLLATE "C"',
        'refused: public.weight.date is character varying COLLATE "C", the model says character',
    ),
}


@pytest.mark.parametrize("reason", list(REFUSED))
def test_what_is_not_safe_is_refused_and_nothing_is_changed(
    database: Database, run: Run, reason: str
) -> None:
    """Possible changes beside it are not made either; exit code 4."""
    run()
    drift, message = REFUSED[reason]
    database.execute(SAMPLE_ROWS + drift + "; DROP INDEX idx_users_email")
    catalog, rows = described(database), all_rows(database)
    result = run()
    assert result.code == 4
    assert message in result.err
    assert (described(database), all_rows(database)) == (catalog, rows)


def test_every_refusal_is_listed(database: Database, run: Run) -> None:
    """Who mends one thing need not run again to learn of the next."""
    run()
    database.execute(SAMPLE_ROWS + REFUSED["dates"][0] + ";" + REFUSED["nulls"][0])
    result = run("--plan")
    assert result.code == 4
    assert result.out.count("-- refused: ") == 2


def test_a_large_table_is_not_rewritten(database: Database, run: Run) -> None:
    """REWRITE_MAX_ROWS counts rows; the refusal names the statement for a maintenance window."""
    run()
    database.execute(SAMPLE_ROWS + "ALTER TABLE dishes_day ALTER date TYPE varchar")
    result = run(REWRITE_MAX_ROWS="0")
    assert result.code == 4
    assert "everybody waits: 1 row, " in result.err
    assert "REWRITE_MAX_ROWS is 0." in result.err
    assert "ALTER TABLE public.dishes_day ALTER COLUMN date TYPE date USING CASE" in result.err
    assert run(REWRITE_MAX_ROWS="1").code == 0


def test_a_wider_varchar_is_no_rewrite(database: Database, run: Run) -> None:
    """The table keeps its file."""
    run()
    database.execute("ALTER TABLE weight ALTER date TYPE varchar(50)")
    node = "SELECT relfilenode FROM pg_class WHERE relname = 'weight'"
    before = database.value(node)
    assert run().code == 0
    assert database.value(node) == before
    assert described(database)["weight"]["columns"]["date"]["type"] == "character varying"


def test_a_backfill_goes_in_batches(database: Database, run: Run) -> None:
    """No transaction holds the rows of a whole table."""
    run()
    database.execute(
        "ALTER TABLE weight ALTER user_email DROP NOT NULL; INSERT INTO weight "
        "SELECT g, '2024-11-08', g, NULL FROM generate_series(1, 25000) g; ANALYZE weight"
    )
    assert run().code == 0
    transactions = database.value("SELECT count(DISTINCT xmin::text) FROM weight")
    assert 3 <= transactions <= 10
    assert database.value("SELECT count(*) FROM weight WHERE user_email = 'legacy@localhost'") > 0


def test_an_index_is_replaced_by_one_of_the_same_name(database: Database, run: Run) -> None:
    """A valid temporary index that an interrupted run left is put to use."""
    run()
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


@pytest.mark.parametrize(("text", "code"), [*ODD, ("0000-01-01", 4), ("2024-1-1", 4)])
def test_only_real_days_are_dates(database: Database, run: Run, text: str, code: int) -> None:
    """Exactly YYYY-MM-DD and DD-MM-YYYY, of the real calendar."""
    run()
    database.execute(SAMPLE_ROWS + "ALTER TABLE dishes_day ALTER date TYPE varchar")
    database.execute("UPDATE dishes_day SET date = %s", (text,))
    assert run().code == code
