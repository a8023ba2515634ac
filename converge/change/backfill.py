"""A backfill: an UPDATE of a whole table, page range by page range."""

from typing import Callable, List, Tuple

from converge.change import progress
from converge.quoting import literal
from converge.server import messages
from converge.server.connection import Connection
from converge.steps import Step

BATCH_ROWS = 10_000  # about so many rows in one transaction
ITEMS_PER_PAGE = 291  # the most rows, dead ones included, that fit into a page of 8 kB
# A distributed table has no pages here, but in its one shard, to which it is as if they were.
DISTRIBUTED = """CASE WHEN EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = oid)
  THEN citus_relation_size(oid) ELSE pg_relation_size(oid) END"""


def batches(connection: Connection, step: Step, run: Callable[[List[str]], None]) -> None:
    """Have `run` run the step's statements, each on its part of the table, in page ranges.

    The rows that it fills itself may move to a later page, but they are filled. A killed backfill
    goes on where it was, since it looks only for rows that have no value.
    """
    parts = step.parts or (step.relation,)
    sizes = [_pages(connection, part) for part in parts]
    with progress.progress(str(step), sum(pages for pages, _ in sizes)) as advance:
        for statement, (pages, per_batch) in zip(step.statements, sizes):
            for first in range(0, pages, per_batch):
                last = min(first + per_batch, pages)
                run([f"{statement} AND ctid = ANY (ARRAY({_addresses(first, last)}))"])
                advance(last - first)


def _pages(connection: Connection, part: str) -> Tuple[int, int]:
    """Return how many pages a relation has, and how many hold about `BATCH_ROWS` rows."""
    size = DISTRIBUTED if connection.citus else "pg_relation_size(oid)"
    pages, rows = messages.ask(
        connection,
        f"SELECT {size} / current_setting('block_size')::integer, "
        f"GREATEST(reltuples, 0) FROM pg_class WHERE oid = {literal(part)}::regclass",
    )[0]
    per_page = min(ITEMS_PER_PAGE, max(1, round(rows / pages) if pages and rows else 50))
    return pages, max(1, BATCH_ROWS // per_page)


def _addresses(first: int, last: int) -> str:
    # A list of row addresses is the one way to read a page range that every version from 12 on does
    # without scanning the table.
    return (
        f"SELECT format('(%s,%s)', page, item)::tid FROM generate_series({first}, {last - 1}) "
        f"AS page, generate_series(1, {ITEMS_PER_PAGE}) AS item"
    )
