"""Lines of the log in JSON, each checked against the schema of its event."""

import json
import logging
from functools import lru_cache
from typing import Any, Dict, List, Tuple

from converge.console.logs import JsonFormatter
from converge.events import EVENTS
from tests.support.program import ROOT
from tests.support.validating import Draft202012Validator
from tools.log_schema import schema

NOT_OURS = "log"
MODULES = {path.stem for path in ROOT.glob("*.py")}


@lru_cache(maxsize=None)
def _validator(event: str) -> Draft202012Validator:
    assert event in EVENTS, event
    return Draft202012Validator(schema(event))


def wrong(line: Dict[str, Any]) -> List[str]:
    """Return what is wrong with a line; an unknown event fails."""
    return [error.message for error in _validator(line["event"]).iter_errors(line)]


def lines(text: str) -> List[Dict[str, Any]]:
    """Return the objects of an output of which every line is one, as its schema has it."""
    found: List[Dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    assert [(line, wrong(line)) for line in found if wrong(line)] == []
    return found


def said_by_us(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in ("converge", "eater-init", *MODULES)


class Checker(logging.Handler):
    """Checks every record that the log gets, in whatever format it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.wrong: List[Tuple[str, List[str]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = json.loads(self.format(record))
        if line["event"] == NOT_OURS and said_by_us(record):
            self.wrong.append((line["message"], ["it has no event"]))
        elif wrong(line):
            self.wrong.append((line["message"], wrong(line)))
