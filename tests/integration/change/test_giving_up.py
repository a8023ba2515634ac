"""When a run gives up, clients can do all that they could do before."""

import pytest

from tests.support.catalogs import SAMPLE_ROWS
from tests.support.database import Database
from tests.support.job import Run

# An UPDATE that says it was done, and was not.
SWALLOWED = """ALTER TABLE weight ALTER user_email DROP NOT NULL;
UPDATE weight SET user_email = NULL;
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
CREATE TRIGGER swallow BEFORE UPDATE ON weight FOR EACH ROW EXECUTE FUNCTION swallow()"""
HELPERS = "SELECT count(*) FROM pg_constraint WHERE conname LIKE 'eater\\_new\\_%'"


@pytest.mark.usefixtures("initialised")
def test_a_check_of_ours_does_not_outlive_a_run_that_gives_up(database: Database, run: Run) -> None:
    """It was on the way to NOT NULL; without the steps behind it, it only forbids."""
    database.execute(SAMPLE_ROWS + SWALLOWED)
    result = run()
    assert result.code == 1
    assert "dropped the helper constraint eater_new_user_email_not_null" in result.err
    assert database.value(HELPERS) == 0
    database.execute("INSERT INTO weight VALUES (5, '2025-01-01', 1, NULL)")
