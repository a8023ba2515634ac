"""The state of a schema: as fine as what is compared, and the same wherever the same was made."""

import json
from contextlib import closing
from typing import Any, Dict, Iterator, List, Tuple

import psycopg2
import psycopg2.extensions
import pytest

from converge.history.look import NOTE_START
from converge.names import HISTORY_TABLE
from converge.plan import Managed
from converge.server.retries import connect
from converge.server.sql import statement
from converge.server.states import State, states
from converge.settings.loading import load_settings
from tests.integration.compare.test_properties import DRIFTS, NOTED, UNKNOWN
from tests.support.catalogs import SAMPLE_ROWS
from tests.support.database import Database
from tests.support.desired import METADATA
from tests.support.job import Run
from tests.support.shapes import DIFFERENCES, SHAPES, SINCE
from tests.support.turns import TURNS

MANAGED = Managed(
    tables=(*METADATA.tables, "things"), types=("mood", "email"), sequences=("numbers",)
)
HERE = "SET LOCAL search_path = {}; "
# Those that the server quotes, that begin another's name, or are a name of something else.
NAMES = ("b", "pub", "Größe 1", "of (all, a)", "weight", "text")

# Where the server says names: in defaults, checks, types, what refers to something.
SPOKEN = (
    "plain",
    "a check",
    "an identity",
    "a domain",
    "a foreign key to itself",
    "a view",
    "partitioned by list",
    "a grandchild",
    "a row type in a type",
    "typed",
    "published",
)


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

    def read(self) -> Tuple[str, str]:
        """Return what is compared of the schema `public`, and the hash of that."""
        [(document,)] = self.rows("''", statement("server/catalog.sql", names=(), **values()))
        return json.dumps(document["contents"], sort_keys=True), self.state().managed

    def state(self, schema: str = "public") -> State:
        found = self.rows("pg_catalog", statement("server/states.sql", **values(schema)))
        [(_, *state)] = found
        return State(*state)

    def rows(self, path: str, query: str) -> List[Tuple[Any, ...]]:
        self.cursor.execute(f"SET LOCAL search_path = {path}; {query}")
        return self.cursor.fetchall()


def values(schema: str = "public") -> Dict[str, Any]:
    return {"schemas": [schema], "history": HISTORY_TABLE, **MANAGED._asdict()}


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


@pytest.mark.long
def test_whatever_is_compared_changes_the_state(trying: Trying) -> None:
    """A kind of table, one difference of each kind on it: no two documents have one state."""
    found: Dict[str, str] = {}

    def check() -> None:
        document, state = trying.read()
        assert found.setdefault(state, document) == document

    for shape in shapes(trying.version):
        trying.cursor.execute("SAVEPOINT whole")
        assert trying.does(shape), shape
        check()
        for sql in (*DIFFERENCES.values(), *DRIFTS, *UNKNOWN) if shape == "SELECT" else ():
            assert trying.does(sql), sql
            check()
            trying.back()
        trying.cursor.execute("ROLLBACK TO whole")
    assert len(found) > 90


@pytest.mark.long
def test_each_turn_of_the_things_of_the_models_is_a_state(trying: Trying) -> None:
    """Types, sequences, keys, indexes and what hangs on them, turned one at a time."""
    seen: Dict[str, str] = {}
    for turn in TURNS:
        if trying.version >= turn.since:
            before = trying.read()
            trying.cursor.execute("SET LOCAL search_path = public; " + turn.sql)
            document, state = trying.read()
            assert document != before[0], turn
            assert state != before[1], turn
            assert seen.setdefault(state, document) == document, turn


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_a_state_does_not_know_its_schema(trying: Trying, name: str) -> None:
    """Neither by its name nor by that of what is in it, wherever the server says it."""
    for sql in shapes(trying.version) if name == "b" else [SHAPES[shape] for shape in SPOKEN]:
        if "EVENT TRIGGER" not in sql:  # these forbid it
            trying.cursor.execute("SAVEPOINT whole")
            trying.cursor.execute(f"SET LOCAL search_path = public; {sql}")
            before = trying.state()
            trying.cursor.execute(f"ALTER SCHEMA public RENAME TO {quoted(name)}")
            assert trying.state(name) == before, sql
            trying.cursor.execute("ROLLBACK TO whole")


