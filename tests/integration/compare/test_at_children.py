"""What is in the way of a change at partitions and children, which no copy of the table has."""

from typing import Any, NamedTuple

import pytest
from sqlalchemy import BigInteger, Column, Identity, Integer, MetaData, String, Table

from converge.errors import Refused
from tests.support.catalogs import everything
from tests.support.database import Database
from tests.support.things import converged

PARTITIONED = """CREATE TABLE box (id integer, n integer) PARTITION BY RANGE (id);
CREATE TABLE small PARTITION OF box FOR VALUES FROM (0) TO (9);
INSERT INTO box VALUES (1, 2);"""
PARENT = """CREATE TABLE box (id integer, n integer); CREATE TABLE small () INHERITS (box);
INSERT INTO small VALUES (1, 2);"""
TRIGGER = """CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER keeps BEFORE UPDATE OF n ON small FOR EACH ROW EXECUTE FUNCTION keep()"""


class InTheWay(NamedTuple):
    """What somebody has made of a child, what the server says of it, and what drops it."""

    live: str
    made: str
    said: str
    drop: str
    n: Any = BigInteger  # its new type


CASES = {
    "view of a partition": InTheWay(
        PARTITIONED, "CREATE VIEW sizes AS SELECT n FROM small", "view sizes", "DROP VIEW sizes"
    ),
    "view of a grandchild": InTheWay(
        f"{PARENT} CREATE TABLE tiny () INHERITS (small);",
        "CREATE VIEW sizes AS SELECT n FROM tiny",
        "view sizes",
        "DROP VIEW sizes",
    ),
    "key that includes it": InTheWay(
        PARTITIONED,
        "ALTER TABLE small ADD UNIQUE (id) INCLUDE (n); "
        "CREATE TABLE label (box integer REFERENCES small (id))",
        "constraint label_box_fkey on table label",
        "DROP TABLE label",
    ),
    "foreign key": InTheWay(
        PARENT,
        "ALTER TABLE small ADD UNIQUE (n); CREATE TABLE label (n integer REFERENCES small (n))",
        'foreign key constraint "label_n_fkey"',
        "DROP TABLE label",
        String,
    ),
    "check": InTheWay(
        PARENT,
        "ALTER TABLE small ADD CONSTRAINT positive CHECK (n > 0)",
        "character varying > integer",
        "ALTER TABLE small DROP CONSTRAINT positive",
        String,
    ),
    "trigger": InTheWay(
        PARENT, TRIGGER, "trigger keeps on table small", "DROP FUNCTION keep CASCADE"
    ),
    "policy": InTheWay(
        PARENT,
        "CREATE POLICY mine ON small USING (n > 0)",
        "policy mine",
        "DROP POLICY mine ON small",
    ),
    "computed column": InTheWay(
        PARENT,
        "ALTER TABLE small ADD more integer GENERATED ALWAYS AS (n + 1) STORED",
        'generated column "more"',
        "ALTER TABLE small DROP more",
    ),
    "row type": InTheWay(
        PARENT, "CREATE TABLE kept (box small)", 'column "kept.box"', "DROP TABLE kept"
    ),
    "another parent": InTheWay(
        PARENT,
        "CREATE TABLE other (n integer); ALTER TABLE small INHERIT other",
        'inherited column "n" of relation "small"',
        "ALTER TABLE small NO INHERIT other",
    ),
}

ALTERED = (
    "foreign key",
    "check",
    "another parent",
)  # of which the server does not say what uses it


def box(*columns: "Column[Any]") -> MetaData:
    metadata = MetaData()
    Table("box", metadata, Column("id", Integer), *columns)
    return metadata


@pytest.mark.parametrize("case", CASES)
def test_a_type_stays_as_it_is_before_the_first_step(database: Database, case: str) -> None:
    """The server says it, as far as the first row; without what is in the way it is changed."""
    way = CASES[case]
    database.execute(f"{way.live} {way.made}")
    models = box(Column("n", way.n), Column("more_of_it", Integer))
    converged(database, box(Column("n", Integer)))
    before = everything(database)
    with pytest.raises(Refused) as refused:
        converged(database, models)
    assert "change type public.box.n is refused." in str(refused.value)
    assert way.said in str(refused.value)
    dropped = "Drop what is in the way, run again, create it again." in str(refused.value)
    assert dropped == (case not in ALTERED)
    assert everything(database) == before
    database.execute(way.drop)
    assert converged(database, models).refusals == ()
    assert database.rows("SELECT id, n::text FROM box") == [(1, "2")]


def test_a_type_for_which_rows_are_only_read_is_tried_too(database: Database) -> None:
    """The server goes through them for the check, and never came as far."""
    database.execute(
        "CREATE TABLE box (id integer, n varchar(5) CHECK (n <> '')); "
        "CREATE TABLE small () INHERITS (box); INSERT INTO small VALUES (1, 'a'); "
        "CREATE VIEW sizes AS SELECT n FROM small"
    )
    models = box(Column("n", String(9)), Column("more", Integer))
    with pytest.raises(Refused, match="view sizes"):
        converged(database, models)
    database.execute("DROP VIEW sizes")
    assert converged(database, models).refusals == ()
    assert database.rows("SELECT n FROM box") == [("a",)]


def test_a_column_that_children_cannot_have_is_not_added(database: Database) -> None:
    """Those that inherit get no identity column: the server says so before it numbers a row."""
    database.execute(PARENT)
    converged(database, box(Column("n", Integer)))
    before = everything(database)
    models = box(Column("n", Integer, comment="changed"), Column("number", Integer, Identity()))
    with pytest.raises(Refused, match="cannot recursively add identity column"):
        converged(database, models)
    assert everything(database) == before
