"""Undoing one recorded step: what takes it back, or why that is refused. Nothing is touched."""

from typing import Iterator, List, NamedTuple, Sequence, Tuple

import psycopg2
from psycopg2 import errors

from converge.history.formerly import former_rows
from converge.history.recorded import RecordedRun, RecordedStep
from converge.names import PROGRAM
from converge.plan import Plan, Refusal, WayOut
from converge.quoting import qualified
from converge.server import messages
from converge.server.citus import off_the_worker
from converge.server.connection import Connection
from converge.server.failures import said
from converge.server.inspect import ServerFacts
from converge.server.proofs import no_row
from converge.server.rights import hidden_rows, show_rows
from converge.settings.variables import Settings
from converge.steps import EVERY_ROW, IndexChange, Kind, Lock, Run, Step
from converge.text import counted


class Given(NamedTuple):
    """What the undoing of one schema's steps depends on."""

    connection: Connection
    settings: Settings
    facts: ServerFacts
    schema: str
    newest: int  # the version that is undone first
    remakes: bool = False  # one of these makes a type anew: tried, without indexes dropped before

    @property
    def path(self) -> Tuple[str, ...]:
        """The schemas in which the models' words find what they name without one."""
        homes = self.facts.homes(self.facts.new_home(self.settings))
        return tuple(dict.fromkeys([self.schema, *homes]))


def taken_back(
    given: Given, run: RecordedRun, step: RecordedStep, earlier: Sequence[RecordedStep]
) -> Plan:
    """Return what takes a step back, or its refusals; nothing if it is no longer in effect.

    `earlier` are the steps that will have been taken back before it.
    """
    gone = bool(step.table) and not _exists(given, step.table) and not _renamed(step, earlier)
    refusals: List[Refusal] = []
    try:
        refusals += [] if gone else _losses(given, run, step, earlier)
    except errors.UndefinedColumn:
        gone = True  # what it would undo
    brief = [] if gone else _brief(given, run, step, earlier)
    refusals += [refusal for one in brief for refusal in _too_large(given, one, earlier)]
    if refusals:
        return Plan(refusals=tuple(refusals))
    return Plan((*_online(given, run, step, earlier, gone=gone), *brief))


def _renamed(step: RecordedStep, earlier: Sequence[RecordedStep]) -> bool:
    """Return whether a newer step has renamed the step's table, or a column of it."""
    return bool(step.table) and any(step.table == newer.hides for newer in earlier)


def _losses(
    given: Given, run: RecordedRun, step: RecordedStep, earlier: Sequence[RecordedStep]
) -> Iterator[Refusal]:
    """Refuse to lose the values of rows."""
    for table, guard in step.guarded:
        rows = former_rows(given.connection, given.schema, table, earlier)
        found = f"{rows} WHERE {guard}"
        try:
            lost = _count(given, found)
        except errors.InsufficientPrivilege:  # the table is its own, so row security
            yield _hidden(given, step)
            continue
        except (errors.FeatureNotSupported, errors.SyntaxError) as error:
            if not given.connection.citus:  # which does not run every query on a worker
                raise
            what = f"whether undoing '{step.title}' would lose values cannot be told."
            why = (f"The server says: {said(error)}.",)
            yield Refusal(given.schema, "", what, off_the_worker(given.schema), why)
            continue
        except (psycopg2.ProgrammingError, psycopg2.DataError) as error:
            # It is about the columns as they were before the newer versions.
            if run.version == given.newest or isinstance(error, errors.UndefinedColumn):
                raise
            what = f"whether undoing '{step.title}' would lose values cannot be told yet."
            yield _refusal(given, what, _newer_first(run))
            continue
        if lost:
            yield _loss(given, run, step, lost, found)


def _loss(given: Given, run: RecordedRun, step: RecordedStep, lost: int, found: str) -> Refusal:
    values = f"the values of {counted(lost, 'row')}"
    if step.undo.keep:
        what = f"undoing '{step.title}' would lose {values}."
        way_out = WayOut("Keep them under another name:", step.undo.keep)
    else:
        what = f"undoing '{step.title}' is not possible: {values} would not fit."
        way_out = WayOut("Change them to what fits; find them with:", (f"SELECT * FROM {found}",))
    # Under another name, what the newer versions have done to it could not be undone.
    return _refusal(given, what, way_out if run.version == given.newest else _newer_first(run))


def _newer_first(run: RecordedRun) -> WayOut:
    command = f"{PROGRAM} --rollback --to {run.version}"
    return WayOut(f"Undo the newer versions first: {command}\n  Then --rollback says what to type.")


