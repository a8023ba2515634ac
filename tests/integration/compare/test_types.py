"""Types that change: what the server does for it, and that each value comes back."""

from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Enum,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Uuid,
    types,
)
from sqlalchemy.dialects import postgresql

from converge.compare.copies import Copy
from converge.steps import Kind, Lock
from tests.support.database import Database, fresh_database
from tests.support.job import Run
from tests.support.things import converged, thing_with

# From, to, and whether the server writes a table anew, or an index.
CHANGES = {
    ("varchar(5)", "varchar(9)"): Lock.INSTANT,
    ("varchar(5)", "varchar"): Lock.INSTANT,
    ("varchar(5)", "text"): Lock.INSTANT,
    ("text", "varchar"): Lock.INSTANT,
    ("varchar(9)", "varchar(5)"): Lock.REWRITE,
    ("varchar", "varchar(5)"): Lock.REWRITE,
    ("varchar[]", "text[]"): Lock.REWRITE,
    ("varchar(5)[]", "varchar(9)[]"): Lock.REWRITE,
    ("varchar(5)[]", "varchar[]"): Lock.INSTANT,
    ("char(3)", "char(5)"): Lock.REWRITE,
    ("char(3)", "text"): Lock.REWRITE,
    ("numeric(8,2)", "numeric(9,2)"): Lock.INSTANT,
    ("numeric(8,2)", "numeric"): Lock.INSTANT,
    ("numeric(8,2)", "numeric(9,3)"): Lock.REWRITE,
    ("numeric(8,2)", "numeric(7,2)"): Lock.REWRITE,
    ("numeric", "numeric(9,2)"): Lock.REWRITE,
    ("integer", "bigint"): Lock.REWRITE,
    ("integer", "oid"): Lock.READ,
    ("bit varying(3)", "bit varying(5)"): Lock.INSTANT,
    ("bit varying(3)", "bit varying"): Lock.INSTANT,
    ("bit varying", "bit varying(5)"): Lock.REWRITE,
    ("timestamp(3)", "timestamp(6)"): Lock.INSTANT,
    ("timestamp(3)", "timestamp"): Lock.INSTANT,
    ("timestamp", "timestamp(3)"): Lock.REWRITE,
    ("timestamptz(3)", "timestamptz"): Lock.INSTANT,
    ("time(3)", "time"): Lock.INSTANT,
    ("interval(3)", "interval"): Lock.INSTANT,
    ("interval", "interval(3)"): Lock.REWRITE,
    ("timestamp", "timestamptz"): Lock.REWRITE,
    ("timestamptz", "timestamp"): Lock.REWRITE,
    ("cidr", "inet"): Lock.INSTANT,
    ("json", "jsonb"): Lock.REWRITE,
    ("jsonb", "json"): Lock.REWRITE,
    ("small", "varchar"): Lock.INSTANT,
    ("varchar", "small"): Lock.REWRITE,
    ("varchar", "any_text"): Lock.INSTANT,
    ("varchar", 'varchar COLLATE "C"'): Lock.READ,
    ('varchar COLLATE "C"', "varchar"): Lock.READ,
    ('varchar(5) COLLATE "C"', 'varchar(9) COLLATE "C"'): Lock.INSTANT,
}
DOMAINS = "CREATE DOMAIN small AS varchar(5) CHECK (VALUE > ''); CREATE DOMAIN any_text AS varchar"
FILES = "SELECT pg_relation_filenode('t'), pg_relation_filenode('i')"


@pytest.fixture(scope="module")
def session(server: Dict[str, Any]) -> Iterator[Database]:
    with fresh_database(server) as database:
        database.execute(DOMAINS)
        yield database


def on_a_copy(database: Database, changes: List[str]) -> Optional[Lock]:
    """Return what the comparison takes the changes of the table `t` for."""

    def ask(sql: str) -> List[Tuple[Any, ...]]:
        database.execute("BEGIN READ ONLY")
        try:
            return database.rows(sql)
        finally:
            database.execute("ROLLBACK")

    return Copy(ask, "public.t").lock(changes)


