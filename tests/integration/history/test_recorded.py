"""What the history holds: facts that decide, and texts that don't."""

import json
import random
import re
import string
from typing import Any, Dict, List, Optional

import pytest

from tests.support.catalogs import SAMPLE_ROWS
from tests.support.copies import load
from tests.support.database import Database
from tests.support.job import Run
from tests.support.program import ROOT

HISTORIES = ROOT / "tests" / "support" / "histories"
OF_1_0_0 = HISTORIES / "altered_by_hand-1.0.0.json"
# What version 1.0.0 itself printed for `--rollback --plan`.
ROLLBACK_OF_1_0_0 = HISTORIES / "altered_by_hand-1.0.0.rollback.sql"
PROOF = (
    "LOCK TABLE ",
    "SET LOCAL row_security ",
    "DO ",
    "BEGIN;",
    "COMMIT;",
)  # what stands before a loss today
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


@pytest.mark.long
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
    assert statements(run("--rollback", "--plan", REWRITE_MAX_ROWS=None).out) == planned
    again = run("--rollback", REWRITE_MAX_ROWS="0")
    assert again.code == 4
    rewrites = "rewrites the table while everybody waits"
    assert again.err.count(rewrites) == large.err.count(rewrites)


def stored(step: str, *undo: str, guard: Optional[str] = None) -> Dict[str, Any]:
    """Return a step on dishes as version 1.0.0 stored it."""
    statements = {"undo": undo, "undo_online": (), "undo_lock": "", "guard": guard}
    return {"step": step, "why": "", "sql": (), "relation": "public.dishes", **statements}


# Of columns that were missing; the second one's sequence has numbered the rows.
ADDED_BY_1_0_0 = [
    stored(
        "add column public.dishes.user_email",
        "ALTER TABLE public.dishes DROP COLUMN user_email",
        guard="SELECT count(*) FROM public.dishes "
        "WHERE user_email::text IS DISTINCT FROM ('legacy@localhost')::text",
    ),
    stored(
        "add column public.dishes.id",
        "ALTER TABLE public.dishes DROP COLUMN id",
        guard="SELECT count(*) FROM public.dishes",
    ),
    stored(
        "comment public.dishes.comments",
        "COMMENT ON COLUMN public.dishes.calories IS NULL",
        "COMMENT ON COLUMN public.dishes.user_email IS NULL",
    ),
]


@pytest.mark.usefixtures("initialised")
def test_columns_that_1_0_0_added_are_kept_under_another_name(database: Database, run: Run) -> None:
    """Its way out was to delete the rows; today's works on its history too."""
    database.execute(SAMPLE_ROWS + "ALTER TABLE dishes DROP CONSTRAINT dishes_pkey")
    database.execute(RECORD, (json.dumps(ADDED_BY_1_0_0), len(ADDED_BY_1_0_0)))
    result = run("--rollback")
    assert result.code == 4
    assert result.err.endswith(
        " ERROR refused: undoing 'add column public.dishes.id' would lose the values of 1 row.\n"
        "  Nothing was changed. Keep them under another name:\n"
        "    ALTER TABLE public.dishes RENAME COLUMN id TO id_saved;\n"
        "    ALTER TABLE public.dishes ALTER COLUMN id_saved DROP NOT NULL;\n"
        "refused: undoing 'add column public.dishes.user_email' would lose the values of 1 row.\n"
        "  Nothing was changed. Keep them under another name:\n"
        "    ALTER TABLE public.dishes RENAME COLUMN user_email TO user_email_saved;\n"
        "    ALTER TABLE public.dishes ALTER COLUMN user_email_saved DROP NOT NULL;\n"
    )
    for statement in re.findall("^    (ALTER .*;)$", result.err, re.MULTILINE):
        database.execute(statement)
    again = run("--rollback")
    assert again.code == 0, again.err
    assert again.out.startswith("1 step undone.\n")
    kept = "SELECT id_saved, name, user_email_saved FROM dishes"
    assert database.rows(kept) == [(1, "soup", "ann@example.org")]


def test_a_table_that_1_0_0_created_is_kept_under_another_name(
    of_1_0_0: Database, run: Run
) -> None:
    """The same for a table; the rest is undone."""
    of_1_0_0.execute("INSERT INTO alcohol_for_day VALUES ('2024-11-08', 'ann', 1, 90, '{cider}')")
    result = run("--rollback")
    assert result.code == 4
    assert result.err.endswith(
        " ERROR refused: undoing 'create table public.alcohol_for_day' would lose the values of 1 "
        "row.\n  Nothing was changed. Keep them under another name:\n"
        "    ALTER TABLE public.alcohol_for_day RENAME TO alcohol_for_day_saved;\n"
    )
    of_1_0_0.execute(result.err.splitlines()[-1])
    again = run("--rollback")
    assert again.code == 0, again.err
    assert of_1_0_0.value("SELECT user_email FROM alcohol_for_day_saved") == "ann"
