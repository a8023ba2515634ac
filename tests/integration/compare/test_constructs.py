"""Whatever models say: from empty, on live tables with rows, changed, and rolled back."""

from contextlib import closing
from typing import Any, Dict, Iterator, List

import pytest

from tests.support.construct import Construct
from tests.support.constructing import Databases, Trial
from tests.support.constructs import CONSTRUCTS, EXPRESSIONS


@pytest.fixture(scope="module")
def databases(server: Dict[str, Any]) -> Iterator[Databases]:
    with closing(Databases(server)) as kept:
        yield kept


@pytest.fixture(scope="module")
def version(databases: Databases) -> int:
    with databases.empty() as database:
        return int(database.value("SHOW server_version_num"))


def problems(databases: Databases, version: int, construct: Construct) -> List[str]:
    if version < construct.since:
        pytest.skip(f"PostgreSQL {construct.since // 10000} and newer")
    trial = Trial(databases, construct)
    trial.tried()
    return trial.problems


@pytest.mark.parametrize("construct", CONSTRUCTS, ids=[c.name for c in CONSTRUCTS])
def test_construct(databases: Databases, version: int, construct: Construct) -> None:
    """It is brought about as `create_all` does it, on a live table too, or refused by its name."""
    assert problems(databases, version, construct) == []


@pytest.mark.parametrize("construct", EXPRESSIONS, ids=[c.name for c in EXPRESSIONS])
def test_condition(databases: Databases, version: int, construct: Construct) -> None:
    """However the server words it: live = desired afterwards."""
    assert problems(databases, version, construct) == []
