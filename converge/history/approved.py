"""A plan that was approved, beside what a run would do now: the same, what is left of it, or not.

A run that was killed, or lost its connection, leaves a part of its plan. Then the rest is still
what was approved, if the history has recorded the other steps as finished since.
"""

from collections import Counter
from typing import FrozenSet, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from psycopg2 import errors

from converge.console.plan_json import Essence, essence
from converge.console.plan_read import Approved
from converge.history.look import Fingerprints
from converge.history.recorded import UNDONE
from converge.names import HISTORY_TABLE, NEW_PREFIX, OLD_PREFIX, VERSION
from converge.plan import Alike, Plan, WayOut, refused
from converge.quoting import identifier, literal, qualified
from converge.server.connection import Connection
from converge.server.messages import ask
from converge.server.place import here_and_now
from converge.server.states import states
from converge.settings.variables import Settings
from converge.steps import Kind
from converge.text import some

AGAIN = WayOut("Plan again with --plan --format json, and review that.")
FINISHED = (
    "SELECT steps, finished - COALESCE(" + UNDONE.format(row="h") + ", 0) FROM {table} h "
    "WHERE started_at >= {since}::timestamptz"
)
NO_HISTORY = (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedColumn)
SHOWN = 20  # differences
BUILDS = (Kind.CREATE_INDEX.value, Kind.BUILD_INDEX.value)
SWEEPS = (Kind.DROP_HELPER.value, Kind.DROP_INDEX.value)
HELPERS = (NEW_PREFIX, OLD_PREFIX)


class Recorded(NamedTuple):
    """What of a step the history has."""

    kind: str
    table: str
    name: str
    statements: Tuple[str, ...]


def place_differs(approved: Approved, connection: Connection, settings: Settings) -> Plan:
    """Refuse a plan of another database, or of other schemas; a shard has a part of them."""
    here, there = here_and_now(connection).place, approved.made.place
    if here.is_another(there):
        what = f"the plan in {approved.source} is of another database."
        return refused("", what, AGAIN, f"It is of {there}; this is {here}.")
    wanted, known = set(settings.schemas), set(approved.schemas)
    compared = (
        ("Not in the plan", wanted - known),
        ("Not in this run", set() if settings.shard else known - wanted),
    )
    why = [f"{what}: {some(sorted(map(identifier, names)))}." for what, names in compared if names]
    what = f"the plan in {approved.source} is of other schemas than this run."
    return refused("", what, AGAIN, *why) if why else Plan()


def differing(approved: Approved, alike: Alike) -> Iterator[str]:
    """Yield the schemas of which the plan is not the very same as it was approved."""
    for part in approved.parts:
        schemas = [schema for schema in alike.schemas if schema in part.schemas]
        if schemas:
            planned, agreed = _compared(approved, schemas[0], alike.of(schemas[0]))
            yield from schemas if planned != agreed else ()


def plan_differs(
    approved: Approved, connection: Connection, schema: str, plan: Plan, desired: Fingerprints
) -> Plan:
    """Refuse what a run would do in a schema if it was not approved, nor is the rest of that.

    The history is read only if it is not the very same. Nothing to do is nothing to refuse.
    """
    planned, agreed = _compared(approved, schema, plan)
    if planned == agreed or not planned:
        return Plan()
    done = _finished(connection, schema, approved.made.time)
    if _is_rest(planned, agreed, done):
        return Plan()
    at = f"schema {identifier(schema)}"
    what = f"{at}: a run would no longer do what the plan in {approved.source} says."
    live = states(connection, [schema], plan.managed).get(schema)
    causes = ", ".join(_causes(approved, schema, desired, live.managed if live else None))
    changed = causes or "rows, settings, or the file"
    since = f"Since {approved.made.time}, what has changed: {changed}."
    lines = list(_departures(planned, agreed, done))
    rest = [f"And {len(lines) - SHOWN:,} more."] if len(lines) > SHOWN else []
    return refused(schema, what, AGAIN, *lines[:SHOWN], *rest, since)


def _compared(approved: Approved, schema: str, plan: Plan) -> Tuple[List[Essence], List[Essence]]:
    """Return what is planned and what was approved.

    Of many schemas, any may be the one that creates an extension, once for all.
    """
    planned = [essence(step) for step in plan.steps if step.schema == schema]
    agreed = list(approved.of(schema))
    shared = approved.extensions if approved.schemas[1:] else ()
    return (
        [step for step in planned if step.statements not in shared],
        [step for step in agreed if step.statements not in shared],
    )


def _finished(connection: Connection, schema: str, since: str) -> FrozenSet[Recorded]:
    """Return the steps that runs have begun since then, and that no rollback has undone."""
    query = FINISHED.format(table=qualified(schema, HISTORY_TABLE), since=literal(since))
    try:
        found = ask(connection, query)
    except NO_HISTORY:
        return frozenset()
    return frozenset(
        Recorded(
            step.get("kind", ""), step.get("table", ""), step.get("name", ""), tuple(step["sql"])
        )
        for steps, finished in found
        for step in steps[:finished]
    )


def _recorded(step: Essence) -> Recorded:
    return Recorded(step.kind, step.table, step.name, step.statements)


def _is_rest(
    planned: Sequence[Essence], agreed: Sequence[Essence], done: FrozenSet[Recorded]
) -> bool:
    """Return whether what is planned is what was approved without what is done of it."""
    left = [step for step in planned if not _sweeps(step, done)]
    for step in reversed(agreed):
        if left and left[-1] == step:
            left.pop()
        elif _recorded(step) not in done and not _sweeps(step, done):
            return False
    return not left


def _sweeps(step: Essence, done: FrozenSet[Recorded]) -> bool:
    """Return whether a step drops the half of what was begun since, and is to be done anew."""
    begun = [one for one in done if one.table == step.table]
    ours = step.name.startswith(HELPERS) or any(
        one.name == step.name and one.kind in BUILDS for one in begun
    )
    return step.kind in SWEEPS and bool(begun) and ours


def _departures(
    planned: Sequence[Essence], agreed: Sequence[Essence], done: FrozenSet[Recorded]
) -> Iterator[str]:
    """Yield what differs, in the order of the steps."""
    new, gone = Counter(planned) - Counter(agreed), Counter(agreed) - Counter(planned)
    was = {(step.kind, step.table, step.name): step for step in gone if _recorded(step) not in done}
    for step in new:
        before = was.pop((step.kind, step.table, step.name), None)
        yield f"Not in the plan: {step.title}." if before is None else _otherwise(step, before)
    for step in was.values():
        yield f"No longer to do: {step.title}."
    if not new and not was:
        yield "The same steps have another order."


def _otherwise(step: Essence, before: Essence) -> str:
    """Say how a step differs from the approved one: first of all in its statements."""
    if step.statements != before.statements:
        was, now = ("; ".join(one.statements) for one in (before, step))
    else:
        was, now = (
            f"{one.run}, {', '.join(held.lock for held in one.locks)}" for one in (before, step)
        )
    return f"Otherwise: {step.title}.\n    in the plan: {was}\n    now: {now}"


def _causes(
    approved: Approved, schema: str, desired: Fingerprints, live: Optional[str]
) -> Iterator[str]:
    """Yield what is another than when the plan was made."""
    if desired.models != approved.models:
        yield "the models"
    if live != approved.fingerprint(schema):
        yield f"schema {identifier(schema)}"
    if approved.version != VERSION:
        yield f"the program, from version {approved.version} to {VERSION}"
    elif desired.rules != approved.rules:
        yield "the program"
