"""A value that a release has added to an enum, and what uses the type: taken back, or refused."""

from typing import Any, List

import pytest
from sqlalchemy import CheckConstraint, Column, Enum, Index, Integer, MetaData, Text, text

from converge.errors import Refused
from tests.support.changing import Changing, release
from tests.support.database import Database
from tests.support.structure import structure

KIND = Enum("a", "b", name="kind")
GROWN = Enum("a", "b", "c", name="kind")


def models(kind: Enum, *more: Any) -> MetaData:
    parts: Any = (Column("id", Integer, primary_key=True), Column("k", kind, server_default="a"))
    return release(("t", *parts, *more))


def used() -> List[Any]:
    return [
        CheckConstraint("k <> 'b' OR id > 0", name="c", comment="of b"),
        CheckConstraint("k IN ('a', 'b')", name="listed"),
        Index("i", "id", postgresql_where=text("k = 'a'")),
        Index("e", text("(k = 'b')")),
    ]


def test_checks_and_indexes_that_compare_are_put_back(database: Database) -> None:
    """The server converts these with a column, unless a value of the old type is in them."""
    releases = Changing(database)
    releases.apply(models(KIND, *used()))
    database.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    before = structure(database, "public")
    more = Index("of_c", "id", postgresql_where=text("k = 'c'"))
    releases.apply(models(GROWN, *used()[:1], *used()[2:], Column("w", Text), more))
    assert releases.rolled_back(1).refusals == ()
    assert [one for one in structure(database, "public") if "dropped" not in str(one)] == before
    assert database.rows("SELECT k::text FROM t ORDER BY id") == [("a",), ("b",)]


USES = {
    "domain": (
        "CREATE DOMAIN lasting AS kind",
        "cannot drop type kind_old because other objects depend on it",
    ),
    "generated column": (
        "ALTER TABLE t ADD g bool GENERATED ALWAYS AS (k = 'a') STORED",
        "cannot alter type of a column used by a generated column",
    ),
    "two columns": (
        "ALTER TABLE t ADD k2 kind, ADD CHECK (k <> k2)",
        "operator does not exist: kind <> kind_old",
    ),
    "view": (
        "CREATE VIEW v AS SELECT k FROM t",
        "cannot alter type of a column used by a view or rule",
    ),
    "foreign key": (
        "CREATE TABLE s (k kind UNIQUE); ALTER TABLE t ADD FOREIGN KEY (k) REFERENCES s (k)",
        'foreign key constraint "t_k_fkey" cannot be implemented',
    ),
    "elsewhere": (
        "CREATE TABLE other (k kind)",
        "cannot drop type kind_old because other objects depend on it",
    ),
}


@pytest.mark.parametrize("use", list(USES))
def test_what_the_server_would_refuse_is_refused_before_the_first_step(
    database: Database, use: str
) -> None:
    """ADD VALUE runs ahead and is taken back last: all else would be undone by then."""
    releases = Changing(database)
    releases.apply(models(KIND))
    releases.apply(models(GROWN, Column("w", Text)))
    create, says = USES[use]
    database.execute(create)
    before = structure(database, "public")
    with pytest.raises(Refused) as raised:
        releases.rolled_back(1)
    said = str(raised.value).replace("public.", "")
    assert said.startswith(f"refused: undo add value kind is refused.\n  The server says: {says}")
    assert structure(database, "public") == before


def test_values_that_change_places_by_hand(database: Database) -> None:
    """The way out that is printed takes the checks and indexes along, too."""
    releases = Changing(database)
    releases.apply(models(KIND, *used()))
    database.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    turned = models(Enum("b", "a", name="kind"), *used())
    [refusal] = releases.planned(turned).refusals
    database.execute(";".join(refusal.way_out.statements))
    assert releases.apply(turned).steps == ()
    assert database.rows("SELECT k::text FROM t ORDER BY t.k") == [("b",), ("a",)]
