"""Every kind of step can be taken back."""

import pytest

from tests.conftest import Database, Run
from tests.support.catalogs import SAMPLE_ROWS, all_rows, described

BEFORE = {
    "create table": "DROP TABLE alcohol_for_day",
    "add column": "ALTER TABLE dishes_day DROP user_email",
    "add computed column": "ALTER TABLE dishes_day DROP date",
    "change type": "ALTER TABLE weight ALTER weight TYPE real",
    "change type to date": "ALTER TABLE dishes_day ALTER date TYPE varchar "
    "USING to_char(date, 'DD-MM-YYYY')",
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


@pytest.mark.parametrize("kind", list(BEFORE))
def test_each_kind_of_step_is_undone(database: Database, run: Run, kind: str) -> None:
    """Afterwards the catalog, and every row, is what it was before the version."""
    run()
    database.execute(SAMPLE_ROWS + "DROP TABLE eater_schema_history;" + BEFORE[kind])
    before = described(database), all_rows(database)
    assert run().code == 0
    assert described(database) != before[0]
    result = run("--rollback")
    assert result.code == 0, result.err
    assert described(database) == before[0]
    assert all_rows(database) == before[1]


def test_a_column_with_other_values_is_not_dropped(database: Database, run: Run) -> None:
    """What somebody wrote since would be lost: exit code 4, with the query that shows it."""
    run()
    database.execute(SAMPLE_ROWS + "DROP TABLE eater_schema_history;" + BEFORE["add column"])
    run()
    database.execute("UPDATE dishes_day SET user_email = 'ann@example.org'")
    before = described(database), all_rows(database)
    result = run("--rollback")
    assert result.code == 4
    assert "'add column public.dishes_day.user_email' would lose the values of 1 row." in result.err
    assert (described(database), all_rows(database)) == before
