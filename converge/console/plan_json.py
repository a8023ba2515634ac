"""A plan as JSON, for machines and for `--apply`; `docs/plan.schema.json` is its schema.

`FORMAT` changes where a field goes, or gets another meaning; new fields may come at any time.
"""

from typing import Any, Dict, Mapping, NamedTuple, Sequence, Tuple

from converge.console.review import Review, Reviewed
from converge.names import APPLICATION_NAME, VERSION
from converge.plan import Refusal, Unmanaged
from converge.quoting import qualified
from converge.server.place import Moment
from converge.steps import Lock, Step

FORMAT = 1
RUN = "run"  # the mode that carries a plan out
EVERYBODY, WRITERS, NOBODY = ("readers", "writers"), ("writers",), ()
WAITS: Mapping[Lock, Tuple[str, ...]] = {
    Lock.NONE: NOBODY,
    Lock.INSTANT: EVERYBODY,
    Lock.READ: EVERYBODY,
    Lock.REWRITE: EVERYBODY,
    Lock.WRITES: WRITERS,
    Lock.BUILD: WRITERS,
    Lock.SHARED: NOBODY,
    Lock.ROWS: NOBODY,
}


class Heading(NamedTuple):
    """What a plan comes from, besides the live schemas."""

    mode: str  # `RUN`, or that of a rollback
    at: Moment
    models: str  # the fingerprints
    rules: str
    versions: Sequence[Mapping[str, Any]] = ()  # of a rollback: from which to which


class Held(NamedTuple):
    """A lock that a step takes, and who waits for it meanwhile."""

    relation: str
    lock: str
    waits: Tuple[str, ...]


class Essence(NamedTuple):
    """What of a step is as it was approved, or it is another one: what is executed, and how."""

    kind: str
    schema: str
    table: str
    name: str
    title: str
    statements: Tuple[str, ...]
    search_path: Tuple[str, ...]
    run: str
    locks: Tuple[Held, ...]


def essence(step: Step) -> Essence:
    """Return what of a step is compared with a approved one."""
    own = [(step.relation, step.lock)] if step.relation else []
    besides = [(qualified(step.schema, table), lock) for table, lock in step.locks]
    return Essence(
        step.kind.value,
        step.schema,
        step.table,
        step.name,
        str(step),
        step.statements,
        step.path,
        step.run.value,
        tuple(Held(relation, lock.value, WAITS[lock]) for relation, lock in own + besides),
    )


def document(found: Sequence[Review], heading: Heading) -> Dict[str, Any]:
    """Return plans as what JSON has, once for the schemas that have the same."""
    return {
        "format": FORMAT,
        "program": {"name": APPLICATION_NAME, "version": VERSION},
        "mode": heading.mode,
        "planned_at": heading.at.time,
        "database": heading.at.place._asdict(),
        "fingerprints": {"models": heading.models, "rules": heading.rules},
        "versions": heading.versions,
        "plans": [_plan(review) for review in found],
        "summary": _summary(found),
    }


def _plan(review: Review) -> Dict[str, Any]:
    plan = review.plan
    return {
        "schemas": review.schemas,
        "fingerprint": plan.fingerprints.get(review.schemas[0]),  # no name is in it
        "steps": [_step(number, one) for number, one in enumerate(review.steps, 1)],
        "refusals": [_refusal(refusal) for refusal in plan.refusals],
        "warnings": plan.warnings,
        "left_alone": [_left(one) for one in plan.unmanaged if one.version or one.thing.is_noted],
        "notes": plan.notes,
    }


def _step(number: int, one: Reviewed) -> Dict[str, Any]:
    step, found = one.step, essence(one.step)
    return {
        "number": number,
        **found._asdict(),
        "locks": [held._asdict() for held in found.locks],
        "why": step.why,
        "on_the_way": step.on_the_way,
        "before": step.before,
        "after": step.after,
        "changes_rows": step.changes_rows,
        "can_be_undone": step.undoable.value,
        "rows": one.rows,
        "bytes": one.bytes,
        "seconds": one.seconds,
        "seconds_in_all": one.total_seconds,
    }


def _refusal(refusal: Refusal) -> Dict[str, Any]:
    return {
        "subject": refusal.subject,
        "what": refusal.what,
        "why": refusal.why,
        "advice": refusal.way_out.advice,
        "statements": refusal.way_out.statements,
    }


def _left(one: Unmanaged) -> Dict[str, Any]:
    known = {"version": one.version, "drop": one.drop} if one.version else {}
    return {**one.thing._asdict(), "version": None, "drop": None, **known}


def _summary(found: Sequence[Review]) -> Dict[str, float]:
    """Return how much there is in all schemas."""
    plans = [(review.plan, len(review.schemas)) for review in found]
    seconds = sum(one.total_seconds or 0.0 for review in found for one in review.steps)
    return {
        "schemas": sum(schemas for _, schemas in plans),
        "steps": sum(schemas * len(plan.steps) for plan, schemas in plans),
        "refusals": sum(schemas * len(plan.refusals) for plan, schemas in plans),
        "warnings": sum(schemas * len(plan.warnings) for plan, schemas in plans),
        "seconds": seconds,
    }
