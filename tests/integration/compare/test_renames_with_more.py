"""Renames beside what else has the names: sequences, own types, parents, other renames."""

from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, Integer

from tests.support.changing import Changing, release
from tests.support.database import Database

WAS_T = {"renamed_from": "t"}


@pytest.fixture
def changing(database: Database) -> Changing:
    return Changing(database)


def keyed(name: str, key: Any = Integer, column: str = "id", was: Any = None, **info: Any) -> Any:
    """Return a table with a key that is numbered."""
    found: Column[Any] = Column(column, key, primary_key=True, info=was or {})
    return (name, found, Column("v", Integer), {"info": info})


def test_a_sequence_beyond_its_former_end_is_not_narrowed(changing: Changing) -> None:
    """Whatever it is called by the time that somebody asks."""
    changing.apply(release(keyed("t")))
    changing.apply(release(keyed("u", BigInteger, **WAS_T)))
    changing.database.execute("INSERT INTO u VALUES (1); SELECT setval('u_id_seq', 3000000000)")
    [refusal] = changing.rolled_back(1).refusals
    assert refusal.what == (
        "undoing 'widen sequence public.u.id' is not possible: the values of 1 row would not fit."
    )
    changing.database.execute("SELECT setval('u_id_seq', 5)")
    assert changing.rolled_back(1).refusals == ()
    assert changing.database.rows("INSERT INTO t DEFAULT VALUES RETURNING id") == [(6,)]
