"""How large tables are, without reading them and without waiting for anybody."""

import threading
from contextlib import closing
from typing import Dict, Iterator, Tuple

import pytest

from converge.server.connection import Connection
from converge.server.retries import connect
from converge.server.sizes import Size, sizes
from converge.settings.loading import load_settings
from tests.support.database import Database
from tests.support.waiting import holding

ROWS = "INSERT INTO {} SELECT n, repeat('x', 100) FROM generate_series(1, {}) AS n;"


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with closing(connect(load_settings(database.environment, "no such file"))) as connection:
        yield connection


def found(connection: Connection, *tables: str) -> Dict[str, Size]:
    known: Dict[Tuple[str, str], Size] = sizes(connection, ["public", "none"], tables)
    return {table: size for (_, table), size in known.items()}


def test_rows_are_estimated_as_the_planner_does(database: Database, connection: Connection) -> None:
    """By the pages of now; before the first ANALYZE nobody knows, unless there are none."""
    made = "CREATE TABLE {} (id integer PRIMARY KEY, note text);"
    database.execute(
        "".join(made.format(name) for name in ("grown", "unknown", "none"))
        + "CREATE VIEW seen AS SELECT 1;"
        + ROWS.format("grown", 1000)
        + "ANALYZE grown;"
        + ROWS.format("unknown", 1000)
    )
    database.execute("INSERT INTO grown SELECT id + 1000, note FROM grown")
    known = found(connection, "grown", "unknown", "none", "seen", "missing")
    assert sorted(known) == ["grown", "none", "unknown"]
    assert 1900 < (known["grown"].rows or 0) < 2100
    assert known["unknown"].rows is None
    assert known["none"].rows == 0
    for name, size in known.items():
        assert size.bytes == database.value(f"SELECT pg_table_size('{name}')")


def test_a_partitioned_table_is_as_large_as_its_parts(
    database: Database, connection: Connection
) -> None:
    """At any depth; a part that nobody has analyzed leaves the sum unknown."""
    database.execute(
        "CREATE TABLE days (id integer, note text) PARTITION BY RANGE (id);"
        "CREATE TABLE early PARTITION OF days FOR VALUES FROM (0) TO (1000);"
        "CREATE TABLE late PARTITION OF days FOR VALUES FROM (1000) TO (3000) "
        "PARTITION BY RANGE (id);"
        "CREATE TABLE latest PARTITION OF late FOR VALUES FROM (1000) TO (3000);"
        + ROWS.format("days", 2000)
        + "ANALYZE early;"
    )
    expected = "SELECT sum(pg_table_size(c)) FROM unnest('{early,latest}'::regclass[]) AS c"
    size = found(connection, "days")["days"]
    assert (size.rows, size.bytes) == (None, database.value(expected))
    database.execute("ANALYZE latest")
    assert found(connection, "days")["days"].rows == 2000


def test_whoever_rewrites_a_table_is_not_waited_for(
    database: Database, connection: Connection
) -> None:
    """A plan is worth less than that, and does without: also of a lock that ends soon."""
    database.execute("CREATE TABLE things (id integer)")
    rewriting = holding(database, "LOCK TABLE things")
    end = threading.Timer(3, rewriting.close)
    end.start()
    assert found(connection, "things") == {}
    end.join()
    assert sorted(found(connection, "things")) == ["things"]


def test_of_very_many_tables_none_is_opened(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their sizes are those of the last ANALYZE, and a lock on one of them is no matter."""
    database.execute(
        "CREATE TABLE large (id integer, note text); CREATE TABLE unknown (LIKE large);"
        "CREATE TABLE days (LIKE large) PARTITION BY RANGE (id);"
        "CREATE TABLE day PARTITION OF days FOR VALUES FROM (1) TO (9999);"
        + "".join(ROWS.format(name, 1000) + f"ANALYZE {name};" for name in ("large", "days"))
    )
    monkeypatch.setattr("converge.server.sizes.MOST", 3)
    pages = database.value("SELECT relpages * 8192 FROM pg_class WHERE relname = 'large'")
    with closing(holding(database, "LOCK TABLE large")):
        known = found(connection, "large", "unknown", "days")
    assert known == {"large": (1000, pages), "days": (1000, pages)}
