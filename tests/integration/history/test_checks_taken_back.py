"""A check that a release has changed, taken back: only if every row obeys the former one."""

from typing import Any

import pytest
from sqlalchemy import CheckConstraint, Column, Date, Integer, MetaData, Text

from tests.support.changing import Changing, release
from tests.support.database import Database
from tests.support.structure import structure


def models(kind: Any, after: str) -> MetaData:
    check = CheckConstraint(f"day > '{after}' AND id > 0", name="k", comment="of it")
    return release(("t", Column("id", Integer, primary_key=True), Column("day", kind), check))


# What the second release says, what it has done, and what of a row is asked before it is undone.
LATER = {
    "the check": (models(Text, "2022"), "add constraint public.t.k"),
    "the type, too": (models(Date, "2022-01-01"), "change type public.t.day"),
}


@pytest.mark.parametrize("later", list(LATER))
def test_a_former_check_that_a_row_violates(database: Database, later: str) -> None:
    """The row is named before anything is undone; without it the check is as it was."""
    releases, (wider, step) = Changing(database), LATER[later]
    releases.apply(models(Text, "2024"))
    database.execute("INSERT INTO t VALUES (1, '2025-01-31'), (2, NULL)")
    before = structure(database, "public")
    releases.apply(wider)
    database.execute("INSERT INTO t VALUES (3, '2023-01-31')")
    [refusal] = releases.rolled_back(1).refusals
    assert refusal.what == f"undoing '{step}' is not possible: the values of 1 row would not fit."
    [query] = refusal.way_out.statements
    assert [key for key, *_ in database.rows(query)] == [3]
    database.execute("DELETE FROM t WHERE id = 3")
    assert releases.rolled_back(1).refusals == ()
    assert structure(database, "public") == before
    assert database.rows("SELECT * FROM t ORDER BY id") == [(1, "2025-01-31"), (2, None)]
