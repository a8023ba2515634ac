"""A database that was right before any run, and one that is not the one that was verified."""

import pytest

from tests.support.catalogs import SAMPLE_ROWS, everything
from tests.support.copies import copy_of
from tests.support.database import Database
from tests.support.job import Run

ROWS = (
    "SELECT run, version, action, finished, verified_at IS NOT NULL "
    "FROM eater_schema_history ORDER BY run"
)
CURRENT = " INFO  schema is current: version {}, verified "
MOVED = "comparing in full: schema public was copied or restored since it was verified at 20"


@pytest.fixture
def right(initialised: Database) -> Database:
    """A database that is as the models describe, and that no run of ours has made so."""
    initialised.execute(SAMPLE_ROWS + "DROP TABLE eater_schema_history")
    return initialised


def test_what_was_right_before_is_adopted(right: Database, run: Run) -> None:
    """It has a version from then on, and a run with nothing to do sends one query."""
    result = run()
    assert result.code == 0
    assert " INFO  schema public was right before: adopted as version 1\n" in result.err
    assert right.rows(ROWS) == [(1, 1, "adopt", 0, True)]
    assert CURRENT.format(1) in run().err
    assert run("--history", "1").out == "Run 1 had no steps.\n"
    right.execute("DROP INDEX idx_weight_date")
    assert run().code == 0
    assert right.rows(ROWS)[1:] == [(2, 1, "repair", 1, True)]


def test_there_is_nothing_to_undo_of_what_was_adopted(right: Database, run: Run) -> None:
    """The next version leads back to it, and no further."""
    assert run().code == 0
    before = everything(right)
    result = run("--rollback")
    assert result.code == 4
    assert result.err.endswith(
        " ERROR refused: nothing to undo in public: version 1 was there before the first run.\n"
        "  Nothing was changed. Look at --history.\n"
    )
    assert everything(right) == before
    right.execute("UPDATE eater_schema_history SET desired = ''; DROP INDEX idx_weight_date")
    right.execute("COMMENT ON TABLE eater_schema_history IS NULL")
    assert run().code == 0
    assert right.rows(ROWS)[1:] == [(2, 2, "migrate", 1, True)]
    assert run("--rollback", "--to", "0").code == 4
    assert run("--rollback").code == 0
    assert run("--rollback", "--yes").code == 4
    assert right.value("SELECT count(*) FROM weight") == 1


@pytest.mark.parametrize("mode", ["--plan", "--verify"])
def test_who_only_looks_adopts_nothing(right: Database, run: Run, mode: str) -> None:
    """Nor does a run that does not verify."""
    before = everything(right)
    assert run(mode).code == 0
    assert run(VERIFY_INDEXES="false").code == 0
    assert everything(right) == before


def test_a_schema_beside_a_new_one_is_adopted(right: Database, run: Run) -> None:
    """Each schema has a history of its own."""
    assert run(POSTGRES_SCHEMAS="public,berlin").code == 0
    assert right.rows(ROWS) == [(1, 1, "adopt", 0, True)]
    assert right.value("SELECT action FROM berlin.eater_schema_history") == "migrate"
    assert CURRENT.format(1) in run(POSTGRES_SCHEMAS="public,berlin").err


FORBIDS = """
CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE schema_name = 'public') THEN
    RAISE 'permission denied: no DDL before 6 pm'; END IF; END $$;
CREATE EVENT TRIGGER forbid ON ddl_command_end EXECUTE FUNCTION forbid();
"""


@pytest.mark.parametrize("forbids", ["REVOKE CREATE ON SCHEMA public FROM PUBLIC", FORBIDS])
def test_who_may_not_adopt_compares_in_full_each_time(
    right: Database, run: Run, role: str, forbids: str
) -> None:
    """It succeeds all the same."""
    right.execute(f"GRANT CREATE ON SCHEMA public TO PUBLIC; {forbids}")
    for _ in range(2):
        result = run(POSTGRES_USER=role)
        assert result.code == 0, result.err
        assert "the verification cannot be recorded: permission denied" in result.err
        assert "comparing in full: no verified run is recorded for schema public" in result.err
    assert right.value("SELECT to_regclass('eater_schema_history') IS NULL")


@pytest.mark.usefixtures("initialised")
def test_a_copy_is_compared_in_full_once(database: Database, run: Run) -> None:
    """The note of the original proves nothing of it."""
    database.close()
    with copy_of(database) as copy:
        result = run(POSTGRES_DB=copy.name)
        assert result.code == 0
        assert MOVED in result.err
        assert copy.rows(ROWS) == [(1, 1, "migrate", 33, True)]
        assert CURRENT.format(1) in run(POSTGRES_DB=copy.name).err
        copy.close()
    assert CURRENT.format(1) in run().err


@pytest.mark.usefixtures("initialised")
def test_what_is_restored_is_compared_in_full_once(database: Database, run: Run) -> None:
    """A dump brings the note along, and the table is another one."""
    database.execute(
        """ALTER TABLE eater_schema_history RENAME TO dumped;
        CREATE TABLE eater_schema_history (LIKE dumped INCLUDING ALL);
        INSERT INTO eater_schema_history SELECT * FROM dumped;
        DO $$ BEGIN EXECUTE format('COMMENT ON TABLE eater_schema_history IS %L',
          obj_description('dumped'::regclass)); END $$;
        DROP TABLE dumped"""
    )
    assert MOVED in run().err
    assert CURRENT.format(1) in run().err
