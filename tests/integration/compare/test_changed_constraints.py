"""Constraints of any kind on a live table with rows: changed into each other, and back."""

from typing import Any, Dict, Iterator, List, Tuple

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from converge.steps import Kind
from tests.support.database import Database
from tests.support.engine import Engine, engine_on

ROWS = """INSERT INTO parent SELECT g, g, 'p' || g FROM generate_series(1, 3) g;
INSERT INTO child SELECT g, g, 'c' || g, 10 * g FROM generate_series(1, 3) g"""
FACTS = """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated,
  obj_description(oid, 'pg_constraint') FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
  AND conrelid::regclass::text IN ('parent', 'child')
UNION ALL SELECT tablename, indexname, indexdef, true, NULL FROM pg_indexes
WHERE schemaname = 'public' AND tablename IN ('parent', 'child') ORDER BY 1, 2, 3"""
Rows = List[Tuple[Any, ...]]


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    with engine_on(database) as engine:
        yield engine


def models(*child: Any, parent: Tuple[Any, ...] = (), more: Tuple[Any, ...] = ()) -> MetaData:
    """Return a parent and its child, which has what is given besides."""
    metadata = MetaData()
    Table(
        "parent",
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("number", Integer),
        Column("name", String),
        *parent,
    )
    Table(
        "child",
        metadata,
        Column("id", Integer, nullable=False, autoincrement=False),
        Column("parent", Integer),
        Column("name", String),
        Column("number", Integer),
        *child,
    )
    return metadata


def facts(database: Database) -> Rows:
    return database.rows(FACTS)


def version(database: Database) -> int:
    return int(database.value("SHOW server_version_num")) // 10000


def fk(**options: Any) -> Any:
    return lambda: ForeignKeyConstraint(["parent"], ["parent.id"], name="child_parent", **options)


def unique(*columns: str, **options: Any) -> Any:
    return lambda: UniqueConstraint(*(columns or ("number",)), name="child_key", **options)


def key(*columns: str, **options: Any) -> Any:
    return lambda: PrimaryKeyConstraint(*(columns or ("id",)), name="child_pkey", **options)


def index(*columns: Any, **options: Any) -> Any:
    return lambda: Index("child_key", *(columns or ("number",)), unique=True, **options)


KEYS: Dict[str, Tuple[Any, int]] = {
    "plain": (unique(), 12),
    "deferrable": (unique(deferrable=True), 12),
    "deferred": (unique(deferrable=True, initially="DEFERRED"), 12),
    "include": (unique(postgresql_include=["name"]), 12),
    "nulls": (unique(postgresql_nulls_not_distinct=True), 15),
    "all": (
        unique(
            postgresql_include=["name"],
            postgresql_nulls_not_distinct=True,
            deferrable=True,
            initially="DEFERRED",
        ),
        15,
    ),
    "two": (unique("number", "name"), 12),
    "index": (index(), 12),
    "index of others": (index("number", "id", postgresql_include=["name"]), 12),
    "partial index": (index(postgresql_where=text("number > 10")), 12),
    "none": (lambda: CheckConstraint("number > -1", name="other"), 12),
}
PRIMARY: Dict[str, Tuple[Any, int]] = {
    "plain": (key(), 12),
    "deferred": (key(deferrable=True, initially="DEFERRED"), 12),
    "include": (key(postgresql_include=["name"]), 12),
    "both": (key(postgresql_include=["name"], deferrable=True), 12),
    "two": (key("id", "number"), 12),
}
FOREIGN: Dict[str, Tuple[Any, int]] = {
    "plain": (fk(), 12),
    "deferrable": (fk(deferrable=True), 12),
    "deferred": (fk(deferrable=True, initially="DEFERRED"), 12),
    "cascade": (fk(ondelete="CASCADE"), 12),
    "actions": (fk(ondelete="SET NULL", onupdate="RESTRICT", deferrable=True), 12),
    "full": (fk(match="FULL"), 12),
    "columns": (fk(ondelete="SET NULL (parent)"), 15),
    "none": (KEYS["none"][0], 12),
}
CHECKS: Dict[str, Tuple[Any, int]] = {
    "one": (lambda: CheckConstraint("number > 0", name="child_check", comment="it's"), 12),
    "other": (
        lambda: CheckConstraint("number IN (10, 20, 30)", name="child_check", comment="%"),
        12,
    ),
    "excluding": (
        lambda: ExcludeConstraint(("number", "="), name="child_check", using="btree"),
        12,
    ),
    "excluding others": (
        lambda: ExcludeConstraint(
            ("name", "="), ("number", "="), name="child_check", using="btree"
        ),
        12,
    ),
    "none": (KEYS["none"][0], 12),
}
OTHERS = (1, 3, -1)  # how far the others are behind one
PAIRS = [
    pytest.param(one[name], one[other], id=f"{kind} {name} to {other}")
    for kind, one in (("u", KEYS), ("p", PRIMARY), ("f", FOREIGN), ("c", CHECKS))
    for number, name in enumerate(one)
    for other in sorted({list(one)[(number + far) % len(one)] for far in OTHERS})
]


def as_far_as_said(found: Rows, wanted: Rows) -> Rows:
    """Leave out what the models say nothing about: what there is besides, and its comments."""
    said = {row[:2]: row[-1] for row in wanted}
    return [
        row if said[row[:2]] is not None else (*row[:-1], None) for row in found if row[:2] in said
    ]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_each_becomes_the_other_and_comes_back(
    engine: Engine, database: Database, before: Tuple[Any, int], after: Tuple[Any, int]
) -> None:
    """Exactly as the models say it, with all rows, and exactly back."""
    (old, since), (new, from_then) = before, after
    if version(database) < max(since, from_then):
        pytest.skip("the server does not know it yet")
    engine.converge(models(new()))
    wanted = facts(database)
    database.execute("DROP TABLE child, parent, eater_schema_history")
    engine.converge(models(old()))
    database.execute(ROWS)
    had = facts(database)
    engine.converge(models(new()))
    assert as_far_as_said(facts(database), wanted) == wanted
    assert engine.converge(models(new())).empty
    engine.roll_back()
    assert facts(database) == had
    assert database.value("SELECT count(*) FROM child") == 3


def test_rows_may_violate_what_is_not_valid(engine: Engine) -> None:
    """The models say NOT VALID: new rows obey it, and it is proven once all of them do."""

    def checked() -> MetaData:
        return models(CheckConstraint("number > 15", name="high", postgresql_not_valid=True))

    engine.converge(models())
    engine.database.execute(ROWS)
    engine.converge(checked())
    proven = "SELECT convalidated FROM pg_constraint WHERE conname = 'high'"
    assert engine.database.value(proven) is False
    assert "rows violate it" in engine.plan(checked()).notes[0]
    engine.database.execute("UPDATE child SET number = number + 15")
    (step,) = engine.converge(checked()).steps
    assert step.kind is Kind.VALIDATE_CONSTRAINT
    assert engine.database.value(proven) is True
