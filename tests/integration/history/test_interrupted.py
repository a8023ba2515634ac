"""A run that was interrupted behind any of its steps, and what is done then."""

import os
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    UniqueConstraint,
    literal,
)

from tests.support.changing import Changing, release
from tests.support.copies import copy_of
from tests.support.database import Database
from tests.support.structure import structure

ROWS = """INSERT INTO p VALUES (1, 10), (2, 20);
INSERT INTO t (id, v, w, kind, text, p_id) VALUES (1, 5, 7, 'a', 'x', 1), (2, 6, 8, 'b', 'y', 2)"""
OLD = release(
    ("p", Column("id", Integer, primary_key=True), Column("key", Integer)),
    (
        "t",
        Column("id", Integer),
        Column("v", Integer),
        Column("w", Integer),
        Column("n", Integer),
        Column("kind", Enum("a", "b", name="kind")),
        Column("text", String(9)),
        Column("old", Integer),
        Column("p_id", ForeignKey("p.id", name="f")),
        PrimaryKeyConstraint("id", name="k"),
        UniqueConstraint("v", name="u"),
        CheckConstraint("v > 0", name="c"),
        CheckConstraint("kind <> 'a' OR v > 1", name="of_kind"),
        Index("i", "v"),
        Index("of_b", "v", postgresql_where="kind = 'b'"),
    ),
)


def filled(name: str, value: Any) -> "Column[int]":
    return Column(name, Integer, nullable=False, info={"backfill": value})


NEW = release(
    (
        "p",
        Column("id", Integer, primary_key=True),
        Column("key", Integer, unique=True),
        Column("volatile", Integer, server_default="3"),
    ),
    (
        "t",
        Column("id", Integer),
        Column("v", BigInteger),
        Column("w", Integer),
        filled("n", literal(4)),
        Column("kind", Enum("new", "a", "b", "c", name="kind")),
        Column("text", String(20), server_default="no"),
        Column("renamed", Integer, info={"renamed_from": "old"}),
        Column("p_id", ForeignKey("p.id", name="f", ondelete="CASCADE")),
        filled("x", Column("w")),
        Column("at", ForeignKey("q.id", name="at_q")),
        PrimaryKeyConstraint("id", "w", name="k"),
        UniqueConstraint("v", "w", name="u"),
        UniqueConstraint("x", name="of_x"),
        CheckConstraint("v < 100", name="c"),
        CheckConstraint("kind <> 'a' OR v > 1", name="of_kind"),
        CheckConstraint("w < 100", name="of_w"),
        Index("i", "w"),
        Index("of_b", "v", postgresql_where="kind = 'b'"),
        Index("of_c", "v", postgresql_where="kind = 'c'"),
    ),
    ("q", Column("id", Integer, primary_key=True)),
)
WAYS = ["rolled back", "taken back", "continued"]
EVERY = int(os.environ.get("EATER_INTERRUPT_EVERY") or 5)  # step; each way begins with another
State = Tuple[List[Any], List[Any]]
# A rollback leaves what a backfill has filled.
ALL = """SELECT (to_jsonb(t) - 'n')::text FROM t
UNION ALL SELECT to_jsonb(p)::text FROM p ORDER BY 1"""
HELPERS = """SELECT conname::text FROM pg_constraint WHERE starts_with(conname, 'eater_')
  AND conrelid <> 'eater_schema_history'::regclass
UNION ALL SELECT relname FROM pg_class WHERE relname ~ '^eater_(new|old)_'"""


def present(database: Database) -> List[Any]:
    return [one for one in structure(database, "public") if "pg.dropped" not in str(one)]


def state(database: Database) -> State:
    return present(database), database.rows(ALL)


def released(database: Database, models: MetaData) -> Changing:
    """Return a database with a release and its rows."""
    releases = Changing(database)
    releases.apply(models)
    database.execute(ROWS)
    return releases


def then(releases: Changing, what: str) -> None:
    """Do what is done behind an interruption, before a rollback."""
    if what == "continued":
        releases.apply(NEW)
    elif what == "taken back":
        releases.apply(OLD)
        assert releases.database.rows(HELPERS) == []
        assert releases.planned(OLD).steps == ()


