"""The state of a schema: as fine as what is compared, and the same wherever the same was made."""

import json
from contextlib import closing
from typing import Any, Dict, Iterator, List, NamedTuple

import psycopg2
import psycopg2.extensions
import pytest

from converge.names import HISTORY_TABLE
from converge.plan import Managed
from converge.server.sql import statement
from converge.server.states import State
from tests.integration.compare.test_properties import DRIFTS, NOTED, UNKNOWN
from tests.support.catalogs import SAMPLE_ROWS
from tests.support.database import Database
from tests.support.desired import METADATA
from tests.support.shapes import DIFFERENCES, SHAPES, SINCE
from tests.support.turns import TURNS

MANAGED = Managed(
    tables=(*METADATA.tables, "things"), types=("mood", "email"), sequences=("numbers",)
)
HERE = "SET LOCAL search_path = {}; "
# Those that the server quotes, that begin another's name, or are a name of something else.
NAMES = ("b", "pub", "Größe 1", "of (all, a)", "weight", "text")


class Reading(NamedTuple):
    """What is read of a schema in an open transaction."""

    document: str
    state: State


class Trying:
    """A transaction in a database as the models describe, with rows."""

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self.cursor = connection.cursor()
        self.version = connection.server_version

    def does(self, sql: str, schema: str = "public") -> bool:
        """Run it with the schema's names; return whether the server takes it, all or nothing."""
        try:
            self.cursor.execute(f"SAVEPOINT here; {HERE.format(quoted(schema))}{sql}")
        except psycopg2.Error:
            self.cursor.execute("ROLLBACK TO here")
            return False
        return True

    def back(self) -> None:
        self.cursor.execute("ROLLBACK TO here")

    def read(self, schema: str = "public") -> Reading:
        values: Dict[str, Any] = {"schemas": [schema], "history": HISTORY_TABLE}
        values.update(MANAGED._asdict())
        self.cursor.execute("SET LOCAL search_path = ''")
        self.cursor.execute(statement("server/catalog.sql", names=(), **values))
        [(document,)] = self.cursor.fetchall()
        self.cursor.execute("SET LOCAL search_path = pg_catalog")
        self.cursor.execute(statement("server/states.sql", **values))
        [(_, *state)] = self.cursor.fetchall()
        return Reading(json.dumps(document["contents"]), State(*state))


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture
def trying(initialised: Database) -> Iterator[Trying]:
    initialised.execute(SAMPLE_ROWS + NOTED)
    with closing(initialised.connect()) as connection:
        connection.autocommit = False
        yield Trying(connection)


def shapes(version: int) -> List[str]:
    return [sql or "SELECT" for name, sql in SHAPES.items() if version >= SINCE.get(name, 0)]


def test_whatever_is_compared_changes_the_state(trying: Trying) -> None:
    """A kind of table, one difference of each kind on it: no two documents have one state."""
    found: Dict[str, str] = {}

    def check() -> None:
        document, state = trying.read()
        assert found.setdefault(state.managed, document) == document

    for shape in shapes(trying.version):
        trying.cursor.execute("SAVEPOINT whole")
        assert trying.does(shape), shape
        check()
        for sql in (*DIFFERENCES.values(), *DRIFTS, *UNKNOWN) if shape == "SELECT" else ():
            assert trying.does(sql), sql
            check()
            trying.back()
        trying.cursor.execute("ROLLBACK TO whole")
    assert len(found) > 100


def test_each_turn_of_the_things_of_the_models_is_a_state(trying: Trying) -> None:
    """Types, sequences, keys, indexes and what hangs on them, turned one at a time."""
    seen: Dict[str, str] = {}
    for turn in TURNS:
        if trying.version >= turn.since:
            before = trying.read()
            trying.cursor.execute("SET LOCAL search_path = public; " + turn.sql)
            document, state = trying.read()
            assert document != before.document, turn
            assert state.managed != before.state.managed, turn
            assert seen.setdefault(state.managed, document) == document, turn


@pytest.mark.parametrize("name", NAMES)
def test_a_state_does_not_know_its_schema(trying: Trying, name: str) -> None:
    """Neither by its name nor by numbers: renamed, and made in another one."""
    trying.cursor.execute(f"CREATE SCHEMA {quoted(name)}")
    for sql in shapes(trying.version):
        trying.cursor.execute("SAVEPOINT whole")
        assert trying.does(sql)
        before = trying.read().state
        trying.cursor.execute(
            f"DROP SCHEMA {quoted(name)}; ALTER SCHEMA public RENAME TO {quoted(name)}"
        )
        assert trying.read(name).state == before, sql
        trying.cursor.execute("ROLLBACK TO whole")
