"""Generated columns that are computed from what the same release brings or fills."""

from typing import Any, Tuple

from sqlalchemy import (
    Boolean,
    Column,
    Computed,
    Enum,
    Identity,
    Integer,
    MetaData,
    String,
    Table,
    column,
    func,
    text,
)

from tests.support.construct import Construct, table


def computed_from(name: str, b: "Column[Any]") -> Construct:
    """Return a generated column that is new, along with `b` that it reads."""

    def then(m: MetaData) -> Table:
        h = Column("h", Integer, Computed("a * b", True), nullable=False)
        return table(m, Column("a", Integer), b._copy(), h)

    rows = "INSERT INTO t (a) VALUES (1), (2)"
    return Construct(
        f"generated, from {name}", lambda m: table(m, Column("a", Integer)), then, rows=rows
    )


def filled(backfill: object) -> "Column[Any]":
    return Column("b", Integer, nullable=False, info={"backfill": backfill})


def kind(*labels: str) -> "Column[Any]":
    return Column("v", Enum(*labels, name="kind"))


def named(label: str) -> "Column[Any]":
    return Column("g", Boolean, Computed(f"v = '{label}'::kind", True))


FROM_NEW: Tuple[Construct, ...] = (
    computed_from("a column filled by text()", filled(text("a + 1"))),
    computed_from("a column filled from another", filled(column("a") + 1)),
    computed_from("a column filled by a function", filled(func.length(text("a::text")))),
    computed_from("a column filled by a constant", filled(7)),
    computed_from("a numbered column", Column("b", Integer, Identity(), nullable=False)),
    Construct(
        "generated, from a column that is filled where it was NULL",
        lambda m: table(m, Column("a", Integer), Column("b", Integer)),
        lambda m: table(
            m,
            Column("a", Integer),
            filled(text("a + 1")),
            Column("h", Integer, Computed("a * b", True), nullable=False),
        ),
        rows="INSERT INTO t (a, b) VALUES (1, NULL), (2, 3)",
        rows_kept=False,
        holds="SELECT array_agg(h ORDER BY a) = '{2,6}' FROM t",
    ),
    Construct(
        "a backfill reads a new generated column",
        lambda m: table(m, Column("a", Integer)),
        lambda m: table(
            m,
            Column("a", Integer),
            Column("h", Integer, Computed("a * 2", True)),
            filled(column("h") + 1),
        ),
        rows="INSERT INTO t (a) VALUES (1), (2)",
        holds="SELECT bool_and(b = 2 * a + 1) FROM t",
    ),
    Construct(
        "generated, its text may be longer",
        lambda m: table(
            m, Column("a", String(9)), Column("g", String(9), Computed("upper(a)", True))
        ),
        lambda m: table(
            m, Column("a", String(9)), Column("g", String(20), Computed("upper(a)", True))
        ),
    ),
    Construct(
        "generated, from a value that an enum gets",
        lambda m: table(m, kind("a", "b")),
        lambda m: table(m, kind("a", "b", "c"), named("c")),
    ),
)