def _hidden(given: Given, step: RecordedStep) -> Refusal:
    """Refuse what can't be proven to lose nothing, because not all rows are seen."""
    why = hidden_rows(qualified(given.schema, step.table), given.facts.user)
    what = f"undoing '{step.title}' may lose values."
    return Refusal(given.schema, "", what, show_rows(given.facts.user), (why,))


def _brief(
    given: Given, run: RecordedRun, step: RecordedStep, earlier: Sequence[RecordedStep]
) -> List[Step]:
    """Return what runs in one transaction: the proof that it loses nothing, then the undo."""
    undo = step.undo
    if not undo.statements:
        return []
    proof = [
        sql
        for table, guard in step.guarded
        for sql in no_row(qualified(given.schema, table), guard)
    ]
    reads = undo.guard is not None and undo.guard != EVERY_ROW
    lock = Lock.READ if reads and undo.lock is Lock.INSTANT else undo.lock
    brief = _step(given, run, step, (*proof, *undo.statements), Run.BRIEF, lock)
    # What depends on what is dropped, and whoever forbids it, is known before the first change.
    drops = step.drops is not None or (step.adds and undo.lock is Lock.INSTANT)
    # A name that is in use until then can't be tried.
    free = step.renames and not any(name == step.former for one in earlier for _, name in one.makes)
    tried = undo.statements if (drops or free or step.remakes) and not undo.indexes else ()
    return [brief._replace(creates=undo.creates, tried=tried)]


def _online(
    given: Given,
    run: RecordedRun,
    step: RecordedStep,
    earlier: Sequence[RecordedStep],
    *,
    gone: bool,
) -> Iterator[Step]:
    """Yield what runs outside a transaction."""
    for change in step.undo.indexes:
        for sql in [] if gone and change.builds else _index(given, change, earlier):
            online = _step(given, run, step, (sql,), Run.ONLINE, Lock.SHARED)
            at_once = f"DROP INDEX IF EXISTS {qualified(given.schema, change.name)}"
            tried = (at_once,) if given.remakes and not change.builds else ()
            yield online._replace(creates=change.builds, tried=tried)


def _index(given: Given, change: IndexChange, earlier: Sequence[RecordedStep]) -> List[str]:
    """Return what builds or drops an index: nothing where it is already as wanted."""
    exists = _exists(given, change.name)
    changed = any(change.name == other.name for step in earlier for other in step.undo.indexes)
    if not change.builds:
        renamed = any(change.name in step.undo.leaves for step in earlier)  # by then
        return [change.statement] if exists or changed or renamed else []
    # An interrupted rollback may have left half an index.
    half = exists and not changed
    drop = f"DROP INDEX CONCURRENTLY {qualified(given.schema, change.name)}"
    return [*([drop] if half else []), change.statement]


def _step(
    given: Given,
    run: RecordedRun,
    step: RecordedStep,
    statements: Tuple[str, ...],
    how: Run,
    lock: Lock,
) -> Step:
    return Step(
        kind=Kind.UNDO,
        schema=given.schema,
        table=step.table,
        name=step.title,
        why=f"version {run.version} did it because: {step.why}",
        statements=statements,
        run=how,
        lock=lock,
        path=given.path,
    )


def _too_large(given: Given, step: Step, earlier: Sequence[RecordedStep]) -> Iterator[Refusal]:
    """Refuse to rewrite or read more rows than REWRITE_MAX_ROWS under the lock."""
    limit, rows = given.settings.rewrite_max_rows, 0
    if step.lock in (Lock.READ, Lock.REWRITE):
        rows = _count(given, former_rows(given.connection, given.schema, step.table, earlier))
    if rows > limit:
        does = "rewrites" if step.lock is Lock.REWRITE else "reads"
        what = (
            f"undoing '{step.name}' {does} the table while everybody waits: "
            f"{counted(rows, 'row')}; REWRITE_MAX_ROWS is {limit:,}."
        )
        advice = f"In a maintenance window, run with REWRITE_MAX_ROWS={rows}."
        yield _refusal(given, what, WayOut(advice))


def _refusal(given: Given, what: str, way_out: WayOut) -> Refusal:
    return Refusal(given.schema, "", what, way_out)


def _exists(given: Given, name: str) -> bool:
    """Return whether a table or index of the schema exists."""
    known = "SELECT to_regclass(%(name)s) IS NOT NULL"
    found = {"name": qualified(given.schema, name)}
    return bool(messages.rows(given.connection, known, found)[0][0])


def _count(given: Given, what: str) -> int:
    path = f"SET LOCAL {messages.search_path(given.path)}"
    return int(messages.ask(given.connection, f"{path}; SELECT count(*) FROM {what}")[0][0])
