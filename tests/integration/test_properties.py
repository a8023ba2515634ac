"""Any sequence of drifts ends at the models, or changes nothing at all."""

import os
from contextlib import suppress
from typing import List

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2 import errors

from tests.conftest import Database, Run
from tests.support.catalogs import SAMPLE_ROWS, all_rows, described

EXAMPLES = int(os.environ.get("EATER_PROPERTY_EXAMPLES", "200"))
# What a drift says where an earlier one has left nothing of the kind, or of the type, to drift.
GONE = (
    errors.UndefinedColumn,
    errors.UndefinedTable,
    errors.UndefinedFunction,
    errors.DatatypeMismatch,
    errors.InvalidTableDefinition,
    errors.NotNullViolation,
    errors.SyntaxErrorOrAccessRuleViolation,
    errors.DataError,
)
DRIFTS = [
    "DROP INDEX IF EXISTS idx_weight_date",
    "DROP INDEX IF EXISTS idx_dishes_day_user_date",
    "DROP INDEX IF EXISTS idx_weight_date; CREATE INDEX idx_weight_date ON weight (weight)",
    "ALTER INDEX IF EXISTS idx_weight_user_time RENAME TO idx_other",
    "UPDATE pg_index SET indisvalid = false "
    "WHERE indexrelid = to_regclass('idx_weight_user_email')",
    "ALTER TABLE weight DROP COLUMN IF EXISTS weight",
    "ALTER TABLE weight DROP COLUMN IF EXISTS date",
    "ALTER TABLE weight DROP COLUMN IF EXISTS time",
    "ALTER TABLE dishes_day DROP COLUMN IF EXISTS user_email",
    "ALTER TABLE dishes_day ALTER contains DROP NOT NULL; UPDATE dishes_day SET contains = NULL",
    "ALTER TABLE dishes_day ALTER dish_name DROP NOT NULL",
    "ALTER TABLE dishes_day ALTER date TYPE varchar",
    "ALTER TABLE dishes_day ALTER date TYPE varchar USING to_char(date::date, 'DD-MM-YYYY'); "
    "UPDATE dishes_day SET date = '31-02-2024' WHERE dish_name = 'soup'",
    "ALTER TABLE dishes_day ALTER estimated_avg_calories TYPE bigint",
    "ALTER TABLE dishes_day ALTER estimated_avg_calories TYPE smallint",
    "ALTER TABLE dishes_day ALTER dish_name TYPE varchar(40)",
    "ALTER TABLE dishes_day DROP CONSTRAINT IF EXISTS dishes_day_pkey",
    "ALTER TABLE dishes_day DROP CONSTRAINT IF EXISTS dishes_day_pkey; "
    "INSERT INTO dishes_day SELECT * FROM dishes_day",
    "ALTER TABLE total_for_day DROP CONSTRAINT IF EXISTS total_for_day_pkey; "
    "ALTER TABLE total_for_day ADD CONSTRAINT total_for_day_pkey PRIMARY KEY (today)",
    'ALTER TABLE "user" ALTER language DROP DEFAULT',
    "ALTER TABLE \"user\" ALTER language SET DEFAULT 'de'",
    'UPDATE "user" SET language = \'en\'; ALTER TABLE "user" ALTER language SET NOT NULL',
    "ALTER TABLE dishes ALTER id DROP DEFAULT",
    "DROP TABLE IF EXISTS alcohol_for_day",
    "DROP TABLE IF EXISTS other; CREATE TABLE other (id integer)",
    "ALTER TABLE weight ADD COLUMN IF NOT EXISTS mood text",
    "CREATE INDEX IF NOT EXISTS idx_mood ON dishes (calories)",
    "DELETE FROM dishes_day; DELETE FROM weight",
    "COMMENT ON TABLE weight IS 'other'",
]


def test_any_drift_ends_at_the_models_or_changes_nothing(database: Database, run: Run) -> None:
    """Every surviving row is kept; a refusal touches nothing; a second run has nothing to do."""
    outcomes: List[int] = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize="CI" in os.environ,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(st.sampled_from(DRIFTS), min_size=1, max_size=5, unique=True))
    def check(drifts: List[str]) -> None:
        _start_again(database, run)
        for drift in drifts:
            _apply(database, drift)
        before = described(database), all_rows(database)
        counts = {table: len(rows) for table, rows in before[1].items()}
        result = run()
        outcomes.append(result.code)
        if result.code == 4:
            assert (described(database), all_rows(database)) == before, drifts
            return
        assert result.code == 0, (drifts, result.err)
        after = all_rows(database)
        assert {table: len(after[table]) for table in counts} == counts, drifts
        assert run("--verify").code == 0
        assert "schema is current" in run().err

    check()
    assert {0, 4} <= set(outcomes)


def _start_again(database: Database, run: Run) -> None:
    database.execute("DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public")
    assert run().code == 0
    database.execute(SAMPLE_ROWS)


def _apply(database: Database, drift: str) -> None:
    """Drift as far as the drifts before it leave something to drift."""
    with suppress(*GONE):
        database.execute(drift)
