"""The journal: what a run will do, how far it is, and what it left.

A row of the history table is one run that changed something. It is written before the first change,
in the transaction of what is new, and counts its finished steps as they are finished, so that a
killed run's are known too. The table's comment, the note, says what the last verified run left.
"""

import json
import logging
from typing import Any, Dict, List, Sequence

from psycopg2 import errors

from converge.events import about
from converge.history.inserting import inserting
from converge.history.look import Fingerprints
from converge.history.recorded import UNDONE
from converge.names import HISTORY_TABLE, NOTE_KEY, VERSION
from converge.plan import Plan
from converge.quoting import identifier, literal, qualified
from converge.server.connection import Connection
from converge.server.failures import first_line
from converge.server.messages import transaction
from converge.steps import Kind, Lock, Run, Step

log = logging.getLogger(__name__)

CREATE = """CREATE TABLE {table} (
  run integer PRIMARY KEY,
  version integer NOT NULL,
  action text NOT NULL,
  desired text NOT NULL,
  steps json NOT NULL,
  finished integer NOT NULL,
  undone integer NOT NULL DEFAULT 0,
  started_at timestamptz NOT NULL DEFAULT now(),
  verified_at timestamptz,
  applied_by text NOT NULL DEFAULT current_user,
  tool_version text NOT NULL
)"""

# A new version starts where the desired state is another than the last run's. What a run does to a
# version that was verified before is a repair: somebody else had changed the database. It is none
# where a rollback has begun to undo that version.
RECORD = """SELECT COALESCE(max(run), 0) + 1,
  CASE WHEN (SELECT desired FROM {table} ORDER BY run DESC LIMIT 1) = {desired}
    THEN (SELECT version FROM {table} ORDER BY run DESC LIMIT 1)
    ELSE COALESCE(max(version), 0) + 1 END,
  CASE WHEN (SELECT desired = {desired} AND EXISTS (
               SELECT FROM {table} v WHERE v.version = last.version AND v.verified_at IS NOT NULL
                 AND COALESCE({undone}, 0) = 0)
             FROM {table} AS last ORDER BY run DESC LIMIT 1) THEN 'repair' ELSE 'migrate' END,
  {desired}, {steps}::json, {finished}, {tool_version} FROM {table}"""
RECORDED = ("run", "version", "action", "desired", "steps", "finished", "tool_version")
RELEASED = (*RECORDED, "verified_at")

# A database that was right before any run of ours: there is nothing that a rollback could undo.
ADOPT = """INSERT INTO {table}
  (run, version, action, desired, steps, finished, verified_at, tool_version)
VALUES (1, 1, 'adopt', {desired}, '[]', 0, now(), {tool_version})"""

# A release whose models took no step is a version too: else a rollback of it would undo the release
# before. As for RECORD, its models are the files: also where these differ in a comment only, as a
# rollback by other files than the version's would ask for a word.
RELEASE = """SELECT max(run) + 1, max(version) + 1, 'migrate', {desired}, '[]'::json, 0,
  {tool_version}, now() FROM {table}
HAVING (SELECT desired FROM {table} ORDER BY run DESC LIMIT 1) <> {desired}"""

LAST_RUN = "run = (SELECT max(run) FROM {table})"
FINISH = "UPDATE {table} SET finished = {count} WHERE " + LAST_RUN
VERIFIED = "UPDATE {table} SET verified_at = now() WHERE verified_at IS NULL AND " + LAST_RUN

# The version is the table's, so the note is put together on the server. Its place, the numbers of
# the database and of the table, is another one in a copy and after a restore.
NOTE = """BEGIN EXECUTE format('COMMENT ON TABLE %s IS %L', {relation}, json_build_object(
  {key}, 1,
  'version', (SELECT version FROM {table} ORDER BY run DESC LIMIT 1),
  'verified', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC'),
  'desired', {desired}, 'rules', {rules}, 'tool', {tool_version},
  'place', json_build_array(
    (SELECT oid FROM pg_database WHERE datname = current_database()), {relation}::regclass::oid),
  'live', {live}, 'tables', {tables}::json, 'types', {types}::json,
  'sequences', {sequences}::json
)); END"""

NOT_ALLOWED = (errors.InsufficientPrivilege, errors.RaiseException)  # an event trigger's


