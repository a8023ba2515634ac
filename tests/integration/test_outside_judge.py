"""What a run sends is judged by somebody else's linter for migrations, squawk."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import List, Optional

import pytest

from converge import steps
from tests.support.database import Database
from tests.support.earlier import STATES, State
from tests.support.job import Run

EXCLUDED = {
    # IF NOT EXISTS takes its lock before it looks, and over an invalid index it says that all is
    # well. Existence is decided from the catalog, and an interrupted run is planned anew.
    "prefer-robust-stmts",
    # They are set in the opening of each transaction, which `--plan` leaves out.
    "require-lock-timeout",
    "require-statement-timeout",
    # The models are a contract with the services: where they say nullable, NULL can be read.
    "ban-drop-not-null",
    # The only constraints dropped are our own proof of NOT NULL, and a key in the transaction
    # that puts the new one in its place.
    "ban-drop-constraint",
    # The only defaults dropped are those of the statement before, which filled existing rows.
    "ban-drop-default",
    # Each row was proven to fit, and REWRITE_MAX_ROWS bounds the rewrite.
    "changing-column-type",
    # Tables, columns and types are a contract with services that are already deployed.
    "prefer-bigint-over-int",
    "prefer-identity",
    # Only indexes are renamed, to swap them, and no query names an index.
    "renaming-object",
}

# What an interrupted run has sent already, and the plan relies on.
SENT_BEFORE = {
    "mid_2025": "ALTER TABLE public.weight ADD CONSTRAINT eater_new_user_email_not_null "
    "CHECK (user_email IS NOT NULL) NOT VALID;\n"
    "ALTER TABLE public.weight VALIDATE CONSTRAINT eater_new_user_email_not_null;"
}


def as_sent(printed: str) -> str:
    """Return the printed plan with what is new in one transaction, as a run sends it."""
    new: List[str] = []
    live: List[str] = []
    for block in printed.split("\n\n"):
        (new if f"--    {steps.Run.NEW.value}, " in block else live).append(block)
    return "\n".join(["BEGIN;", *new, "COMMIT;", *live])


def judged(script: Path) -> "subprocess.CompletedProcess[str]":
    linter = shutil.which("squawk", path=str(Path(sys.executable).parent))
    assert linter is not None, "pip install -r requirements-test.txt"
    options = ["--pg-version=12.0", f"--exclude={','.join(sorted(EXCLUDED))}", "--reporter=gcc"]
    command = [linter, *options, str(script)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("state", [None, *STATES], ids=["empty", *(s.name for s in STATES)])
def test_the_linter_finds_nothing_to_warn_of(
    database: Database, run: Run, tmp_path: Path, state: Optional[State]
) -> None:
    """No statement stalls or endangers live traffic."""
    if state:
        state.load(database)
    name, schema = (state.name, state.setting) if state else ("empty", "public")
    script = tmp_path / "plan.sql"
    sent = as_sent(run("--plan", POSTGRES_SCHEMAS=schema).out)
    script.write_text(f"{SENT_BEFORE.get(name, '')}\n{sent}", "utf-8")
    done = judged(script)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_the_linter_would_find_a_plain_index_on_a_live_table(tmp_path: Path) -> None:
    """The judge is awake."""
    script = tmp_path / "plan.sql"
    script.write_text("CREATE INDEX a ON b (c);", "utf-8")
    assert "require-concurrent-index-creation" in judged(script).stdout
