"""What of a plan is tried before the first step, and what is not, as it could not be there yet."""

from typing import List, Sequence

from converge.change.rehearsal import rehearse
from converge.plan import Plan
from converge.steps import Kind, Lock, Run, Step

TO_A_ROW = "to a row"
TYPE = Step(Kind.CHANGE_TYPE, "s", "t", "a", "", ("a",), Run.BRIEF, Lock.REWRITE)
COLUMN = TYPE._replace(kind=Kind.ADD_COLUMN, tried_to_a_row=(TO_A_ROW,))
NOT_NULL = Step(Kind.SET_NOT_NULL, "s", "t", "a", "", ("b",), Run.BRIEF, Lock.INSTANT, tried=("b",))
RENAMED = NOT_NULL._replace(kind=Kind.RENAME_COLUMN, tried=("c",))
GROWING = Step(Kind.ADD_VALUE, "s", "", "mood", "", ("d",), Run.AHEAD, Lock.INSTANT)


def tried(*steps: Step) -> List[Sequence[str]]:
    """Return the statements of each attempt, all of which the server takes."""
    attempts: List[Sequence[str]] = []
    assert rehearse(Plan(steps=steps), lambda _, statements: attempts.append(statements)) == []
    return attempts


def test_a_type_is_tried_behind_what_is_tried_before_it() -> None:
    """So it is there under the name that it will have."""
    step = TYPE._replace(tried_to_a_row=(TO_A_ROW,))
    assert tried(RENAMED, step, NOT_NULL) == [["c", "b"], ["c", TO_A_ROW]]


def test_nothing_is_tried_of_a_column_that_its_trial_does_not_keep() -> None:
    assert tried(COLUMN, NOT_NULL) == [[TO_A_ROW]]


def test_nothing_is_tried_to_a_row_with_a_value_that_an_enum_gets() -> None:
    """The server takes it only when it is there, so the trial would refuse what works."""
    step = TYPE._replace(tried_to_a_row=(TO_A_ROW,))
    assert tried(GROWING, step) == []
    assert tried(GROWING._replace(schema="other"), step) == [[TO_A_ROW]]
