"""Undoing the newest version, newest step first, or not at all where data would be lost.

It is planned as a whole from what the history recorded. Each step that is undone is counted down
there, so a rollback that was interrupted goes on where it was when it is run again.
"""

import json
from contextlib import suppress
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

from psycopg2 import errors

from converge.errors import Refused
from converge.history.journal import as_json
from converge.history.recorded import RecordedRun, RecordedStep, runs
from converge.names import HISTORY_TABLE, VERSION
from converge.plan import (
    EVERY_ROW,
    IndexChange,
    Kind,
    Lock,
    Plan,
    Refusal,
    Run,
    Step,
    Undo,
    WayOut,
    joined,
)
from converge.quoting import literal, qualified
from converge.server import messages
from converge.server.connection import Connection
from converge.server.inspect import ServerFacts
from converge.server.proofs import no_row
from converge.server.rights import hidden_rows, limited_builds, show_rows, without_rights
from converge.settings.variables import Settings
from converge.text import counted

COUNT_DOWN = "UPDATE {table} SET finished = {count}, verified_at = NULL WHERE run = {run}"
UNDONE = "UPDATE {table} SET finished = 0 WHERE run = {run}"
RECORD = """INSERT INTO {table}
  (run, version, action, desired, steps, finished, started_at, verified_at, tool_version)
SELECT max(run) + 1, {version}, 'rollback', {desired}, {steps}, {finished},
  now() - make_interval(secs => {seconds}), now(), {tool_version}
FROM {table}"""


class Target(NamedTuple):
    """What the rollback of one schema leads to."""

    schema: str
    version: int  # 0: before the first
    desired: str  # the fingerprint of its models
    undone: Tuple[int, ...] = ()  # the runs


class Rollback(NamedTuple):
    """A plan that undoes, where it leads, and what counts down behind a step, by its number."""

    plan: Plan
    targets: Tuple[Target, ...]
    marks: Dict[Tuple[str, int], str]

    # What `Applier` asks of a journal: here a step counts as undone only after it is.
    def before(self, _: Step, /) -> List[str]:
        return []

    def after(self, step: Step, /) -> List[str]:
        mark = self.marks.get((step.schema, step.number))
        return [mark] if mark else []

    def record(self, connection: Connection, seconds: float) -> None:
        """Record that every step is undone, which took `seconds`."""
        statements = []
        for target in self.targets:
            ours = [step for step in self.plan.steps if step.schema == target.schema]
            table = qualified(target.schema, HISTORY_TABLE)
            # Also those of which nothing was left to undo.
            statements += [UNDONE.format(table=table, run=run) for run in target.undone]
            steps = [as_json(step) for step in ours]
            statements.append(
                RECORD.format(
                    table=table,
                    version=target.version,
                    desired=literal(target.desired),
                    steps=literal(json.dumps(steps)),
                    finished=len(steps),
                    seconds=seconds,
                    tool_version=literal(VERSION),
                )
            )
        messages.transaction(connection, statements)


def plan_rollback(connection: Connection, settings: Settings, facts: ServerFacts) -> Rollback:
    """Plan to undo the newest version of each schema; nothing is touched.

    Raises `Refused` if a schema has none.
    """
    parts = [_Undoing(connection, settings, facts, schema) for schema in settings.schemas]
    for part in parts:
        part.plan()
    none = [part.schema for part in parts if not part.undone and not part.refusals]
    if none:
        raise Refused(f"refused: nothing to undo in {', '.join(none)}.\n  Nothing was changed.")
    plan = joined(Plan(tuple(part.steps), tuple(part.refusals)) for part in parts).numbered()
    limited = limited_builds(connection, facts, plan.steps)
    return Rollback(
        plan._replace(refusals=(*plan.refusals, *limited)),
        tuple(part.target for part in parts if part.undone),
        {
            (part.schema, number): part.marks[number - 1]
            for part in parts
            for number in range(1, len(part.steps) + 1)
            if part.marks[number - 1]
        },
    )


def newest_runs(connection: Connection, schemas: Sequence[str]) -> Dict[str, int]:
    """Return the number of the newest run of each schema that has a history that can be read."""
    found: Dict[str, int] = {}
    for schema in schemas:
        with suppress(errors.InsufficientPrivilege):  # the plan says so
            for newest in runs(connection, schema)[:1]:
                found[schema] = newest.run
    return found