@pytest.mark.parametrize("default", ["'b.weight'", "'x b.y'::text", "lower('b.weight')"])
def test_a_text_that_holds_the_name_is_no_reference(trying: Trying, default: str) -> None:
    """Else a schema that says its own name in the place of another's would be taken for it."""
    set_default = (
        f"SET LOCAL search_path = public; ALTER TABLE weight ALTER date SET DEFAULT {default}"
    )
    trying.cursor.execute(set_default)
    here = trying.state()
    trying.cursor.execute("ALTER SCHEMA public RENAME TO b")
    assert trying.state("b") != here
    trying.cursor.execute(
        f"ALTER TABLE b.weight ALTER date SET DEFAULT {default.replace('b.', 'public.')}"
    )
    assert trying.state("b").managed != here.managed


def test_what_others_call_the_same_is_another(trying: Trying) -> None:
    """A function of this schema, of one whose name ends like its own, and of the server."""
    found = set()
    for schema in ("public", "the_public", "pg_catalog"):
        trying.cursor.execute("SAVEPOINT whole; CREATE SCHEMA the_public")
        make = f"CREATE FUNCTION {schema}.lower(varchar) RETURNS varchar LANGUAGE sql RETURN $1"
        if schema != "pg_catalog":
            trying.cursor.execute(make.replace("RETURN $1", "AS 'SELECT $1'"))
        trying.cursor.execute(
            f"ALTER TABLE public.weight ALTER date SET DEFAULT {schema}.lower('X'::varchar)"
        )
        found.add(trying.state().managed)
        trying.cursor.execute("ROLLBACK TO whole")
    assert len(found) == 3


AROUND = [
    "CREATE TABLE other (id integer)",
    "CREATE VIEW other AS SELECT 1",
    "CREATE INDEX other ON weight (weight)",
    "CREATE TYPE other AS ENUM ()",
    "CREATE SEQUENCE other",
    "ALTER TABLE eater_schema_history ADD other integer",
    "CREATE ROLE eater_around; ALTER TABLE eater_schema_history OWNER TO eater_around",
]


@pytest.mark.parametrize("sql", AROUND)
def test_what_else_is_there_is_around(trying: Trying, sql: str) -> None:
    """A name may be in the way; the note says nothing of it."""
    before = trying.state()
    trying.cursor.execute(f"SET LOCAL search_path = public; {sql}")
    after = trying.state()
    assert after.around != before.around
    assert (after.managed == before.managed) is ("INDEX" not in sql)


WORDED = """ALTER TABLE weight ADD a bytea DEFAULT '\\x01',
  ADD b timestamptz DEFAULT '2024-01-01 00:00Z',
  ADD c interval DEFAULT '1 day 2 hours', ADD d date DEFAULT '2024-02-01', ADD e money DEFAULT '1',
  ADD f double precision DEFAULT 0.1, ADD "G" text DEFAULT 'a\\b';
CREATE INDEX loud ON weight (upper("G")) WHERE b > '2024-01-01 00:00Z'"""
SETTINGS = {
    "DateStyle": "'German'",
    "IntervalStyle": "iso_8601",
    "TimeZone": "'Asia/Tokyo'",
    "bytea_output": "escape",
    "extra_float_digits": "-5",
    "quote_all_identifiers": "on",
    "search_path": "public, pg_catalog",
    "backslash_quote": "off",
    "enable_nestloop": "off",
}


