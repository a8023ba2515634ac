"""Renames, alone and together with whatever else a release may change."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)

from tests.support.construct import Construct, table
from tests.support.constructs_of_tables import v

WAS_OLD = {"renamed_from": "old"}
FELT = "INSERT INTO t (v) VALUES ('a'), (NULL); INSERT INTO ts (v) VALUES ('{a,b}')"
WAS_T, WAS_ID = {"renamed_from": "t"}, {"renamed_from": "id"}


def pair(m: MetaData, key: Any = Integer, parent: str = "t", child: str = "c", **info: Any) -> Any:
    """A table and one that refers to it, with keys of a type."""
    was = {name: {"renamed_from": old} for name, old in info.items()}
    Table(parent, m, Column("id", key, primary_key=True), info=was.get("parent_was"))
    refers = Column("t_id", key, ForeignKey(f"{parent}.id"))
    one = Column("id", key, primary_key=True)
    return Table(child, m, one, refers, info=was.get("child_was"))


def tree(m: MetaData, key: Any = Integer, name: str = "t", **info: Any) -> Any:
    up = Column("up", key, ForeignKey(f"{name}.id"))
    return Table(name, m, Column("id", key, primary_key=True), up, info=info)


def felt(m: MetaData, *labels: str, t: str = "t", v: str = "v", **info: Any) -> None:
    """Two tables with an enum, of which the one, or its column, may be renamed."""
    was = {name: {"renamed_from": old} for name, old in info.items()}
    kind: Any = Enum(*labels, name="kind")
    table(m, Column(v, kind, info=was.get("v_was")), name=t, info=was.get("t_was"))
    table(m, Column(v, ARRAY(kind), info=was.get("v_was")), name=f"{t}s", info=was.get("ts_was"))


def parents(m: MetaData, name: str = "parent", column: str = "v", **was: Any) -> None:
    """A table that inherits from another, of which it has no column besides."""
    Table(name, m, Column(column, Integer, info=was.get("column_was")), info=was.get("name_was"))
    table(m, Column("own", Integer), name="child", postgresql_inherits=name)


def family(m: MetaData, v: str = "old", *, of_parent: bool = True, **was: Any) -> None:
    """Make a table and one that inherits from it, with a column that both say."""
    columns = [Column(v if of_parent else "old", Integer, info=was if of_parent else {})]
    table(m, *columns, name="parent")
    check = CheckConstraint(f"{v} > 0", name="k")
    table(m, Column(v, Integer, info=was), check, name="child", postgresql_inherits="parent")


def chained(name: str, old: str = "") -> "Column[Any]":
    check = CheckConstraint(f"{name} > 0", name=f"{name}_positive")
    return Column(name, Integer, check, index=True, info={"renamed_from": old} if old else {})


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
    Construct(
        "renamed: tables with an enum that gets a value",
        lambda m: felt(m, "a", "b"),
        lambda m: felt(m, "a", "b", "c", t="u", t_was="t", ts_was="ts"),
        rows=FELT,
        rows_kept=False,
    ),
    Construct(
        "renamed: columns of an enum that gets a value",
        lambda m: felt(m, "a", "b"),
        lambda m: felt(m, "a", "b", "c", v="w", v_was="v"),
        rows=FELT,
        rows_kept=False,
    ),
    Construct(
        "renamed: tables and columns of an enum that gets a value",
        lambda m: felt(m, "a", "b"),
        lambda m: felt(m, "a", "b", "c", t="u", v="w", t_was="t", ts_was="ts", v_was="v"),
        rows=FELT,
        rows_kept=False,
    ),
    Construct(
        "renamed: a parent",
        parents,
        lambda m: parents(m, "elder", name_was={"renamed_from": "parent"}),
        rows_kept=False,
    ),
    Construct(
        "renamed: a column of a parent",
        parents,
        lambda m: parents(m, column="w", column_was={"renamed_from": "v"}),
        rows_kept=False,
    ),
    Construct(
        "renamed: a column to the name that another leaves",
        lambda m: table(m, Column("a", Integer), Column("b", String, index=True)),
        lambda m: table(
            m,
            Column("b", Integer, info={"renamed_from": "a"}),
            Column("c", String, index=True, info={"renamed_from": "b"}),
        ),
        rows_kept=False,
        holds="SELECT bool_and(b > 0 AND c <> '') FROM t",
    ),
    Construct(
        "renamed: a column of a parent and of a child",
        family,
        lambda m: family(m, "new", renamed_from="old"),
        rows_kept=False,
    ),
    Construct(
        "renamed: a column of a parent that the child alone declares",
        family,
        lambda m: family(m, "new", renamed_from="old", of_parent=False),
        refused="needs columns other than those that it inherits",
    ),
    Construct(
        "renamed: columns in a chain, with indexes and checks",
        lambda m: table(m, *(chained(name) for name in "abc")),
        lambda m: table(m, *(chained(name, old) for name, old in ("ba", "cb", "dc"))),
        rows_kept=False,
    ),
    Construct(
        "renamed: a table to the name that another leaves",
        lambda m: (pair(m, parent="a", child="b"), pair(m, parent="x", child="y")),
        lambda m: (
            pair(m, parent="b", child="c", parent_was="a", child_was="b"),
            pair(m, parent="y", child="z", parent_was="x", child_was="y"),
        ),
        rows_kept=False,
    ),
    Construct(
        "renamed: tables in a chain, with wider keys",
        lambda m: (tree(m, name="a"), tree(m, name="b"), tree(m, name="c")),
        lambda m: (
            tree(m, BigInteger, name="b", renamed_from="a"),
            tree(m, BigInteger, name="c", renamed_from="b"),
            tree(m, BigInteger, name="d", renamed_from="c"),
        ),
        rows_kept=False,
    ),
)
