"""A backfill: an UPDATE of a whole table, page range by page range."""

from typing import Callable, List, NamedTuple

from converge.quoting import literal
from converge.server import messages
from converge.server.connection import Connection
from converge.steps import Step
from converge.task import Task
from converge.text import rows_of

BATCH_ROWS = 10_000  # about so many rows in one transaction
ITEMS_PER_PAGE = 291  # the most rows, dead ones included, that fit into a page of 8 kB
UNKNOWN_PER_PAGE = 50  # rows
# A distributed table has no pages here, but in its one shard, to which it is as if they were.
DISTRIBUTED = """CASE WHEN EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = oid)
  THEN citus_relation_size(oid) ELSE pg_relation_size(oid) END"""


class Size(NamedTuple):
    """Of a relation; `rows` are estimated, and 0 if nobody has counted them."""

    pages: int
    rows: int

    @property
    def pages_per_batch(self) -> int:
        """How many pages hold about `BATCH_ROWS` rows."""
        known = self.pages and self.rows
        per_page = max(1, round(self.rows / self.pages)) if known else UNKNOWN_PER_PAGE
        return max(1, BATCH_ROWS // min(ITEMS_PER_PAGE, per_page))


def batches(
    connection: Connection, step: Step, task: Task, run: Callable[[List[str]], None]
) -> None:
    """Have `run` run the step's statements, each on its part of the table, in page ranges.

    The rows that it fills itself may move to a later page, but they are filled. A killed backfill
    goes on where it was, since it looks only for rows that have no value.
    """
    parts = step.parts or (step.relation,)
    sizes = [_size(connection, part) for part in parts]
    total, rows = sum(size.pages for size in sizes), sum(size.rows for size in sizes)
    done = 0
    for statement, size in zip(step.statements, sizes):
        for first in range(0, size.pages, size.pages_per_batch):
            last = min(first + size.pages_per_batch, size.pages)
            run([f"{statement} AND ctid = ANY (ARRAY({_addresses(first, last)}))"])
            done += last - first
            amount = f"about {rows_of(round(rows * done / total), rows)}" if rows else ""
            task.look(done / total, phase=amount)


def _size(connection: Connection, part: str) -> Size:
    size = DISTRIBUTED if connection.citus else "pg_relation_size(oid)"
    [found] = messages.ask(
        connection,
        f"SELECT {size} / current_setting('block_size')::integer, "
        f"GREATEST(reltuples, 0)::bigint FROM pg_class WHERE oid = {literal(part)}::regclass",
    )
    return Size(*found)


def _addresses(first: int, last: int) -> str:
    # A list of row addresses is the one way to read a page range that every version from 12 on does
    # without scanning the table.
    return (
        f"SELECT format('(%s,%s)', page, item)::tid FROM generate_series({first}, {last - 1}) "
        f"AS page, generate_series(1, {ITEMS_PER_PAGE}) AS item"
    )
