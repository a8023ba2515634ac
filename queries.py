"""The benchmark: the platform's key queries, and how fast this database answers them.

A new query is an entry in `QUERIES`. SQLAlchemy is not imported here, nor anything that imports it:
that alone takes longer than a run that finds nothing to do.
"""

import itertools
import logging
import statistics
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
from psycopg2 import sql

from converge.console.advice import first_line
from converge.server.connection import READ_COMMITTED, Connection, rows

log = logging.getLogger(__name__)

RUNS = 3
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


class Query(NamedTuple):
    """A query with the parameters `%(name)s`; `{schema}` stands for the quoted schema."""

    name: str
    use_case: str
    table: str
    sql: str
    sample: str  # takes the parameters from any one row, without a sort
    fallback: Mapping[str, object]  # the parameters when there is no row
    indexes: Tuple[str, ...]  # any of them serves it; a primary key counts as the index that it is


QUERIES: List[Query] = [
    Query(
        name="e-mail autocomplete",
        use_case="finding a friend by a part of the e-mail",
        table="user",
        sql='SELECT email FROM {schema}."user" WHERE email LIKE %(pattern)s '
        "ORDER BY email LIMIT 10",
        sample="""SELECT '%%' || substr(email, 2, 6) || '%%' AS pattern
                  FROM {schema}."user" LIMIT 1""",
        fallback={"pattern": "%test%"},
        indexes=("idx_users_email_gin",),
    ),
    Query(
        name="exact user lookup",
        use_case="sign-in and profile",
        table="user",
        sql='SELECT email, language FROM {schema}."user" WHERE email = %(email)s',
        sample='SELECT email FROM {schema}."user" LIMIT 1',
        fallback={"email": "test@example.com"},
        indexes=("user_pkey", "idx_users_email"),
    ),
    Query(
        name="what a user ate on a date",
        use_case="the diary page of a day",
        table="dishes_day",
        sql="SELECT * FROM {schema}.dishes_day "
        "WHERE user_email = %(user_email)s AND date = %(date)s ORDER BY time",
        sample="SELECT user_email, date FROM {schema}.dishes_day LIMIT 1",
        fallback={"user_email": "test@example.com", "date": "2025-01-01"},
        indexes=(
            "idx_dishes_day_user_date",
            "idx_dishes_day_user_time",
            "idx_dishes_day_user_email",
            "idx_dishes_day_date",
        ),
    ),
    Query(
        name="latest food entry",
        use_case="the start page",
        table="dishes_day",
        sql="SELECT * FROM {schema}.dishes_day "
        "WHERE user_email = %(user_email)s ORDER BY time DESC LIMIT 1",
        sample="SELECT user_email FROM {schema}.dishes_day LIMIT 1",
        fallback={"user_email": "test@example.com"},
        indexes=("idx_dishes_day_user_time", "idx_dishes_day_user_email"),
    ),
    Query(
        name="today's totals",
        use_case="the start page",
        table="total_for_day",
        sql="SELECT * FROM {schema}.total_for_day "
        "WHERE user_email = %(user_email)s AND today = %(today)s",
        sample="SELECT user_email, today FROM {schema}.total_for_day LIMIT 1",
        fallback={"user_email": "test@example.com", "today": "2025-01-01"},
        indexes=(
            "idx_total_for_day_user_today",
            "idx_total_for_day_user_email",
            "idx_total_for_day_today",
        ),
    ),
    Query(
        name="weight history",
        use_case="the weight chart",
        table="weight",
        sql="SELECT time, weight FROM {schema}.weight "
        "WHERE user_email = %(user_email)s ORDER BY time",
        sample="SELECT user_email FROM {schema}.weight LIMIT 1",
        fallback={"user_email": "test@example.com"},
        indexes=("idx_weight_user_time", "idx_weight_user_email"),
    ),
    Query(
        name="dish by name",
        use_case="logging a dish that the user keeps",
        table="dishes",
        sql="SELECT * FROM {schema}.dishes WHERE name = %(name)s AND user_email = %(user_email)s",
        sample="SELECT name, user_email FROM {schema}.dishes LIMIT 1",
        fallback={"name": "test", "user_email": "test@example.com"},
        indexes=("idx_dishes_name", "idx_dishes_user_email"),
    ),
    Query(
        name="alcohol events of a range",
        use_case="the alcohol calendar, a week of it",
        table="alcohol_consumption",
        sql="SELECT * FROM {schema}.alcohol_consumption WHERE user_email = %(user_email)s "
        "AND time BETWEEN %(first)s AND %(last)s ORDER BY time",
        sample="""SELECT user_email, time - 7 * 86400 AS first, time AS last
                  FROM {schema}.alcohol_consumption LIMIT 1""",
        fallback={"user_email": "test@example.com", "first": 0, "last": 7 * 86400},
        indexes=(
            "idx_alcohol_consumption_user_time",
            "idx_alcohol_consumption_user_email",
            "idx_alcohol_consumption_time",
            "alcohol_consumption_pkey",
        ),
    ),
    Query(
        name="alcohol of a day",
        use_case="the alcohol calendar, a day of it",
        table="alcohol_for_day",
        sql="SELECT * FROM {schema}.alcohol_for_day "
        "WHERE user_email = %(user_email)s AND date = %(date)s",
        sample="SELECT user_email, date FROM {schema}.alcohol_for_day LIMIT 1",
        fallback={"user_email": "test@example.com", "date": "2025-01-01"},
        indexes=(
            "alcohol_for_day_pkey",
            "idx_alcohol_for_day_user_date",
            "idx_alcohol_for_day_user_email",
            "idx_alcohol_for_day_date",
        ),
    ),
]


