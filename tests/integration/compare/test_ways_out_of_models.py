"""Ways out for what the platform's models do not use: typed as they are printed, and then done."""

import re
from typing import Any, Callable, Dict, NamedTuple

import pytest
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Enum,
    Index,
    Integer,
    MetaData,
    Sequence,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import CITEXT, DOMAIN, UUID

from converge.errors import Refused
from converge.quoting import identifier
from tests.support.converging import Converging
from tests.support.database import Database
from tests.support.ways_out import names_of, passed

Models = Callable[[], MetaData]


def table(*columns: Any, **options: Any) -> Models:
    """Return what makes models of one table."""

    def made() -> MetaData:
        metadata = MetaData()
        copied = [c() if callable(c) and not isinstance(c, Column) else c for c in columns]
        Table("t", metadata, Column("id", Integer, primary_key=True), *copied, **options)
        return metadata

    return made


def mood(*labels: str) -> Models:
    return table(lambda: Column("v", Enum(*labels, name="mood"), server_default=labels[-1]))


def email(kind: Any = String, **options: Any) -> Models:
    return table(lambda: Column("v", DOMAIN("email", kind, **options)))


def computed(by: str, *, persisted: bool = True) -> Models:
    return table(
        lambda: Column("n", Integer),
        lambda: Column("v", Integer, Computed(by, persisted=persisted)),
    )


def numbered(**options: Any) -> Models:
    def made() -> MetaData:
        metadata = MetaData()
        numbers = Sequence("numbers", metadata=metadata, **options)
        draws = Column("id", Integer, server_default=numbers.next_value(), primary_key=True)
        Table("t", metadata, draws)
        return metadata

    return made


class Situation(NamedTuple):
    """Models, what happens then, and the models that are refused until the way out is typed."""

    first: Models
    then: Models
    sql: str = "SELECT"
    besides: str = "SELECT"  # what a person does with the rows that a query has found
    since: int = 120000
    before: int = 1000000


def chosen(kind: Any) -> Models:
    """Return what is said of a column in terms that its type decides on."""
    return table(
        lambda: Column("v", kind),
        lambda: Column("g", Boolean, Computed("v = 'a'", persisted=True)),
        lambda: CheckConstraint("v <> 'b'", name="k"),
        lambda: Index("i", "id", postgresql_where=text("v = 'a'")),
        lambda: Index("j", "g"),
    )


PLAIN = table(lambda: Column("v", Integer))
SITUATIONS: Dict[str, Situation] = {
    "compare.own._removed": Situation(
        mood("a", "b", "c"),
        mood("a", "b"),
        "INSERT INTO t (id, v) VALUES (1, 'c')",
        "UPDATE t SET v = 'b'",
    ),
    "compare.own._refuse_renamed": Situation(
        mood("a", "b"), mood("a", "B"), "INSERT INTO t (id, v) VALUES (1, 'b')"
    ),
    "compare.own._refuse_order": Situation(
        mood("a", "b", "c"), mood("c", "b", "a"), "INSERT INTO t (id, v) VALUES (1, 'b')"
    ),
    "compare.own._domain": Situation(
        email(check="VALUE ~ '@'", constraint_name="has_at"),
        email(check="VALUE ~ '@.'", constraint_name="has_more", not_null=True),
        "INSERT INTO t (id, v) VALUES (1, 'a@b')",
    ),
    "compare.own._refuse_base": Situation(
        email(), email(Integer), "INSERT INTO t (id) VALUES (1)", "ALTER TABLE t DROP COLUMN v"
    ),
    "compare.own._refuse_elsewhere": Situation(
        mood("a", "b"), mood("a", "b"), "CREATE SCHEMA other; ALTER TYPE mood SET SCHEMA other"
    ),
    "compare.own._sequence": Situation(
        numbered(start=5), numbered(maxvalue=100, start=5), "SELECT setval('numbers', 200)"
    ),
    "compare.generated._refuse_plain": Situation(
        table(lambda: Column("n", Integer), lambda: Column("v", Integer)),
        computed("n + 1"),
        "INSERT INTO t VALUES (1, 2, 3)",
    ),
    "compare.generated._refuse_kind": Situation(
        computed("n + 1"), computed("n + 2"), "INSERT INTO t (id, n) VALUES (1, 0)", before=170000
    ),
    "compare.in_the_way._without": Situation(
        chosen(Enum("a", "b", name="kind")),
        chosen(String(10)),
        "INSERT INTO t (id, v) VALUES (1, 'a')",
    ),
    "compare.in_the_way._without 2": Situation(
        table(
            lambda: Column("v", Text),
            lambda: CheckConstraint("v > '1'", name="k"),
            lambda: Index("i", "id", postgresql_where=text("v = '2'")),
        ),
        table(lambda: Column("v", Integer)),
        "INSERT INTO t (id, v) VALUES (1, '2')",
    ),
    "compare.storage._refuse": Situation(
        table(), table(prefixes=["UNLOGGED"]), "INSERT INTO t VALUES (1)"
    ),
    "compare.numbering._let_go": Situation(
        table(lambda: Column("n", Integer)),
        numbered(),
        "CREATE TABLE o (n integer DEFAULT nextval('t_id_seq')); INSERT INTO t (n) VALUES (1)",
    ),
}


