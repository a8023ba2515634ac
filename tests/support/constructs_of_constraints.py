"""Unique constraints, keys and checks, and their changes."""

from typing import Any, List, Sequence

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from tests.support.construct import Construct, item, table

WAS_T_PKEY = {"renamed_from": "t_pkey"}


def two() -> List[Any]:
    return [Column("a", Integer), Column("b", Integer)]


def unique(**options: Any) -> UniqueConstraint:
    return UniqueConstraint("a", name="u", **options)


def key(*, of: Sequence[str] = ("a",), **options: Any) -> Any:
    return lambda m: Table(
        "t",
        m,
        Column("a", Integer, autoincrement=False),
        Column("b", Integer, autoincrement=False),
        PrimaryKeyConstraint(*of, name="t_pkey", **options),
    )


def keyed(of: str, name: str, *, unique: Sequence[str] = ()) -> Any:
    """Return a table whose key is of a column and has a name, as has a unique constraint."""
    return lambda m: Table(
        "t",
        m,
        *(Column(n, Integer, nullable=False, autoincrement=False) for n in "ab"),
        PrimaryKeyConstraint(of, name=name),
        *([UniqueConstraint(unique[0], name=unique[1])] if unique else []),
    )


UNIQUE = (
    item(
        "unique, unnamed",
        lambda: UniqueConstraint("a"),
        lambda: UniqueConstraint("a", "b"),
        columns=two,
        leaves=True,
    ),
    item(
        "unique, of other columns",
        unique,
        lambda: UniqueConstraint("a", "b", name="u"),
        columns=two,
    ),
    item(
        "unique becomes deferrable",
        unique,
        lambda: unique(deferrable=True, initially="DEFERRED"),
        columns=two,
    ),
    item("unique, no longer deferrable", lambda: unique(deferrable=True), unique, columns=two),
    item(
        "unique becomes NULLS NOT DISTINCT",
        unique,
        lambda: unique(postgresql_nulls_not_distinct=True),
        columns=two,
        since=150000,
    ),
    item(
        "unique, no longer NULLS NOT DISTINCT",
        lambda: unique(postgresql_nulls_not_distinct=True),
        unique,
        columns=two,
        since=150000,
    ),
    item("unique gets INCLUDE", unique, lambda: unique(postgresql_include=["b"]), columns=two),
    item(
        "unique, no longer INCLUDE", lambda: unique(postgresql_include=["b"]), unique, columns=two
    ),
    item(
        "unique on duplicates",
        lambda: Index("x", "b"),
        unique,
        columns=two,
        rows="INSERT INTO t (a) VALUES (1), (1)",
        refused="duplicate",
        leaves=True,
    ),
    item(
        "unique constraint to a unique index",
        unique,
        lambda: Index("u", "a", unique=True),
        columns=two,
        or_refused="u",
    ),
    item(
        "unique index to a unique constraint",
        lambda: Index("u", "a", unique=True),
        unique,
        columns=two,
        or_refused="u",
    ),
    item("unique with a comment", unique, lambda: unique(comment="one 50% of 'each'"), columns=two),
)
KEYS = (
    Construct("key of more columns", key(), key(of=["a", "b"])),
    Construct("key of fewer columns", key(of=["a", "b"]), key(), leaves=True),
    Construct("key in another order", key(of=["a", "b"]), key(of=["b", "a"])),
    Construct("key becomes deferrable", key(), key(deferrable=True, initially="DEFERRED")),
    Construct("key gets INCLUDE", key(), key(postgresql_include=["b"])),
    Construct(
        "key, new",
        lambda m: Table("t", m, *two()),
        lambda m: Table(
            "t",
            m,
            Column("a", Integer, primary_key=True, autoincrement=False),
            Column("b", Integer),
        ),
    ),
    Construct(
        "key, gone",
        key(),
        lambda m: Table("t", m, Column("a", Integer, nullable=False), Column("b", Integer)),
        leaves=True,
    ),
    Construct(
        "key to a unique constraint of its name, beside a key before it",
        keyed("a", "n"),
        keyed("b", "k", unique=("a", "n")),
        rows="INSERT INTO t VALUES (1, 2), (2, 1)",
    ),
    Construct(
        "key and unique constraint swap names",
        keyed("a", "p", unique=("b", "u")),
        keyed("b", "u", unique=("a", "p")),
        rows="INSERT INTO t VALUES (1, 2), (2, 1)",
    ),
    Construct(
        "key with another name",
        key(),
        lambda m: Table("t", m, *two(), PrimaryKeyConstraint("a", name="k", info=WAS_T_PKEY)),
    ),
)
CHECKS = (
    item(
        "check, unnamed",
        lambda: CheckConstraint("a > 0"),
        lambda: CheckConstraint("a > -5"),
        columns=two,
        leaves=True,
        or_refused="t_check",
    ),
    item(
        "check changes",
        lambda: CheckConstraint("a > 0", name="k"),
        lambda: CheckConstraint("a > 0 AND b < 100", name="k"),
        columns=two,
    ),
    item(
        "check that becomes an index of its name",
        lambda: CheckConstraint("a > 0", name="k"),
        lambda: Index("k", "b"),
        columns=two,
        leaves=True,
    ),
    item(
        "check that rows break",
        lambda: Index("x", "b"),
        lambda: CheckConstraint("a > 1", name="k"),
        columns=two,
        refused="k",
        leaves=True,
    ),
    item(
        "check that a row has no value for",
        lambda: Index("x", "b"),
        lambda: CheckConstraint("10 / a > 0", name="k"),
        columns=two,
        rows="INSERT INTO t (a) VALUES (0)",
        refused="1 of 1 row fails; the server says: division by zero",
    ),
    item(
        "check, NOT VALID",
        lambda: Index("x", "b"),
        lambda: CheckConstraint("a > 0", name="k", postgresql_not_valid=True),
        columns=two,
        leaves=True,
    ),
    item(
        "check with a comment",
        lambda: CheckConstraint("a > 0", name="k"),
        lambda: CheckConstraint("a > 0", name="k", comment="it's positive"),
        columns=two,
    ),
    item(
        "check that is not inherited", lambda: CheckConstraint(text("a > 0"), name="k"), columns=two
    ),
    Construct(
        "check over a new column and an old one",
        lambda m: table(m, *two()),
        lambda m: table(
            m, *two(), Column("c", Integer), CheckConstraint("c > a OR b > 0", name="k")
        ),
    ),
    Construct(
        "checks of columns, unnamed",
        lambda m: table(
            m,
            Column("a", Integer, CheckConstraint("a > 0")),
            Column("b", Integer, CheckConstraint("b > 0")),
            CheckConstraint("a + b > 0"),
        ),
    ),
)
REFUSED = "the server refuses what the models say"
WRONG = (
    item(
        "check of a column that is not there",
        lambda: Index("x", "b"),
        lambda: CheckConstraint("zz > 0", name="k"),
        columns=two,
        refused=f'{REFUSED}.\n  The server says: column "zz" does not exist: '
        "CONSTRAINT k CHECK (zz > 0).\n",
    ),
    item(
        "checks of one name",
        lambda: Index("x", "b"),
        lambda: Column("c", Integer, *(CheckConstraint(f"c > {n}", name="k") for n in "12")),
        columns=two,
        refused=REFUSED,
    ),
    Construct(
        "foreign key to a key that is checked later",
        lambda m: table(m, *two()),
        lambda m: table(m, *two(), unique(deferrable=True), ForeignKeyConstraint(["b"], ["t.a"])),
        refused=REFUSED,
    ),
)
CONSTRAINTS = (*UNIQUE, *KEYS, *CHECKS, *WRONG)
