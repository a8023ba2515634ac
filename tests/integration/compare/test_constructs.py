"""Whatever models say: from empty, on live tables with rows, changed, and rolled back."""

from contextlib import closing
from typing import Any, Dict, Iterator, List

import psycopg2.extensions
import pytest

from tests.support.construct import Construct
from tests.support.constructing import Databases, Trial
from tests.support.constructs import CONSTRUCTS, EXPRESSIONS
from tools.constructs import main


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


@pytest.mark.on_the_newest
@pytest.mark.parametrize("construct", CONSTRUCTS, ids=[c.name for c in CONSTRUCTS])
def test_construct(databases: Databases, version: int, construct: Construct) -> None:
    """It is brought about as `create_all` does it, on a live table too, or refused by its name."""
    assert problems(databases, version, construct) == []


@pytest.mark.on_the_newest
@pytest.mark.parametrize("construct", EXPRESSIONS, ids=[c.name for c in EXPRESSIONS])
def test_condition(databases: Databases, version: int, construct: Construct) -> None:
    """However the server words it: live = desired afterwards."""
    assert problems(databases, version, construct) == []


def test_the_table_is_printed(
    server: Dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each construct of which the name has the words that are asked for."""
    dsn = psycopg2.extensions.make_dsn(**server)
    monkeypatch.setenv("TEST_DATABASE_URL", dsn)
    assert main(["check, NOT VALID"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.startswith("PostgreSQL ")
    assert row.startswith("check, NOT VALID ")
    assert row.split()[-7:] == ["ok"] * 7
