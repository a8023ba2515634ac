"""Whatever is missing is put back, and everything else is left as it was."""

import json
from itertools import count, zip_longest
from typing import Any, Dict, Iterable, List, Tuple

import pytest

from tests.support.catalogs import SAMPLE_ROWS, all_rows, described, everything, files
from tests.support.database import Database
from tests.support.desired import INDEXES as ALL_INDEXES
from tests.support.desired import METADATA
from tests.support.job import Run

TABLES = list(METADATA.tables)
INDEXES = [str(index.name) for index in ALL_INDEXES]
# Keys for which existing rows can have no honest value, so that only an empty table gets them back;
# and the statement that a refusal names.
WITHOUT_VALUE = {
    ("user", "email"): 'ALTER TABLE public."user" ADD COLUMN email character varying;',
    ("dishes_day", "time"): 'ALTER TABLE public.dishes_day ADD COLUMN "time" integer;',
    ("weight", "time"): 'ALTER TABLE public.weight ADD COLUMN "time" integer;',
    ("alcohol_consumption", "time"): (
        'ALTER TABLE public.alcohol_consumption ADD COLUMN "time" integer;'
    ),
    ("alcohol_for_day", "date"): "ALTER TABLE public.alcohol_for_day ADD COLUMN date date;",
}
# A key of its own, of text and of a number, and a member of a key.
KINDS_WITHOUT_VALUE = [("user", "email"), ("dishes_day", "time"), ("alcohol_for_day", "date")]


@pytest.fixture
def initialised(initialised: Database) -> Database:
    """A database as the models describe, with a row in every table."""
    initialised.execute(SAMPLE_ROWS)
    return initialised


# A column of each table, by the table's name; then another, until there was every one.
ROUNDS = [
    {c.table.name: c.name for c in columns if c is not None}
    for columns in zip_longest(
        *(
            [column for column in table.columns if (table.name, column.name) not in WITHOUT_VALUE]
            for table in METADATA.sorted_tables
        )
    )
]