@pytest.mark.parametrize("place", SITUATIONS)
def test_what_is_printed_helps(database: Database, place: str) -> None:
    """The refusal changes nothing; what it prints is typed; then the run gets through."""
    first, then, sql, besides, since, before = SITUATIONS[place]
    version = int(database.value("SHOW server_version_num"))
    if not since <= version < before:
        pytest.skip("another server has another way out")
    job = Converging(database)
    job.run(first(), "1")
    database.execute(sql)
    rows = database.value("SELECT count(*) FROM t")
    with passed() as lines, pytest.raises(Refused) as caught:
        job.run(then(), "2")
    assert place in names_of(lines), str(caught.value)
    assert "Nothing was changed." in str(caught.value)
    printed = re.findall(r"^    (.+);$", str(caught.value), re.MULTILINE)
    for statement in dict.fromkeys(printed):  # two refusals may print the same
        database.execute(statement)
    database.execute(besides)
    assert job.run(then(), "2").left == ()
    assert database.value("SELECT count(*) FROM t") == rows


def test_a_check_that_a_dump_has_worded_anew_is_no_difference(database: Database) -> None:
    """The server reads its own words for IN again as others; so does a restored dump."""
    wanted = table(
        lambda: Column("v", String), lambda: CheckConstraint("v IN ('a', 'b')", name="known")
    )
    job = Converging(database)
    job.run(wanted(), "1")
    words = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'known'"
    before = database.value(words)
    database.execute(f"ALTER TABLE t DROP CONSTRAINT known, ADD CONSTRAINT known {before}")
    assert database.value(words) != before
    assert job.plan(wanted()).differences() == []


TRIGRAMS = {"name": "gin_trgm_ops"}
NEEDING: Dict[str, Callable[[], Any]] = {
    "citext": lambda: Column("v", CITEXT),
    "uuid-ossp": lambda: Column("v", UUID, server_default=text("uuid_generate_v4()")),
    "pg_trgm": lambda: Index("i", "name", postgresql_using="gin", postgresql_ops=TRIGRAMS),
    "btree_gin": lambda: Index("i", "id", postgresql_using="gin"),
}


@pytest.mark.parametrize("extension", NEEDING)
def test_an_extension_that_is_not_listed_is_named(database: Database, extension: str) -> None:
    """What the server does not know tells which extension brings it."""
    wanted = table(lambda: Column("name", String), NEEDING[extension])
    with pytest.raises(Refused) as caught:
        Converging(database).run(wanted(), "1")
    lines = str(caught.value).splitlines()
    assert lines[2:], lines
    assert (
        lines[0]
        == f"refused: the models need the extension {identifier(extension)}, which is not listed."
    )
    assert lines[2] == "  Nothing was changed. Add it to the listed extensions, run again."
    if database.rows("SELECT FROM pg_available_extensions WHERE name = %s", (extension,)):
        assert Converging(database, [extension]).run(wanted(), "1").left == ()


def test_an_identity_column_in_the_place_of_a_serial_is_noted(database: Database) -> None:
    """It numbers rows as a serial does; one that takes no numbers from outside is made to."""
    job, serial = Converging(database), table()
    job.run(serial(), "1")
    database.execute(
        "ALTER TABLE t ALTER id DROP DEFAULT, ALTER id ADD GENERATED ALWAYS AS IDENTITY "
        "(SEQUENCE NAME numbers)"
    )
    assert job.run(serial(), "2") == (("set identity public.t.id",), ())
    database.execute("INSERT INTO t VALUES (7), (DEFAULT)")
    plan = job.plan(serial())
    assert plan.empty
    assert "public.t.id is an identity column, which numbers rows as a serial does" in plan.notes
