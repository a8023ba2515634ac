"""What a report holds, as plain values: `gather` fills it in, and each format is made from it.

Times are ISO 8601 with their zone, sizes are bytes, durations are seconds unless a name says else.
What a server or a role does not tell is None.
"""

from typing import NamedTuple, Optional, Tuple


class Outcome(NamedTuple):
    """How the run has ended; a report alone says what a comparison found."""

    exit_code: int
    meaning: str  # of the exit code
    ran: bool  # False: it only looked
    message: str  # the error, or empty
    done: Tuple[Tuple[str, int], ...] = ()  # by kind: ("create table", 7)
    seconds: Tuple[Tuple[str, float], ...] = ()  # by step of the flow


class Refused(NamedTuple):
    """What a run would refuse; `statements` are to be typed, without a semicolon."""

    subject: str
    what: str
    why: Tuple[str, ...]
    advice: str
    statements: Tuple[str, ...]
    schemas: Tuple[str, ...]  # in which it is so


class Difference(NamedTuple):
    """A step that a run would do."""

    title: str
    why: str
    statements: Tuple[str, ...]
    schemas: Tuple[str, ...]


class Column(NamedTuple):
    name: str
    type: str
    nullable: bool
    in_key: bool
    managed: bool  # by the models


class Table(NamedTuple):
    schema: str
    name: str
    managed: bool
    rows: Optional[int]  # as the statistics estimate them
    dead_rows: Optional[int]
    bytes: int  # with its indexes and what is stored out of line
    vacuumed: Optional[str]  # by whomever, by autovacuum too
    analyzed: Optional[str]
    columns: Tuple[Column, ...]


class Reference(NamedTuple):
    """A foreign key."""

    schema: str
    name: str
    table: str
    columns: Tuple[str, ...]
    to_schema: str
    to_table: str
    to_columns: Tuple[str, ...]


class Index(NamedTuple):
    schema: str
    table: str
    name: str
    definition: str  # empty if somebody locks it
    bytes: int
    scans: Optional[int]
    since: Optional[str]  # when the scans began to be counted
    queries: Tuple[str, ...]  # the key queries that use it, or expect to
    managed: bool
    findings: Tuple["Finding", ...]
    last_scan: Optional[str] = None  # from PostgreSQL 16 on


class Finding(NamedTuple):
    """What is wrong with an index."""

    kind: str  # never_used, redundant, invalid, bloated
    why: str
    advice: str
    statement: str  # to be typed; empty if there is nothing to type


class Node(NamedTuple):
    """A node of a query's plan, without its conditions: these hold what is private."""

    depth: int
    text: str
    rows: int
    milliseconds: float


class Query(NamedTuple):
    schema: str
    name: str
    use_case: str
    rows: Optional[int]
    milliseconds: Optional[float]  # the median
    before: Optional[float]  # the median of the previous run
    access: str
    expected: Tuple[str, ...]  # the indexes any of which serves it
    served: bool
    plan: Tuple[Node, ...]


class Run(NamedTuple):
    """A line of the history."""

    schema: str
    run: int
    version: int
    action: str
    steps: int
    finished: int
    undone: int
    started: str
    seconds: Optional[float]  # None: it is not verified
    role: str
    tool: str


class Server(NamedTuple):
    version: str
    address: str
    database: str
    bytes: int
    encoding: str
    locale: str
    collation_version: Optional[str]
    collation_actual: Optional[str]  # what the library has now; another one: indexes are doubtful
    standby: bool
    replicas: Optional[int]  # that stream from it
    extensions: Tuple[Tuple[str, str], ...]  # name and version
    settings: Tuple[Tuple[str, str, str], ...]  # name, value, and why it matters here


class Report(NamedTuple):
    """All of it."""

    made: str
    tool: str  # the program's version
    version: Optional[int]  # of the schemas, where all have the same
    schemas: Tuple[str, ...]
    shown: Tuple[str, ...]  # of which tables, indexes and histories are told
    outcome: Outcome
    server: Server
    refusals: Tuple[Refused, ...] = ()
    differences: Tuple[Difference, ...] = ()
    warnings: Tuple[str, ...] = ()
    left_alone: Tuple[str, ...] = ()
    tables: Tuple[Table, ...] = ()
    references: Tuple[Reference, ...] = ()
    indexes: Tuple[Index, ...] = ()
    queries: Tuple[Query, ...] = ()
    runs: Tuple[Run, ...] = ()
    compared: bool = True  # with the models; if not, nothing is known of differences
