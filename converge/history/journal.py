"""The history: which version a schema is at, what each run changed, and how to undo it.

A row of `eater_schema_history` is one run that changed something. It is written before the first
change, in the transaction of what is new, and counts its finished steps as they are finished, so
that a killed run's are known too. The table's comment, the *note*, says what the last verified run
left: a catalog can always be asked for a comment, even where there is no such table yet.
"""

import hashlib
import json
import logging
import os
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from psycopg2 import errors
from psycopg2.extensions import quote_ident

from converge.console.advice import first_line
from converge.errors import Refused
from converge.plan import NOTHING_CHANGED, Lock, Plan, Run, Step
from converge.server.catalog import FINGERPRINT, TABLES_DOCUMENT
from converge.server.connection import VERSION, Connection, named, rows, transaction, unhindered
from converge.settings.variables import Settings
from converge.text import duration, table
from verify import STALE

log = logging.getLogger(__name__)

TABLE = "eater_schema_history"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DESIRED_STATE = ("models.py", "indexes.py")  # read as files: importing them imports SQLAlchemy
NOTE_START = '{"eater-init" : '  # how the note begins; any other comment is somebody else's

CREATE = """CREATE TABLE {table} (
  run integer PRIMARY KEY,
  version integer NOT NULL,
  action text NOT NULL,
  desired text NOT NULL,
  steps json NOT NULL,
  finished integer NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  verified_at timestamptz,
  applied_by text NOT NULL DEFAULT current_user,
  tool_version text NOT NULL
)"""

# A new version starts where the desired state is another than the last run's. What a run does to a
# version that was verified before is a repair: somebody else had changed the database.
RECORD = """INSERT INTO {table} (run, version, action, desired, steps, finished, tool_version)
SELECT COALESCE(max(run), 0) + 1,
  CASE WHEN (SELECT desired FROM {table} ORDER BY run DESC LIMIT 1) = {desired}
    THEN (SELECT version FROM {table} ORDER BY run DESC LIMIT 1)
    ELSE COALESCE(max(version), 0) + 1 END,
  CASE WHEN (SELECT desired = {desired} AND EXISTS (
               SELECT FROM {table} v WHERE v.version = last.version AND v.verified_at IS NOT NULL)
             FROM {table} AS last ORDER BY run DESC LIMIT 1) THEN 'repair' ELSE 'migrate' END,
  {desired}, {steps}, {finished}, {tool_version} FROM {table}"""

LAST_RUN = "run = (SELECT max(run) FROM {table})"
FINISH = "UPDATE {table} SET finished = {count} WHERE " + LAST_RUN
VERIFIED = "UPDATE {table} SET verified_at = now() WHERE verified_at IS NULL AND " + LAST_RUN

# The version is the table's, so the note is put together on the server.
NOTE = """BEGIN EXECUTE format('COMMENT ON TABLE %s IS %L', {relation}, json_build_object(
  'eater-init', 1,
  'version', (SELECT version FROM {table} ORDER BY run DESC LIMIT 1),
  'verified', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC'),
  'desired', {desired}, 'tool', {tool_version}, 'live', {live}, 'tables', {tables}::json
)); END"""

SHOW = """SELECT run, version, action, finished || ' of ' || json_array_length(steps),
  to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC'),
  extract(epoch FROM verified_at - started_at)::float,
  applied_by, tool_version
FROM {table} ORDER BY run DESC"""

LOOK_QUERY = f"""
SET LOCAL search_path = '';
SELECT n.nspname, o.note, {FINGERPRINT}, ARRAY(
  SELECT c.relname FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
  WHERE c.relnamespace = n.oid AND c.relname = ANY (h.tables) AND {STALE})
FROM pg_namespace n
CROSS JOIN LATERAL (
  SELECT CASE WHEN has_schema_privilege(n.oid, 'USAGE') THEN
    obj_description(to_regclass(format('%%I.{TABLE}', n.nspname)), 'pg_class') END AS note) AS o
CROSS JOIN LATERAL (
  SELECT ARRAY(SELECT json_array_elements_text(
    CASE WHEN o.note LIKE '{NOTE_START}%%' THEN o.note::json -> 'tables' END)) AS tables) AS h
CROSS JOIN LATERAL (SELECT ({TABLES_DOCUMENT.replace("%(tables)s", "h.tables")}) AS document) AS t
WHERE n.nspname = ANY (%(schemas)s) AND o.note LIKE '{NOTE_START}%%'
"""


class Look(NamedTuple):
    """What the quick look found: nothing to do."""

    version: str
    verified: str
    tables: List[str]
    stale: List[Tuple[str, str]]  # schema and table


def desired_fingerprint() -> str:
    """Return the fingerprint of the files that describe the desired state."""
    digest = hashlib.sha256()
    for name in DESIRED_STATE:
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def look(connection: Connection, settings: Settings) -> Optional[Look]:
    """Return what the last verified run left, if nothing has changed since; in one round trip.

    None: something is not as it was, or never was verified, so that only a plan can tell.
    """
    query = unhindered(connection) + named(connection) + LOOK_QUERY
    found = rows(connection, query, {"schemas": list(settings.schemas)})
    notes = [(schema, json.loads(note), live, stale) for schema, note, live, stale in found]
    expected = (desired_fingerprint(), VERSION)
    current = all(
        (note.get("desired"), note.get("tool"), note.get("live")) == (*expected, live)
        for _, note, live, _ in notes
    )
    if not current or len(notes) != len(settings.schemas):
        return None
    versions = ", ".join(sorted({str(note["version"]) for _, note, _, _ in notes}))
    verified = min(str(note["verified"]) for _, note, _, _ in notes)
    stale_tables = [(schema, table) for schema, _, _, tables in notes for table in tables]
    return Look(versions, verified, list(notes[0][1]["tables"]), stale_tables)


