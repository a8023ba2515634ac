"""The server's disk runs full in the middle of a run."""

import re
import resource
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

from tests.support.catalogs import described
from tests.support.database import FAST, Database
from tests.support.job import Run
from tools import embedded

# No file may grow beyond this: more than a file of the WAL, and not a whole number of pages, so
# that the last one is written in part, as where a disk ends.
LARGEST_FILE = 17 * 1024 * 1024 + 1000
# Five rows of these fit into a page of the table, and four into one of the index.
LARGE_INDEX = """
INSERT INTO weight SELECT g, '2024-11-08', 61.5, long.text FROM generate_series(1, 10000) AS g,
  LATERAL (SELECT string_agg(md5(concat(g, i)), '') FROM generate_series(1, 47) i) AS long (text);
DROP INDEX idx_weight_user_email"""
# A backfill writes every row a second time.
LARGE_BACKFILL = """
ALTER TABLE weight ALTER date DROP NOT NULL;
INSERT INTO weight SELECT g, NULL, 61.5, repeat('a', 150) FROM generate_series(1, 60000) AS g"""
UNFINISHED = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
FULL = (
    r" ERROR the server has no space left: could not extend file \"base/.*\": {}\n"
    r"HINT:  Check free disk space\.\n"
    r"  No row is lost\. Free disk space on the server or add some, then run again\.\n"
    r"  Finished steps stay; safe to run again\.\n\Z"
)
ROWS = "SELECT count(*), count(date), sum(hashtext(user_email)), sum(weight) FROM weight"


@contextmanager
def running(directory: Path) -> Iterator[Database]:
    """The server of a directory, as long as the block takes."""
    server = embedded.start(str(directory), options=[*FAST, "autovacuum=off"])
    database = Database({"host": server.host, "port": 5432, "user": server.user}, server.database)
    yield database
    database.close()
    embedded.stop(str(directory))


@contextmanager
def full_disk(directory: Path) -> Iterator[Database]:
    """The same, where no file can grow beyond `LARGEST_FILE`."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, before[1]))
    with running(directory) as database:  # it inherits the limit
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        yield database


@pytest.fixture
def initialised(own_server: Path, run: Run) -> Path:
    """The directory of a server that is stopped; its database is as the models describe."""
    embedded.stop(str(own_server))
    with running(own_server) as database:
        assert run(**database.environment).code == 0
    return own_server


@pytest.mark.long
def test_an_index_that_fills_the_disk_is_dropped(initialised: Path, run: Run) -> None:
    """At once: everybody else needs the space too. It is built when there is more."""
    with running(initialised) as database:
        catalog = described(database)
        database.execute(LARGE_INDEX)
        before = database.rows(ROWS)
    with full_disk(initialised) as database:
        result = run(**database.environment)
        errors = result.err
        assert result.code == 1
        dropped = "WARNING dropped the unfinished index idx_weight_user_email"
        assert dropped in errors
        assert re.search(FULL.format(r"wrote only 1000 of 8192 bytes at block 2176"), errors)
        assert database.value("SELECT to_regclass('idx_weight_user_email')") is None
        assert (database.rows(ROWS), database.value(UNFINISHED)) == (before, 0)
    with running(initialised) as database:
        assert run(**database.environment).code == 0
        assert (database.rows(ROWS), described(database)) == (before, catalog)


@pytest.mark.long
def test_a_backfill_that_fills_the_disk_goes_on_later(initialised: Path, run: Run) -> None:
    """Its finished batches stay, no row is lost, and the rest is filled when there is space."""
    with running(initialised) as database:
        catalog = described(database)
        database.execute(LARGE_BACKFILL)
        database.execute("VACUUM ANALYZE weight")
        ((rows, _, *values),) = database.rows(ROWS)
    with full_disk(initialised) as database:
        result = run(**database.environment)
        errors = result.err
        assert result.code == 1
        assert re.search(FULL.format(".*"), errors)
        ((left, filled, *others),) = database.rows(ROWS)
        assert (left, others) == (rows, values)
        assert 0 < filled < rows
    with running(initialised) as database:
        assert run(**database.environment).code == 0
        assert database.rows(ROWS) == [(rows, rows, *values)]
        assert described(database) == catalog