class Timing(NamedTuple):
    """One line of the report; without `rows` and `milliseconds`, `access` says why."""

    schema: str
    query: str
    rows: Optional[int]
    milliseconds: Optional[float]
    access: str


class Access(NamedTuple):
    """How a plan reaches its rows; `served` if no index could do notably better."""

    text: str
    rows_read: int
    served: bool


def report(connection: Connection, schemas: Sequence[str]) -> str:
    """Time every query in every schema and return the aligned table.

    The connection is in autocommit mode. Nothing is written, and a query that fails is a line that
    says so and a warning. A lost connection, or TOTAL_SECONDS, ends the report early.
    """
    return as_table(_timings(connection, schemas))


def _timings(connection: Connection, schemas: Sequence[str]) -> Iterator[Timing]:
    todo = list(itertools.product(schemas, QUERIES))
    deadline = time.monotonic() + TOTAL_SECONDS
    for done, (schema, query) in enumerate(todo):
        if time.monotonic() > deadline:
            left = len(todo) - done
            log.warning("benchmark: %d queries left out after %d s", left, TOTAL_SECONDS)
            return
        try:
            yield _time(connection, schema, query)
        except psycopg2.Error as error:
            reason = first_line(error)
            _warn(schema, query, f"not timed: {reason}")
            if connection.closed:
                return
            yield Timing(schema, query.name, None, None, f"not timed: {reason}")


def _time(connection: Connection, schema: str, query: Query) -> Timing:
    parameters = _parameters(connection, schema, query)
    statement = _composed(connection, schema, EXPLAIN + query.sql)
    runs = [rows(connection, statement, parameters)[0][0][0] for _ in range(RUNS)]
    plan = runs[-1]["Plan"]
    access = judge(plan, query.indexes)
    if not access.served:
        missed = f"{access.rows_read:,} rows read without {' or '.join(query.indexes)}"
        _warn(schema, query, f"{missed}:\n{outline(plan)}")
    milliseconds = statistics.median(run["Execution Time"] for run in runs)
    return Timing(schema, query.name, _count(plan, "Actual Rows"), milliseconds, access.text)


def _parameters(connection: Connection, schema: str, query: Query) -> Dict[str, Any]:
    # As JSON: Python cannot hold every date that PostgreSQL can.
    sample = f"SELECT row_to_json(sample) FROM ({query.sample}) AS sample"
    found = rows(connection, _composed(connection, schema, sample), {})
    return dict(found[0][0] if found else query.fallback)


def _composed(connection: Connection, schema: str, text: str) -> str:
    # psycopg2 reads every % as the start of a parameter, in a quoted name too.
    name = sql.Identifier(schema).as_string(connection).replace("%", "%%")
    return GUARD + sql.SQL(text).format(schema=sql.SQL(name)).as_string(connection)


def _warn(schema: str, query: Query, text: str) -> None:
    about = {"step": "benchmark", "schema": schema, "object": query.table}
    log.warning("benchmark: %s in %s: %s", query.name, schema, text, extra=about)


def judge(plan: Mapping[str, Any], expected: Sequence[str]) -> Access:
    """Say which indexes a plan uses, and whether one of those expected is missed."""
    nodes = [node for _, node in _walk(plan)]
    used = list(dict.fromkeys(node["Index Name"] for node in nodes if "Index Name" in node))
    scans = [node for node in nodes if "Relation Name" in node]
    read = sum(_count(scan, "Actual Rows", *DISCARDED) for scan in scans)
    small = read < SMALL_TABLE_ROWS
    no_index = "sequential scan (small table)" if small else "sequential scan"
    text = ", ".join(used) or (no_index if scans else plan["Node Type"])
    return Access(text, read, served=small or not set(used).isdisjoint(expected))


def outline(plan: Mapping[str, Any]) -> str:
    """Return a plan as indented text, without conditions: these hold e-mail addresses of users."""
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


def as_table(timings: Iterable[Timing]) -> str:
    """Return the timings as lines of aligned columns; the schema only if there are several."""
    lines = [("schema", "query", "rows", "median ms", "index used")]
    for timing in timings:
        count = "-" if timing.rows is None else f"{timing.rows:,}"
        median = "-" if timing.milliseconds is None else f"{timing.milliseconds:.3f}"
        lines.append((timing.schema, timing.query, count, median, timing.access))
    widths = [max(map(len, cells)) for cells in zip(*lines)]
    form = "  ".join(f"{{:{side}{width}}}" for side, width in zip("<<>><", widths))
    start = 0 if len({line[0] for line in lines[1:]}) > 1 else widths[0] + 2
    return "\n".join(form.format(*line)[start:].rstrip() for line in lines)
