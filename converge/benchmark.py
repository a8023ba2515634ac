"""The benchmark: how fast this database answers a list of queries, and by which indexes.

SQLAlchemy is not imported here, nor anything that imports it: that alone takes longer than a run
that finds nothing to do.
"""

import itertools
import logging
import time
from typing import (
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import psycopg2

from converge.events import about, known
from converge.quoting import identifier
from converge.server.connection import Connection
from converge.server.failures import first_line
from converge.server.messages import READ_COMMITTED, rows
from converge.text import table

log = logging.getLogger(__name__)

RUNS = 3  # odd: the one in the middle is the median
# A sequential scan of this many rows takes under a millisecond: the planner may well prefer it.
SMALL_TABLE_ROWS = 10_000
# Replicas wait for this job: it runs as their init container.
TOTAL_SECONDS = 60
# Sent in one message with each statement: such a message is one transaction, so that nothing is
# left open whatever happens, without a round trip for BEGIN and ROLLBACK. (Up to PostgreSQL 13 a
# statement_timeout of the role or database, if there is one, counts instead of this.)
# https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT
GUARD = READ_COMMITTED + (
    "SET LOCAL transaction_read_only = on; SET LOCAL statement_timeout = '5s'; "
    "SET LOCAL search_path = pg_catalog; "
)
EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "
DISCARDED = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
HEAD = ("schema", "query", "rows", "median ms", "index used")


class Query(NamedTuple):
    """A query with the parameters `%(name)s`; `{schema}` stands for the quoted schema."""

    name: str
    use_case: str
    table: str
    sql: str
    sample: str  # takes the parameters from any one row, without a sort
    fallback: Mapping[str, object]  # the parameters when there is no row
    indexes: Tuple[str, ...]  # any of them serves it; a primary key counts as the index that it is


class Timing(NamedTuple):
    """One line of the report; without `rows` and `milliseconds`, `access` says why."""

    schema: str
    query: str
    rows: Optional[int]
    milliseconds: Optional[float]
    access: str
    indexes: Tuple[str, ...] = ()  # that it has used
    served: bool = True  # no index could do notably better, as far as is known
    plan: Optional[Mapping[str, Any]] = None  # with conditions, which hold what is private

    @property
    def facts(self) -> Dict[str, object]:
        """What it says, as the fields of an event."""
        return known(
            schema=self.schema,
            query=self.query,
            rows=self.rows,
            median_ms=self.milliseconds,
            access=self.access,
            indexes=list(self.indexes),
        )


class Access(NamedTuple):
    """How a plan reaches its rows; `served` if no index could do notably better."""

    text: str
    rows_read: int
    served: bool
    indexes: Tuple[str, ...] = ()  # that it has used


def timings(
    connection: Connection, queries: Sequence[Query], schemas: Sequence[str]
) -> List[Timing]:
    """Time every query in every schema.

    The connection is in autocommit mode. Nothing is written, and a query that fails is a line that
    says so and a warning. A lost connection, or TOTAL_SECONDS, ends the report early.
    """
    return list(_timings(connection, queries, schemas))


def _timings(
    connection: Connection, queries: Sequence[Query], schemas: Sequence[str]
) -> Iterator[Timing]:
    todo = list(itertools.product(schemas, queries))
    deadline = time.monotonic() + TOTAL_SECONDS
    for done, (schema, query) in enumerate(todo):
        if time.monotonic() > deadline:
            left = len(todo) - done
            extra = about("queries_left_out", count=left)
            log.warning(
                "benchmark: %d queries left out after %d s", left, TOTAL_SECONDS, extra=extra
            )
            return
        try:
            yield _time(connection, schema, query)
        except psycopg2.Error as error:
            reason = first_line(error)
            extra = about("query_failed", **_subject(schema, query), reason=reason)
            log.warning(
                "benchmark: %s in %s: not timed: %s", query.name, schema, reason, extra=extra
            )
            if connection.closed:
                return
            yield Timing(schema, query.name, None, None, f"not timed: {reason}")


def _time(connection: Connection, schema: str, query: Query) -> Timing:
    parameters = _parameters(connection, schema, query)
    statement = _composed(schema, EXPLAIN + query.sql)
    runs = [rows(connection, statement, parameters)[0][0][0] for _ in range(RUNS)]
    plan = runs[-1]["Plan"]
    access = judge(plan, query.indexes)
    if not access.served:
        _warn(schema, query, access, outline(plan))
    median = sorted(run["Execution Time"] for run in runs)[RUNS // 2]
    found = _count(plan, "Actual Rows")
    return Timing(
        schema, query.name, found, median, access.text, access.indexes, access.served, plan
    )


def _parameters(connection: Connection, schema: str, query: Query) -> Dict[str, Any]:
    # As JSON: Python cannot hold every date that PostgreSQL can.
    sample = f"SELECT row_to_json(sample) FROM ({query.sample}) AS sample"
    found = rows(connection, _composed(schema, sample), {})
    return dict(found[0][0] if found else query.fallback)


def _composed(schema: str, text: str) -> str:
    # psycopg2 reads every % as the start of a parameter, in a quoted name too.
    return GUARD + text.replace("{schema}", identifier(schema).replace("%", "%%"))


def _warn(schema: str, query: Query, access: Access, tree: str) -> None:
    missed = f"{access.rows_read:,} rows read without {' or '.join(query.indexes)}"
    subject = _subject(schema, query)
    extra = about("query_unserved", **subject, rows_read=access.rows_read, expected=query.indexes)
    log.warning("benchmark: %s in %s: %s:\n%s", query.name, schema, missed, tree, extra=extra)


def _subject(schema: str, query: Query) -> Dict[str, object]:
    return {"step": "benchmark", "schema": schema, "object": query.table, "query": query.name}


def judge(plan: Mapping[str, Any], expected: Sequence[str]) -> Access:
    """Say which indexes a plan uses, and whether one of those expected is missed."""
    used = list(
        dict.fromkeys(node["Index Name"] for _, node in _walk(plan) if "Index Name" in node)
    )
    scans = [node for _, node in _walk(plan) if "Relation Name" in node]
    read = sum(_count(scan, "Actual Rows", *DISCARDED) for scan in scans)
    small = read < SMALL_TABLE_ROWS
    no_index = "sequential scan (small table)" if small else "sequential scan"
    text = ", ".join(used) or (no_index if scans else plan["Node Type"])
    return Access(text, read, small or not set(used).isdisjoint(expected), tuple(used))


def nodes(plan: Mapping[str, Any]) -> Iterator[Tuple[int, str, int, float]]:
    """Yield the depth, the words without conditions, the rows and the milliseconds of each node."""
    for depth, node in _walk(plan):
        taken = node["Actual Total Time"] * node["Actual Loops"]
        name = f"{node['Node Type']}{_target(node)}"
        yield depth, name, _count(node, "Actual Rows"), round(taken, 3)


def outline(plan: Mapping[str, Any]) -> str:
    """Return a plan as indented text, without conditions: these hold what is private."""
    return "\n".join(
        f"{'  ' * depth}{node['Node Type']}{_target(node)}: {_count(node, 'Actual Rows'):,} rows, "
        f"{_count(node, *DISCARDED):,} discarded, {node['Actual Total Time']:.3f} ms, "
        f"{node.get('Shared Hit Blocks', 0):,} pages in memory, "
        f"{node.get('Shared Read Blocks', 0):,} read"
        for depth, node in _walk(plan, 1)
    )


def _walk(node: Mapping[str, Any], depth: int = 0) -> Iterator[Tuple[int, Mapping[str, Any]]]:
    yield depth, node
    for child in node.get("Plans", ()):
        yield from _walk(child, depth + 1)


def _target(node: Mapping[str, Any]) -> str:
    names = [node[key] for key in ("Index Name", "Relation Name") if key in node]
    return " on " + " of ".join(names) if names else ""


def _count(node: Mapping[str, Any], *keys: str) -> int:
    # Averages per loop, since PostgreSQL 18 with decimals.
    count: float = sum(node.get(key, 0) for key in keys) * node["Actual Loops"]
    return round(count)


def as_table(timed: Iterable[Timing]) -> str:
    """Return the timings as an aligned table; the schema only if there are several."""
    lines = [
        (
            timing.schema,
            timing.query,
            "-" if timing.rows is None else f"{timing.rows:,}",
            "-" if timing.milliseconds is None else f"{timing.milliseconds:.3f}",
            timing.access,
        )
        for timing in timed
    ]
    first = 0 if len({schema for schema, *_ in lines}) > 1 else 1
    return table(HEAD[first:], [line[first:] for line in lines])
