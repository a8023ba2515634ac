"""Undoing the newest version, newest step first, or not at all where data would be lost.

It is planned as a whole from what the history recorded. Each step that is undone is counted down
there, so a rollback that was interrupted goes on where it was when it is run again.
"""

import json
import logging
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from psycopg2 import errors
from psycopg2.extensions import quote_ident

from converge.change.apply import Applier
from converge.console.summary import Stopwatch
from converge.errors import Refused
from converge.history.journal import TABLE
from converge.outcome import Outcome
from converge.plan import NOTHING_CHANGED, Lock, Plan, Refusal, Run, Step
from converge.server import connection as database
from converge.server import inspect as preflight
from converge.server import locks
from converge.server.connection import VERSION, Connection
from converge.server.inspect import Server
from converge.settings.variables import Settings
from converge.text import counted

log = logging.getLogger(__name__)

RUNS = "SELECT run, version, action, desired, steps, finished FROM {table} ORDER BY run DESC"
COUNT_DOWN = "UPDATE {table} SET finished = {count}, verified_at = NULL WHERE run = {run}"
RECORD = """INSERT INTO {table}
  (run, version, action, desired, steps, finished, started_at, verified_at, tool_version)
SELECT max(run) + 1, {version}, 'rollback', {desired}, {steps}, {finished},
  now() - make_interval(secs => {seconds}), now(), {tool_version}
FROM {table}"""

NAME = r'((?:"(?:[^"]|"")+"|[^\s".]+)(?:\.(?:"(?:[^"]|"")+"|[^\s".]+))?)'
ONLINE = re.compile(rf"(CREATE|CREATE UNIQUE|DROP) INDEX CONCURRENTLY {NAME}")


class Recorded(NamedTuple):
    """A run as the history has it."""

    run: int
    version: int
    action: str
    desired: str
    steps: List[Dict[str, Any]]
    finished: int


class Rollback:
    """The plan that undoes the newest version of one schema, and its record."""

    def __init__(self, schema: str, connection: Connection, rewrite_max_rows: int) -> None:
        self.schema, self.connection = schema, connection
        self.rewrite_max_rows = rewrite_max_rows
        self.relation = f"{quote_ident(schema, connection)}.{TABLE}"
        self.refusals = preflight.without_rights(connection, schema, [self.relation])
        exists = "SELECT to_regclass(%(relation)s) IS NOT NULL"
        found: List[Tuple[Any, ...]] = []
        if (
            not self.refusals
            and database.rows(connection, exists, {"relation": self.relation})[0][0]
        ):
            found = database.rows(connection, RUNS.format(table=self.relation))
        self.runs = [Recorded(*row) for row in found]
        self.steps: List[Step] = []
        self.marks: Dict[int, str] = {}
        done = [
            (run, number, run.steps[number - 1])
            for run in self.undone
            for number in range(run.finished, 0, -1)
        ]
        touched = sorted({str(recorded["relation"]) for _, _, recorded in done} - {""})
        self.refusals += preflight.without_rights(connection, schema, touched)
        if not self.refusals:
            for run, number, recorded in done:
                self._undo(run, number, recorded)
            self.refusals += preflight.without_rights(connection, schema, [], self.steps)

    @property
    def version(self) -> int:
        """The version that is in force; 0 if there is none."""
        return self.runs[0].version if self.runs else 0

    @property
    def undone(self) -> List[Recorded]:
        """The runs that brought the version, newest first. Repairs undid somebody else's drift."""
        return [r for r in self.runs if r.version == self.version and r.action == "migrate"]

    @property
    def before(self) -> Tuple[int, str]:
        """Version and desired fingerprint that the schema goes back to."""
        first = min(run.run for run in self.undone)
        earlier = next((run for run in self.runs if run.run < first), None)
        return (earlier.version, earlier.desired) if earlier else (0, "")

    def _undo(self, run: Recorded, number: int, recorded: Dict[str, Any]) -> None:
        """Plan one recorded step's undo, unless it is no longer in effect."""
        lost = self._lost(recorded)
        if lost:
            self.refusals.append(self._refusal(recorded, lost))
        online = [sql for text in recorded["undo_online"] for sql in self._online(text)]
        steps = [self._step(recorded, (sql,), Run.ONLINE, Lock.SHARED) for sql in online]
        if recorded["undo"] and lost is not None:
            undo = tuple(recorded["undo"])
            lock = Lock.INSTANT if recorded["lock"] == Lock.NONE else recorded["lock"]
            steps.append(self._step(recorded, undo, Run.BRIEF, recorded.get("undo_lock") or lock))
            self._refuse_large(steps[-1])
        self.steps += steps
        if steps:
            count = {"count": number - 1, "run": run.run}
            self.marks[id(steps[-1])] = COUNT_DOWN.format(table=self.relation, **count)

    def _lost(self, recorded: Dict[str, Any]) -> Optional[int]:
        """Count the rows that the undo would lose; None if what it would undo is gone already."""
        if recorded["guard"] is None:
            return 0
        try:
            return self._count(recorded["guard"])
        except (errors.UndefinedColumn, errors.UndefinedTable):
            return None

    def _refuse_large(self, step: Step) -> None:
        """Refuse a rewrite of more rows than REWRITE_MAX_ROWS."""
        limit = self.rewrite_max_rows
        rows = self._count(f"SELECT count(*) FROM {step.relation}") if step.rewrites else 0
        if rows > limit:
            message = (
                f"undoing '{step.name}' rewrites the table while everybody waits: "
                f"{counted(rows, 'row')}; REWRITE_MAX_ROWS is {limit:,}.\n"
                f"  {NOTHING_CHANGED} Raise it for one run, or in a maintenance window."
            )
            self.refusals.append(Refusal(self.schema, "", message))

    def _count(self, query: str) -> int:
        return int(database.ask(self.connection, query)[0][0])

    def _online(self, text: str) -> List[str]:
        """Return what runs outside a transaction: nothing where an index is already as wanted."""
        found = ONLINE.match(text)
        assert found is not None, text
        action, name = found.groups()
        # CREATE names an index without its schema, which is the table's; DROP names it.
        schema = "" if action == "DROP" else quote_ident(self.schema, self.connection) + "."
        qualified = schema + name
        known = "SELECT to_regclass(%(name)s) IS NOT NULL"
        exists = database.rows(self.connection, known, {"name": qualified})[0][0]
        if action == "DROP":
            renamed = f"RENAME TO {name.rsplit('.', 1)[-1]}"  # an undo before this one does that
            planned = [sql for step in self.steps for sql in step.statements]
            return [text] if exists or any(sql.endswith(renamed) for sql in planned) else []
        # An interrupted rollback may have left half an index.
        return [f"DROP INDEX CONCURRENTLY {qualified}", text] if exists else [text]

    def _step(
        self, recorded: Dict[str, Any], statements: Tuple[str, ...], run: Run, lock: str
    ) -> Step:
        return Step(
            kind="undo",
            schema=self.schema,
            table="",
            relation=recorded["relation"],
            name=recorded["step"],
            why=f"version {self.version} did it because: {recorded['why']}",
            statements=statements,
            run=run,
            lock=lock.format(recorded["relation"]),
        )

    def _refusal(self, recorded: Dict[str, Any], lost: int) -> Refusal:
        finds = recorded["guard"].replace("SELECT count(*)", "SELECT *", 1)
        return Refusal(
            self.schema,
            "",
            f"undoing '{recorded['step']}' would lose the values of "
            f"{counted(lost, 'row')}.\n"
            f"  {NOTHING_CHANGED} Save and delete them first; find them with:\n    {finds};",
        )

    def record(self, seconds: float) -> str:
        """Return what records the rollback, once every step is undone, which took `seconds`."""
        version, desired = self.before
        steps = [{"step": step.name, "sql": step.statements} for step in self.steps]
        with self.connection.cursor() as cursor:
            sql = RECORD.format(
                table=self.relation.replace("%", "%%"),  # psycopg2 reads a lone one as a parameter
                version=version,
                desired="%s",
                steps="%s",
                finished=len(steps),
                seconds=seconds,
                tool_version="%s",
            )
            return str(cursor.mogrify(sql, (desired, json.dumps(steps), VERSION)).decode())