class Journal:
    """Records a plan's run: what it will do, how far it is, that it was verified."""

    def __init__(self, plan: Plan, connection: Connection, desired: Fingerprints) -> None:
        self.plan, self.connection, self.desired = plan, connection, desired

    def opening(self) -> Plan:
        """Return the plan with the steps that record it, in the transaction of what is new.

        Before that, in one of their own, where some run ahead: each of these is counted.
        """
        first: List[Step] = []
        last: List[Step] = []
        for schema in dict.fromkeys(step.schema for step in self.plan.steps):
            ours = [step for step in self.plan.steps if step.schema == schema]
            new = sum(step.run in (Run.AHEAD, Run.NEW) for step in ours)
            ahead = any(step.run is Run.AHEAD for step in ours)
            run, steps = (Run.AHEAD, first) if ahead else (Run.NEW, last)
            if schema not in self.plan.recorded:
                steps.append(_step(schema, Kind.CREATE_HISTORY, _sql(schema, CREATE), run))
            values = {
                "desired": literal(self.desired.models),
                "steps": literal(json.dumps([as_json(step) for step in ours])),
                "finished": "0" if ahead else str(new),
                "tool_version": literal(VERSION),
                "undone": UNDONE.format(row="v"),
            }
            record = _inserted(schema, RECORDED, RECORD, **values)
            steps.append(_step(schema, Kind.RECORD, record, run))
            if ahead and any(step.run is Run.NEW for step in ours):
                last.append(_step(schema, Kind.RECORD, _sql(schema, FINISH, count=str(new))))
        return self.plan._replace(steps=(*first, *self.plan.steps, *last))

    def before(self, step: Step) -> List[str]:
        """Return what counts a step as finished before it runs: if killed, it may well have."""
        return [] if step.run in (Run.AHEAD, Run.BRIEF) else [_finish(step)]

    def after(self, step: Step) -> List[str]:
        """Return what counts a step as finished in the step's own transaction."""
        return [_finish(step)] if step.run in (Run.AHEAD, Run.BRIEF) and step.number else []

    def verified(self, plan: Plan) -> None:
        """Note what the run left; `plan` is the empty one that proved it. One round trip.

        A schema without a history is adopted, in a transaction of its own. A role that may not
        write does without: then its next run compares in full again.
        """
        values = {"desired": literal(self.desired.models), "tool_version": literal(VERSION)}
        known = [schema for schema in plan.fingerprints if schema in plan.recorded]
        released = [_inserted(at, RELEASED, RELEASE, **values) for at in known]
        of_known = [[row, *self._note(at, plan)] for at, row in zip(known, released)]
        self._write([sql for statements in of_known for sql in statements])
        for schema in [schema for schema in plan.fingerprints if schema not in plan.recorded]:
            adopt = [_sql(schema, CREATE), _sql(schema, ADOPT, **values)]
            if self._write([*adopt, *self._note(schema, plan)]):
                log.info(
                    "schema %s was right before: adopted as version 1",
                    identifier(schema),
                    extra=about("adopted", schema=schema),
                )

    def _note(self, schema: str, plan: Plan) -> List[str]:
        """Return what records a verified schema."""
        note = _sql(
            schema,
            NOTE,
            key=literal(NOTE_KEY),
            desired=literal(self.desired.models),
            rules=literal(self.desired.rules),
            tool_version=literal(VERSION),
            live=literal(plan.fingerprints[schema]),
            tables=literal(json.dumps(plan.managed.tables)),
            types=literal(json.dumps(plan.managed.types)),
            sequences=literal(json.dumps(plan.managed.sequences)),
            relation=literal(qualified(schema, HISTORY_TABLE)),
        )
        return [_sql(schema, VERIFIED), f"DO {literal(note)}"]

    def _write(self, statements: Sequence[str]) -> bool:
        """Return whether the statements could be run, in one transaction."""
        try:
            if statements:
                transaction(self.connection, statements)
        except NOT_ALLOWED as error:
            extra = about("not_recorded", reason=first_line(error))
            log.info("the verification cannot be recorded: %s", first_line(error), extra=extra)
            return False
        return True


def _finish(step: Step) -> str:
    return _sql(step.schema, FINISH, count=str(step.number))


def _step(schema: str, kind: Kind, sql: str, run: Run = Run.NEW) -> Step:
    return Step(
        kind=kind,
        schema=schema,
        table="",
        name=HISTORY_TABLE,
        why="what this run does is recorded",
        statements=(sql,),
        run=run,
        lock=Lock.NONE,
    )


def _inserted(schema: str, columns: Sequence[str], select: str, **values: str) -> str:
    return inserting(qualified(schema, HISTORY_TABLE), columns, _sql(schema, select, **values))


def _sql(schema: str, template: str, **values: str) -> str:
    return template.format(table=qualified(schema, HISTORY_TABLE), **values)


def as_json(step: Step) -> Dict[str, Any]:
    """Return what the history stores of a step: codes, names and SQL, and a text for people."""
    return {
        "step": str(step),
        "why": step.why,
        "sql": step.statements,
        "kind": step.kind.value,
        "table": step.table,
        "name": step.name,
        "former": step.former,
        "holds": step.holds,
        "lock": step.lock.value,
        "undo": {
            "indexes": [change._asdict() for change in step.undo.indexes],
            "statements": step.undo.statements,
            "lock": step.undo.lock.value,
            "creates": step.undo.creates,
            "leaves": step.undo.leaves,
            "guard": step.undo.guard,
            "keep": step.undo.keep,
            "besides": step.undo.besides,
        },
    }
