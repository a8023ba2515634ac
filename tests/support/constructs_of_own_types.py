"""Types of the models' own, and those of extensions."""

import enum
from typing import Any

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Enum,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.dialects.postgresql import (
    CITEXT,
    DOMAIN,
    ENUM,
    HSTORE,
    ExcludeConstraint,
)

from tests.support.construct import Construct, column, table


class Mood(enum.Enum):
    GOOD = 1
    BAD = 2


class Shouted(TypeDecorator[str]):
    impl = String(30)
    cache_ok = True


def kind(*labels: str, **options: Any) -> "Column[Any]":
    return Column("v", Enum(*labels, name="kind"), **options)


def domain(check: str, **options: Any) -> "Column[Any]":
    return Column("v", DOMAIN("positive", Integer, check=check, **options))


OWN_TYPES = (
    column("an enum, new", lambda: Column("w", Integer), lambda: kind("a", "b"), leaves=True),
    column(
        "an enum of Python",
        lambda: Column("v", Enum(Mood)),
        lambda: Column("v", Enum(Mood), nullable=False),
    ),
    column("an enum gets a value at its end", lambda: kind("a", "b"), lambda: kind("a", "b", "c")),
    column(
        "an enum gets values at their places",
        lambda: kind("b", "d"),
        lambda: kind("a", "b", "c", "d", "e"),
    ),
    Construct(
        "an enum gets a value, in an exclusion and an index of long texts",
        lambda m: table(m, kind("a", "b"), Column("s", Text), Column("n", Integer)),
        lambda m: table(
            m,
            kind("a", "b", "c"),
            Column("s", Text),
            Column("n", Integer),
            Index("i", "s", text("(v = 'c')")),
            ExcludeConstraint(("n", "="), using="btree", name="e", where=text("v = 'c'")),
        ),
        rows="INSERT INTO t (v, s, n) SELECT 'a', string_agg(md5(g::text), ''), 1 "
        "FROM generate_series(1, 120) g GROUP BY g % 2",
    ),
    column(
        "an enum gets a value, which is the default",
        lambda: kind("a", "b"),
        lambda: kind("a", "b", "c", server_default="c"),
    ),
    column(
        "an enum loses a value", lambda: kind("a", "b", "c"), lambda: kind("a", "b"), refused="c"
    ),
    column(
        "an enum's value gets another name",
        lambda: kind("a", "b"),
        lambda: kind("a", "z"),
        refused="b",
    ),
    column(
        "an enum's values change places",
        lambda: kind("a", "b"),
        lambda: kind("b", "a"),
        refused="kind",
    ),
    column(
        "an enum of odd names",
        lambda: Column("v", Enum("it's", "50%", "é", ":x", "a\\b", name="Kind of%")),
        lambda: Column("v", Enum("it's", "50%", "é", ":x", "a\\b", '"q"', name="Kind of%")),
    ),
    column(
        "an enum with a default",
        lambda: kind("a", "b", server_default="a"),
        lambda: kind("a", "b", server_default="b"),
    ),
    column(
        "an enum that is there already",
        lambda: Column("v", ENUM("a", "b", name="kind", create_type=False)),
        lambda: Column("v", ENUM("a", "b", name="kind", create_type=False), server_default="a"),
        before="CREATE TYPE kind AS ENUM ('a', 'b')",
    ),
    Construct(
        "an enum of two tables",
        lambda m: (table(m, kind("a", "b")), table(m, kind("a", "b"), name="u")),
        lambda m: (table(m, kind("a", "b", "c")), table(m, kind("a", "b", "c"), name="u")),
    ),
    Construct(
        "an enum of the models",
        lambda m: table(m, Column("v", Enum("a", "b", name="kind", metadata=m))),
        lambda m: table(m, Column("v", Enum("a", "b", "c", name="kind", metadata=m))),
    ),
    column(
        "an array of an enum",
        lambda: Column("v", ARRAY(Enum("a", "b", name="kind"))),
        lambda: Column("v", ARRAY(Enum("a", "b", "c", name="kind"))),
        rows="INSERT INTO t (v) VALUES ('{a,b}'), (NULL)",
    ),
    column(
        "an enum in a check and an index",
        lambda: kind("a", "b"),
        lambda: kind("a", "b", "c"),
    )._replace(
        name="an enum gets a value, which an index names",
        then=lambda m: table(
            m,
            kind("a", "b", "c"),
            Index("i", "id", postgresql_where=text("v = 'c'")),
            CheckConstraint("v <> 'c' OR id > 5", name="k"),
        ),
    ),
    column(
        "an enum that is no native one",
        lambda: Column("v", Enum("a", "b", native_enum=False, create_constraint=True, name="k")),
        lambda: Column(
            "v", Enum("a", "b", "c", native_enum=False, create_constraint=True, name="k")
        ),
        rows="INSERT INTO t (v) VALUES ('a')",
    ),
    column(
        "a text becomes an enum",
        lambda: Column("v", String(5)),
        lambda: kind("a", "b"),
        rows="INSERT INTO t (v) VALUES ('a'), ('b'), (NULL)",
    ),
    column(
        "a text becomes an enum that lacks a value",
        lambda: Column("v", String(5)),
        lambda: kind("a", "b"),
        rows="INSERT INTO t (v) VALUES ('a'), ('x')",
        refused="x",
    ),
    column(
        "an enum becomes a text",
        lambda: kind("a", "b"),
        lambda: Column("v", String(5)),
        leaves=True,
    ),
    column("a domain, new", lambda: Column("w", Integer), lambda: domain("VALUE > 0"), leaves=True),
    column(
        "a domain's check changes",
        lambda: domain("VALUE > 0"),
        lambda: domain("VALUE > -1"),
        or_refused="positive",
    ),
    column(
        "a domain's default and NOT NULL",
        lambda: domain("VALUE > 0"),
        lambda: domain("VALUE > 0", not_null=True, default="5"),
        or_refused="positive",
    ),
    Construct(
        "a domain over a text with a collation",
        lambda m: table(
            m,
            Column(
                "v",
                DOMAIN("word", String(9), collation="C", constraint_name="w", check="VALUE <> ''"),
            ),
        ),
    ),
    Construct(
        "a domain over an enum",
        lambda m: table(m, Column("v", DOMAIN("some", ENUM(name="kind", create_type=False)))),
        before="CREATE TYPE kind AS ENUM ('a', 'b')",
        rows="INSERT INTO t (v) VALUES ('a')",
    ),
    column(
        "citext", lambda: Column("v", Text), lambda: Column("v", CITEXT), extensions=("citext",)
    ),
    column(
        "citext, unique",
        lambda: Column("v", CITEXT),
        lambda: Column("v", CITEXT, unique=True),
        extensions=("citext",),
    ),
    column(
        "hstore",
        lambda: Column("v", HSTORE),
        lambda: Column("v", HSTORE, server_default=""),
        extensions=("hstore",),
    ),
    column(
        "hstore, which no extension is said for",
        lambda: Column("w", Integer),
        lambda: Column("v", HSTORE),
        refused="hstore",
    ),
    column(
        "a type of the models' own", lambda: Column("v", Shouted), lambda: Column("v", Shouted(60))
    ),
    column(
        "texts become enums",
        lambda: Column("v", ARRAY(String(5))),
        lambda: Column("v", ARRAY(Enum("a", "it's", name="kind"))),
        rows="INSERT INTO t (v) VALUES ('{a,it''s,NULL}'), ('{}'), (NULL)",
    ),
    column(
        "texts become enums that lack a value",
        lambda: Column("v", ARRAY(Text)),
        lambda: Column("v", ARRAY(Enum("a", "b", name="kind"))),
        rows="INSERT INTO t (v) VALUES ('{a,b}'), ('{a,x}')",
        refused="1 of 2 rows",
    ),
    column(
        "enums become texts",
        lambda: Column("v", ARRAY(Enum("a", "b", name="kind"))),
        lambda: Column("v", ARRAY(String(5))),
        rows="INSERT INTO t (v) VALUES ('{a,b,NULL}'), (NULL)",
        leaves=True,
    ),
    column(
        "citext becomes a text of limited length",
        lambda: Column("v", CITEXT),
        lambda: Column("v", String(3)),
        rows="INSERT INTO t (v) VALUES ('aBc'), (NULL)",
        extensions=("citext",),
    ),
    column(
        "citext becomes a text that is too short",
        lambda: Column("v", CITEXT),
        lambda: Column("v", String(3)),
        rows="INSERT INTO t (v) VALUES ('aBc'), ('abcd')",
        extensions=("citext",),
        refused="1 of 2 rows",
    ),
)
