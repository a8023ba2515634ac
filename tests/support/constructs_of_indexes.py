"""Indexes: those that the models carry, operator classes, options, and their changes."""

from typing import Any, List

from sqlalchemy import Column, Computed, Date, Index, Integer, String, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZRANGE, TSVECTOR

from tests.support.construct import Construct, column, item, table


def two() -> List[Any]:
    return [Column("a", String(80)), Column("b", Integer)]


def documents() -> List[Any]:
    return [Column("a", Text), Column("j", JSONB), Column("w", ARRAY(Text)), Column("b", Integer)]


INDEXES = (
    column("index=True", lambda: Column("v", Integer), lambda: Column("v", Integer, index=True)),
    column("unique=True", lambda: Column("v", Integer), lambda: Column("v", Integer, unique=True)),
    column(
        "index=True, unique=True",
        lambda: Column("v", Integer, index=True),
        lambda: Column("v", Integer, index=True, unique=True),
    ),
    column(
        "unique=True on duplicates",
        lambda: Column("v", Integer),
        lambda: Column("v", Integer, unique=True),
        rows="INSERT INTO t (v) VALUES (1), (1)",
        refused="duplicate",
    ),
    item(
        "an index of two columns, changed to one more",
        lambda: Index("i", "a"),
        lambda: Index("i", "a", "b"),
        columns=two,
    ),
    item(
        "an expression that a row has no value for",
        lambda: Index("x", "b"),
        lambda: Index("i", text("((j ->> 'n')::integer)")),
        columns=documents,
        rows="""INSERT INTO t (j) VALUES ('{"n": "1"}'), ('{"n": "none"}')""",
        refused='1 of 2 rows fails; the server says: invalid input syntax for type integer: "none"',
    ),
    item(
        "a unique expression that a row has no value for",
        lambda: Index("x", "b"),
        lambda: Index("i", text("(10 / b)"), unique=True),
        columns=two,
        rows="INSERT INTO t (b) VALUES (0)",
        refused="division by zero",
    ),
    item(
        "a predicate that a row has no value for",
        lambda: Index("x", "b"),
        lambda: Index("i", "a", postgresql_where=text("10 / b > 1")),
        columns=two,
        rows="INSERT INTO t (b) VALUES (0)",
        refused="division by zero",
    ),
    item(
        "a predicate that guards an expression",
        lambda: Index("x", "b"),
        lambda: Index("i", text("(10 / b)"), unique=True, postgresql_where=text("b <> 0")),
        columns=two,
        rows="INSERT INTO t (b) VALUES (0), (5)",
        leaves=True,
    ),
    Construct(
        "an expression that a row gets no value for",
        lambda m: table(m, Column("v", String(9)), Index("i", text("(10 / length(v))"))),
        lambda m: table(
            m,
            Column("v", String(9), nullable=False, info={"backfill": ""}),
            Index("i", text("(10 / length(v))")),
        ),
        rows="INSERT INTO t (v) VALUES (NULL)",
        refused="division by zero",
    ),
    item(
        "an index that becomes unique",
        lambda: Index("i", "a"),
        lambda: Index("i", "a", unique=True),
        columns=two,
    ),
    item(
        "varchar_pattern_ops",
        lambda: Index("i", "a", postgresql_ops={"a": "varchar_pattern_ops"}),
        lambda: Index("i", "a"),
        columns=two,
    ),
    item(
        "jsonb_path_ops",
        lambda: Index("i", "j", postgresql_using="gin"),
        lambda: Index("i", "j", postgresql_using="gin", postgresql_ops={"j": "jsonb_path_ops"}),
        columns=documents,
    ),
    item(
        "gin_trgm_ops",
        lambda: Index("i", "a", postgresql_using="gin", postgresql_ops={"a": "gin_trgm_ops"}),
        columns=documents,
        extensions=("pg_trgm",),
    ),
    item(
        "gist_trgm_ops with a parameter",
        lambda: Index(
            "i", "a", postgresql_using="gist", postgresql_ops={"a": "gist_trgm_ops(siglen=32)"}
        ),
        lambda: Index(
            "i", "a", postgresql_using="gist", postgresql_ops={"a": "gist_trgm_ops(siglen=64)"}
        ),
        columns=documents,
        extensions=("pg_trgm",),
        since=130000,
    ),
    item(
        "btree_gin, of an integer and a document",
        lambda: Index("i", "b", "j", postgresql_using="gin"),
        columns=documents,
        extensions=("btree_gin",),
    ),
    item("an array in gin", lambda: Index("i", "w", postgresql_using="gin"), columns=documents),
    item(
        "an expression",
        lambda: Index("i", func.lower(text("a"))),
        lambda: Index("i", func.upper(text("a"))),
        columns=two,
    ),
    item(
        "an expression beside a column, both in an order",
        lambda: Index("i", text("lower(a) DESC NULLS LAST"), text("b ASC NULLS FIRST")),
        columns=two,
    ),
    item(
        "a JSON operator",
        lambda: Index("i", text("(j ->> 'kind')")),
        lambda: Index("i", text("((j ->> 'size')::integer)")),
        columns=documents,
    ),
    item("a unique expression", lambda: Index("i", text("lower(a)"), unique=True), columns=two),
    item(
        "a unique expression on duplicates",
        lambda: Index("i", text("lower(a)")),
        lambda: Index("i", text("lower(a)"), unique=True),
        columns=two,
        rows="INSERT INTO t (a) VALUES ('x'), ('X')",
        refused="duplicate",
    ),
    item(
        "a unique and partial one on duplicates",
        lambda: Index("i", "a"),
        lambda: Index("i", "a", unique=True, postgresql_where=text("b > 0")),
        columns=two,
        rows="INSERT INTO t (a, b) VALUES ('x', 1), ('x', 2)",
        refused="duplicate",
    ),
    item(
        "a unique and partial one beside duplicates",
        lambda: Index("i", "a"),
        lambda: Index("i", "a", unique=True, postgresql_where=text("b > 0")),
        columns=two,
        rows="INSERT INTO t (a, b) VALUES ('x', 1), ('x', 0)",
    ),
    item(
        "a unique one, nulls not distinct, on nulls",
        lambda: Index("i", "a"),
        lambda: Index("i", "a", unique=True, postgresql_nulls_not_distinct=True),
        columns=two,
        rows="INSERT INTO t (a) VALUES (NULL), (NULL)",
        refused="duplicate",
        since=150000,
    ),
    item(
        "INCLUDE",
        lambda: Index("i", "a"),
        lambda: Index("i", "a", postgresql_include=["b"]),
        columns=two,
    ),
    item(
        "NULLS NOT DISTINCT",
        lambda: Index("i", "a", unique=True),
        lambda: Index("i", "a", unique=True, postgresql_nulls_not_distinct=True),
        columns=two,
        since=150000,
    ),
    item(
        "storage parameters",
        lambda: Index("i", "a", postgresql_with={"fillfactor": 70}),
        lambda: Index("i", "a", postgresql_with={"fillfactor": 80, "deduplicate_items": "off"}),
        columns=two,
        since=130000,
    ),
    item(
        "BRIN",
        lambda: Index("i", "b", postgresql_using="brin"),
        lambda: Index("i", "b", postgresql_using="brin", postgresql_with={"pages_per_range": 16}),
        columns=two,
    ),
    item(
        "HASH",
        lambda: Index("i", "a", postgresql_using="hash"),
        lambda: Index("i", "a"),
        columns=two,
    ),
    item(
        "GiST of a range",
        lambda: Index("i", "r", postgresql_using="gist"),
        lambda: Index("i", "r", postgresql_using="spgist"),
        columns=lambda: [Column("r", TSTZRANGE)],
    ),
    item(
        "concurrently, as a hint",
        lambda: Index("i", "a", postgresql_concurrently=True),
        lambda: Index("i", "b", postgresql_concurrently=True),
        columns=two,
    ),
    item(
        "a collation in an index",
        lambda: Index("i", text('a COLLATE "C"')),
        lambda: Index("i", text('a COLLATE "POSIX"')),
        columns=two,
    ),
    item(
        "the predicate changes",
        lambda: Index("i", "a", postgresql_where=text("b > 0")),
        lambda: Index("i", "a", postgresql_where=text("b > 1 AND a IS NOT NULL")),
        columns=two,
    ),
    item(
        "a predicate in SQLAlchemy's words",
        lambda: Index("i", "a", postgresql_where=text("b IN (1, 2, 3)")),
        columns=two,
    ),
    item(
        "an index goes, and is left",
        lambda: Index("i", "a"),
        lambda: Index("k", "a"),
        columns=two,
        leaves=True,
    ),
    Construct(
        "an index over a new column",
        lambda m: table(m, *two()),
        lambda m: table(m, *two(), Column("d", Date), Index("i", "b", "d")),
    ),
    Construct(
        "an index over a new generated column",
        lambda m: table(m, *two()),
        lambda m: table(
            m,
            *two(),
            Column("words", TSVECTOR, Computed("to_tsvector('english', a)", persisted=True)),
            Index("i", "words", postgresql_using="gin"),
        ),
    ),
    Construct(
        "an index over a column whose type changes",
        lambda m: table(m, Column("v", Integer), Index("i", "v")),
        lambda m: table(m, Column("v", String(20)), Index("i", "v")),
    ),
    Construct(
        "two tables with an index of the same columns",
        lambda m: (table(m, *two(), name="one"), table(m, *two(), name="two")),
        lambda m: (
            table(m, *two(), Index("one_a", "a"), name="one"),
            table(m, *two(), Index("two_a", "a"), name="two"),
        ),
    ),
)
