"""Whoever is in the way of a run is named and waited for, and what they do is not disturbed."""

import re
import threading
from contextlib import contextmanager, suppress
from typing import Callable, ContextManager, Dict, Iterator

import pytest
from psycopg2 import errors

from tests.support.catalogs import SAMPLE_ROWS, described
from tests.support.database import Database
from tests.support.job import Run, Spawn
from tests.support.waiting import holding, until

NAME = "somebody"
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1; "
EVERY_TABLE = "LOCK weight, dishes, dishes_day, total_for_day IN ACCESS SHARE MODE"
# Four tenths of a second a page, of which there are many.
SLOWLY = "SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1"
MANY_ROWS = """INSERT INTO dishes SELECT g, 'soup', 120, 300, '{}', '{}', 'ann@example.org'
FROM generate_series(2, 10000) AS g"""
HELD = """SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'dishes'::regclass
AND mode = 'ShareUpdateExclusiveLock' AND granted)"""
INVALID = """SELECT array_agg(indexrelid::regclass::text) FROM pg_index
WHERE NOT indisvalid AND indexrelid::regclass::text <> 'theirs'"""
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'theirs'::regclass"
InTheWay = Callable[[Database], ContextManager[None]]


def transaction(statement: str) -> InTheWay:
    """Somebody has a transaction open."""

    @contextmanager
    def held(database: Database) -> Iterator[None]:
        other = holding(database, statement, name=NAME)
        yield
        other.close()

    return held


@contextmanager
def vacuum(database: Database) -> Iterator[None]:
    """Somebody vacuums a large table."""
    other = database.connect(application_name=NAME)
    other.cursor().execute(SLOWLY)
    with in_background(lambda: other.cursor().execute("VACUUM dishes")) as running:
        try:
            until(database, HELD)
            yield
            assert running.is_alive()
        finally:
            other.cancel()


@contextmanager
def build(database: Database) -> Iterator[None]:
    """Somebody builds an index, and waits for a writer meanwhile."""
    writer = holding(database, "LOCK dishes IN ROW EXCLUSIVE MODE", name="writer")
    other = database.connect(application_name=NAME)
    create = "CREATE INDEX CONCURRENTLY theirs ON dishes (calories)"
    with in_background(lambda: other.cursor().execute(create)):
        try:
            until(database, HELD)
            yield
        finally:
            writer.close()
    assert database.value(VALID)


@contextmanager
def in_background(work: Callable[[], None]) -> Iterator[threading.Thread]:
    """Wait for it at the end; it may have been cancelled."""

    def quietly() -> None:
        with suppress(errors.QueryCanceled):
            work()

    thread = threading.Thread(target=quietly)
    thread.start()
    yield thread
    thread.join()


LOCKS: Dict[str, InTheWay] = {
    "a reader": transaction("SELECT FROM weight"),
    "VACUUM": vacuum,
    "another build": build,
}
# An index build waits for them without an end: it blocks nobody.
SNAPSHOTS: Dict[str, InTheWay] = {
    "an old snapshot": transaction(SNAPSHOT),
    "pg_dump": transaction(SNAPSHOT + EVERY_TABLE),
}
WAYS: Dict[str, InTheWay] = dict([*LOCKS.items(), *SNAPSHOTS.items()])


@pytest.fixture
def drifted(initialised: Database) -> Database:
    """A live database in which a column and an index are missing."""
    initialised.execute(SAMPLE_ROWS + MANY_ROWS)
    initialised.execute("ALTER TABLE weight DROP weight; DROP INDEX idx_dishes_name")
    return initialised


@pytest.mark.long
@pytest.mark.parametrize("way", list(WAYS))
def test_a_run_waits_for_whoever_is_in_its_way(drifted: Database, spawn: Spawn, way: str) -> None:
    """It says for whom, and goes on when they have ended."""
    with WAYS[way](drifted):
        process = spawn(LOCK_PATIENCE="10min")
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert any(re.search(rf" waits for .*pid \d+ \({NAME}\), ", line) for line in lines)
    output = process.communicate(timeout=60)[1]
    assert process.returncode == 0, output
    assert "idx_dishes_name" in described(drifted)["dishes"]["indexes"]
    assert "weight" in described(drifted)["weight"]["columns"]


@pytest.mark.long
@pytest.mark.parametrize("way", list(LOCKS))
def test_when_the_patience_is_over_the_next_run_finishes(
    drifted: Database, run: Run, way: str
) -> None:
    """The run says who has the lock; nothing is left half done, and nobody was disturbed."""
    with LOCKS[way](drifted):
        result = run(LOCK_PATIENCE="1s")
        assert result.code == 6, result.err
        assert re.search(
            r"could not acquire the lock within LOCK_PATIENCE \(1\.0 s\)\.\n"
            rf"  It waited for a lock on public\.\w+ held by pid \d+ \({NAME}\), .*\n"
            r"  (Finished steps stay; safe to|Nothing was changed;) run again\.\n\Z",
            result.err,
        )
        assert drifted.value(INVALID) is None
    assert run().code == 0
    assert run("--verify").code == 0