@pytest.mark.usefixtures("initialised")
def test_whoever_asks_finds_the_same_state(database: Database) -> None:
    """Whatever the database has set, and with statistics or without."""
    database.execute(WORDED)
    settings = load_settings(database.environment, "none")

    def read() -> Dict[str, State]:
        with closing(connect(settings)) as connection:
            return states(connection, ["public", "none"], MANAGED)

    before = read()
    assert list(before) == ["public"]
    for name, value in SETTINGS.items():
        database.execute(f"ALTER DATABASE {database.name} SET {name} = {value}")
    assert read() == before
    for sql in ("ANALYZE", "REINDEX TABLE weight", "VACUUM FULL weight"):
        database.execute(sql)
    assert read() == before


MADE = """CREATE TYPE mood AS ENUM ('good'); CREATE DOMAIN email AS text CHECK (VALUE <> '');
CREATE SEQUENCE numbers; CREATE VIEW light AS SELECT date FROM weight;
CREATE TABLE boxes (box weight); CREATE TABLE heavy () INHERITS (weight);
CREATE STATISTICS both_of_it ON date, time FROM weight;"""
NEIGHBOURS = f"""DO $$ BEGIN FOR number IN {{}} .. {{}} LOOP
  EXECUTE format('CREATE SCHEMA s%1$s; SET LOCAL search_path = s%1$s', number);
  CREATE TABLE weight (time serial PRIMARY KEY, date text NOT NULL DEFAULT current_user
    CHECK (date > '2'), other integer REFERENCES weight);
  CREATE TABLE eater_schema_history (); {MADE}
END LOOP; END $$"""


@pytest.mark.long
@pytest.mark.parametrize("what", ["server/states.sql", "server/stale.sql", "history/look.sql"])
def test_a_schema_costs_the_same_among_many(trying: Trying, what: str) -> None:
    """Also in a database that has been filled just now: the server's statistics know of none."""

    def rows_read() -> float:
        query = statement(what, **values(), note=NOTE_START)
        explain = "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) "
        [(found,)] = trying.rows("pg_catalog", explain + query)
        read = 0.0
        for node in nodes(found[0]["Plan"]):
            if "Relation Name" in node or "Index Name" in node:
                rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                read += node["Actual Loops"] * rows
        return read

    for whole in ("seqscan", "hashjoin", "mergejoin"):  # as a small catalog may well be read
        trying.cursor.execute(f"SET LOCAL enable_{whole} = off")
    trying.cursor.execute(f"SET LOCAL search_path = public; {MADE}")
    trying.cursor.execute(NEIGHBOURS.format(1, 200))
    among_few = rows_read()
    trying.cursor.execute(NEIGHBOURS.format(201, 400))
    assert rows_read() - among_few < 100


def nodes(plan: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


PUT_RIGHT = """SET search_path = b; DROP INDEX idx_weight_date, idx_dishes_name;
ALTER TABLE weight ALTER date TYPE varchar(40); DROP TABLE alcohol_for_day;
ALTER TABLE dishes_day DROP CONSTRAINT dishes_day_pkey, ALTER dish_name DROP NOT NULL;
ALTER TABLE "user" ALTER language DROP DEFAULT; COMMENT ON TABLE weight IS 'other';
RESET search_path"""


def test_schemas_with_different_pasts_are_in_one_state(database: Database, run: Run) -> None:
    """One was made by the models, the other was brought to them."""
    assert run(POSTGRES_SCHEMAS="b").code == 0
    database.execute(PUT_RIGHT)
    assert run(POSTGRES_SCHEMAS="a,b").code == 0
    settings = load_settings(database.environment, "none")
    with closing(connect(settings)) as connection:
        found = states(connection, ["b", "a"], MANAGED)
        assert found["a"] == found["b"]
        database.execute("ALTER TABLE b.weight ADD mood text; ALTER TABLE b.weight DROP mood")
        found = states(connection, ["b", "a"], MANAGED)
    # So many columns fewer can still be added.
    assert found["a"].managed != found["b"].managed
    assert found["a"].around == found["b"].around