class CountDown:
    """What `Applier` asks of a journal: here a step counts as undone only after it is."""

    def __init__(self, rollbacks: List[Rollback]) -> None:
        self.marks = {key: sql for rollback in rollbacks for key, sql in rollback.marks.items()}

    def before(self, _: Step) -> List[str]:
        return []

    def after(self, step: Step) -> List[str]:
        return [self.marks[id(step)]] if id(step) in self.marks else []


def plan_rollback(
    settings: Settings, connection: Connection, server: Server
) -> Tuple[Plan, List[Rollback]]:
    """Return what undoes the newest version of each schema. Raises `Refused` if there is none."""
    rollbacks = [
        Rollback(schema, connection, settings.rewrite_max_rows) for schema in settings.schemas
    ]
    none = [one.schema for one in rollbacks if one.version == 0 and not one.refusals]
    if none:
        raise Refused(f"refused: nothing to undo in {', '.join(none)}.\n  {NOTHING_CHANGED}")
    steps = tuple(step for rollback in rollbacks for step in rollback.steps)
    refusals = [refusal for rollback in rollbacks for refusal in rollback.refusals]
    refusals += preflight.limited_builds(connection, server, steps)
    return Plan(steps, tuple(refusals)), rollbacks


def roll_back(settings: Settings, connection: Connection, stopwatch: Stopwatch) -> Outcome:
    """Undo the newest version under the run lock, and record that."""
    outcome = Outcome(connection)
    server = preflight.inspect(connection, settings)
    keys = locks.lock_keys(connection, settings, database_wide=False)
    while not locks.take_run_lock(connection, keys):
        locks.wait_for_run_lock(connection, keys)
    with locks.run_lock_held(settings, connection) as work:
        with stopwatch.step("plan"):
            plan, rollbacks = plan_rollback(settings, work, server)
            if plan.refusals:
                raise Refused("\n".join(map(str, plan.refusals)))
        with stopwatch.step("undo"):
            applier = Applier(settings, work, connection, CountDown(rollbacks))
            outcome.done += applier.apply(plan)
            database.transaction(
                work,
                [one.record(sum(done.seconds for done in outcome.done)) for one in rollbacks],
            )
    for rollback in rollbacks:
        log.info("schema %s is back at version %d", rollback.schema, rollback.before[0])
    return outcome
