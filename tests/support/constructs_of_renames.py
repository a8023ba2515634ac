"""Renames, alone and together with whatever else a release may change."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
)

from tests.support.construct import Construct, table
from tests.support.constructs_of_tables import v

WAS_OLD = {"renamed_from": "old"}
WAS_T, WAS_ID = {"renamed_from": "t"}, {"renamed_from": "id"}


def pair(m: MetaData, key: Any = Integer, parent: str = "t", child: str = "c", **info: Any) -> None:
    """A table and one that refers to it, with keys of a type."""
    was = {name: {"renamed_from": old} for name, old in info.items()}
    Table(parent, m, Column("id", key, primary_key=True), info=was.get("parent_was"))
    refers = Column("t_id", key, ForeignKey(f"{parent}.id"))
    Table(child, m, Column("id", key, primary_key=True), refers, info=was.get("child_was"))


def tree(m: MetaData, key: Any = Integer, name: str = "t", **info: Any) -> None:
    up = Column("up", key, ForeignKey(f"{name}.id"))
    Table(name, m, Column("id", key, primary_key=True), up, info=info)


RENAMES = (
    Construct(
        "renamed: a column",
        v(),
        lambda m: table(m, Column("w", Integer, info={"renamed_from": "v"})),
        holds="SELECT bool_and(w IS NOT NULL) FROM t",
    ),
    Construct(
        "renamed: a column with an index, a check and a foreign key",
        lambda m: (
            table(m, name="u"),
            table(
                m,
                Column("v", Integer, ForeignKey("u.id", name="f"), index=True),
                CheckConstraint("v > 0", name="k"),
            ),
        ),
        lambda m: (
            table(m, name="u"),
            table(
                m,
                Column(
                    "w",
                    Integer,
                    ForeignKey("u.id", name="f"),
                    index=True,
                    info={"renamed_from": "v"},
                ),
                CheckConstraint("w > 0", name="k"),
            ),
        ),
        holds="SELECT bool_and(w IS NOT NULL) FROM t",
    ),
    Construct(
        "renamed: a table",
        v(),
        lambda m: table(m, Column("v", Integer), name="u", info={"renamed_from": "t"}),
        holds="SELECT count(*) = 3 FROM u",
        rows_kept=False,
    ),
    Construct(
        "renamed: both are there",
        lambda m: table(m, Column("v", Integer), Column("w", Integer)),
        lambda m: table(m, Column("w", Integer, info={"renamed_from": "v"})),
        refused="v",
    ),
    Construct(
        "renamed: an index",
        lambda m: table(m, Column("v", Integer), Index("old", "v")),
        lambda m: table(m, Column("v", Integer), Index("new", "v", info=WAS_OLD)),
    ),
    Construct(
        "renamed: a check",
        lambda m: table(m, Column("v", Integer), CheckConstraint("v > 0", name="old")),
        lambda m: table(
            m, Column("v", Integer), CheckConstraint("v > 0", name="new", info=WAS_OLD)
        ),
    ),
    Construct(
        "renamed: a table that another refers to, with a wider key",
        pair,
        lambda m: pair(m, BigInteger, parent="u", parent_was="t"),
        rows_kept=False,
    ),
    Construct(
        "renamed: a table that refers to another, with a wider key",
        pair,
        lambda m: pair(m, BigInteger, child="d", child_was="c"),
        rows_kept=False,
    ),
    Construct(
        "renamed: a table that refers to itself, with a wider key",
        tree,
        lambda m: tree(m, BigInteger, "u", renamed_from="t"),
        rows_kept=False,
    ),
    Construct(
        "renamed: a key column, with a wider type",
        lambda m: Table("t", m, Column("id", Integer, primary_key=True)),
        lambda m: Table("t", m, Column("key", BigInteger, primary_key=True, info=WAS_ID)),
        rows_kept=False,
    ),
    Construct(
        "renamed: a table and a key column, both referred to, with a wider type",
        pair,
        lambda m: (
            Table("u", m, Column("key", BigInteger, primary_key=True, info=WAS_ID), info=WAS_T),
            table(
                m,
                Column("u_id", BigInteger, ForeignKey("u.key"), info={"renamed_from": "t_id"}),
                name="c",
            ),
        ),
        rows_kept=False,
    ),
)
