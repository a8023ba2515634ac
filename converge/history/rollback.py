"""Undoing versions, newest step first, or not at all where data would be lost.

It is planned as a whole from what the history recorded. Each step that is undone is counted there,
so a rollback that was interrupted goes on where it was when it is run again.
"""

import json
from contextlib import suppress
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from psycopg2 import errors

from converge.errors import Refused
from converge.history.inserting import inserting
from converge.history.journal import RELEASED, as_json
from converge.history.recorded import RecordedRun, RecordedStep, runs
from converge.history.sweeping import swept
from converge.history.undoing import Given, taken_back
from converge.names import HISTORY_TABLE, VERSION
from converge.plan import OUT_OF_THE_WAY, Plan, Refusal, WayOut, joined
from converge.quoting import identifier, literal, qualified
from converge.server import messages
from converge.server.connection import Connection
from converge.server.dependents import dependents
from converge.server.inspect import ServerFacts
from converge.server.rights import limited_builds, without_rights
from converge.settings.variables import Settings
from converge.steps import Kind, Lock, Run, Step
from converge.text import some

ADD_UNDONE = "ALTER TABLE {table} ADD COLUMN undone integer NOT NULL DEFAULT 0"
COUNT = "UPDATE {table} SET undone = finished - {left} WHERE run = {run}"
RECORD = """SELECT max(run) + 1, {version}, 'rollback', {desired}, {steps}::json, {finished},
  {tool_version}, now(), now() - make_interval(secs => {seconds}) FROM {table}"""
RECORDED = (*RELEASED, "started_at")

ANOTHER_RUN = "another run has changed the history since this rollback was started."


class Target(NamedTuple):
    """A version of a schema that a rollback may lead to, and the runs that this undoes."""

    schema: str
    version: int  # 0: before the first
    desired: str  # the fingerprint of its models
    undone: Tuple[RecordedRun, ...] = ()  # newest first

    def __str__(self) -> str:
        return f"schema {identifier(self.schema)}: {self.change}"

    @property
    def versions(self) -> Dict[str, Any]:
        """Where it leads, as the fields of a plan in JSON."""
        present = self.undone[0].version if self.undone else self.version
        return {"schema": self.schema, "from": present, "to": self.version}

    @property
    def change(self) -> str:
        if self.undone:
            return f"version {self.undone[0].version} to version {self.version}"
        return f"at version {self.version} already"


class Rollback(NamedTuple):
    """A plan that undoes, where it leads, and what counts behind a step, by its number."""

    plan: Plan
    targets: Tuple[Target, ...] = ()
    marks: Mapping[Tuple[str, int], str] = {}

    @property
    def changes(self) -> List[str]:
        """A line for each schema, or one for all of which the same is true."""
        alike: Dict[str, List[str]] = {}
        for target in self.targets:
            alike.setdefault(target.change, []).append(identifier(target.schema))
        return [f"{some(names, one='schema')}: {change}" for change, names in alike.items()]

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
            # Also those of which nothing was left to undo.
            statements += [_count(target.schema, run, 0) for run in target.undone]
            if target.undone:
                statements.append(self._row(target, seconds))
                # Where nothing was undone, the note would still prove the version that is left.
                table = qualified(target.schema, HISTORY_TABLE)
                statements.append(f"COMMENT ON TABLE {table} IS NULL")
        if statements:
            messages.transaction(connection, statements)

    def _row(self, target: Target, seconds: float) -> str:
        steps = [as_json(step) for step in self.plan.steps if step.schema == target.schema]
        table = qualified(target.schema, HISTORY_TABLE)
        row = RECORD.format(
            table=table,
            version=target.version,
            desired=literal(target.desired),
            steps=literal(json.dumps(steps)),
            finished=len(steps),
            seconds=seconds,
            tool_version=literal(VERSION),
        )
        return inserting(table, RECORDED, row)


def plan_rollback(
    connection: Connection, settings: Settings, facts: ServerFacts, to: Optional[int] = None
) -> Rollback:
    """Plan to undo the newest version of each schema, or all above version `to`.

    Nothing is touched. A schema that is at that version already has no steps.
    """
    parts = [_schema(connection, settings, facts, schema, to) for schema in settings.schemas]
    plan = joined(part.plan for part in parts).numbered()
    limited = limited_builds(connection, facts, plan.steps)
    if limited:
        possible = tuple(step for step in plan.steps if step.run is not Run.ONLINE)
        plan = plan._replace(steps=possible, refusals=(*plan.refusals, *limited))
    if plan.steps and facts.brake:
        plan = plan._replace(warnings=(facts.brake,))
    targets = tuple(target for part in parts for target in part.targets)
    return Rollback(plan, targets, {at: part.marks[at] for part in parts for at in part.marks})


def newest_runs(connection: Connection, schemas: Sequence[str]) -> Dict[str, int]:
    """Return the number of the newest run of each schema that has a history that can be read."""
    found: Dict[str, int] = {}
    for schema in schemas:
        with suppress(errors.InsufficientPrivilege):  # the plan says so
            for newest in runs(connection, schema)[:1]:
                found[schema] = newest.run
    return found


def require_newest(
    connection: Connection, schemas: Sequence[str], newest: Mapping[str, int]
) -> None:
    """Raise `Refused` if these are no longer the newest runs: then it would undo something else."""
    if newest_runs(connection, schemas) != newest:
        way_out = WayOut("Look at --history, then run again.")
        raise Refused.of(Refusal("", "", ANOTHER_RUN, way_out))


