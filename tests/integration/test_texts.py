"""Sentences are for people: with any others, everything is decided and done the same."""

import random
import string
from contextlib import closing
from pathlib import Path
from typing import Iterator, List

import pytest

import chater
from converge.change.apply import Applier
from converge.compare.compare import make_plan
from converge.compare.rights import of_history
from converge.history.journal import Journal
from converge.history.look import fingerprints, look
from converge.plan import Plan, Refusal, Right, WayOut
from converge.server.catalog import Schema
from converge.server.connection import Connection
from converge.server.inspect import inspect
from converge.server.locks import run_lock
from converge.server.retries import connect
from converge.settings.loading import load_settings
from converge.settings.variables import Settings
from tests.support.catalogs import described
from tests.support.copies import copy_of, load
from tests.support.database import Database
from tests.support.desired import DESIRED
from tests.support.job import Run
from tests.support.plans import rendered

FINGERPRINTS = fingerprints(chater.MODELS, [chater.__file__])


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    return load_settings(database.environment, str(tmp_path / "none"), chater.VARIABLES)


@pytest.fixture
def control(settings: Settings) -> Iterator[Connection]:
    with closing(connect(settings)) as connection:
        yield connection


def words(seed: int) -> str:
    choose = random.Random(seed)
    return "".join(choose.choices(string.ascii_lowercase + " ", k=choose.randint(0, 40)))


def reworded(plan: Plan) -> Plan:
    """Return the plan with other sentences."""
    steps = tuple(step._replace(why=words(number)) for number, step in enumerate(plan.steps))
    refusals = tuple(
        refusal._replace(
            subject=words(number),
            what=words(number + 1),
            why=(words(number + 2),),
            way_out=WayOut(words(number + 3), refusal.way_out.statements),
        )
        for number, refusal in enumerate(plan.refusals)
    )
    return plan._replace(steps=steps, refusals=refusals, notes=tuple(map(words, range(3))))


def shape(plan: Plan) -> List[object]:
    return [(s.number, s.kind, s.statements, s.run, s.lock, s.creates, s.undo) for s in plan.steps]


@pytest.mark.long
def test_a_plan_with_other_sentences_comes_to_the_same(
    database: Database, run: Run, settings: Settings, request: pytest.FixtureRequest
) -> None:
    """Applied, verified, recorded, looked at and undone as one with ours."""
    load(database, "altered_by_hand")
    with copy_of(database) as ours:
        assert run(POSTGRES_DB=ours.name).code == 0
        expected = described(ours)
        undo = run("--rollback", "--plan", POSTGRES_DB=ours.name).out
    control: Connection = request.getfixturevalue("control")  # a copy wants no connections
    facts = inspect(control, settings, chater.EXTENSIONS)
    with run_lock(control, settings) as work:
        assert work is not None
        plan = make_plan(work, facts, settings=settings, desired=DESIRED)
        assert plan.steps
        assert shape(reworded(plan)) == shape(plan)
        journal = Journal(reworded(plan), work, FINGERPRINTS)
        list(Applier(settings, work, control, journal).apply(journal.opening()))
        proof = make_plan(work, facts, settings=settings, desired=DESIRED)
        assert proof.empty
        journal.verified(proof)
    assert described(database) == expected
    assert look(control, settings.schemas, FINGERPRINTS).current
    again = run("--rollback", "--plan").out
    assert [line for line in again.splitlines() if line[:2] != "--"] == [
        line for line in undo.splitlines() if line[:2] != "--"
    ]


def test_the_end_of_a_plan_goes_by_facts(settings: Settings, control: Connection) -> None:
    """What rewrites, what is refused and what is possible are counted without reading a text."""
    facts = inspect(control, settings, chater.EXTENSIONS)
    plan = make_plan(control, facts, settings=settings, desired=DESIRED)
    assert rendered(reworded(plan)).splitlines()[-2:] == rendered(plan).splitlines()[-2:]
    assert len(rendered(reworded(plan)).splitlines()) > len(plan.steps)


def test_a_right_that_lacks_is_named_once_whatever_the_words() -> None:
    """The history takes the right to create, too; a refusal that says so is enough."""
    closed = Schema({}, {}, can_create=False)
    said = Refusal("a", "", words(1), WayOut(words(2)), (), Right("CREATE", "a"))
    assert of_history("a", closed, "somebody", [said]).empty
    other = said._replace(lacks=None, what="GRANT CREATE ON SCHEMA a TO somebody")
    assert len(of_history("a", closed, "somebody", [other]).refusals) == 1