class Journal:
    """Records a plan's run: what it will do, how far it is, that it was verified."""

    def __init__(self, plan: Plan, connection: Connection) -> None:
        self.plan, self.connection = plan, connection
        self.desired = desired_fingerprint()
        self.count: Dict[int, int] = {}
        so_far: Dict[str, int] = {}
        for step in plan.steps:
            so_far[step.schema] = so_far.get(step.schema, 0) + 1
            self.count[id(step)] = so_far[step.schema]

    def opening(self) -> Plan:
        """Return the plan with the steps that record it, in the transaction of what is new."""
        steps = list(self.plan.steps)
        for schema in dict.fromkeys(step.schema for step in steps):
            ours = [step for step in self.plan.steps if step.schema == schema]
            if schema not in self.plan.recorded:
                steps.append(self._step(schema, "create history", CREATE))
            values = {
                "desired": self._literal(self.desired),
                "steps": self._literal(json.dumps([_as_json(step) for step in ours])),
                "finished": str(sum(step.run is Run.NEW for step in ours)),
                "tool_version": self._literal(VERSION),
            }
            steps.append(self._step(schema, "record", RECORD, **values))
        return self.plan._replace(steps=tuple(steps))

    def before(self, step: Step) -> List[str]:
        """Return what counts a step as finished before it runs: if killed, it may well have."""
        return [] if step.run is Run.BRIEF else [self._finish(step)]

    def after(self, step: Step) -> List[str]:
        """Return what counts a step as finished in the step's own transaction."""
        return [self._finish(step)] if step.run is Run.BRIEF else []

    def verified(self, plan: Plan) -> None:
        """Note what the run left; `plan` is the empty one that proved it. One round trip.

        A role that may not write it does without: then its next run compares in full again.
        """
        statements: List[str] = []
        for schema, fingerprint in plan.fingerprints.items():
            if schema in plan.recorded:
                note = self._sql(
                    schema,
                    NOTE,
                    desired=self._literal(self.desired),
                    tool_version=self._literal(VERSION),
                    live=self._literal(fingerprint),
                    tables=self._literal(json.dumps(plan.tables)),
                    relation=self._literal(self._relation(schema)),
                )
                statements += [self._sql(schema, VERIFIED), f"DO {self._literal(note)}"]
        try:
            if statements:
                transaction(self.connection, statements)
        except errors.InsufficientPrivilege as error:
            log.info("that it is verified can't be recorded: %s", first_line(error))

    def _finish(self, step: Step) -> str:
        return self._sql(step.schema, FINISH, count=str(self.count[id(step)]))

    def _step(self, schema: str, kind: str, template: str, **values: str) -> Step:
        return Step(
            kind=kind,
            schema=schema,
            table="",
            relation="",
            name=TABLE,
            why="what this run does is recorded",
            statements=(self._sql(schema, template, **values),),
            run=Run.NEW,
            lock=Lock.NONE,
        )

    def _sql(self, schema: str, template: str, **values: str) -> str:
        return template.format(table=self._relation(schema), **values)

    def _relation(self, schema: str) -> str:
        return f"{quote_ident(schema, self.connection)}.{TABLE}"

    def _literal(self, value: str) -> str:
        with self.connection.cursor() as cursor:
            return str(cursor.mogrify("%s", (value,)).decode())


def _as_json(step: Step) -> Dict[str, Any]:
    return {
        "step": str(step),
        "why": step.why,
        "sql": step.statements,
        "relation": step.relation,
        "lock": step.lock,
        "undo_online": step.undo_online,
        "undo": step.undo,
        "undo_lock": step.undo_lock,
        "guard": step.guard,
    }


def show(connection: Connection, schemas: Sequence[str]) -> str:
    """Return the history of the schemas as a table, newest run first."""
    body: List[Sequence[object]] = []
    for schema in schemas:
        name, role = quote_ident(schema, connection), quote_ident(connection.info.user, connection)
        relation = f"{name}.{TABLE}"
        try:
            if rows(connection, "SELECT to_regclass(%(relation)s)", {"relation": relation})[0][0]:
                for *row, seconds, role_name, tool in rows(connection, SHOW.format(table=relation)):
                    taken = "not verified" if seconds is None else duration(seconds)
                    body.append((schema, *row, taken, role_name, tool))
        except errors.InsufficientPrivilege as error:
            raise Refused(
                f"refused: {first_line(error)}.\n"
                f"  {NOTHING_CHANGED} Let an administrator run:\n"
                f"    GRANT USAGE ON SCHEMA {name} TO {role};\n"
                f"    GRANT SELECT ON {relation} TO {role};"
            ) from None
    if not body:
        return "No run has changed anything yet."
    head = ("schema", "run", "version", "action", "steps", "started", "duration", "by", "tool")
    return table(head, body)
