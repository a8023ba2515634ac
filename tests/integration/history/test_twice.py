"""What is done twice, and what somebody has edited by hand."""

from typing import Tuple

import pytest

from tests.support.catalogs import described
from tests.support.database import Database
from tests.support.job import Run, Spawn
from tests.support.waiting import WAITS, holding, until

POLLS = (
    "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() "
    "AND query LIKE 'SELECT pg_try_advisory%'"
)


@pytest.fixture
def two_versions(initialised: Database, run: Run) -> Database:
    """A database with a version of other models behind it, and a column that is added by ours."""
    initialised.execute(
        "UPDATE eater_schema_history SET desired = 'of other models'; "
        "COMMENT ON TABLE eater_schema_history IS NULL; DROP INDEX idx_weight_date"
    )
    assert run().code == 0
    return initialised


def versions(database: Database) -> Tuple[int, int]:
    """Return the newest version, and the number of rollbacks."""
    newest = "SELECT version FROM eater_schema_history ORDER BY run DESC LIMIT 1"
    rollbacks = "SELECT count(*) FROM eater_schema_history WHERE action = 'rollback'"
    return database.value(newest), database.value(rollbacks)


def test_two_rollbacks_at_once_undo_one_version(
    two_versions: Database, run: Run, spawn: Spawn
) -> None:
    """The second was started to undo the version that the first has undone."""
    assert versions(two_versions) == (2, 0)
    other = holding(two_versions, "LOCK TABLE weight")
    first = spawn("--rollback", LOCK_PATIENCE="1min")
    until(two_versions, WAITS)
    second = spawn("--rollback")
    until(two_versions, POLLS)
    other.close()
    assert first.wait(60) == 0
    errors = second.communicate(timeout=60)[1]
    assert second.returncode == 4
    assert errors.endswith(
        "refused: another run has changed the history since this rollback was started.\n"
        "  Nothing was changed. Look at --history, then run again.\n"
    )
    assert versions(two_versions) == (1, 1)
    assert "weight" in described(two_versions)


def test_a_rollback_whose_connection_is_lost_goes_on(two_versions: Database, spawn: Spawn) -> None:
    """As a run does; it undoes what it was started for, and no more."""
    other = holding(two_versions, "LOCK TABLE weight")
    process = spawn("--rollback", LOCK_PATIENCE="1min")
    until(two_versions, WAITS)
    two_versions.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'eater-init' AND datname = current_database()"
    )
    other.close()
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 0, errors
    assert versions(two_versions) == (1, 1)


@pytest.mark.usefixtures("initialised")
def test_a_note_that_somebody_has_edited_proves_nothing(database: Database, run: Run) -> None:
    """The next run compares in full, and writes the note anew."""
    note = database.value("SELECT obj_description('eater_schema_history'::regclass)")
    database.execute("COMMENT ON TABLE eater_schema_history IS %s", (f"{note} -- keep",))
    result = run()
    assert result.code == 0, result.err
    assert "comparing in full: the note of the last verified run cannot be read\n" in result.err
    assert "schema is current" in run().err


@pytest.mark.usefixtures("initialised")
def test_a_reason_shows_what_a_note_holds_as_it_is(database: Database, run: Run) -> None:
    """Whatever is in it, it is shown and not taken for a template."""
    database.execute(
        "DO $$ BEGIN EXECUTE format('COMMENT ON TABLE eater_schema_history IS %L', "
        "jsonb_set(obj_description('eater_schema_history'::regclass)::jsonb, "
        "'{verified}', '\"{x} %s\"')::json::text); END $$"
    )
    note = database.value("SELECT obj_description('eater_schema_history'::regclass)")
    beginning = '{"eater-init" : 1, '
    database.execute(
        "COMMENT ON TABLE eater_schema_history IS %s",
        (beginning + note[1:].replace('"eater-init": 1, ', ""),),
    )
    database.execute("DROP INDEX idx_weight_date")
    result = run()
    assert result.code == 0, result.err
    said = "comparing in full: schema public has changed since it was verified at {x} %s\n"
    assert said in result.err


@pytest.mark.usefixtures("initialised")
def test_after_a_whole_rollback_no_step_is_in_effect(database: Database, run: Run) -> None:
    """Also those of which nothing was left to undo, such as the index of a dropped table."""
    assert run("--rollback").code == 0
    counts = "SELECT finished - undone FROM eater_schema_history WHERE run = 1"
    assert database.rows(counts) == [(0,)]


def test_a_type_that_has_the_name_of_the_history_is_refused(database: Database, run: Run) -> None:
    """A table would want to be a type of that name, too."""
    database.execute("CREATE DOMAIN eater_schema_history AS integer")
    result = run()
    assert result.code == 4
    assert "public.eater_schema_history is a type; the models say a table." in result.err
    database.execute("ALTER TYPE public.eater_schema_history RENAME TO eater_schema_history_old")
    assert run().code == 0
