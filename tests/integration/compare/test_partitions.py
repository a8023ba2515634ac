"""Partitioned tables: what is printed for a person to type works, and is all that it takes."""

import re
from typing import List

import pytest

from tests.support.catalogs import SAMPLE_ROWS, all_rows, everything
from tests.support.database import Database
from tests.support.job import Run
from tests.support.partitioned import partition

PARTS = (
    "CREATE TABLE weight_a PARTITION OF weight FOR VALUES FROM (0) TO (1000)",
    "CREATE TABLE weight_b PARTITION OF weight DEFAULT PARTITION BY RANGE (time)",
    "CREATE SCHEMA other; CREATE TABLE other.weight_a PARTITION OF weight_b DEFAULT",
)
MORE = "INSERT INTO weight SELECT g, '2024-11-08', g, 'u' FROM generate_series(1, 3000) g;"


def printed(log: str) -> List[str]:
    """Return the SQL that a refusal says, statement by statement."""
    return re.findall(r"^    (.+);$", log[log.index("refused: ") :], re.MULTILINE)


def typed(database: Database, run: Run) -> List[str]:
    """Type what a run says, which has changed nothing."""
    before, refused = everything(database), run()
    assert refused.code == 4, refused.err
    assert everything(database) == before
    statements = printed(refused.err)
    for statement in statements:
        database.execute(statement)
    return statements


@pytest.mark.parametrize(
    "drift",
    [
        "DROP INDEX idx_weight_date",
        "DROP INDEX idx_weight_date; CREATE INDEX idx_weight_date ON weight (date, weight)",
        "DROP INDEX idx_weight_date; CREATE INDEX idx_weight_date ON ONLY weight (date)",
        "DROP INDEX idx_weight_date; CREATE INDEX idx_weight_date_1 ON weight_a (weight)",
        "ALTER TABLE weight DROP COLUMN user_email",
        "ALTER TABLE weight DROP CONSTRAINT weight_pkey",
        "ALTER TABLE weight DROP CONSTRAINT weight_pkey, ADD PRIMARY KEY (time, date)",
        "ALTER TABLE weight DROP CONSTRAINT weight_pkey; DROP INDEX idx_weight_date",
    ],
    ids=[
        "missing index",
        "other index",
        "half an index",
        "name taken",
        "column",
        "missing key",
        "other key",
        "key and index",
    ],
)
def test_what_is_printed_for_a_partitioned_table_works(
    initialised: Database, run: Run, drift: str
) -> None:
    """One round of typing, then the run is content, and every index is valid."""
    initialised.execute(SAMPLE_ROWS + MORE)
    partition(initialised, "weight", "RANGE (time)", *PARTS)
    assert run().code == 0
    rows = all_rows(initialised)["weight"]
    initialised.execute(drift)
    typed(initialised, run)
    finished = run()
    assert finished.code == 0, finished.err
    assert run("--verify").code == 0
    if "DROP COLUMN" not in drift:
        assert all_rows(initialised)["weight"] == rows
    invalid = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
    assert initialised.rows(invalid) == []


def test_leaves_are_built_concurrently_and_attached(initialised: Database, run: Run) -> None:
    """Nobody waits for more than an instant."""
    partition(initialised, "weight", "RANGE (time)", *PARTS)
    initialised.execute("DROP INDEX idx_weight_date")
    assert typed(initialised, run) == [
        "CREATE INDEX idx_weight_date ON ONLY public.weight USING btree (date)",
        "CREATE INDEX CONCURRENTLY idx_weight_date_1 ON public.weight_a USING btree (date)",
        "ALTER INDEX public.idx_weight_date ATTACH PARTITION public.idx_weight_date_1",
        "CREATE INDEX idx_weight_date_2 ON ONLY public.weight_b USING btree (date)",
        "ALTER INDEX public.idx_weight_date ATTACH PARTITION public.idx_weight_date_2",
        "CREATE INDEX CONCURRENTLY idx_weight_date_3 ON other.weight_a USING btree (date)",
        "ALTER INDEX public.idx_weight_date_2 ATTACH PARTITION other.idx_weight_date_3",
    ]


def test_a_key_that_a_partitioned_table_cannot_have_is_said(
    initialised: Database, run: Run
) -> None:
    """As a plain table it can; its rows are copied, the old ones stay."""
    initialised.execute(SAMPLE_ROWS)
    default = "CREATE TABLE days PARTITION OF dishes_day DEFAULT"
    partition(initialised, "dishes_day", "RANGE (date)", default, key="time, date")
    rows = all_rows(initialised)["dishes_day"]
    refused = run()
    assert refused.code == 4
    assert (
        'refused: public.dishes_day.dishes_day_pkey is missing: PRIMARY KEY ("time").\n'
        "  The table is partitioned by RANGE (date); "
        "a key there has to include the columns of that.\n"
        "  Nothing was changed. In a maintenance window, go on with a plain table (grants, "
        "triggers and policies are not copied), or partition by what the key includes:\n"
        "    BEGIN;\n    LOCK TABLE public.dishes_day;\n"
    ) in refused.err
    typed(initialised, run)
    typed(initialised, run)  # the names of the old table's indexes
    assert run().code == 0
    assert all_rows(initialised)["dishes_day"] == rows
    assert initialised.value("SELECT count(*) FROM dishes_day_partitioned") == len(rows)
