"""What ends one schema, what ends the run, and what a canary is."""

from typing import Dict, List, Sequence

import pytest

from converge.crew import Crew
from converge.errors import (
    ConnectionFailed,
    ConvergeError,
    LockNotAcquired,
    Refused,
    StepRefused,
    UnusableModels,
)
from converge.settings.loading import load_settings
from converge.settings.variables import Settings

SCHEMAS = ["one", "two", "three", "four"]
PLAIN = {"POSTGRES_DB": "any", "POSTGRES_USER": "any", "POSTGRES_PASSWORD": "any"}


class Hand:
    """Fails in some schemas, and keeps the others' names."""

    def __init__(self, failing: Dict[str, ConvergeError]) -> None:
        self.failing = failing
        self.done: List[str] = []
        self.asked: List[int] = []  # how many schemas, each time

    def work(self, schemas: Sequence[str], *, wait: bool) -> bool:  # noqa: ARG002
        self.asked.append(len(schemas))
        for schema in schemas:
            if schema in self.failing:
                raise self.failing[schema]
        self.done += schemas
        return True

    def close(self) -> None: ...


def settings(**variables: str) -> Settings:
    return load_settings({**PLAIN, "POSTGRES_HOST": "any", **variables}, "none")


@pytest.mark.parametrize("error", [Refused("no"), StepRefused("no"), LockNotAcquired("held")])
def test_an_error_ends_its_schema(error: ConvergeError) -> None:
    hand = Hand({"three": error})
    crew = Crew(settings(), [hand])
    crew.settle(SCHEMAS)
    assert (hand.done, crew.failed) == (["one", "two", "four"], {"three": error})


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (Refused("no"), [20, 10, 10, 5, 5, 2, 2, 1]),
        (LockNotAcquired("held"), [20, *[1] * 20]),  # each try may take LOCK_PATIENCE
    ],
)
def test_what_stands_beside_a_refused_schema_stays_together(
    error: ConvergeError, asked: List[int]
) -> None:
    """One of twenty would make each of them a run of its own."""
    schemas = [f"s{number}" for number in range(20)]
    hand = Hand({"s19": error})
    crew = Crew(settings(CANARY_SCHEMAS="0", ON_REFUSAL="skip"), [hand])
    crew.settle(schemas)
    assert (hand.done, list(crew.failed)) == (schemas[:-1], ["s19"])
    assert hand.asked == asked


@pytest.mark.parametrize("error", [ConnectionFailed("gone"), UnusableModels("no models")])
def test_what_no_schema_is_to_blame_for_ends_the_run(error: ConvergeError) -> None:
    crew = Crew(settings(CANARY_SCHEMAS="0"), [Hand({"three": error})])
    with pytest.raises(type(error)):
        crew.settle(SCHEMAS)


@pytest.mark.parametrize("error", [StepRefused("by rows"), LockNotAcquired("held")])
def test_an_error_of_a_canary_ends_the_run(error: ConvergeError) -> None:
    hand = Hand({"one": error})
    with pytest.raises(type(error)):
        Crew(settings(ON_REFUSAL="skip"), [hand]).settle(SCHEMAS)
    assert hand.done == []


def test_a_refused_schema_is_skipped_as_a_canary() -> None:
    """The next is tried, and what goes wrong there ends the run as before."""
    hand = Hand({"one": Refused("no"), "two": LockNotAcquired("held")})
    crew = Crew(settings(ON_REFUSAL="skip"), [hand])
    with pytest.raises(LockNotAcquired):
        crew.settle(SCHEMAS)
    assert (hand.done, list(crew.failed)) == ([], ["one"])
