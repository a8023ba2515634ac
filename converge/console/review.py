"""A plan as one reviews it: its steps with the rows and bytes that they touch, and for how long."""

from typing import List, Mapping, NamedTuple, Optional, Sequence, Tuple

from converge.estimates import BYTES_PER_SECOND, work_of
from converge.plan import Alike, Plan, joined
from converge.server.connection import Connection
from converge.server.sizes import Size, sizes
from converge.steps import Kind, Step


class Reviewed(NamedTuple):
    """A step, and the table that it touches: of several schemas, the largest one's.

    None is what is not known, or does not apply: as of a table that the plan creates.
    """

    step: Step
    schema: str  # whose table that is
    rows: Optional[int] = None  # an estimate
    bytes: Optional[int] = None  # of the table without its indexes
    seconds: Optional[float] = None  # an estimate from the bytes, of what takes long
    total_seconds: Optional[float] = None  # in all the schemas, one after the other


class Review(NamedTuple):
    """Schemas with the same plan, and its steps."""

    alike: Alike
    steps: Tuple[Reviewed, ...]

    @property
    def plan(self) -> Plan:
        """The plan of the first of them."""
        return self.alike.plan

    @property
    def schemas(self) -> Tuple[str, ...]:
        return self.alike.schemas


def review(connection: Connection, found: Sequence[Alike]) -> List[Review]:
    """Return plans as one reviews them; one query for all of them, which waits for nobody."""
    schemas = [schema for alike in found if alike.plan.steps for schema in alike.schemas]
    tables = {table for alike in found for table in _tables(alike.plan)}
    return reviewed(found, sizes(connection, schemas, sorted(tables - {""})))


def reviewed(found: Sequence[Alike], known: Mapping[Tuple[str, str], Size]) -> List[Review]:
    """Return plans as one reviews them, where tables, by schema and name, have these sizes."""
    return [
        Review(
            alike,
            tuple(
                _reviewed(alike, step, table, known)
                for step, table in zip(alike.plan.steps, _tables(alike.plan))
            ),
        )
        for alike in found
    ]


class Outlook(NamedTuple):
    """What would become of plans: some schema is `refused`, which leaves the others `spared`."""

    refused: bool = False
    spared: bool = False


def outlook(found: Sequence[Review], *, skips: bool) -> Outlook:
    """Return what a run would do; with `skips`, a refused schema keeps no other from being done."""
    refused = sum(bool(review.plan.refusals) for review in found)
    return Outlook(refused > 0, skips and 0 < refused < len(found))


def together(found: Sequence[Review], ahead: Outlook) -> List[Review]:
    """Return plans of a schema each as one, of no schema in particular, if all run or none."""
    if ahead.spared or any(review.schemas[1:] for review in found):
        return list(found)
    steps = tuple(step for review in found for step in review.steps)
    return [Review(Alike(joined(review.plan for review in found), ()), steps)]


def _tables(plan: Plan) -> List[str]:
    """Return the table of each step by the name that it has before the plan renames it."""
    formers = {s.table: s.former for s in plan.steps if s.kind is Kind.RENAME_TABLE}
    return [formers.get(step.table, step.table) for step in plan.steps]


def _reviewed(
    alike: Alike, step: Step, table: str, known: Mapping[Tuple[str, str], Size]
) -> Reviewed:
    schemas = alike.schemas if alike.schemas[1:] else (step.schema,)
    found = {at: known[at, table] for at in schemas if (at, table) in known}
    if not found:
        return Reviewed(step, schemas[0])
    largest = max(found, key=lambda at: found[at].bytes)
    size, work = found[largest], work_of(step)
    if work is None:
        return Reviewed(step, largest, size.rows, size.bytes)
    rate = BYTES_PER_SECOND[work]
    total = sum(one.bytes for one in found.values()) / rate
    return Reviewed(step, largest, size.rows, size.bytes, size.bytes / rate, total)
