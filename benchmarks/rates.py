"""How many bytes of a table a second each kind of work gets through: `python benchmarks/rates.py`.

The estimates of `--plan` come from these: `BYTES_PER_SECOND` in `converge/estimates.py`. The
table has a key, an index on a number and rows of some 80 bytes; it is larger than shared_buffers.
"""

import argparse
import os
import sys
import time
from contextlib import closing
from typing import Dict, Sequence

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from benchmarks import bench
from converge.estimates import BYTES_PER_SECOND, Work
from converge.text import size, table
from tools.embedded import Server

DATABASE, ROWS = "rates", 10_000_000
MAKE = (
    "CREATE EXTENSION pg_trgm",
    "CREATE TABLE things (id bigint PRIMARY KEY, at integer, name text, note text)",
    "INSERT INTO things SELECT n, hashint8(n), md5(n::text) FROM generate_series(1, {rows}) n",
    "CREATE INDEX ON things (at)",
    "ALTER TABLE things ADD CONSTRAINT given CHECK (name IS NOT NULL) NOT VALID",
    "VACUUM ANALYZE things",
    "CHECKPOINT",
)
PAGES = 100  # of a batch: some 10,000 rows
FILL = "UPDATE things SET note = 'x' WHERE note IS NULL AND ctid >= '({},0)' AND ctid < '({},0)'"
# In this order: a rewrite leaves fewer pages, a backfill more.
STATEMENTS: Dict[Work, Sequence[str]] = {
    Work.READ: ["ALTER TABLE things VALIDATE CONSTRAINT given"],
    Work.BUILD: ["CREATE INDEX CONCURRENTLY by_text ON things (name)"],
    Work.BUILD_PARTS: ["CREATE INDEX CONCURRENTLY gin ON things USING gin (name gin_trgm_ops)"],
    Work.REWRITE: ["DROP INDEX by_text, gin", "ALTER TABLE things ALTER at TYPE bigint"],
}
HEAD = ("work", "seconds", "a second", "assumed")


def main() -> None:
    parser = argparse.ArgumentParser(description="Bytes of a table a second of each work.")
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    with bench.private_server("max_wal_size=16GB") as server:
        bench.fresh(server, DATABASE)
        bench.execute(server, DATABASE, *(sql.format(rows=rows) for sql in MAKE))
        results = [measure(server, work, sql) for work, sql in STATEMENTS.items()]
        pages = bytes_of(server) // 8192
        batches = [FILL.format(page, page + PAGES) for page in range(0, pages, PAGES)]
        results.append(measure(server, Work.FILL, batches))
    print(table(HEAD, results))


def measure(server: Server, work: Work, statements: Sequence[str]) -> Sequence[object]:
    """Return a line: how long it took, and how much of the table that is a second."""
    total = bytes_of(server)
    began = time.monotonic()
    bench.execute(server, DATABASE, *statements)
    seconds = time.monotonic() - began
    assumed = size(BYTES_PER_SECOND[work])
    return (work.value, f"{seconds:.1f}", size(total / seconds), assumed)


def bytes_of(server: Server) -> int:
    with closing(bench.connect(server, DATABASE)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_table_size('things')")
        return int(cursor.fetchall()[0][0])


if __name__ == "__main__":
    main()
