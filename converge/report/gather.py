"""The facts of a report, asked of the live database: set-based, and nothing is touched.

What a role may not read, or a broken database does not tell, is a warning of the report's.
"""

import datetime
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    TypeVar,
)

import psycopg2

from converge.benchmark import Query as Asked
from converge.benchmark import Timing, nodes
from converge.history.recorded import UNDONE
from converge.names import HISTORY_TABLE, VERSION
from converge.plan import Alike, Refusal, renamed
from converge.quoting import literal, qualified
from converge.report.findings import (
    ENOUGH_DAYS,
    Counting,
    Facts,
    findings,
    is_unused,
    is_young,
    with_others,
)
from converge.report.model import (
    Column,
    Difference,
    Index,
    Node,
    Outcome,
    Query,
    Reference,
    Refused,
    Report,
    Run,
    Server,
    Table,
)
from converge.report.settings import WHY
from converge.server.connection import Connection
from converge.server.failures import first_line
from converge.server.messages import begin, rolled_back, rows
from converge.server.sql import statement
from converge.steps import Kind
from converge.text import counted

SHOWN = 200  # schemas of which tables, indexes and runs are told
LONGEST_WAIT = 1.0  # seconds, for a lock; what takes longer is left out
RUNS = 100  # of each schema, the newest
T = TypeVar("T")

ACTUAL = """SELECT pg_database_collation_actual_version(oid) FROM pg_database
WHERE datname = current_database()"""
HISTORY = """(SELECT {schema} AS schema, run, version, action, json_array_length(steps), finished,
  COALESCE({undone}, 0), to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'),
  extract(epoch FROM verified_at - started_at)::float, applied_by, tool_version,
  extract(epoch FROM now() - started_at)::float,
  (SELECT json_agg(s ->> 'name') FROM json_array_elements(steps) AS s
   WHERE s ->> 'kind' IN ({kinds}))
FROM {table} h ORDER BY run DESC LIMIT {most})"""
READ = ("run", "version", "action", "steps", "finished", "started_at", "verified_at", "applied_by")
BUILT_BY = [kind.value for kind in (Kind.CREATE_INDEX, Kind.SWAP_INDEX, Kind.CREATE_TABLE)]


class Looked(NamedTuple):
    """What is known besides the catalog: of the run, the comparison and the key queries."""

    outcome: Outcome
    compared: Sequence[Alike] = ()
    refusals: Sequence[Refusal] = ()  # of a comparison that could not be made
    managed: Sequence[str] = ()  # the tables of the models
    queries: Sequence[Asked] = ()
    timings: Sequence[Timing] = ()
    before: Mapping[Tuple[str, str], float] = {}  # the previous medians, by schema and query
    warnings: Sequence[str] = ()


def gather(connection: Connection, address: str, schemas: Sequence[str], looked: Looked) -> Report:
    """Return all that is to be told of schemas; only a lost connection raises."""
    return _Gathering(connection, address, schemas, looked).report()


