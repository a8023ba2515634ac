"""The server is asked before the first change; what only the steps before it bring is not asked."""

import pytest

from tests.support.catalogs import SAMPLE_ROWS
from tests.support.database import Database
from tests.support.job import Run

LOGGED = """CREATE FUNCTION noted() RETURNS event_trigger LANGUAGE plpgsql AS
'BEGIN RETURN; END'; CREATE EVENT TRIGGER noted ON sql_drop EXECUTE FUNCTION noted(); """
DEFERRED = """CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE CONSTRAINT TRIGGER noted AFTER UPDATE ON weight DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION noted(); ALTER TABLE weight DROP date"""
LEFT_BEHIND = """DROP INDEX idx_weight_date; CREATE INDEX idx_weight_date ON weight (weight);
CREATE INDEX eater_old_idx_weight_date ON weight (weight)"""
TEXT_AND_NULLS = """ALTER TABLE dishes ALTER ingredients TYPE text[], ALTER calories TYPE text;
ALTER TABLE dishes ALTER ingredients DROP NOT NULL, ALTER calories DROP NOT NULL;
UPDATE dishes SET ingredients = NULL, calories = NULL"""


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize(
    "drift",
    [LEFT_BEHIND, LOGGED + LEFT_BEHIND, TEXT_AND_NULLS, DEFERRED],
    ids=["a name", "a name that an event trigger sees", "a type", "a deferred trigger"],
)
def test_what_an_earlier_step_puts_right_is_no_refusal(
    database: Database, run: Run, drift: str
) -> None:
    """Such as a name that is taken by what a step before it drops."""
    database.execute(SAMPLE_ROWS + drift)
    result = run()
    assert result.code == 0, result.err
    assert run("--verify").code == 0
