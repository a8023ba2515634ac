"""A plan as one reviews it: sizes, estimates, and what would become of it."""

from typing import Dict, Optional, Tuple

import pytest

from converge.console.review import outlook, reviewed, together
from converge.estimates import BYTES_PER_SECOND, Work
from converge.plan import Alike
from converge.server.sizes import Size
from converge.steps import Kind, Lock, Run, Step
from tests.support.plans import BUILD, FILL, MISFITS, REWRITE, plan, step

GIGABYTE = 1 << 30
KNOWN: Dict[Tuple[str, str], Size] = {
    ("public", "weight"): Size(1000, GIGABYTE),
    ("b", "weight"): Size(None, 3 * GIGABYTE),
}


@pytest.mark.parametrize(
    ("one", "work"),
    [
        (REWRITE, Work.REWRITE),
        (FILL, Work.FILL),
        (BUILD, Work.BUILD),
        (BUILD._replace(method="gin"), Work.BUILD_PARTS),
        (BUILD._replace(kind=Kind.UNDO, method=""), Work.BUILD),  # which the history does not say
        (step(Kind.VALIDATE_CONSTRAINT, "c", lock=Lock.SHARED), Work.READ),
        (step(Kind.PROVE_NO_NULLS, "c", lock=Lock.SHARED), Work.READ),
        (step(Kind.ADD_CONSTRAINT, "c", lock=Lock.READ), Work.READ),
        (step(Kind.DROP_INDEX, "i", run=Run.ONLINE, lock=Lock.SHARED), None),
        (step(Kind.ADD_COLUMN, "c"), None),
    ],
)
def test_what_takes_as_long_as_a_table_is_large_is_estimated(
    one: Step, work: Optional[Work]
) -> None:
    """From its bytes, by what is done with them; what takes an instant is not."""
    [review] = reviewed([Alike(plan(one), ("public",))], KNOWN)
    [found] = review.steps
    seconds = None if work is None else GIGABYTE / BYTES_PER_SECOND[work]
    assert (found.rows, found.bytes, found.seconds, found.total_seconds) == (
        (1000, GIGABYTE, seconds, seconds)
    )


def test_of_several_schemas_the_largest_counts() -> None:
    """Its lock is held for longest; how long all of them take stands beside it."""
    [review] = reviewed([Alike(plan(REWRITE), ("public", "b", "c"))], KNOWN)
    [found] = review.steps
    rate = BYTES_PER_SECOND[Work.REWRITE]
    assert found == (
        (review.plan.steps[0], "b", None, 3 * GIGABYTE, 3 * GIGABYTE / rate, 4 * GIGABYTE / rate)
    )


def test_a_table_has_its_size_under_its_former_name() -> None:
    """The plan renames it first; what the plan creates has no size yet."""
    renames = step(Kind.RENAME_TABLE, "mass", table="mass", former="weight")
    new = step(Kind.CREATE_TABLE, "new", table="new", run=Run.NEW, lock=Lock.NONE)
    steps = (renames, REWRITE._replace(table="mass"), new)
    [review] = reviewed([Alike(plan(*steps), ("public",))], KNOWN)
    assert [one.bytes for one in review.steps] == [GIGABYTE, GIGABYTE, None]


def test_a_refused_schema_keeps_others_from_being_done_unless_they_are_spared() -> None:
    """Where all come to the same, what has a schema each is shown as one plan."""
    fine, refused = Alike(plan(BUILD), ("a",)), Alike(plan(refusals=(MISFITS,)), ("b",))
    found = reviewed([fine, refused], {})
    assert outlook(found[:1], skips=True) == (False, False)
    assert outlook(found, skips=False) == (True, False)
    assert outlook(found, skips=True) == (True, True)
    assert outlook(found[1:], skips=True) == (True, False)  # nothing is left to be done
    [one] = together(found, outlook(found, skips=False))
    assert (len(one.steps), len(one.plan.refusals), one.schemas) == (1, 1, ())
    assert together(found, outlook(found, skips=True)) == found