class _Gathering:
    def __init__(
        self, connection: Connection, address: str, schemas: Sequence[str], looked: Looked
    ) -> None:
        self.connection, self.address, self.schemas = connection, address, tuple(schemas)
        self.looked, self.managed = looked, frozenset(looked.managed)
        self.warnings: List[str] = []
        self.shown: Sequence[str] = self.schemas
        self.counting = Counting(None)
        self.since: Optional[str] = None
        self.built: Dict[Tuple[str, str], Tuple[float, str]] = {}  # seconds ago, and when
        self.unmanaged = _unmanaged(looked.compared)

    def report(self) -> Report:
        server = self._server()
        self._choose()
        runs = self._runs()
        tables, references, indexes = self._tables(), self._references(), self._indexes()
        versions = {run.schema: run.version for run in reversed(runs)}
        compared = self.looked.compared
        refusals = [(one, a.schemas) for a in compared for one in a.plan.refusals]
        return Report(
            made=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            tool=VERSION,
            version=versions.popitem()[1] if len(set(versions.values())) == 1 else None,
            schemas=self.schemas,
            shown=tuple(self.shown),
            outcome=self.looked.outcome,
            server=server,
            refusals=tuple(
                _refused(one, where)
                for one, where in [*refusals, *((one, ()) for one in self.looked.refusals)]
            ),
            differences=tuple(one for alike in compared for one in _differences(alike)),
            warnings=(
                *dict.fromkeys(warning for a in compared for warning in a.plan.warnings),
                *self.looked.warnings,
                *self.warnings,
            ),
            left_alone=tuple(
                dict.fromkeys(note for alike in compared for note in alike.plan.left_alone())
            ),
            tables=tables,
            references=references,
            indexes=indexes,
            queries=tuple(map(self._query, self.looked.timings)),
            runs=runs,
        )

    def _tried(self, what: str, ask: Callable[[], T], otherwise: T) -> T:
        """Return what is asked, or `otherwise` and a warning."""
        try:
            with rolled_back(self.connection):
                return ask()
        except psycopg2.Error as error:
            if self.connection.closed:
                raise
            self.warnings.append(f"{what} cannot be read: {first_line(error)}")
            return otherwise

    def _asked(self, what: str, sql: str) -> List[Tuple[Any, ...]]:
        opening = begin(self.connection, access="READ ONLY", lock_timeout=LONGEST_WAIT)
        return self._tried(what, lambda: rows(self.connection, opening + sql), [])

    def _file(self, what: str, file: str, **values: Any) -> List[Tuple[Any, ...]]:
        values = {"schemas": self.shown, "history": HISTORY_TABLE, **values}
        return self._asked(what, statement(f"report/{file}", **values))

    def _server(self) -> Server:
        found = self._file("the server", "server.sql", settings=list(WHY))
        if not found:
            return Server("", self.address, "", 0, "", "", None, None, False, None, (), ())
        (row,) = found
        version, database, size, encoding, locale, collation, standby, replicas, *rest = row
        extensions, settings, self.since, seconds, started = rest
        self.since = self.since or started
        on = settings.get("track_counts") != "off"
        self.counting = Counting(seconds, on, elsewhere=standby or replicas > 0)
        if not on:
            self.warnings.append("track_counts is off: the use of indexes is not counted")
        return Server(
            version=version,
            address=self.address,
            database=database,
            bytes=size,
            encoding=encoding,
            locale=locale,
            collation_version=collation,
            collation_actual=self._actual_collation(),
            standby=standby,
            replicas=replicas,
            extensions=tuple((name, number) for name, number in extensions or ()),
            settings=tuple(
                (name, settings[name], why) for name, why in WHY.items() if name in settings
            ),
        )

    def _actual_collation(self) -> Optional[str]:
        if self.connection.server_version < 150000:
            return None
        found = self._asked("the version of the collation", ACTUAL)
        return found[0][0] if found else None

    def _choose(self) -> None:
        if len(self.schemas) > SHOWN:
            found = self._file(
                "the sizes", "largest.sql", schemas=list(self.schemas), most=str(SHOWN)
            )
            largest = {name for (name,) in found}
            self.shown = [schema for schema in self.schemas if schema in largest]
            self.warnings.append(
                f"of {counted(len(self.schemas), 'schema')}, the {SHOWN} largest are shown"
            )

    def _tables(self) -> Tuple[Table, ...]:
        return tuple(
            Table(
                *[schema, name, name in self.managed, *facts, self._columns(schema, name, columns)]
            )
            for schema, name, *facts, columns in self._file("the tables", "tables.sql")
        )

    def _columns(
        self, schema: str, table: str, columns: Optional[List[List[Any]]]
    ) -> Tuple[Column, ...]:
        strange = self.unmanaged.get(schema, set())
        return tuple(
            Column(
                name,
                kind,
                nullable,
                in_key,
                table in self.managed and ("column", table, name) not in strange,
            )
            for name, kind, nullable, in_key in columns or ()
        )

    def _references(self) -> Tuple[Reference, ...]:
        return tuple(
            Reference(schema, name, table, tuple(columns), to_schema, to_table, tuple(to_columns))
            for schema, name, table, columns, to_schema, to_table, to_columns in self._file(
                "the foreign keys", "references.sql"
            )
        )

    def _indexes(self) -> Tuple[Index, ...]:
        found = [self._facts(row) for row in self._file("the indexes", "indexes.sql")]
        young = sum(is_unused(index) and is_young(self._counting(index)) for index in found)
        if young and self.counting.on:
            self.warnings.append(
                f"{counted(young, 'index')} without a scan not called unused: they were built, or "
                f"scans are counted, for less than {ENOUGH_DAYS} days"
            )
        users = self._users()
        return tuple(
            Index(
                *index[:6],
                self._since(index),
                tuple(users.get((index.schema, index.name), ())),
                index.managed,
                findings(index, others, self._counting(index)),
                index.last_scan,
            )
            for index, others in with_others(found)
        )

    def _facts(self, row: Tuple[Any, ...]) -> Facts:
        index = Facts(*row)
        strange = self.unmanaged.get(index.schema, set())
        nouns = ("index", "constraint")
        known = strange.isdisjoint((noun, index.table, index.name) for noun in nouns)
        return index._replace(managed=known and index.table in self.managed)

    def _built(self, index: Facts) -> Optional[Tuple[float, str]]:
        found = [self.built.get((index.schema, name)) for name in (index.name, index.table)]
        return min((one for one in found if one is not None), default=None)

    def _counting(self, index: Facts) -> Counting:
        built = self._built(index)
        if built is None or (self.counting.seconds or 0.0) < built[0]:
            return self.counting
        return self.counting._replace(seconds=built[0])

    def _since(self, index: Facts) -> Optional[str]:
        built = self._built(index)
        known = [when for when in (self.since, built and built[1]) if when]
        return max(known, default=None)

    def _users(self) -> Dict[Tuple[str, str], List[str]]:
        """Return the key queries of each index, by its schema and name."""
        found: Dict[Tuple[str, str], List[str]] = {}
        timed = {(timing.schema, timing.query): timing for timing in self.looked.timings}
        for schema in self.shown:
            for query in self.looked.queries:
                timing = timed.get((schema, query.name))
                used = timing.indexes if timing else ()
                for index in dict.fromkeys([*used, *query.indexes]):
                    found.setdefault((schema, index), []).append(query.name)
        return found

    def _query(self, timing: Timing) -> Query:
        query = next(one for one in self.looked.queries if one.name == timing.query)
        return Query(
            schema=timing.schema,
            name=timing.query,
            use_case=query.use_case,
            rows=timing.rows,
            milliseconds=timing.milliseconds,
            before=self.looked.before.get((timing.schema, timing.query)),
            access=timing.access,
            expected=query.indexes,
            served=timing.served,
            plan=tuple(Node(*node) for node in nodes(timing.plan)) if timing.plan else (),
        )

    def _runs(self) -> Tuple[Run, ...]:
        readable = self._file("the histories", "histories.sql", columns=list(READ))
        for schema, may in readable:
            if not may:
                table = qualified(schema, HISTORY_TABLE)
                self.warnings.append(f"the history {table} cannot be read by this role, or is none")
        parts = [_history(schema) for schema, may in readable if may]
        if not parts:
            return ()
        union = "\nUNION ALL ".join(parts)
        found = self._asked("the history", f"SELECT * FROM ({union}) h ORDER BY schema, run DESC")
        for *run, ago, made in reversed(found):
            for name in made or ():
                self.built[run[0], name] = (ago, run[7])
        return tuple(Run(*run) for *run, _, _ in found)


def _history(schema: str) -> str:
    return HISTORY.format(
        schema=literal(schema),
        table=qualified(schema, HISTORY_TABLE),
        undone=UNDONE.format(row="h"),
        kinds=", ".join(map(literal, BUILT_BY)),
        most=RUNS,
    )


def _unmanaged(compared: Sequence[Alike]) -> Dict[str, Set[Tuple[str, str, str]]]:
    """Return what the models do not know, by schema: noun, table and name."""
    return {
        schema: {
            (one.thing.noun, one.thing.table, one.thing.name)
            for one in renamed(alike.plan.unmanaged, alike.schemas[0], schema)
        }
        for alike in compared
        for schema in alike.schemas
    }


def _refused(refusal: Refusal, schemas: Sequence[str]) -> Refused:
    way_out = refusal.way_out
    where = tuple(schemas) or ((refusal.schema,) if refusal.schema else ())
    return Refused(
        refusal.subject, refusal.what, refusal.why, way_out.advice, way_out.statements, where
    )


def _differences(alike: Alike) -> List[Difference]:
    return [
        Difference(str(step), step.why, step.statements, alike.schemas)
        for step in alike.plan.steps
        if not step.on_the_way
    ]
