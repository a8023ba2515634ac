"""The quick look says of each schema whether the last verified run left it so."""

from contextlib import closing
from typing import Sequence

import pytest

import chater
from converge.history.look import LISTED, Look, fingerprints, look
from converge.server.retries import connect
from converge.settings.loading import load_settings
from tests.support.database import Database
from tests.support.job import Run

EXPECTED = fingerprints(chater.MODELS, [chater.__file__])
SCHEMAS = ("c", "a", "b", "nowhere")


def looked(database: Database, schemas: Sequence[str]) -> Look:
    with closing(connect(load_settings(database.environment, "none"))) as connection:
        return look(connection, schemas, EXPECTED)


@pytest.fixture
def three(database: Database, run: Run) -> Database:
    assert run(POSTGRES_SCHEMAS="a,b,c").code == 0
    return database


def test_what_is_not_current_is_pending(three: Database) -> None:
    """In the order in which it was asked; all else is said of the schemas that are current."""
    three.execute("DROP INDEX b.idx_weight_date; UPDATE a.weight SET weight = 1")
    found = looked(three, SCHEMAS)
    assert found.pending == ("b", "nowhere")
    assert not found.current
    changed, unknown = found.reasons
    assert changed.startswith("schema b has changed since it was verified at 2")
    assert unknown == "no verified run is recorded for schema nowhere"
    assert (found.versions, len(found.tables)) == ((1,), 7)
    assert looked(three, ["c", "a"]) == found._replace(reasons=(), pending=())


def test_schemas_that_share_a_reason_share_its_line(three: Database) -> None:
    """Whenever they were verified, and only so many by name."""
    three.execute("DROP INDEX a.idx_weight_date, c.idx_weight_date")
    three.execute(
        "DO $$ BEGIN EXECUTE format('COMMENT ON TABLE c.eater_schema_history IS %L', replace("
        "obj_description('c.eater_schema_history'::regclass), 'verified\" : \"20', "
        "'verified\" : \"10')); END $$"
    )
    nowhere = [f"nowhere_{number:02}" for number in range(LISTED + 3)]
    found = looked(three, ["c", "a", *nowhere])
    changed, unknown = found.reasons
    assert changed.startswith("schema c, a has changed since it was verified at 10")
    assert changed.endswith(" UTC or later")
    assert unknown.endswith(f"{nowhere[LISTED - 1]}, … and 3 more")
    assert found.pending == ("c", "a", *nowhere)


def test_where_a_note_cannot_be_read_all_is_pending(three: Database) -> None:
    """It is compared in full once, and noted anew."""
    three.execute("COMMENT ON TABLE b.eater_schema_history IS '{\"eater-init\" : {'")
    assert looked(three, ["a", "b"]).pending == ("a", "b")
    three.execute('COMMENT ON TABLE b.eater_schema_history IS \'{"eater-init" : 1, "tables" : 1}\'')
    assert looked(three, ["a", "b"]).pending == ("a", "b")
