"""The server is asked before the first change; what only the steps before it bring is not asked."""

import pytest

from tests.support.catalogs import SAMPLE_ROWS
from tests.support.database import Database
from tests.support.job import Run

LEFT_BEHIND = """DROP INDEX idx_weight_date; CREATE INDEX idx_weight_date ON weight (weight);
CREATE INDEX eater_old_idx_weight_date ON weight (weight)"""
TEXT_AND_NULLS = """ALTER TABLE dishes ALTER ingredients TYPE text[], ALTER calories TYPE text;
ALTER TABLE dishes ALTER ingredients DROP NOT NULL, ALTER calories DROP NOT NULL;
UPDATE dishes SET ingredients = NULL, calories = NULL"""


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("drift", [LEFT_BEHIND, TEXT_AND_NULLS], ids=["a name", "a type"])
def test_what_an_earlier_step_puts_right_is_no_refusal(
    database: Database, run: Run, drift: str
) -> None:
    """A name that is taken by what a step before it drops, a type that one before it changes."""
    database.execute(SAMPLE_ROWS + drift)
    result = run()
    assert result.code == 0, result.err
    assert run("--verify").code == 0
