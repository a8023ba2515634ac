"""The facts of a report, asked of the live database: set-based, and nothing is touched.

What a role may not read, or a broken database does not tell, is a warning of the report's.
"""

import datetime
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from converge.benchmark import Query as Asked
from converge.benchmark import Timing, nodes
from converge.history.recorded import UNDONE
from converge.names import HISTORY_TABLE, VERSION
from converge.plan import Alike, Refusal
from converge.quoting import literal, qualified
from converge.report.asking import Asking
from converge.report.findings import Counting
from converge.report.indexes import Indexes
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
from converge.steps import Kind
from converge.text import counted

SHOWN = 200  # schemas of which tables, indexes and runs are told
RUNS = 100  # of each schema, the newest

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
        self.address, self.schemas = address, tuple(schemas)
        self.looked, self.managed = looked, frozenset(looked.managed)
        self.asking = Asking(connection, self.schemas)
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
            shown=tuple(self.asking.shown),
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
                *self.asking.warnings,
            ),
            left_alone=tuple(
                dict.fromkeys(note for alike in compared for note in alike.plan.left_alone())
            ),
            tables=tables,
            references=references,
            indexes=indexes,
            queries=tuple(map(self._query, self.looked.timings)),
            runs=runs,
            compared=bool(compared),
        )

    def _server(self) -> Server:
        found = self.asking.file("the server", "server.sql", settings=list(WHY))
        if not found:
            return Server("", self.address, "", 0, "", "", None, None, False, None, (), ())
        (row,) = found
        version, database, size, encoding, locale, collation, standby, replicas, *rest = row
        extensions, settings, self.since, seconds, started = rest
        self.since = self.since or started
        on = settings.get("track_counts") != "off"
        self.counting = Counting(seconds, on, elsewhere=standby or replicas > 0)
        if not on:
            self.asking.warnings.append("track_counts is off: the use of indexes is not counted")
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
        if self.asking.connection.server_version < 150000:
            return None
        found = self.asking.rows("the version of the collation", ACTUAL)
        return found[0][0] if found else None

    def _choose(self) -> None:
        if len(self.schemas) > SHOWN:
            found = self.asking.file(
                "the sizes", "largest.sql", schemas=list(self.schemas), most=str(SHOWN)
            )
            largest = {name for (name,) in found}
            self.asking.shown = [schema for schema in self.schemas if schema in largest]
            self.asking.warnings.append(
                f"of {counted(len(self.schemas), 'schema')}, the {SHOWN} largest are shown"
            )

    def _tables(self) -> Tuple[Table, ...]:
        return tuple(
            Table(
                *[schema, name, name in self.managed, *facts, self._columns(schema, name, columns)]
            )
            for schema, name, *facts, columns in self.asking.file("the tables", "tables.sql")
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
            for schema, name, table, columns, to_schema, to_table, to_columns in self.asking.file(
                "the foreign keys", "references.sql"
            )
        )

    def _indexes(self) -> Tuple[Index, ...]:
        known = self.looked
        return Indexes(
            self.asking,
            self.managed,
            self.unmanaged,
            self.counting,
            self.since,
            self.built,
            known.queries,
            known.timings,
        ).all()

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
        readable = self.asking.file("the histories", "histories.sql", columns=list(READ))
        for schema, may in readable:
            if not may:
                table = qualified(schema, HISTORY_TABLE)
                self.asking.warnings.append(
                    f"the history {table} cannot be read by this role, or is none"
                )
        parts = [_history(schema) for schema, may in readable if may]
        if not parts:
            return ()
        union = "\nUNION ALL ".join(parts)
        found = self.asking.rows(
            "the history", f"SELECT * FROM ({union}) h ORDER BY schema, run DESC"
        )
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
    found: Dict[str, Set[Tuple[str, str, str]]] = {}
    for alike in compared:
        things = (one.thing for one in alike.plan.unmanaged)
        strange = {(thing.noun, thing.table, thing.name) for thing in things}
        found.update(dict.fromkeys(alike.schemas, strange))
    return found


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
