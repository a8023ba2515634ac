"""What the log says to machines: every call names its event and the fields that this has."""

import ast
from functools import lru_cache
from pathlib import Path
from typing import List, Tuple

import pytest
from jsonschema import Draft202012Validator

from converge.events import ALWAYS, EVENTS, FIELDS, about
from tests.support.log_lines import NOT_OURS
from tests.support.program import ROOT
from tools import generated, log_schema

SOURCES = [*sorted(ROOT.glob("*.py")), *sorted((ROOT / "converge").rglob("*.py"))]
LEVELS = ("debug", "info", "warning", "error", "critical", "exception", "log")
Call = Tuple[str, ast.Call]


@lru_cache(maxsize=None)
def calls() -> List[Call]:
    """Return every call in the program, and where it stands."""
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno}", node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    ]


def called(node: ast.expr) -> str:
    """Return a name, with what it is of; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return f"{called(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def logging_calls() -> List[Call]:
    found = []
    for where, call in calls():
        function = call.func
        if isinstance(function, ast.Attribute) and called(function.value) == "log":
            found += [(where, call)] if function.attr in LEVELS else []
    return found


def events() -> List[Tuple[str, str, List[str]]]:
    """Return where each event is said, which, and the fields that stand there by name."""
    found = []
    for where, call in calls():
        name = called(call.func)
        place = {"about": 0, "put": 1, "put_at": 2, "logs.finish": None}.get(name, -1)
        if place == -1 or (place is not None and len(call.args) <= place):
            continue
        event = ast.Constant("finished") if place is None else call.args[place]
        if isinstance(event, ast.Constant):
            names = [keyword.arg for keyword in call.keywords if keyword.arg]
            found.append((where, str(event.value), [name for name in names if name != "level"]))
    return found


def test_every_line_of_the_log_says_its_event() -> None:
    """A line without one is a library's."""
    found = logging_calls()
    assert len(found) > 30
    silent = [
        where for where, call in found if "extra" not in [keyword.arg for keyword in call.keywords]
    ]
    assert silent == []


def test_events_have_the_fields_that_they_are_said_to_have() -> None:
    """Also where no test comes by."""
    found = events()
    assert len(found) > 30
    unknown = [
        f"{where}: {event} {field}"
        for where, event, fields in found
        for field in fields
        if event not in EVENTS or field not in EVENTS[event].fields
    ]
    assert unknown == []


def test_every_event_is_said_and_every_field_is_one_of_an_event() -> None:
    """The table has nothing that does not happen."""
    text = "".join(path.read_text("utf-8") for path in SOURCES if path.name != "events.py")
    assert [event for event in EVENTS if event != NOT_OURS and f'"{event}"' not in text] == []
    used = {field for event in EVENTS.values() for field in event.fields}
    assert used == set(FIELDS)
    assert not set(FIELDS) & set(ALWAYS)


def test_what_is_not_known_is_no_field() -> None:
    """A line has no nulls."""
    assert about("planned", count=None) == {"event": "planned", "fields": {}}


def test_the_schema_is_one_and_is_what_the_events_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Collectors are set up by it."""
    Draft202012Validator.check_schema(log_schema.schema())
    assert log_schema.main(["--check"]) == 0
    (tmp_path / "log.schema.json").write_text("{}")
    monkeypatch.setattr(generated, "DOCS", tmp_path)
    assert log_schema.main(["--check"]) == 1
    assert capsys.readouterr().err == "docs/log.schema.json is stale: `make docs` renews it.\n"
