"""Exclusion constraints, and their changes."""

from typing import Any

from sqlalchemy import Column, Index, String, text
from sqlalchemy.dialects.postgresql import DATERANGE, INT4RANGE, ExcludeConstraint

from tests.support.construct import Construct, item, table
from tests.support.constructs_of_constraints import two


def where(condition: str, *names: str) -> Any:
    """Return exclusions with a condition, unnamed if no names are given."""
    excluded = [{"name": name} for name in names] or [{}]
    return lambda m: table(
        m,
        Column("s", String(9)),
        Column("r", INT4RANGE),
        *(ExcludeConstraint(("r", "&&"), where=text(condition), **name) for name in excluded),
    )


EXCLUSIONS = (
    item(
        "exclusion, new",
        lambda: Index("x", "r", postgresql_using="gist"),
        lambda: ExcludeConstraint(("r", "&&"), name="e"),
        columns=lambda: [Column("r", INT4RANGE)],
        leaves=True,
        or_refused="e",
    ),
    item(
        "exclusion of rooms, with btree_gist",
        lambda: ExcludeConstraint(("a", "="), ("r", "&&"), name="e", where=text("a > 0")),
        lambda: ExcludeConstraint(("a", "="), ("r", "&&"), name="e", where=text("a > 1")),
        columns=lambda: [*two(), Column("r", DATERANGE)],
        extensions=("btree_gist",),
        or_refused="e",
    ),
    item(
        "exclusion, deferrable",
        lambda: ExcludeConstraint(("a", "="), using="btree", name="e", deferrable=True),
        columns=two,
        or_refused="e",
    ),
    item(
        "exclusion that a row has no value for",
        lambda: Index("x", "b"),
        lambda: ExcludeConstraint(
            (text("(10 / a)"), "="), using="btree", name="e", where=text("b > 0")
        ),
        columns=two,
        rows="INSERT INTO t (a, b) VALUES (0, 1)",
        refused="division by zero",
    ),
    Construct("exclusion where IN", where("s IN ('a', 'x')"), where("s NOT IN ('x', 'y')")),
    Construct(
        "exclusion where IN, named",
        where("s IN ('a', 'x')", "e", "e'2 %"),
        where("s IN ('x', 'y')", "e", "e'2 %"),
    ),
)