def _schema(
    connection: Connection, settings: Settings, facts: ServerFacts, schema: str, to: Optional[int]
) -> Rollback:
    """Plan the rollback of one schema."""
    foreign = without_rights(connection, facts, schema, [HISTORY_TABLE])
    if foreign:
        return Rollback(Plan(refusals=tuple(foreign)))
    target = _target(schema, runs(connection, schema), to)
    if isinstance(target, Refusal):
        return Rollback(Plan(refusals=(target,)))
    if not target.undone:
        return Rollback(Plan(), (target,))
    in_effect = list(_in_effect(target.undone))
    tables = sorted({step.table for _, _, step in in_effect if step.table})
    foreign = without_rights(connection, facts, schema, tables)
    if foreign:
        return Rollback(Plan(refusals=tuple(foreign)))
    newest = max((run.version for run, _, _ in in_effect), default=0)
    remakes = any(step.remakes for _, _, step in in_effect)
    given = Given(connection, settings, facts, schema, newest, remakes)
    first = [_add_undone(schema)] if target.undone[0].undone is None else []
    first += swept(given, target.undone, [step for _, _, step in in_effect])
    plan, marks = _undo(given, in_effect, first)
    return Rollback(plan, (target,), marks)


def _target(schema: str, known: Sequence[RecordedRun], to: Optional[int]) -> Union[Target, Refusal]:
    """Return where the rollback of a schema leads to, or why it leads nowhere."""
    way_back = list(_way_back(schema, known))
    for target in way_back:
        if target.undone if to is None else target.version == to:
            return target
    name, present = identifier(schema), known[0].version if known else 0
    if to is None:
        why = (
            f"version {present} was there before the first run" if present else "it is at version 0"
        )
        return _refusal(schema, f"nothing to undo in {name}: {why}.")
    listed = ", ".join(str(target.version) for target in way_back)
    where = "on its way back from" if way_back[0].undone else "at"
    what = f"schema {name} is {where} version {present}; a rollback leads to {listed}, not to {to}."
    return _refusal(schema, what)


def _refusal(schema: str, what: str) -> Refusal:
    return Refusal(schema, "", what, WayOut("Look at --history."))


def _way_back(schema: str, known: Sequence[RecordedRun]) -> Iterator[Target]:
    """Yield where a rollback may lead to, from the present version on: the nearest first.

    A version of which a rollback has undone a part is none of them.
    """
    undone: Tuple[RecordedRun, ...] = ()
    while known:
        version, desired = known[0].version, known[0].desired
        # Repairs undid somebody else's drift: they stay.
        ours = [run for run in known if run.version == version and run.action == "migrate"]
        if not any(run.undone for run in [run for run in ours if run.finished][:1]):
            yield Target(schema, version, desired, undone)
        if not ours:  # before the first version, or adopted as it was
            return
        undone += tuple(ours)
        known = [run for run in known if run.run < ours[-1].run]
    yield Target(schema, 0, "", undone)


def _in_effect(undone: Sequence[RecordedRun]) -> Iterator[Tuple[RecordedRun, int, RecordedStep]]:
    """Yield the steps that are in effect with their runs and numbers, newest first."""
    for run in undone:
        for number in range(run.in_effect, 0, -1):
            yield run, number, run.steps[number - 1]


def _undo(
    given: Given, recorded: Sequence[Tuple[RecordedRun, int, RecordedStep]], first: List[Step]
) -> Tuple[Plan, Dict[Tuple[str, int], str]]:
    """Return the plan that takes recorded steps back, after `first`, and its marks."""
    steps, marks = first, {}
    earlier: List[RecordedStep] = []
    in_the_way = _in_the_way(given, [step for _, _, step in recorded])
    refusals: List[Refusal] = []
    for run, number, step in recorded:
        part = taken_back(given, run, step, earlier)
        if part.steps and step.title in in_the_way:
            part = Plan(refusals=(in_the_way[step.title],))
        refusals += part.refusals
        if part.steps:
            steps += part.steps
            earlier.append(step)
            marks[given.schema, len(steps)] = _count(given.schema, run, number - 1)
    lacking = without_rights(given.connection, given.facts, given.schema, [], steps)
    possible = tuple(step for step in steps if not (lacking and step.creates))
    return Plan(possible, (*refusals, *lacking)), marks


def _in_the_way(given: Given, steps: Sequence[RecordedStep]) -> Dict[str, Refusal]:
    """Refuse the steps whose undoing drops what something else depends on, by their titles."""
    dropped = {
        (qualified(given.schema, step.table), step.drops): step.title
        for step in steps
        if step.drops is not None
    }
    # As the server identifies a constraint: what the rollback drops before is in nobody's way.
    going = {
        f"table constraint {identifier(step.adds)} on {qualified(given.schema, step.table)}"
        for step in steps
        if step.adds
    }
    refusals = {}
    for (relation, column), found in dependents(given.connection, list(dropped)).items():
        users = [user for user in found if user not in going]
        if not users:
            continue
        title, name = dropped[relation, column], f".{identifier(column)}" if column else ""
        depend = f"{', '.join(users)} {'depend' if users[1:] else 'depends'} on {relation}{name}"
        what = f"undoing '{title}' is not possible: {depend}."
        refusals[title] = Refusal(given.schema, "", what, OUT_OF_THE_WAY)
    return refusals


def _add_undone(schema: str) -> Step:
    """Return the step that gives a history of version 1.0.0 its newer column."""
    return Step(
        kind=Kind.ADD_COLUMN,
        schema=schema,
        table=HISTORY_TABLE,
        name="undone",
        why="it counts the steps that are undone",
        statements=(ADD_UNDONE.format(table=qualified(schema, HISTORY_TABLE)),),
        run=Run.BRIEF,
        lock=Lock.INSTANT,
    )


def _count(schema: str, run: RecordedRun, left: int) -> str:
    """Return what records that so many steps of a run are left in effect."""
    return COUNT.format(table=qualified(schema, HISTORY_TABLE), left=left, run=run.run)
