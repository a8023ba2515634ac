"""Columns of a domain, which may refuse what the rows of a live table get in them."""

from typing import Any, Callable, List

from sqlalchemy import BigInteger, Column, Enum, Integer, String, Text, column, text
from sqlalchemy.dialects.postgresql import DOMAIN

from tests.support.construct import Construct, table
from tests.support.construct import column as column_of

ROWS = "INSERT INTO t (a) VALUES (1), (2)"


def some(kind: Any = Integer, *, of: Any = None, **options: Any) -> "Column[Any]":
    """Return a column `v` of a domain, with these options of the column."""
    return Column("v", DOMAIN("some", kind, **(of or {})), **options)


def new(name: str, make: Callable[[], Any], *, there: bool = False, **options: Any) -> Construct:
    """Return the addition of a column `v` to a table with rows; the domain may be there."""
    given: Any = {"rows": ROWS, "holds": "SELECT bool_and(v = a + 1) FROM t", **options}

    def first() -> List[Any]:
        return [Column("a", Integer), *([Column("w", make().type)] if there else [])]

    return Construct(
        f"domain: {name}",
        lambda m: table(m, *first()),
        lambda m: table(m, *first(), make()),
        **given,
    )


def changed(name: str, first: Callable[[], Any], then: Any, **options: Any) -> Construct:
    """Return a change of the type of a column `v` with rows."""
    given: Any = {"rows": "INSERT INTO t (v) VALUES ('1'), ('22'), (NULL)", **options}
    return column_of(f"domain: {name}", first, then, **given)


def with_kind() -> "Column[Any]":
    """Return a column of an enum, which SQLAlchemy does not create for a domain alone."""
    return Column("k", Enum("1", "22", name="kind"))


FIVE: Any = {"holds": "SELECT bool_and(v = 5) FROM t"}
NOT_NULL: Any = {"of": {"not_null": True}}
DOMAINS = (
    new("NOT NULL", lambda: some(**NOT_NULL), refused="does not allow null values"),
    new("NOT NULL, without rows", lambda: some(**NOT_NULL), rows="SELECT", holds="SELECT true"),
    new(
        "a check that refuses NULL",
        lambda: some(of={"check": "VALUE IS NOT NULL"}),
        refused="some_check",
    ),
    new(
        "a check that its default breaks",
        lambda: some(of={"check": "VALUE > 5", "default": "5"}),
        refused="some_check",
    ),
    new(
        "a check that the column's default breaks",
        lambda: some(of={"check": "VALUE > 5"}, server_default="5"),
        refused="some_check",
    ),
    new(
        "a check that the backfill breaks",
        lambda: some(of={"check": "VALUE > 5"}, nullable=False, info={"backfill": 5}),
        refused="some_check",
    ),
    new(
        "NOT NULL, with a default of its own",
        lambda: some(of={"not_null": True, "default": "5"}),
        **FIVE,
    ),
    new(
        "NOT NULL, with the column's default", lambda: some(server_default="5", **NOT_NULL), **FIVE
    ),
    new(
        "NOT NULL, with a backfill",
        lambda: some(nullable=False, info={"backfill": 5}, **NOT_NULL),
        **FIVE,
    ),
    new(
        "NOT NULL, with a backfill for each row",
        lambda: some(nullable=False, info={"backfill": text("a + 1")}, **NOT_NULL),
        refused="does not allow null values",
    ),
    new("a backfill", lambda: some(nullable=False, info={"backfill": 5}), **FIVE),
    new(
        "a backfill of a text",
        lambda: some(String(3), nullable=False, info={"backfill": "5"}),
        holds="SELECT bool_and(v = '5') FROM t",
    ),
    new("a backfill for each row", lambda: some(nullable=False, info={"backfill": text("a + 1")})),
    new(
        "a backfill for each row, of a column",
        lambda: some(nullable=False, info={"backfill": column("a") + 1}),
    ),
    new(
        "a backfill for each row, of a domain that is there",
        lambda: some(nullable=False, info={"backfill": text("a + 1")}),
        there=True,
    ),
    new(
        "a backfill for each row, of one with a check",
        lambda: some(of={"check": "VALUE > 0"}, nullable=False, info={"backfill": text("a + 1")}),
    ),
    new(
        "a backfill that its check refuses",
        lambda: some(of={"check": "VALUE > 2"}, nullable=False, info={"backfill": text("a + 1")}),
        refused="1 of 2 rows",
    ),
    changed("of a plain type", lambda: Column("v", Integer), some),
    changed("to a plain type", some, lambda: Column("v", Integer), leaves=True),
    changed(
        "of a plain type, with a check",
        lambda: Column("v", Integer),
        lambda: some(of={"check": "VALUE < 23"}),
    ),
    changed(
        "of a plain type, with a check that a row breaks",
        lambda: Column("v", Integer),
        lambda: some(of={"check": "VALUE < 22"}),
        refused="1 of 3 rows fails; the server says: value for domain",
    ),
    changed(
        "of a plain type, NOT NULL",
        lambda: Column("v", Integer),
        lambda: some(**NOT_NULL),
        refused="1 of 3 rows fails",
    ),
    changed(
        "of another plain type, with a check",
        lambda: Column("v", Text),
        lambda: some(of={"check": "VALUE < 23"}),
    ),
    changed(
        "of a plain type that does not convert",
        lambda: Column("v", Text),
        some,
        rows="INSERT INTO t (v) VALUES ('1'), ('one'), (NULL)",
        refused="1 of 3 rows does not convert",
    ),
    changed(
        "over a longer text",
        lambda: some(String(9)),
        lambda: Column("v", String(2)),
        leaves=True,
    ),
    changed(
        "over a text that is too long",
        lambda: some(String(9)),
        lambda: Column("v", String(1)),
        refused="1 of 3 rows does not convert",
    ),
    changed(
        "of another domain, with an index and a default",
        lambda: some(of={"check": "VALUE > 0"}, index=True, server_default="5"),
        lambda: Column("v", DOMAIN("other", BigInteger), index=True, server_default="5"),
        leaves=True,
    ),
    Construct(
        "domain: over an enum",
        lambda m: table(m, with_kind(), Column("v", Text)),
        lambda m: table(
            m, with_kind(), some(Enum("1", "22", name="kind"), of={"check": "VALUE >= '1'"})
        ),
        rows="INSERT INTO t (v) VALUES ('1'), ('22'), (NULL)",
    ),
)
