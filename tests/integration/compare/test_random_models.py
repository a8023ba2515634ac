"""Whatever the models say: a run ends at them, with every row, or changes nothing at all."""

import os
from contextlib import suppress
from functools import partial
from typing import Any, Dict, List

import pytest
from hypothesis import HealthCheck, Phase, example, given, seed, settings
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from converge.errors import Refused
from converge.quoting import identifier, qualified
from tests.support.catalogs import everything
from tests.support.converging import Converging
from tests.support.database import Database
from tests.support.plain_metadata import ROW, fill, metadata
from tests.support.plain_models import Column, Models, Table
from tests.support.random_changes import Pair, pairs
from tests.support.structure import structure

EXAMPLES = int(os.environ.get("EATER_PROPERTY_EXAMPLES", "30"))
PARTS = 3  # which different processes may take
SCHEMA = "drawn"
CREATED = "created"  # by SQLAlchemy
Rows = Dict[str, List[Dict[str, Any]]]

PLAIN = Column("a", "integer", null=False)
ADDED = Column("b", "text", null=False, backfill=True)
FIRST = Models((Table("a", (PLAIN,)),))
ADDS = Models((Table("a", (PLAIN, ADDED)),))
LACKS_VALUES = Models((Table("a", (PLAIN, ADDED._replace(backfill=False))),))


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_any_models_are_brought_about_and_changed_or_refused(database: Database, part: int) -> None:
    """From empty always; on a live database with every row, or with nothing changed."""
    outcomes: List[bool] = []
    there = Converging(database, schema=SCHEMA)

    @settings(
        max_examples=-(-EXAMPLES // PARTS),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[phase for phase in Phase if phase is not Phase.explain],  # which takes minutes
    )
    @given(pairs(int(database.value("SHOW server_version_num"))))
    @example(Pair(FIRST, ADDS, compared=True))
    @example(Pair(FIRST, LACKS_VALUES, compared=False))
    def check(pair: Pair) -> None:
        try:
            outcomes.append(_converges(database, there, pair))
        finally:
            database.execute(f"DROP SCHEMA IF EXISTS {SCHEMA}, {CREATED} CASCADE")

    if "CI" in os.environ:
        seed(part)(check)
    check()
    assert {False, True} <= set(outcomes)


def _converges(database: Database, there: Converging, pair: Pair) -> bool:
    """Return whether the second models are reached from the first; else they are refused."""
    assert there.run(metadata(pair.first), "first").left == ()
    if pair.compared:
        _compare_with_create_all(database, pair.first)
    _fill(database, pair.first)
    before = everything(database), _rows(database, pair.first)
    try:
        assert there.run(metadata(pair.second), "second").left == ()
    except Refused:
        assert (everything(database), _rows(database, pair.first)) == before
        return False
    assert there.plan(metadata(pair.second)).empty
    _all_kept(pair, before[1], _rows(database, pair.first))
    return True


def _fill(database: Database, models: Models) -> None:
    database.execute(f"SET search_path = {SCHEMA}; SET session_replication_role = replica")
    for statement in fill(models, SCHEMA):
        database.execute(statement)
    database.execute("RESET search_path; RESET session_replication_role")


def _compare_with_create_all(database: Database, models: Models) -> None:
    """The engine has made what SQLAlchemy makes, and finds nothing to do there."""
    database.execute(f"CREATE SCHEMA {CREATED}")
    engine = create_engine(
        "postgresql+psycopg2://",
        creator=partial(database.connect, options=f"-c search_path={CREATED}"),
        poolclass=NullPool,
    )
    metadata(models).create_all(engine)
    assert structure(database, SCHEMA) == structure(database, CREATED)
    assert Converging(database, schema=CREATED).run(metadata(models), "first") == ((), ())


def _rows(database: Database, models: Models) -> Rows:
    """Return the rows of the tables, by column, each in its place."""
    query = "SELECT to_jsonb(t) FROM {} t ORDER BY {}"
    return {
        table.name: [
            row
            for (row,) in database.rows(
                query.format(qualified(SCHEMA, table.name), identifier(ROW))
            )
        ]
        for table in models.tables
    }


def _all_kept(pair: Pair, before: Rows, after: Rows) -> None:
    """Every row is there, with the value of each column that is not computed."""
    for table in pair.first.tables:
        now = pair.second.table(table.name) or table
        assert len(before[table.name]) == len(after[table.name])
        for old, new in zip(before[table.name], after[table.name]):
            for column in table.columns:
                same = now.column(column.name) or column
                if not column.computed and not same.computed:
                    _kept(column, same, old[column.name], new[column.name])


def _kept(column: Column, now: Column, old: Any, new: Any) -> None:
    """A value is as it was; where there was none, there is one only if there has to be."""
    if old is None:
        assert (new is None) == now.null, (column, now, new)
    elif column.type == now.type:
        assert new == old, (column, now)
    elif isinstance(old, list) and isinstance(new, list):  # one by one: [1] is ['1'] now
        assert len(old) == len(new), (column, now, old, new)
        assert all(_alike(str(was), str(value)) for was, value in zip(old, new)), (old, new)
    else:  # JSON has a T between the day and the time
        was = str(old).replace("T", " ") if column.type.startswith("timestamp") else str(old)
        assert _alike(was, str(new)) or _alike(str(old), str(new)), (column, now, old, new)


def _alike(old: str, new: str) -> bool:
    """Return whether two texts are of one value: a day and its first second are."""
    if old.startswith(new) or new.startswith(old):
        return True
    with suppress(ValueError):
        return float(old) == float(new)
    return False
