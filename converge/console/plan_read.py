"""A plan as a file has it, of `--plan --format json`: what was approved, and where it was made.

None of its SQL is ever executed: it is only compared with that of a new plan.
"""

import json
import sys
from datetime import datetime
from typing import Any, Dict, FrozenSet, Iterator, NamedTuple, Optional, Sequence, Tuple

from converge.console.plan_json import FORMAT, RUN, Essence, Held
from converge.errors import ConfigurationError, Refused
from converge.plan import renamed
from converge.server.place import Moment, Place
from converge.steps import Kind
from converge.text import counted

AGAIN = "Write a plan with --plan --format json."
MALFORMED = (AttributeError, KeyError, TypeError, ValueError)
STDIN = "-"


class Part(NamedTuple):
    """What was approved for schemas that are alike; the steps are the first one's."""

    schemas: Tuple[str, ...]
    fingerprint: Optional[str]
    steps: Tuple[Essence, ...]


class Approved(NamedTuple):
    """A plan that was approved."""

    source: str
    version: str  # of the program
    made: Moment
    models: str
    rules: str
    parts: Tuple[Part, ...]

    @property
    def schemas(self) -> Tuple[str, ...]:
        return tuple(schema for part in self.parts for schema in part.schemas)

    @property
    def extensions(self) -> FrozenSet[Tuple[str, ...]]:
        """The statements that create them."""
        steps = (step for part in self.parts for step in part.steps)
        return frozenset(s.statements for s in steps if s.kind == Kind.CREATE_EXTENSION.value)

    def of(self, schema: str) -> Tuple[Essence, ...]:
        """Return the steps of a schema."""
        part = self._part(schema)
        found: Tuple[Essence, ...] = renamed(part.steps, part.schemas[0], schema)
        return found

    def fingerprint(self, schema: str) -> Optional[str]:
        """Return that of a live schema; None if it was missing."""
        return self._part(schema).fingerprint

    def _part(self, schema: str) -> Part:
        return next(part for part in self.parts if schema in part.schemas)


def read_plan(path: str) -> Approved:
    """Return the plan in a file, or on stdin; also as a line of a log that is JSON.

    Raises `ConfigurationError` if there is none that can be carried out, `Refused` if it says that
    a run would do nothing.
    """
    source = "stdin" if path == STDIN else path
    found = _document(_content(path, source), source)
    if found.get("format") != FORMAT:
        what = f"has the format {found.get('format')}, and this program reads {FORMAT}"
        raise ConfigurationError(f"the plan in {source} {what}. {AGAIN}")
    if found.get("mode") != RUN:
        raise ConfigurationError(f"the plan in {source} is a rollback's: run --rollback.")
    try:
        approved, refusals = _approved(found, source)
    except MALFORMED as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else error
        what = f"what is in {source} is no whole plan ({why})"
        raise ConfigurationError(f"{what}. {AGAIN}") from None
    if refusals:
        what = f"the plan in {source} has {counted(refusals, 'refusal')}"
        raise Refused(f"refused: {what}. Nothing was changed. Do what it advises, then plan again.")
    return approved


def _content(path: str, source: str) -> str:
    try:
        if path == STDIN:
            return sys.stdin.read()
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8"
        raise ConfigurationError(f"the plan in {source} can't be read: {reason}.") from None


def _document(text: str, source: str) -> Dict[str, Any]:
    """Return the one plan of a text: the whole of it, or of a line behind what a collector adds."""
    found = list(_plans(text))
    if not found:
        lines = (line[line.find("{") :] for line in text.splitlines() if "{" in line)
        found = [one for line in lines for one in _plans(line)]
    if len(found) != 1:
        count = "several plans are" if found else "no plan is"
        raise ConfigurationError(f"{count} in {source}. {AGAIN}")
    return found[0]


def _plans(text: str) -> Iterator[Dict[str, Any]]:
    """Yield the plan that a text is; none if it is no JSON, or something else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict):
        found = found.get("plan", found)
        if isinstance(found, dict) and "format" in found:
            yield found


def _approved(found: Dict[str, Any], source: str) -> Tuple[Approved, int]:
    """Return the plan, and how much in it is refused."""
    database, of = found["database"], found["fingerprints"]
    place = Place(database["name"], database["oid"], database["system"])
    approved = Approved(
        source,
        str(found["program"]["version"]),
        Moment(place, datetime.fromisoformat(found["planned_at"]).isoformat()),
        of["models"],
        of["rules"],
        tuple(_part(part) for part in found["plans"]),
    )
    return approved, sum(len(part["refusals"]) for part in found["plans"])


def _part(part: Dict[str, Any]) -> Part:
    steps = tuple(_essence(step) for step in part["steps"])
    return Part(_texts(part["schemas"]), part["fingerprint"], steps)


def _essence(step: Dict[str, Any]) -> Essence:
    locks = (Held(held["relation"], held["lock"], _texts(held["waits"])) for held in step["locks"])
    return Essence(
        statements=_texts(step["statements"]),
        search_path=_texts(step["search_path"]),
        locks=tuple(locks),
        **{name: str(step[name]) for name in ("kind", "schema", "table", "name", "title", "run")},
    )


def _texts(value: Sequence[Any]) -> Tuple[str, ...]:
    return tuple(map(str, value))