class _Undoing:
    """What the rollback of one schema is found to take."""

    def __init__(
        self, connection: Connection, settings: Settings, facts: ServerFacts, schema: str
    ) -> None:
        self.connection, self.settings, self.facts = connection, settings, facts
        self.schema = schema
        self.undone: List[RecordedRun] = []
        self.target = Target(schema, 0, "")
        self.steps: List[Step] = []
        self.marks: List[str] = []  # beside the steps: what counts down behind each
        self.refusals: List[Refusal] = []

    def plan(self) -> None:
        """Find the steps and the refusals."""
        self._refuse_without_rights([HISTORY_TABLE])
        if self.refusals:
            return
        known = runs(self.connection, self.schema)
        # Repairs undid somebody else's drift: they stay.
        self.undone = [
            run for run in known if run.version == known[0].version and run.action == "migrate"
        ]
        if not self.undone:
            return
        previous = next((run for run in known if run.run < self.undone[-1].run), None)
        undone = tuple(run.run for run in self.undone)
        before = (previous.version, previous.desired) if previous else (0, "")
        self.target = Target(self.schema, *before, undone)
        in_effect = list(_in_effect(self.undone))
        tables = sorted({step.table for _, _, step in in_effect if step.table})
        self._refuse_without_rights(tables)
        if not self.refusals:
            for run, number, step in in_effect:
                self._undo(run, number, step)
            self._refuse_without_rights([], self.steps)

    def _refuse_without_rights(self, tables: Sequence[str], steps: Sequence[Step] = ()) -> None:
        self.refusals += without_rights(self.connection, self.facts, self.schema, tables, steps)

    def _undo(self, run: RecordedRun, number: int, step: RecordedStep) -> None:
        """Plan one recorded step's undo, unless it is no longer in effect."""
        undo, gone = step.undo, bool(step.table) and not self._exists(step.table)
        try:
            if not gone:
                self._refuse_loss(step)
        except errors.UndefinedColumn:
            gone = True  # what it would undo
        except errors.InsufficientPrivilege:  # the table is its own, so row security
            self._refuse_hidden(step)
        planned = []
        for change in undo.indexes:
            for sql in self._index_statements(change):
                online = self._step(run, step, (sql,), Run.ONLINE, Lock.SHARED)
                planned.append(online._replace(creates=change.builds))
        if undo.statements and not gone:
            relation = qualified(self.schema, step.table)
            proof = no_row(relation, undo.guard) if undo.guard else []
            reads = undo.guard is not None and undo.guard != EVERY_ROW
            lock = Lock.READ if reads and undo.lock is Lock.INSTANT else undo.lock
            brief = self._step(run, step, (*proof, *undo.statements), Run.BRIEF, lock)
            planned.append(brief._replace(creates=undo.creates, undo=Undo(leaves=undo.leaves)))
            if lock in (Lock.READ, Lock.REWRITE):
                self._refuse_large(planned[-1])
        count = {"count": number - 1, "run": run.run}
        mark = COUNT_DOWN.format(table=qualified(self.schema, HISTORY_TABLE), **count)
        self.steps += planned
        self.marks += [""] * (len(planned) - 1) + [mark] * bool(planned)

    def _index_statements(self, change: IndexChange) -> List[str]:
        """Return what runs outside a transaction: nothing where an index is already as wanted."""
        index, exists = qualified(self.schema, change.name), self._exists(change.name)
        if not change.builds:
            renamed = any(change.name in step.undo.leaves for step in self.steps)  # by then
            return [change.statement] if exists or renamed else []
        # An interrupted rollback may have left half an index.
        drop = [f"DROP INDEX CONCURRENTLY {index}"] if exists else []
        return [*drop, change.statement]

    def _step(
        self,
        run: RecordedRun,
        step: RecordedStep,
        statements: Tuple[str, ...],
        how: Run,
        lock: Lock,
    ) -> Step:
        return Step(
            kind=Kind.UNDO,
            schema=self.schema,
            table=step.table,
            name=step.title,
            why=f"version {run.version} did it because: {step.why}",
            statements=statements,
            run=how,
            lock=lock,
        )

    def _refuse_loss(self, step: RecordedStep) -> None:
        """Refuse to lose the values of rows."""
        if step.undo.guard is None:
            return
        relation = qualified(self.schema, step.table)
        lost = self._count(f"SELECT count(*) FROM {relation} WHERE {step.undo.guard}")
        values = f"the values of {counted(lost, 'row')}"
        if lost and step.undo.keep:
            what = f"undoing '{step.title}' would lose {values}."
            self._refuse(what, "Keep them under another name:", *step.undo.keep)
        elif lost:
            what = f"undoing '{step.title}' is not possible: {values} would not fit."
            find = f"SELECT * FROM {relation} WHERE {step.undo.guard}"
            self._refuse(what, "Change them to what fits; find them with:", find)

    def _refuse_hidden(self, step: RecordedStep) -> None:
        """Refuse what can't be proven to lose nothing, because not all rows are seen."""
        why = hidden_rows(qualified(self.schema, step.table), self.facts.user)
        what = f"undoing '{step.title}' may lose values."
        way_out = show_rows(self.facts.user)
        self.refusals.append(Refusal(self.schema, "", what, way_out, (why,)))

    def _refuse_large(self, step: Step) -> None:
        """Refuse to rewrite or read more rows than REWRITE_MAX_ROWS under the lock."""
        limit = self.settings.rewrite_max_rows
        rows = self._count(f"SELECT count(*) FROM {step.relation}")
        if rows > limit:
            does = "rewrites" if step.lock is Lock.REWRITE else "reads"
            self._refuse(
                f"undoing '{step.name}' {does} the table while everybody waits: "
                f"{counted(rows, 'row')}; REWRITE_MAX_ROWS is {limit:,}.",
                f"In a maintenance window, run with REWRITE_MAX_ROWS={rows}.",
            )

    def _refuse(self, what: str, advice: str, *statements: str) -> None:
        self.refusals.append(Refusal(self.schema, "", what, WayOut(advice, statements)))

    def _exists(self, name: str) -> bool:
        """Return whether a table or index of the schema exists."""
        known = "SELECT to_regclass(%(name)s) IS NOT NULL"
        found = {"name": qualified(self.schema, name)}
        return bool(messages.rows(self.connection, known, found)[0][0])

    def _count(self, query: str) -> int:
        return int(messages.ask(self.connection, query)[0][0])


def _in_effect(undone: Sequence[RecordedRun]) -> Iterator[Tuple[RecordedRun, int, RecordedStep]]:
    """Yield the steps that are in effect with their runs and numbers, newest first."""
    for run in undone:
        for number in range(run.finished, 0, -1):
            yield run, number, run.steps[number - 1]