@pytest.mark.parametrize("change", CHANGES, ids=" to ".join)
def test_the_server_does_on_an_empty_copy_what_it_does_to_rows(
    session: Database, change: Tuple[str, str]
) -> None:
    """Whether it writes the table anew, or only its index, is told by an empty copy of it."""
    live, desired = change
    indexed = "" if live == "json" or desired == "json" else "c"
    session.execute(
        f"DROP TABLE IF EXISTS t; CREATE TABLE t (id integer, c {live}); INSERT INTO t VALUES (1); "
        f"CREATE INDEX i ON t ({indexed or 'id'})"
    )
    alter = f"ALTER COLUMN c TYPE {desired}"
    if {live, desired} == {"timestamp", "timestamptz"}:
        session.execute("SET TIME ZONE 'UTC'")  # where it would not be one
        assert on_a_copy(session, [alter]) is Lock.REWRITE
        return
    found = on_a_copy(session, [alter])
    ((table, index),) = session.rows(FILES)
    session.execute(f"ALTER TABLE t {alter}")
    ((new_table, new_index),) = session.rows(FILES)
    real = Lock.INSTANT if index == new_index else Lock.READ
    assert found is (real if table == new_table else Lock.REWRITE) is CHANGES[change]


UTC: Dict[str, Any] = {"info": {"time_zone": "UTC"}}
# The live type, the models' column, and values with what they become.
KEPT: List[Tuple[str, Any, Dict[str, str]]] = [
    ("numeric(8,4)", Column("c", Numeric(8, 2)), {"1.2500": "1.25", "-3.0000": "-3.00"}),
    ("numeric(8,2)", Column("c", Numeric(8, 4)), {"1.25": "1.2500"}),
    ("integer", Column("c", Numeric(8, 2)), {"7": "7.00"}),
    ("numeric", Column("c", BigInteger), {"7": "7"}),
    ("text", Column("c", Numeric(8, 2)), {"7.25": "7.25"}),
    ("double precision", Column("c", Numeric(8, 2)), {"0.1": "0.10"}),
    ("char(3)", Column("c", String(5)), {"ab ": "ab"}),
    ("varchar(9)", Column("c", String(5)), {"abcde": "abcde"}),
    ("varchar(5)", Column("c", String(9)), {"abcde": "abcde"}),
    ("varchar(5)[]", Column("c", postgresql.ARRAY(types.Text)), {"{abcde,NULL}": "{abcde,NULL}"}),
    ("text[]", Column("c", postgresql.ARRAY(String(5))), {"{abcde}": "{abcde}"}),
    ("integer[]", Column("c", postgresql.ARRAY(BigInteger)), {"{1,2}": "{1,2}"}),
    ("jsonb", Column("c", types.JSON), {'{"a": 1}': '{"a": 1}'}),
    ("json", Column("c", postgresql.JSONB), {'{"a": 1}': '{"a": 1}'}),
    (
        "timestamp",
        Column("c", DateTime(timezone=True), **UTC),
        {"2024-02-29 12:30:00": "2024-02-29 12:30:00+00"},
    ),
    (
        "timestamptz",
        Column("c", DateTime, **UTC),
        {"2024-02-29 12:30:00+00": "2024-02-29 12:30:00"},
    ),
    ("date", Column("c", DateTime), {"2024-02-29": "2024-02-29 00:00:00"}),
    ("timestamp", Column("c", types.Date), {"2024-02-29 00:00:00": "2024-02-29"}),
    ("timestamptz", Column("c", types.Date, **UTC), {"2024-02-29 00:00:00+00": "2024-02-29"}),
    ("text", Column("c", DateTime), {"2024-02-29 12:30:00.5": "2024-02-29 12:30:00.5"}),
    ("text", Column("c", types.Time), {"12:30:00": "12:30:00"}),
    ("integer", Column("c", Boolean), {"0": "false", "1": "true"}),
    ("text", Column("c", Boolean), {"true": "true", "false": "false"}),
    ("boolean", Column("c", Integer), {"true": "1", "false": "0"}),
    ("boolean", Column("c", String(5)), {"true": "true", "false": "false"}),
    (
        "char(32)",
        Column("c", Uuid),
        {"a0eebc999c0b4ef8bb6d6bb9bd380a11": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
    ),
    ("text", Column("c", Uuid), dict([["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"] * 2])),
    ("text", Column("c", LargeBinary), {"é": r"\xc3a9"}),
    ("bytea", Column("c", String), {r"\xc3a9": "é"}),
    ("cidr", Column("c", postgresql.INET), {"10.0.0.0/8": "10.0.0.0/8"}),
    ("inet", Column("c", postgresql.CIDR), {"10.0.0.0/8": "10.0.0.0/8"}),
    ("text", Column("c", postgresql.INET), {"10.0.0.1": "10.0.0.1/32"}),
    ("public.mood", Column("c", String(4)), {"low": "low", "high": "high"}),
    ("public.citext", Column("c", String), {"Low": "Low"}),
    ("interval", Column("c", postgresql.INTERVAL(precision=2)), {"00:00:01.25": "00:00:01.25"}),
    ("varbit", Column("c", postgresql.BIT(4, varying=True)), {"0101": "0101"}),
    ("varchar", Column("c", String(collation="C")), {"é": "é"}),
    ('varchar COLLATE "C"', Column("c", String), {"é": "é"}),
    ("time(3)", Column("c", types.Time), {"12:30:00.125": "12:30:00.125"}),
]
# Of these one of two rows does not convert.
REFUSED: List[Tuple[str, Any, str, str]] = [
    ("numeric(8,4)", Column("c", Numeric(8, 2)), "1.25", "1.2345"),
    ("numeric(8,2)", Column("c", Numeric(8, 4)), "9999.99", "10000"),
    ("numeric", Column("c", Numeric(8, 2)), "1", "1.001"),
    ("varchar(9)", Column("c", String(5)), "abcde", "abcdef"),
    ("text[]", Column("c", postgresql.ARRAY(String(5))), "{abcde}", "{a,abcdef}"),
    ("integer", Column("c", Boolean), "1", "2"),
    ("text", Column("c", Boolean), "true", "yes"),
    ("text", Column("c", Uuid), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "none"),
    ("bytea", Column("c", String), r"\xc3a9", r"\xc3"),
    ("inet", Column("c", postgresql.CIDR), "10.0.0.0/8", "10.0.0.1/8"),
    ("timestamptz", Column("c", types.Date, **UTC), "2024-02-29 00:00Z", "2024-02-29 01:00Z"),
    ("interval", Column("c", postgresql.INTERVAL(precision=2)), "00:00:01.25", "00:00:01.255"),
    ("text", Column("c", DateTime), "2024-02-29 12:30:00", "2023-02-29 12:30:00"),
]
TYPES = "CREATE TYPE mood AS ENUM ('low', 'high'); CREATE EXTENSION citext; SET TIME ZONE 'UTC'"


def thing(database: Database, live: str, values: Sequence[str]) -> None:
    """Make a table of a first version, with a row for each value and one without."""
    database.execute(TYPES)
    database.execute(f"CREATE TABLE thing (id serial PRIMARY KEY, c {live})")
    if "json" not in live:
        database.execute("CREATE INDEX found ON thing (c)")
    for value in [*values, None]:
        database.execute("INSERT INTO thing (c) VALUES (%s)", (value,))


def held(database: Database) -> List[str]:
    """Return what the column holds, with its type."""
    type_name = (
        "SELECT format_type(atttypid, atttypmod) || attcollation::text FROM pg_attribute "
        "WHERE attrelid = 'thing'::regclass AND attname = 'c'"
    )
    values = [value for (value,) in database.rows("SELECT c::text FROM thing ORDER BY id")]
    return [*values, database.value(type_name)]


@pytest.mark.parametrize(
    ("live", "column", "values"), KEPT, ids=[f"{kept[0]} to {kept[1].type!r}" for kept in KEPT]
)
def test_values_are_converted_and_come_back(
    database: Database, run: Run, live: str, column: Any, values: Dict[str, str]
) -> None:
    """What is the same in the new type is converted; a rollback brings it back as it was."""
    thing(database, live, list(values))
    before = held(database)
    plan = converged(database, thing_with(column._copy()))
    assert plan.refusals == ()
    assert held(database)[:-1] == [*values.values(), None]
    result = run("--rollback", "--to", "0")
    assert result.code == 0, result.err
    assert held(database) == before


@pytest.mark.parametrize(
    ("live", "column", "good", "bad"),
    REFUSED,
    ids=[f"{refused[0]} to {refused[1].type!r}" for refused in REFUSED],
)
def test_a_value_that_would_be_another_is_refused(
    database: Database, live: str, column: Any, good: str, bad: str
) -> None:
    """With its row; nothing is changed."""
    thing(database, live, [good, bad])
    before = held(database)
    (refusal,) = converged(database, thing_with(column._copy())).refusals
    assert "1 of 3 rows does not convert, e.g. id=2 " in str(refusal)
    assert held(database) == before
    find = refusal.way_out.statements[0]
    assert [number for number, _ in database.rows(find)] == [2]


def library(key_type: Any, *, version: str = "1") -> MetaData:
    """Return models of keys that refer to others, and to their own table."""
    metadata = MetaData()
    Table("shelf", metadata, Column("id", key_type, primary_key=True, autoincrement=False))
    Table(
        "book",
        metadata,
        Column("id", key_type, primary_key=True, autoincrement=False),
        Column("sequel", key_type, ForeignKey("book.id", name="book_sequel")),
        Column("shelf", key_type, ForeignKey("shelf.id", name="book_shelf", ondelete="CASCADE")),
        comment=f"version {version}",
    )
    return metadata


BOOKS = "INSERT INTO shelf VALUES (1), (2); INSERT INTO book VALUES (1, NULL, 1), (2, 1, 2)"
KEYS = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' ORDER BY 1"


def test_both_ends_of_a_foreign_key_become_wider(database: Database, run: Run) -> None:
    """integer to bigint, key and referring columns, and back; the foreign keys are as they were."""
    converged(database, library(Integer))
    database.execute(BOOKS)
    before = database.rows(KEYS)
    plan = converged(database, library(BigInteger, version="2"))
    changed = [step.name for step in plan.steps if step.kind is Kind.CHANGE_TYPE]
    assert sorted(changed) == ["id", "id", "sequel", "shelf"]
    assert database.rows(KEYS) == before
    assert database.rows("SELECT id, sequel, shelf FROM book ORDER BY 1") == [
        (1, None, 1),
        (2, 1, 2),
    ]
    result = run("--rollback", "--to", "1")
    assert result.code == 0, result.err
    assert database.rows(KEYS) == before
    assert database.value("SELECT pg_typeof(sequel)::text FROM book WHERE id = 2") == "integer"


def test_a_foreign_key_that_the_server_would_not_take_is_in_the_way(database: Database) -> None:
    """It does not compare a text with a number, whichever end is changed first."""
    converged(database, library(Integer))
    database.execute(BOOKS)
    refusals = converged(database, library(String)).refusals
    assert {refusal.subject for refusal in refusals} == {
        *("public.shelf.id", "public.book.id", "public.book.sequel", "public.book.shelf")
    }
    assert "It is used by table constraint book_shelf on public.book." in str(refusals)


def test_a_large_table_is_not_read_for_its_foreign_key(database: Database) -> None:
    """To change the key, the server reads what refers to it, under the locks of both."""
    converged(database, library(Integer))
    database.execute(f"{BOOKS}; UPDATE book SET shelf = 1; DELETE FROM shelf WHERE id = 2")
    refusals = converged(database, library(BigInteger), REWRITE_MAX_ROWS="1").refusals
    (refusal,) = [refusal for refusal in refusals if refusal.subject == "public.shelf.id"]
    assert "That reads public.book while everybody waits: 2 rows, " in str(refusal)


@pytest.mark.parametrize("live", ["timestamp", "timestamptz"])
def test_a_time_zone_is_never_guessed(database: Database, live: str) -> None:
    """Without a word of the models it is refused; what is typed instead names the zone."""
    thing(database, live, ["2024-02-29 12:30:00"])
    models = thing_with(Column("c", DateTime(timezone=live == "timestamp")))
    (refusal,) = converged(database, models).refusals
    assert "The models do not say in which time zone its values are." in str(refusal)
    (statement,) = refusal.way_out.statements
    assert statement.endswith(" USING c AT TIME ZONE 'UTC'")
    database.execute(f"SET TIME ZONE 'Asia/Tokyo'; {statement}; SET TIME ZONE 'UTC'")
    assert converged(database, models).refusals == ()
    assert held(database)[0].startswith("2024-02-29 12:30:00")


def test_the_same_bytes_may_be_another_value(database: Database) -> None:
    """The server takes -1 for 4294967295 without a word, as an oid."""
    thing(database, "integer", ["-1"])
    (refusal,) = converged(database, thing_with(Column("c", postgresql.OID))).refusals
    assert "No conversion is known that is right for every row." in str(refusal)
    assert held(database)[0] == "-1"


MOOD = Enum("low", "high", name="mood")


def test_a_text_becomes_an_enum_if_it_is_one_of_its_labels(database: Database, run: Run) -> None:
    """One that the same run creates; the default goes along, and all of it comes back."""
    thing(database, "varchar DEFAULT 'low'", ["low", "sad"])
    database.execute("DROP TYPE mood")
    models = thing_with(Column("c", MOOD, server_default="low"))
    (refusal,) = converged(database, models).refusals
    assert "1 of 3 rows does not convert, e.g. id=2 'sad'." in str(refusal)
    database.execute("UPDATE thing SET c = 'high' WHERE id = 2")
    before = held(database)
    assert converged(database, models).refusals == ()
    database.execute("INSERT INTO thing DEFAULT VALUES")
    assert held(database)[:4] == ["low", "high", None, "low"]
    database.execute("DELETE FROM thing WHERE id > 3")
    result = run("--rollback", "--to", "0")
    assert result.code == 0, result.err
    assert held(database) == before


@pytest.mark.parametrize(
    ("column", "index"),
    [
        (Column("c", String(collation="C")), "CREATE INDEX found ON thing (c)"),
        (Column("c", String), "ALTER TABLE thing ADD CHECK (c > '')"),
    ],
    ids=["an index", "a check"],
)
def test_a_large_table_is_not_read_for_its_type(
    database: Database, column: Any, index: str
) -> None:
    """To build an index anew, or to check again, the server reads the table under the lock."""
    database.execute("CREATE TABLE thing (id serial PRIMARY KEY, c varchar(5))")
    database.execute(f"INSERT INTO thing (c) VALUES ('a'), ('b'); {index}")
    models = thing_with(column)
    (refusal,) = converged(database, models, REWRITE_MAX_ROWS="1").refusals
    assert "That reads the table while everybody waits: 2 rows" in str(refusal)
    steps = converged(database, models).steps
    assert [step.lock for step in steps if step.kind is Kind.CHANGE_TYPE] == [Lock.READ]
