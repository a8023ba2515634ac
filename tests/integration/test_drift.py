"""Whatever is missing is put back, and everything else is left as it was."""

import json
from typing import Any, Dict, List, Tuple

import pytest

import ddl
from tests.conftest import Database, Run
from tests.support.catalogs import SAMPLE_ROWS, all_rows, described, files

TABLES = list(ddl.METADATA.tables)
COLUMNS = [(t.name, c.name) for t in ddl.METADATA.sorted_tables for c in t.columns]
INDEXES = [(str(i.table.name), str(i.name)) for i in ddl.INDEXES if i.table is not None]
# Keys for which older rows can have no honest value, so that only an empty table gets them back.
WITHOUT_VALUE = [
    ("user", "email"),
    ("dishes_day", "time"),
    ("weight", "time"),
    ("alcohol_consumption", "time"),
    ("alcohol_for_day", "date"),
]


@pytest.fixture
def initialised(database: Database, run: Run) -> Database:
    """A database as the models describe, with a row in every table."""
    assert run().code == 0
    database.execute(SAMPLE_ROWS)
    return database


@pytest.mark.parametrize(("table", "column"), [c for c in COLUMNS if c not in WITHOUT_VALUE])
def test_a_missing_column_is_put_back(
    initialised: Database, run: Run, table: str, column: str
) -> None:
    """Every column comes back with its indexes and key; no other value changes."""
    catalog, rows = described(initialised), all_rows(initialised)
    initialised.execute(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
    assert run().code == 0
    assert described(initialised)[table] == catalog[table]
    assert _without(all_rows(initialised), table, column) == _without(rows, table, column)


@pytest.mark.parametrize(("table", "column"), WITHOUT_VALUE)
def test_a_missing_key_is_refused_where_rows_would_need_a_value(
    initialised: Database, run: Run, table: str, column: str
) -> None:
    """Nothing at all is changed when a column has no value for older rows."""
    initialised.execute(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
    catalog, rows = described(initialised), all_rows(initialised)
    result = run()
    assert result.code == 4
    assert f"{table}.{column} is missing, the model says NOT NULL" in result.err
    assert "The table has 1 row.\n  Nothing was changed." in result.err
    assert (described(initialised), all_rows(initialised)) == (catalog, rows)


@pytest.mark.parametrize(("table", "column"), WITHOUT_VALUE)
def test_a_missing_key_is_put_back_into_an_empty_table(
    initialised: Database, run: Run, table: str, column: str
) -> None:
    """Where there are no rows, there is nothing to refuse."""
    catalog = described(initialised)
    initialised.execute(f'DELETE FROM "{table}"; ALTER TABLE "{table}" DROP COLUMN "{column}"')
    assert run().code == 0
    assert described(initialised)[table] == catalog[table]


@pytest.mark.parametrize(("table", "index"), INDEXES)
def test_a_missing_index_is_put_back(
    initialised: Database, run: Run, table: str, index: str
) -> None:
    """An index is built again, and no other relation gets a new file."""
    catalog, before = described(initialised), files(initialised)
    initialised.execute(f'DROP INDEX "{index}"')
    assert run().code == 0
    assert described(initialised) == catalog
    after = files(initialised)
    assert {name for name in before if after[name] != before[name]} == {index}


@pytest.mark.parametrize("index", ["idx_users_email_gin", "idx_dishes_day_user_date"])
def test_an_invalid_index_is_built_again(initialised: Database, run: Run, index: str) -> None:
    """What a failed concurrent build leaves is dropped and replaced."""
    catalog, before = described(initialised), files(initialised)
    initialised.execute(
        "UPDATE pg_index SET indisvalid = false, indisready = false "
        f"WHERE indexrelid = '{index}'::regclass"
    )
    assert run("--verify").code == 5
    assert run().code == 0
    assert described(initialised) == catalog
    assert files(initialised)[index] != before[index]


@pytest.mark.parametrize("table", TABLES)
def test_a_missing_table_is_put_back(initialised: Database, run: Run, table: str) -> None:
    """A table comes back with its indexes; the others keep their rows and files."""
    catalog, rows, before = described(initialised), all_rows(initialised), files(initialised)
    initialised.execute(f'DROP TABLE "{table}"')
    assert run().code == 0
    assert described(initialised) == catalog
    assert all_rows(initialised) == {**rows, table: []}
    untouched = {n: f for n, f in before.items() if files(initialised).get(n) == f}
    assert set(before) - set(untouched) == {
        name for name in before if name == table or _belongs(catalog, table, name)
    }


def test_a_sequence_goes_on_beyond_the_highest_number(initialised: Database, run: Run) -> None:
    """A restored serial never gives out a number that is in use."""
    initialised.execute("UPDATE dishes SET id = 41; ALTER TABLE dishes ALTER id DROP DEFAULT")
    initialised.execute("DROP SEQUENCE dishes_id_seq")
    assert run().code == 0
    insert = "INSERT INTO dishes SELECT nextval('dishes_id_seq'), name, calories, weight, "
    insert += "ingredients, contains, user_email FROM dishes RETURNING id"
    assert initialised.value(insert) == 42


@pytest.mark.parametrize(
    "drift",
    [
        "ALTER TABLE \"user\" ALTER language SET DEFAULT 'de'",
        'ALTER TABLE "user" ALTER language DROP DEFAULT',
        "COMMENT ON COLUMN dishes.weight IS NULL",
        "COMMENT ON TABLE dishes IS 'other'",
        "ALTER TABLE dishes ALTER name DROP NOT NULL",
        "ALTER TABLE dishes DROP CONSTRAINT dishes_pkey",
        'ALTER TABLE "user" ALTER language SET NOT NULL',
    ],
)
def test_a_drifted_property_is_put_right(initialised: Database, run: Run, drift: str) -> None:
    """Defaults, comments, NOT NULL and keys are part of the desired state."""
    catalog, rows = described(initialised), all_rows(initialised)
    initialised.execute("UPDATE \"user\" SET language = 'en'")
    rows = all_rows(initialised)
    initialised.execute(drift)
    assert run("--verify").code == 5
    assert run().code == 0
    assert (described(initialised), all_rows(initialised)) == (catalog, rows)


def test_what_the_models_do_not_know_is_left_alone(initialised: Database, run: Run) -> None:
    """Unknown tables, columns and indexes are named once and kept."""
    initialised.execute(
        "CREATE TABLE feedbacks (id integer); ALTER TABLE weight ADD mood text; "
        "CREATE INDEX idx_mood ON weight (mood); DROP INDEX idx_weight_date"
    )
    result = run()
    assert result.code == 0
    assert result.err.count("left alone, tables of public: feedbacks\n") == 1
    assert result.err.count("left alone, columns of public.weight: mood\n") == 1
    assert result.err.count("left alone, indexes of public.weight: idx_mood\n") == 1
    assert initialised.value("SELECT to_regclass('idx_mood') IS NOT NULL")


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ("CREATE VIEW dishes AS SELECT 1 AS id", "public.dishes is a view, the models say a table"),
        ("CREATE SEQUENCE idx_dishes_name", "public.dishes needs an index named idx_dishes_name"),
        ("CREATE SEQUENCE weight", "public.weight is a sequence, the models say a table"),
        ("CREATE TYPE dishes AS ENUM ('a')", "public.dishes is a type, the models say a table"),
    ],
)
def test_a_name_that_is_taken_is_refused(
    database: Database, run: Run, before: str, message: str
) -> None:
    """Somebody else's object is never dropped for its name."""
    database.execute(before)
    result = run()
    assert result.code == 4
    assert message in result.err
    assert described(database).keys() <= {"dishes"}


def _without(rows: Dict[str, List[Tuple[Any, ...]]], table: str, column: str) -> Dict[str, Any]:
    """Return the rows without one column's values."""
    parsed = {name: [json.loads(row[0]) for row in found] for name, found in rows.items()}
    for row in parsed[table]:
        del row[column]
    return parsed


def _belongs(catalog: Dict[str, Any], table: str, relation: str) -> bool:
    found = catalog[table]
    return relation in (found["indexes"] or {}) or relation in found["constraints"]
