"""Versions, the quick look, and undoing a change."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from converge.quoting import identifier
from tests.support.catalogs import SAMPLE_ROWS, all_rows, described
from tests.support.database import Database
from tests.support.desired import METADATA
from tests.support.earlier import (
    STATES,
    State,
    given_back,
    lasting,
    rows,
    surroundings,
    with_dates,
)
from tests.support.job import Run
from tests.support.program import ROOT, copy_program

ROWS = "SELECT run, version, action, finished, verified_at, xmin::text FROM eater_schema_history"
VERSION = "SELECT version FROM {}.eater_schema_history ORDER BY run DESC LIMIT 1"
DRIFTS = {
    "column": "ALTER TABLE weight DROP weight",
    "type": "ALTER TABLE weight ALTER weight TYPE real",
    "null": "ALTER TABLE weight ALTER weight DROP NOT NULL",
    "default": 'ALTER TABLE "user" ALTER language DROP DEFAULT',
    "comment": "COMMENT ON TABLE weight IS NULL",
    "index": "DROP INDEX idx_weight_date",
    "invalid index": "UPDATE pg_index SET indisvalid = false "
    "WHERE indexrelid = 'idx_weight_date'::regclass",
    "other index": "DROP INDEX idx_weight_date; CREATE INDEX idx_weight_date ON weight (weight)",
    "key": "ALTER TABLE weight DROP CONSTRAINT weight_pkey",
    "table": "DROP TABLE weight",
}


@pytest.mark.usefixtures("initialised")
def test_a_run_that_changed_nothing_writes_nothing(database: Database, run: Run) -> None:
    """Neither a row nor a new version of one."""
    before = database.rows(ROWS)
    assert [row[:3] for row in before] == [(1, 1, "migrate")]
    run()
    assert database.rows(ROWS) == before


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("drift", list(DRIFTS))
def test_any_drift_is_seen_by_the_quick_look(database: Database, run: Run, drift: str) -> None:
    """Whoever changes anything that we manage, the next run plans; and records a repair."""
    assert "schema is current: version 1" in run().err
    database.execute(DRIFTS[drift])
    result = run()
    assert result.code == 0
    assert "schema is current" not in result.err
    assert [row[1:3] for row in database.rows(ROWS + " ORDER BY run")] == [
        (1, "migrate"),
        (1, "repair"),
    ]
    assert "schema is current: version 1" in run().err


@pytest.mark.usefixtures("initialised")
def test_rows_and_unknown_tables_do_not_matter_to_the_quick_look(
    database: Database, run: Run
) -> None:
    """Only what the models describe is looked at."""
    database.execute(SAMPLE_ROWS + "CREATE TABLE feedbacks (id integer)")
    assert "schema is current: version 1" in run().err


@pytest.mark.usefixtures("initialised")
def test_the_quick_look_imports_neither_sqlalchemy_nor_tenacity(
    database: Database, run: Run, tmp_path: Path
) -> None:
    """Their imports take ten times the work of the look."""
    code = "import sys, create_tables; code = create_tables.main([]); "
    code += "assert not {'sqlalchemy', 'tenacity', 'dotenv'} & set(sys.modules); sys.exit(code)"
    environment = {"PYTHONPATH": str(ROOT), **database.environment}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0


@pytest.mark.usefixtures("initialised")
def test_another_desired_state_is_another_version(
    database: Database, run: Run, tmp_path: Path
) -> None:
    """A column more in models.py is version 2; its rollback takes it away again."""
    before = described(database)
    copy_program(tmp_path)
    models = tmp_path / "models.py"
    anchor = "class Weight(Base):"
    column = "    mood: Mapped[Optional[str]] = mapped_column(String)\n"
    head, tail = models.read_text("utf-8").split(anchor)
    table, rest = tail.split("\n\n\n", 1)
    models.write_text(f"{head}{anchor}{table}\n{column}\n\n{rest}", "utf-8")
    command = [sys.executable, "create_tables.py"]
    assert (
        subprocess.run(command, env=database.environment, cwd=tmp_path, check=False).returncode == 0
    )
    assert "mood" in described(database)["weight"]["columns"]
    assert database.rows(ROWS + " WHERE version = 2") != []
    assert run("--rollback", "--to", "1").code == 0
    assert described(database) == before
    assert "schema is current" not in run("--history").err


@pytest.mark.long
@pytest.mark.usefixtures("initialised")
def test_what_the_models_import_is_part_of_the_desired_state(
    database: Database, run: Run, tmp_path: Path
) -> None:
    """A column more in a package of models, which imports its modules by itself, is seen."""
    copy_program(tmp_path)
    package = tmp_path / "tables"
    package.mkdir()
    (tmp_path / "models.py").rename(package / "all_of_them.py")
    (package / "__init__.py").write_text("", "utf-8")
    (tmp_path / "models.py").write_text("from tables.all_of_them import *\n", "utf-8")

    def result() -> str:
        command = [sys.executable, "create_tables.py"]
        environment = {**database.environment, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, check=True, stderr=subprocess.PIPE, text=True
        )
        return done.stderr

    assert "comparing in full: the models have changed" in result()
    assert "schema is current" in result()
    with (package / "all_of_them.py").open("a", encoding="utf-8") as file:
        file.write("Weight.mood = mapped_column(String)\n")
    assert "comparing in full: the models have changed" in result()
    assert "mood" in described(database)["weight"]["columns"]


@pytest.mark.long
@pytest.mark.parametrize("state", STATES, ids=[state.name for state in STATES])
def test_a_rollback_gives_back_what_was_there(database: Database, run: Run, state: State) -> None:
    """The catalog of before, less leftovers, and every value; running again migrates again."""
    state.load(database)
    catalog, around = lasting(database, state), surroundings(database, state)
    before = rows(database, state)
    assert run(POSTGRES_SCHEMAS=state.setting).code == 0
    assert run("--rollback", "--plan", POSTGRES_SCHEMAS=state.setting).code == 0
    result = run("--rollback", POSTGRES_SCHEMAS=state.setting)
    assert result.code == 0, result.err
    assert lasting(database, state) == catalog
    assert with_dates(rows(database, state)) == given_back(before)
    assert surroundings(database, state) == around
    version = database.value(VERSION.format(state.setting))
    assert run(POSTGRES_SCHEMAS=state.setting).code == 0
    assert database.value(VERSION.format(state.setting)) == version + 2


@pytest.mark.usefixtures("initialised")
def test_a_rollback_that_would_lose_data_is_refused(database: Database, run: Run) -> None:
    """With counts, and nothing is changed; once its tables have other names, it leaves them."""
    database.execute(SAMPLE_ROWS)
    before = described(database), all_rows(database)
    result = run("--rollback")
    assert result.code == 4
    refusals = "\n".join(
        f"refused: undoing 'create table public.{table}' would lose the values of 1 row.\n"
        "  Nothing was changed. Keep them under another name:\n"
        f"    ALTER TABLE public.{identifier(table)} RENAME TO {table}_saved;"
        for table in reversed([t.name for t in METADATA.sorted_tables])
    )
    assert result.err.endswith(f" ERROR {refusals}\n")
    assert (described(database), all_rows(database)) == before
    for statement in re.findall("^    (ALTER .*;)$", result.err, re.MULTILINE):
        database.execute(statement)
    assert run("--rollback").code == 0
    assert described(database) == {}
    for table, kept in before[1].items():
        assert database.rows(f"SELECT to_jsonb(t)::text FROM {table}_saved t") == kept


def test_there_is_nothing_to_undo_before_the_first_run(database: Database, run: Run) -> None:
    """Exit code 4, and no table for a history of nothing."""
    result = run("--rollback")
    assert result.code == 4
    assert result.err.endswith(
        " ERROR refused: nothing to undo in public: it is at version 0.\n"
        "  Nothing was changed. Look at --history.\n"
    )
    assert run("--history").out == "No run has changed anything yet.\n"
    assert database.value("SELECT to_regclass('eater_schema_history') IS NULL")
