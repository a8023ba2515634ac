"""What the server says of the models alone is their fault, unless others were at work too."""

from typing import Callable, List, Sequence, Tuple

import psycopg2
import pytest
from psycopg2 import errors

from converge.compare.trial import objects


def nothing() -> None:
    """What another trial says: nothing."""


def raises(error: psycopg2.Error) -> Callable[[], None]:
    def trial() -> None:
        raise error

    return trial


@pytest.mark.parametrize(
    ("error", "lacking", "created", "trial", "expected"),
    [
        (errors.SyntaxError("a"), [], [], nothing, True),
        (errors.UndefinedColumn("a"), [], [], raises(errors.UndefinedColumn("a")), True),
        (errors.UndefinedColumn("a"), [], [], nothing, False),
        (errors.UndefinedColumn("a"), [], [], raises(errors.UndefinedTable("b")), False),
        (errors.DuplicateObject("a"), ["x"], [], raises(errors.DuplicateObject("a")), True),
        (errors.DuplicateObject("a"), ["x"], [("x",)], raises(errors.DuplicateObject("a")), False),
        (errors.DeadlockDetected("a"), [], [], nothing, False),
    ],
)
def test_who_is_at_fault(
    error: psycopg2.Error,
    lacking: Sequence[str],
    created: List[Tuple[str]],
    trial: Callable[[], None],
    expected: bool,
) -> None:
    assert objects(error, lambda _: list(created), lacking, trial) is expected
