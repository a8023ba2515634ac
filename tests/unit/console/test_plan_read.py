"""Files that are to be plans."""

import json
import re
from pathlib import Path
from typing import Any, Dict

import pytest

from converge.console.plan_json import RUN, Heading, document
from converge.console.plan_read import read_plan
from converge.console.review import reviewed
from converge.errors import ConfigurationError
from converge.plan import Alike, Plan
from converge.server.place import Moment, Place
from converge.steps import Kind, Lock, Run, Step
from tests.support.plan_schema import plan_of

MADE = Moment(Place("eater", 16384, "7712813610860820361"), "2026-11-27T11:36:03.516624+00:00")
STEP = Step(
    Kind.CREATE_INDEX,
    "a",
    "dishes",
    "a",
    "it is missing",
    ("CREATE INDEX CONCURRENTLY a ON a.dishes (a)", "ANALYZE b.dishes"),
    Run.ONLINE,
    Lock.SHARED,
    path=("a", "public"),
)
AGAIN = "Write a plan with --plan --format json."


def whole() -> Dict[str, Any]:
    plan = Alike(Plan((STEP._replace(name="i"),)), ("a", "b"))
    heading = Heading(RUN, MADE, "of the models", "of the rules")
    return plan_of(json.dumps(document(reviewed([plan], {}), heading)))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Each schema has its steps, with its own name."""
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(whole()), "utf-8")
    plan = read_plan(str(file))
    assert (plan.made, plan.models, plan.rules) == (MADE, "of the models", "of the rules")
    assert plan.schemas == ("a", "b")
    [step] = plan.of("b")
    assert (step.schema, step.search_path) == ("b", ("b", "public"))
    assert step.title == "create index b.dishes.i"
    assert [held.relation for held in step.locks] == ["b.dishes"]


def test_a_line_of_a_collector_is_read(tmp_path: Path) -> None:
    """As `kubectl logs --timestamps` and container runtimes write it, among others."""
    file = tmp_path / "log"
    line = json.dumps({"event": "plan", "plan": whole()})
    other = json.dumps({"event": "finished"})
    time = "2026-11-27T12:00:00.000000000Z stdout F"
    file.write_text(f"{time} {line}\n{time} starting {{\n{time} {other}\n", "utf-8")
    assert read_plan(str(file)).schemas == ("a", "b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-- 1 step", f"no plan is in {{0}}. {AGAIN}"),
        ('{"plans": []}', f"no plan is in {{0}}. {AGAIN}"),
        ("[" * 100_000, f"no plan is in {{0}}. {AGAIN}"),
        (f"{json.dumps(whole())}\n" * 2, f"several plans are in {{0}}. {AGAIN}"),
        (
            json.dumps({**whole(), "format": 2}),
            f"the plan in {{0}} has the format 2, and this program reads 1. {AGAIN}",
        ),
        (
            json.dumps({**whole(), "plans": 7}),
            f"what is in {{0}} is no whole plan ('int' object is not iterable). {AGAIN}",
        ),
        (
            json.dumps({**whole(), "planned_at": "today"}),
            f"what is in {{0}} is no whole plan (Invalid isoformat string: 'today'). {AGAIN}",
        ),
        (
            json.dumps({**whole(), "mode": "rollback"}),
            "the plan in {0} is a rollback's: run --rollback.",
        ),
    ],
    ids=["text", "other", "deep", "two", "newer", "number", "word", "rollback"],
)
def test_a_file_that_is_no_plan(tmp_path: Path, text: str, message: str) -> None:
    """It is a mistake on the command line."""
    file = tmp_path / "plan.json"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_plan(str(file))
    assert str(caught.value) == message.format(file)


def test_a_plan_that_lacks_a_field(tmp_path: Path) -> None:
    """It is named."""
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({**whole(), "database": {}}), "utf-8")
    with pytest.raises(ConfigurationError, match=re.escape("is no whole plan (it lacks 'name').")):
        read_plan(str(file))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The server says why, or the bytes do."""
    file = tmp_path / "plan.json"
    file.write_bytes(b"\xff\xfe{\x00")
    for path, why in (
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (file, "it is no UTF-8"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            read_plan(str(path))
        assert str(caught.value) == f"the plan in {path} can't be read: {why}."
