"""What the history holds: facts that decide, and texts that don't."""

import json
import random
import string
from typing import Any, List

import pytest

from tests.support.copies import load
from tests.support.database import Database
from tests.support.job import Run
from tests.support.program import ROOT

HISTORIES = ROOT / "tests" / "support" / "histories"
OF_1_0_0 = HISTORIES / "altered_by_hand-1.0.0.json"
# What version 1.0.0 itself printed for `--rollback --plan`.
ROLLBACK_OF_1_0_0 = HISTORIES / "altered_by_hand-1.0.0.rollback.sql"
PROOF = ("LOCK TABLE ", "SET LOCAL row_security ", "DO ")  # what stands before a loss today
RECORD = "UPDATE eater_schema_history SET steps = %s, finished = %s WHERE run = 1"
# Of version 1.0.0, in which the sentences decided, and of today.
TEXTS = ("step", "why", "lock", "undo_lock")


@pytest.fixture
def migrated(database: Database, run: Run) -> Database:
    """A database with rows that a run has changed a lot."""
    load(database, "altered_by_hand")
    result = run()
    assert result.code == 0, result.err
    return database


@pytest.fixture
def of_1_0_0(migrated: Database) -> Database:
    """The same, as if version 1.0.0 had done it."""
    steps = json.loads(OF_1_0_0.read_text("utf-8"))
    migrated.execute(RECORD, (json.dumps(steps), len(steps)))
    return migrated


def statements(plan: str) -> List[str]:
    return [line for line in plan.splitlines() if line and not line.startswith("--")]


def reworded(text: str, seed: int) -> str:
    """Return other words, of any length."""
    choose = random.Random(f"{seed} {text}")
    letters = string.ascii_lowercase + " "
    return "".join(choose.choices(letters, k=choose.randint(0, 60)))


def reword(database: Database, seed: int) -> None:
    """Put other words into all texts for people that the history holds."""
    steps: List[Any] = database.value("SELECT steps FROM eater_schema_history WHERE run = 1")
    for step in steps:
        for name in TEXTS:
            if name in step and not (name == "lock" and "kind" in step):  # there it is a code
                step[name] = reworded(step[name], seed)
    database.execute(RECORD, (json.dumps(steps), len(steps)))


def test_a_history_of_1_0_0_is_planned_to_be_undone_as_it_was_then(
    of_1_0_0: Database, run: Run
) -> None:
    """It stored SQL and sentences, and today's version reads them right; it proves more."""
    result = run("--rollback", "--plan")
    assert result.code == 0, result.err
    found = [line for line in statements(result.out) if not line.startswith(PROOF)]
    assert found == ROLLBACK_OF_1_0_0.read_text("utf-8").splitlines()


def test_a_history_of_1_0_0_is_undone(of_1_0_0: Database, run: Run) -> None:
    """Afterwards the types, keys and indexes are those of before."""
    assert run("--rollback").code == 0
    types = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attname = %s"
    assert of_1_0_0.rows(types + " AND attrelid = 'dishes'::regclass", ("contains",)) == [
        ("jsonb",)
    ]
    assert of_1_0_0.rows(types + " AND attrelid = 'weight'::regclass", ("weight",)) == [("real",)]
    names = "SELECT conname FROM pg_constraint WHERE conrelid = 'dishes'::regclass ORDER BY 1"
    assert ("pk_dishes",) in of_1_0_0.rows(names)
    assert of_1_0_0.value("SELECT to_regclass('alcohol_for_day') IS NULL")


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("history", ["of_1_0_0", "migrated"])
def test_no_text_of_the_history_decides(
    request: pytest.FixtureRequest, run: Run, history: str, seed: int
) -> None:
    """With all sentences reworded at random, what is refused and what would run is the same."""
    database: Database = request.getfixturevalue(history)
    planned = statements(run("--rollback", "--plan").out)
    large = run("--rollback", REWRITE_MAX_ROWS="0")
    assert large.code == 4
    assert large.err.count("rewrites the table while everybody waits") >= 10
    reword(database, seed)
    assert statements(run("--rollback", "--plan").out) == planned
    again = run("--rollback", REWRITE_MAX_ROWS="0")
    assert again.code == 4
    rewrites = "rewrites the table while everybody waits"
    assert again.err.count(rewrites) == large.err.count(rewrites)