@pytest.mark.parametrize("columns", ROUNDS, ids=count(1))
def test_a_missing_column_is_put_back(
    initialised: Database, run: Run, columns: Dict[str, str]
) -> None:
    """Every column comes back with its indexes and key; no other value, no other table changes."""
    catalog, rows, before = described(initialised), all_rows(initialised), files(initialised)
    for table, column in columns.items():
        initialised.execute(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
    assert run().code == 0
    assert described(initialised) == catalog
    assert _without(all_rows(initialised), columns) == _without(rows, columns)
    after = files(initialised)
    others = _elsewhere(before, catalog, columns)
    assert {name: after[name] for name in others} == others
    numbered = {table for table in columns if (table, columns[table]) == ("dishes", "id")}
    # Whose sequence numbers every row.
    assert {table for table in columns if after[table] != before[table]} == numbered


@pytest.mark.parametrize(("table", "column"), KINDS_WITHOUT_VALUE)
def test_a_missing_key_is_refused_where_rows_would_need_a_value(
    initialised: Database, run: Run, table: str, column: str
) -> None:
    """Nothing at all is changed when a column has no value for existing rows."""
    initialised.execute(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
    before = everything(initialised), all_rows(initialised)
    result = run()
    assert result.code == 4
    assert result.err.endswith(
        f" ERROR refused: public.{table}.{column} is missing; the model requires NOT NULL and "
        "declares no backfill for existing rows.\n  The table has 1 row.\n"
        "  Nothing was changed. Add it, fill every row, then run again:\n"
        f"    {WITHOUT_VALUE[table, column]}\n"
    )
    assert (everything(initialised), all_rows(initialised)) == before


def test_a_missing_key_is_put_back_into_an_empty_table(initialised: Database, run: Run) -> None:
    """Where there are no rows, there is nothing to refuse."""
    catalog, rows = described(initialised), all_rows(initialised)
    for table, column in WITHOUT_VALUE:
        initialised.execute(f'DELETE FROM "{table}"; ALTER TABLE "{table}" DROP COLUMN "{column}"')
    assert run().code == 0
    assert described(initialised) == catalog
    assert all_rows(initialised) == {**rows, **{table: [] for table, _ in WITHOUT_VALUE}}


def test_the_way_out_of_a_missing_key_works(initialised: Database, run: Run) -> None:
    """After the printed statement and a value for every row, the run finishes."""
    catalog, rows = described(initialised), all_rows(initialised)
    for (table, column), statement in WITHOUT_VALUE.items():
        initialised.execute(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
        initialised.execute(statement)
        value = json.loads(rows[table][0][0])[column]
        initialised.execute(f'UPDATE "{table}" SET "{column}" = %s', (value,))
    assert run().code == 0
    assert (described(initialised), all_rows(initialised)) == (catalog, rows)


# Every other index, and the rest: what is not missing stays as it is.
HALVES = [INDEXES[::2], INDEXES[1::2]]


@pytest.mark.parametrize("indexes", HALVES, ids=["even", "odd"])
def test_a_missing_index_is_put_back(initialised: Database, run: Run, indexes: List[str]) -> None:
    """An index is built again, and no other relation gets a new file."""
    catalog, before = described(initialised), files(initialised)
    initialised.execute(f"DROP INDEX {', '.join(indexes)}")
    assert run().code == 0
    assert described(initialised) == catalog
    after = files(initialised)
    assert {name for name in before if after[name] != before[name]} == {*indexes}


INVALID = "indisvalid = false"
NOT_READY = "indisvalid = false, indisready = false"  # it has not even all the new rows


@pytest.mark.parametrize(
    ("indexes", "forged"),
    [
        *[(indexes, INVALID) for indexes in HALVES],
        (["idx_users_email_gin", "idx_dishes_day_user_date"], NOT_READY),
    ],
    ids=["even", "odd", "not ready"],
)
def test_an_invalid_index_is_built_again(
    initialised: Database, run: Run, indexes: List[str], forged: str
) -> None:
    """What a failed concurrent build leaves is dropped and replaced, and nothing else is."""
    catalog, rows, before = described(initialised), all_rows(initialised), files(initialised)
    forge = f"UPDATE pg_index SET {forged} WHERE indexrelid = ANY (%s::regclass[])"
    initialised.execute(forge, (indexes,))
    assert run().code == 0
    assert (described(initialised), all_rows(initialised)) == (catalog, rows)
    after = files(initialised)
    assert {name for name in before if after[name] != before[name]} == {*indexes}


def test_an_invalid_index_of_a_key_is_refused_with_its_repair(
    initialised: Database, run: Run
) -> None:
    """Dropping it would drop the key; after the printed statement the run finishes."""
    catalog = described(initialised)
    invalid = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'weight_pkey'::regclass"
    initialised.execute(invalid)
    result = run()
    assert result.code == 4
    assert result.err.endswith(
        " ERROR refused: public.weight.weight_pkey has an invalid index.\n"
        "  Nothing was changed. Rebuild it:\n"
        "    REINDEX INDEX CONCURRENTLY public.weight_pkey;\n"
    )
    initialised.execute(result.err.splitlines()[-1])
    assert run().code == 0
    assert described(initialised) == catalog


@pytest.mark.parametrize("tables", [TABLES[::2], TABLES[1::2]], ids=["even", "odd"])
def test_a_missing_table_is_put_back(initialised: Database, run: Run, tables: List[str]) -> None:
    """A table comes back with its indexes; the others keep their rows and files."""
    catalog, rows, before = described(initialised), all_rows(initialised), files(initialised)
    for table in tables:
        initialised.execute(f'DROP TABLE "{table}"')
    assert run().code == 0
    assert described(initialised) == catalog
    assert all_rows(initialised) == {**rows, **{table: [] for table in tables}}
    assert _elsewhere(files(initialised), catalog, tables) == _elsewhere(before, catalog, tables)


@pytest.mark.parametrize("sequence", ["DROP SEQUENCE dishes_id_seq", "SELECT 'it is still there'"])
def test_a_sequence_goes_on_beyond_the_highest_number(
    initialised: Database, run: Run, sequence: str
) -> None:
    """A restored serial never gives out a number that is in use."""
    initialised.execute("UPDATE dishes SET id = 41; ALTER TABLE dishes ALTER id DROP DEFAULT")
    initialised.execute(sequence)
    assert run().code == 0
    assert initialised.value("SELECT pg_get_serial_sequence('dishes', 'id')") is not None
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
    """Unknown tables, columns and indexes are named once, at INFO, and kept."""
    initialised.execute(
        "CREATE TABLE feedbacks (id integer); ALTER TABLE weight ADD mood text; "
        "CREATE INDEX idx_mood ON weight (mood); ALTER TABLE weight ADD CHECK (mood <> '')"
    )
    catalog = described(initialised)
    initialised.execute("DROP INDEX idx_weight_date")
    result = run()
    assert result.code == 0
    for note in (
        "tables of public: feedbacks",
        "columns of public.weight: mood",
        "indexes of public.weight: idx_mood",
        "constraints of public.weight: weight_mood_check",
    ):
        assert result.err.count(f" INFO  left alone: {note}\n") == 1
    assert described(initialised) == catalog
    assert initialised.value("SELECT to_regclass('feedbacks') IS NOT NULL")


IS = (
    "public.{0} is {1} {2}; the models say a table.\n  Nothing was changed. Rename the {2}:\n"
    "    ALTER {3} public.{0} RENAME TO {0}_old;"
)
TAKEN = {
    "CREATE VIEW dishes AS SELECT 1": IS.format("dishes", "a", "view", "VIEW"),
    "CREATE MATERIALIZED VIEW dishes AS SELECT 1": (
        IS.format("dishes", "a", "materialized view", "MATERIALIZED VIEW")
    ),
    "CREATE SEQUENCE weight": IS.format("weight", "a", "sequence", "SEQUENCE"),
    "CREATE TYPE dishes AS ENUM ('a')": IS.format("dishes", "a", "type", "TYPE"),
    "CREATE TYPE dishes AS (a integer)": IS.format("dishes", "a", "type", "TYPE"),
    "CREATE DOMAIN dishes AS integer": IS.format("dishes", "a", "type", "TYPE"),
    "CREATE FOREIGN DATA WRAPPER f; CREATE SERVER s FOREIGN DATA WRAPPER f; "
    "CREATE FOREIGN TABLE dishes (a integer) SERVER s": (
        IS.format("dishes", "a", "foreign table", "FOREIGN TABLE")
    ),
    "CREATE TABLE other (a integer); CREATE INDEX dishes ON other (a)": (
        IS.format("dishes", "an", "index", "INDEX")
    ),
    "CREATE VIEW eater_schema_history AS SELECT 1": (
        IS.format("eater_schema_history", "a", "view", "VIEW")
    ),
    "CREATE SEQUENCE idx_dishes_name": (
        "public.dishes needs an index named idx_dishes_name, but something else has that name.\n"
        "  Nothing was changed. Rename the sequence:\n"
        "    ALTER SEQUENCE public.idx_dishes_name RENAME TO idx_dishes_name_old;"
    ),
}


@pytest.mark.parametrize("taken", list(TAKEN))
def test_a_name_that_is_taken_is_refused(database: Database, run: Run, taken: str) -> None:
    """Somebody else's object is never dropped for its name; once it is renamed, the run goes on."""
    database.execute(taken)
    before = everything(database)
    result = run()
    assert result.code == 4
    assert result.err.endswith(f" ERROR refused: {TAKEN[taken]}\n")
    assert everything(database) == before
    database.execute(result.err.splitlines()[-1])
    assert run().code == 0


LIVE_TAKEN = {
    "DROP INDEX idx_dishes_name; CREATE INDEX idx_dishes_name ON weight (date)": (
        "public.dishes.idx_dishes_name is missing, but something else in the schema has its name."
        "\n  Nothing was changed. Rename the index:\n"
        "    ALTER INDEX public.idx_dishes_name RENAME TO idx_dishes_name_old;"
    ),
    "ALTER TABLE dishes DROP CONSTRAINT dishes_pkey; CREATE VIEW dishes_pkey AS SELECT 1": (
        "public.dishes needs an index named dishes_pkey, but something else has that name.\n"
        "  Nothing was changed. Rename the view:\n"
        "    ALTER VIEW public.dishes_pkey RENAME TO dishes_pkey_old;"
    ),
    "ALTER TABLE dishes DROP CONSTRAINT dishes_pkey; "
    "ALTER TABLE dishes ADD CONSTRAINT dishes_pkey CHECK (id > 0)": (
        "public.dishes needs an index named dishes_pkey, but something else has that name.\n"
        "  Nothing was changed. Rename the constraint:\n"
        "    ALTER TABLE public.dishes RENAME CONSTRAINT dishes_pkey TO dishes_pkey_old;"
    ),
    "ALTER TABLE dishes DROP CONSTRAINT dishes_pkey; "
    "ALTER TABLE dishes ADD CONSTRAINT dishes_pkey UNIQUE (name)": (
        "public.dishes needs an index named dishes_pkey, but something else has that name.\n"
        "  Nothing was changed. Rename the index:\n"
        "    ALTER INDEX public.dishes_pkey RENAME TO dishes_pkey_old;"
    ),
    "ALTER TABLE dishes ALTER id DROP DEFAULT; DROP SEQUENCE dishes_id_seq; "
    "CREATE VIEW dishes_id_seq AS SELECT 1": (
        "public.dishes needs a sequence named dishes_id_seq, but something else has that name.\n"
        "  Nothing was changed. Rename the view:\n"
        "    ALTER VIEW public.dishes_id_seq RENAME TO dishes_id_seq_old;"
    ),
    "DROP INDEX idx_dishes_name; CREATE INDEX idx_dishes_name ON dishes (calories); "
    "CREATE TABLE eater_new_idx_dishes_name ()": (
        "public.dishes needs an index named eater_new_idx_dishes_name, but something else has that "
        "name.\n  Nothing was changed. Rename the table:\n"
        "    ALTER TABLE public.eater_new_idx_dishes_name RENAME TO eater_new_idx_dishes_name_old;"
    ),
    "DROP INDEX idx_dishes_name; CREATE INDEX idx_dishes_name ON dishes (calories); "
    "CREATE SEQUENCE eater_old_idx_dishes_name": (
        "public.dishes needs an index named eater_old_idx_dishes_name, but something else has that "
        "name.\n  Nothing was changed. Rename the sequence:\n    ALTER SEQUENCE "
        "public.eater_old_idx_dishes_name RENAME TO eater_old_idx_dishes_name_old;"
    ),
}


@pytest.mark.parametrize("taken", list(LIVE_TAKEN))
def test_a_name_that_a_live_table_needs_is_refused_when_taken(
    initialised: Database, run: Run, taken: str
) -> None:
    """The same for what belongs to a live table; other differences wait too."""
    catalog = described(initialised)
    initialised.execute(taken + "; DROP INDEX idx_users_email")
    before = everything(initialised)
    result = run()
    assert result.code == 4
    assert result.err.endswith(f" ERROR refused: {LIVE_TAKEN[taken]}\n")
    assert everything(initialised) == before
    initialised.execute(result.err.splitlines()[-1])
    assert run().code == 0
    wanted = catalog["dishes"]["indexes"]
    assert wanted.items() <= described(initialised)["dishes"]["indexes"].items()


def _without(rows: Dict[str, List[Tuple[Any, ...]]], columns: Dict[str, str]) -> Dict[str, Any]:
    """Return the rows without the values of a column of each table."""
    parsed = {name: [json.loads(row[0]) for row in found] for name, found in rows.items()}
    for table, column in columns.items():
        for row in parsed[table]:
            del row[column]
    return parsed


def _elsewhere(
    found: Dict[str, int], catalog: Dict[str, Any], tables: Iterable[str]
) -> Dict[str, int]:
    """Return the files of all but some tables, their indexes and keys."""
    own = {*tables}
    for table in tables:
        own |= {*(catalog[table]["indexes"] or {}), *catalog[table]["constraints"]}
    return {name: number for name, number in found.items() if name not in own}