@pytest.mark.long
@pytest.mark.parametrize("what", WAYS)
def test_a_rollback_of_a_run_that_was_interrupted_anywhere(database: Database, what: str) -> None:
    """All is as before; with the old models, too, nothing stays that forbids anything."""
    releases = released(database, OLD)
    before, count = state(database), len(releases.planned(NEW).steps)
    for number in range(1 + WAYS.index(what), count + 2, EVERY):
        with copy_of(database) as twin:
            changing = Changing(twin)
            changing.apply(NEW, steps=number)
            then(changing, what)
            assert changing.rolled_back(1).refusals == (), number
            assert state(twin) == before, number


def number() -> "Column[int]":
    return Column("id", Integer, primary_key=True)


def table(*parts: Any) -> MetaData:
    return release(("t", number(), *parts))


def checked(condition: str) -> MetaData:
    return table(Column("v", Integer), CheckConstraint(condition, name="c"))


def referring(on_delete: Optional[str]) -> MetaData:
    key = ForeignKey("p.id", name="f", ondelete=on_delete)
    return release(("p", number()), ("t", number(), Column("v", key)))


def valued(nullable: bool, *more: Any) -> MetaData:
    return table(Column("v", Integer, nullable=nullable), *more)


def with_value(values: str, *more: Any) -> MetaData:
    return table(Column("k", Enum(*values, name="kind")), *more)


# What a release changes, the step behind which it is interrupted, and what was allowed before.
HELPED: Dict[str, Tuple[Callable[[], MetaData], Callable[[], MetaData], int, str]] = {
    "check": (
        lambda: checked("v > 0"),
        lambda: checked("v < 100"),
        2,
        "INSERT INTO t VALUES (1, 500)",
    ),
    "foreign key": (
        lambda: referring(None),
        lambda: referring("CASCADE"),
        2,
        "INSERT INTO p VALUES (1); INSERT INTO t VALUES (1, 1)",
    ),
    "NOT NULL": (
        lambda: valued(True),
        lambda: valued(False),
        2,
        "INSERT INTO t VALUES (1, NULL)",
    ),
    "new NOT NULL": (
        table,
        lambda: table(filled("v", Column("id"))),
        4,
        "INSERT INTO t (id) VALUES (2)",
    ),
    "key": (
        lambda: valued(True),
        lambda: valued(True, UniqueConstraint("v", name="u")),
        2,
        "INSERT INTO t VALUES (1, 5), (2, 5)",
    ),
}


@pytest.mark.parametrize("old_models", [False, True], ids=["rolled back", "old models"])
@pytest.mark.parametrize("change", list(HELPED))
def test_what_exists_between_two_steps_does_not_outlive_them(
    database: Database, change: str, old_models: bool
) -> None:
    """It forbids what was allowed, and the steps that it was for won't come."""
    old, new, steps, allowed = HELPED[change]
    releases = Changing(database)
    releases.apply(old())
    before = present(database)
    releases.apply(new(), steps=steps)
    assert database.rows(HELPERS) != []
    if old_models:
        releases.apply(old())
    else:
        assert releases.rolled_back(1).refusals == ()
        assert present(database) == before
    assert database.rows(HELPERS) == []
    database.execute(allowed)


def test_an_index_that_two_runs_of_one_release_have_replaced(database: Database) -> None:
    """The second drops the one that the first has kept: taking that back builds it again."""
    old, new = (valued(True, Index("i", by)) for by in ("id", "v"))
    releases = Changing(database)
    releases.apply(old)
    before = present(database)
    releases.apply(new, steps=3)
    assert [step.kind.value for step in releases.apply(new).steps] == ["drop_index"]
    assert releases.rolled_back(1).refusals == ()
    assert present(database) == before


@pytest.mark.parametrize("steps", [1, 2])
def test_a_run_that_has_come_no_further_than_a_value(database: Database, steps: int) -> None:
    """What runs ahead is recorded, so that a rollback concerns this run, not the one before."""
    old, new = with_value("a"), with_value("ab", Column("w", Integer))
    releases = Changing(database)
    releases.apply(old)
    before = present(database)
    releases.apply(new, steps=steps)
    recorded = "SELECT version, finished FROM eater_schema_history ORDER BY run DESC LIMIT 1"
    assert database.rows(recorded) == [(2, steps - 1)]
    assert releases.rolled_back(1).refusals == ()
    assert present(database) == before


def test_a_value_and_a_column_filled_from_another(database: Database) -> None:
    """The column is tried where the value is there, and its backfill no sooner."""
    old, new = with_value("a"), with_value("ab", filled("w", Column("id")))
    releases = Changing(database)
    releases.apply(old)
    database.execute("INSERT INTO t VALUES (7, 'a')")
    releases.apply(new)
    assert database.rows("SELECT w FROM t") == [(7,)]
