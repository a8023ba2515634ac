"""ANALYZE, in transactions that take few locks however many tables there are."""

from contextlib import closing
from typing import List, Tuple

import pytest

import verify
from converge.server.retries import connect
from converge.server.statistics import analyze
from converge.settings.loading import load_settings
from tests.support.database import Database
from tests.support.waiting import holding

# A transaction that analyzes a table writes a row for each of its columns.
PER_TRANSACTION = """SELECT count(*) FROM pg_statistic s JOIN pg_class c ON c.oid = s.starelid
WHERE starts_with(c.relname, 'some_') GROUP BY s.xmin::text ORDER BY 1 DESC"""


def create(database: Database, count: int) -> List[Tuple[str, str]]:
    """Create tables of one column and one row."""
    names = [f"some_{number:03}" for number in range(count)]
    database.execute("; ".join(f"CREATE TABLE {name} AS SELECT 1 AS a" for name in names))
    return [("public", name) for name in names]


def analyzed(database: Database, tables: List[Tuple[str, str]]) -> List[str]:
    settings = load_settings(database.environment, "none")
    with closing(connect(settings)) as connection:
        return analyze(connection, tables)


def test_no_transaction_has_many_tables(database: Database) -> None:
    """A stock server has 64 locks a connection; 330 schemas in one transaction were too many."""
    tables = create(database, 125)
    assert analyzed(database, tables) == []
    assert [count for (count,) in database.rows(PER_TRANSACTION)] == [60, 60, 5]


def test_the_servers_warnings_are_those_of_all_transactions(database: Database) -> None:
    """A table that is locked is left out, and said, wherever it stands."""
    tables = create(database, 61)
    holder = holding(database, "LOCK TABLE some_000; LOCK TABLE some_060")
    warnings = analyzed(database, tables)
    holder.close()
    assert warnings == [
        f'WARNING:  skipping analyze of "some_{number}" --- lock not available'
        for number in ("000", "060")
    ]


def test_the_log_names_so_many_and_counts_the_rest(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """A line of ten thousand schemas' tables would say nothing."""
    tables = create(database, 103)
    settings = load_settings(database.environment, "none")
    with caplog.at_level("INFO"), closing(connect(settings)) as connection:
        verify.analyze(connection, tables)
    [message] = caplog.messages
    assert message.startswith("analyzed public.some_000, public.some_001, ")
    assert message.endswith(", public.some_099 and 3 more tables")
