"""Backfills: what the rows of a live table get in a column that requires a value."""

import enum
from typing import Any

from sqlalchemy import (
    Boolean,
    Case,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Enum,
    Float,
    Integer,
    MetaData,
    Numeric,
    Sequence,
    String,
    Table,
    case,
    cast,
    column,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import HSTORE, JSONB, UUID

from tests.support.construct import Construct, table


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


def filled(name: str, column: "Column[Any]", **options: Any) -> Construct:
    """Return a required column that is new on a table with rows."""
    return Construct(
        f"backfill: {name}",
        lambda m: table(m, Column("name", String), Column("v", Integer)),
        lambda m: table(m, Column("name", String), Column("v", Integer), column._copy()),
        **options,
    )


def required(kind: Any, backfill: object, **options: Any) -> "Column[Any]":
    return Column("n", kind, nullable=False, info={"backfill": backfill}, **options)


def filled_from_another(m: MetaData) -> None:
    name = Column("a", String)
    table(m, name, required(String, func.upper(name)))


def kind(*labels: str) -> Enum:
    return Enum(*labels, name="kind")


def chosen(label: str) -> "Case[Any]":
    """Return an expression that is computed for each row."""
    return case((column("id") > 0, cast(label, kind(label))), else_=cast("a", kind("a")))


def grown(name: str, w: "Column[Any]") -> Construct:
    """Return a required column that is new while an enum gets a value."""
    w.nullable = False
    return Construct(
        f"backfill: {name}, while an enum gets a value",
        lambda m: table(m, Column("v", kind("a", "b"))),
        lambda m: table(m, Column("v", kind("a", "b", "c")), w._copy()),
    )


OTHER = Table("other", MetaData(), Column("id", Integer), Column("v", Integer))
BACKFILLS = (
    filled("a literal", required(String, literal("unknown"))),
    filled("a plain number", required(Integer, 7)),
    filled("a plain string", required(String, "it's 50% :x")),
    filled("a plain boolean", required(Boolean, False)),
    filled("a plain float", required(Float, 1.5)),
    filled("a document", required(JSONB, {"a": [1, "x"]})),
    filled("a JSONB literal", required(JSONB, literal({"a": 1}, JSONB))),
    filled("a Python Enum member", required(Enum(Mood, name="mood"), Mood.GOOD)),
    filled("a Python Enum member, as text", required(Enum(Mood, native_enum=False), Mood.GOOD)),
    filled("text()", required(Integer, text("id * 2"))),
    filled("a column of the table", required(Integer, literal_column("v"))),
    filled("a function of a column", required(String, func.lower(literal_column("name")))),
    filled("a function", required(DateTime(timezone=True), func.now())),
    filled("a number for a numeric", required(Numeric(8, 2), literal(3))),
    Construct(
        "backfill: a column of the models",
        lambda m: table(m, Column("a", String)),
        filled_from_another,
    ),
    Construct(
        "backfill: a subquery",
        lambda m: (table(m), table(m, Column("v", Integer), name="other")),
        lambda m: (
            table(m, required(Integer, select(func.max(OTHER.c.v)).scalar_subquery())),
            table(m, Column("v", Integer), name="other"),
        ),
    ),
    Construct(
        "backfill: values are missing",
        lambda m: table(m, Column("n", Integer)),
        lambda m: table(m, required(Integer, text("id"))),
        rows="INSERT INTO t (n) VALUES (NULL), (5)",
        rows_kept=False,
        holds="SELECT array_agg(n ORDER BY id) = '{1,5}' FROM t",
    ),
    filled(
        "beside a default",
        required(Integer, literal(3), server_default="5"),
        holds="SELECT bool_and(n = 3) FROM t",
    ),
    filled(
        "text() that is another value in every row",
        required(UUID, text("gen_random_uuid()"), unique=True),
        since=130000,
    ),
    Construct(
        "backfill: values of a unique column are missing, each is another",
        lambda m: table(m, Column("n", String, unique=True)),
        lambda m: table(m, required(String, text("random()::text"), unique=True)),
        rows="INSERT INTO t (n) VALUES (NULL), (NULL), (NULL)",
        rows_kept=False,
    ),
    filled(
        "text() that is the same in every row, which is to be unique",
        required(String, text("'x'"), unique=True),
        refused="duplicate",
    ),
    filled("none, and none is said", Column("n", Integer, nullable=False), refused="NOT NULL"),
    filled("none, but a default", Column("n", Integer, nullable=False, server_default="4")),
    Construct(
        "backfill: one reads another, which is said later",
        lambda m: table(m, Column("a", Integer)),
        lambda m: table(
            m,
            Column("a", Integer),
            Column("d", Integer, nullable=False, info={"backfill": column("n") + 1}),
            Column("e", Integer, nullable=False, info={"backfill": text("d + n")}),
            required(Integer, text("a + 1")),
        ),
        rows="INSERT INTO t (a) VALUES (1), (2)",
        holds="SELECT bool_and(n = a + 1 AND d = n + 1 AND e = d + n) FROM t",
    ),
    Construct(
        "backfill: text() of a column whose type changes",
        lambda m: table(m, Column("a", String)),
        lambda m: table(m, Column("a", Integer), required(Integer, text("a + 1"))),
        rows="INSERT INTO t (a) VALUES ('1'), ('2')",
    ),
    Construct(
        "backfill: numbers of a sequence, which are not given back",
        lambda m: (table(m), Sequence("numbers", metadata=m)),
        lambda m: table(
            m,
            required(Integer, Sequence("numbers", metadata=m).next_value(), unique=True),
            Column("g", Integer, Computed("n + 1", True)),
            CheckConstraint("n > 0", name="positive"),
        ),
        holds="SELECT max(n) = count(*) FROM t",  # none was used to ask a question
    ),
    filled(
        "a call that writes",
        required(Integer, func.setval("t_id_seq", 50)),
        holds="SELECT bool_and(n = 50) FROM t",
    ),
    grown("text()", Column("w", kind("a", "b", "c"), info={"backfill": text("'c'::kind")})),
    grown("a CASE", Column("w", kind("a", "b", "c"), info={"backfill": chosen("c")})),
    grown("a length", Column("w", Integer, info={"backfill": func.length(text("v::text"))})),
    Construct(
        "backfill: a value that an enum gets, where it was NULL",
        lambda m: table(m, Column("v", kind("a", "b"))),
        lambda m: table(
            m, Column("v", kind("a", "b", "c"), nullable=False, info={"backfill": "c"})
        ),
        rows="INSERT INTO t (v) VALUES ('a'), (NULL)",
        rows_kept=False,
    ),
    Construct(
        "backfill: a text that names a type of the models",
        lambda m: table(m, Column("s", String), Column("k", Enum("a", "b", name="kind"))),
        lambda m: table(
            m,
            Column("s", String),
            Column("k", Enum("a", "b", name="kind")),
            Column(
                "e",
                Enum("a", "b", name="kind"),
                nullable=False,
                info={"backfill": text("s::kind")},
            ),
        ),
        rows="INSERT INTO t (s) VALUES ('a'), ('b')",
    ),
    filled("a value of an extension's type", required(HSTORE, {"a": "1"}), extensions=("hstore",)),
    filled(
        "a function of an extension",
        required(HSTORE, func.hstore("a", "1")),
        extensions=("hstore",),
    ),
)
