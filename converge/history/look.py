"""The quick look: is all as the last verified run left it? One query, without SQLAlchemy.

What that run left is kept as the comment on the history table, the *note*: a catalog can always be
asked for a comment, even where there is no such table yet.
"""

import hashlib
import json
import os
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from psycopg2 import errors

from converge.history.sources import sources
from converge.names import HISTORY_TABLE, NOTE_KEY, VERSION
from converge.quoting import identifier
from converge.server.connection import Connection
from converge.server.messages import named, rows
from converge.server.sql import ENGINE, statement
from converge.server.states import alike

NOTE_START = f'{{"{NOTE_KEY}" : '  # any other comment is somebody else's
# The files that decide what a difference is, and what it leads to.
RULES = (
    "compare",
    "server/catalog.py",
    "server/catalog.sql",
    "server/hashed.sql",
    "server/managed.sql",
    "server/reading.py",
    "server/sequence.sql",
    "server/states.py",
    "server/tables.sql",
)
LISTED = 20  # schemas that a reason names
UNREADABLE = (errors.InvalidTextRepresentation, errors.InvalidParameterValue)


class Fingerprints(NamedTuple):
    """Of all that decides what should be: the files of the desired state, and the rules."""

    models: str
    rules: str


class Look(NamedTuple):
    """What the quick look found. Without `reasons`, there is nothing to do.

    Those of `pending` have to be compared. All else is of the other schemas, which are current.
    """

    reasons: Tuple[str, ...]
    pending: Tuple[str, ...] = ()  # schemas, in the order in which they were asked
    versions: Tuple[int, ...] = ()
    verified: str = ""
    tables: Tuple[str, ...] = ()
    stale: Tuple[Tuple[str, str], ...] = ()  # schema and table

    @property
    def current(self) -> bool:
        return not self.reasons


def fingerprints(models: Sequence[str], rules: Sequence[str]) -> Fingerprints:
    """Return the fingerprints of the models' files, and of the rules: the engine's and these.

    What the models' files import counts as theirs (`sources`).
    """
    engine = [os.path.join(ENGINE, file) for file in RULES]
    return Fingerprints(_digest(sources(models)), _digest([*engine, *rules]))


def _digest(files: Sequence[str]) -> str:
    """Return the digest of the files, those of the Python modules for a directory."""
    digest = hashlib.sha256()
    for name in files:
        if os.path.isdir(name):
            found = (entry for entry in os.listdir(name) if entry.endswith(".py"))
            digest.update(_digest([os.path.join(name, entry) for entry in sorted(found)]).encode())
        else:
            with open(name, "rb") as file:
                digest.update(file.read())
    return digest.hexdigest()


def look(connection: Connection, schemas: Sequence[str], expected: Fingerprints) -> Look:
    """Return which schemas are as the last verified run left them; in one round trip.

    If something is not, or never was verified, only a full comparison can tell what to do.
    """
    query = statement("history/look.sql", schemas=schemas, history=HISTORY_TABLE, note=NOTE_START)
    try:
        found = rows(connection, alike(connection) + named(connection) + query)
    except UNREADABLE:  # somebody has edited a note
        return Look(("the note of the last verified run cannot be read",), tuple(schemas))
    noted = {schema: _Noted(json.loads(note), *rest) for schema, note, *rest in found}
    reasons = {schema: _reason(noted.get(schema), expected) for schema in schemas}
    current = {schema: noted[schema] for schema, reason in reasons.items() if reason is None}
    notes = [of_schema.note for of_schema in current.values()]
    return Look(
        tuple(_said(reasons, noted)),
        tuple(schema for schema in reasons if schema not in current),
        tuple(sorted({int(note["version"]) for note in notes})),
        min((str(note["verified"]) for note in notes), default=""),
        tuple(notes[0]["tables"]) if notes else (),
        tuple((schema, table) for schema in current for table in current[schema].stale),
    )


class _Noted(NamedTuple):
    """A schema's note, beside what is there now."""

    note: Dict[str, Any]
    place: List[str]
    live: str
    stale: List[str]


class _Reason(NamedTuple):
    """Why a note does not prove anything: what is said before and behind the schemas' names."""

    before: str
    behind: str = ""
    names_schemas: bool = True
    since: bool = False  # and when they were verified

    def said_of(self, schemas: Sequence[str], verified: Sequence[str], *, all_schemas: bool) -> str:
        listed = ", ".join(map(identifier, schemas[:LISTED]))
        if len(schemas) > LISTED:
            listed += f", … and {len(schemas) - LISTED:,} more"
        if not self.names_schemas:
            return self.before if all_schemas else f"{self.before} ({listed})"
        behind = self.behind
        if self.since:
            later = " or later" if len(set(verified)) > 1 else ""
            behind += f" since it was verified at {min(verified)}{later}"
        return " ".join(part for part in (self.before, listed, behind) if part)


NOT_RECORDED = _Reason("no verified run is recorded for schema")
COPIED = _Reason("schema", "was copied or restored", since=True)
CHANGED = _Reason("schema", "has changed", since=True)


def _said(reasons: Mapping[str, Optional[_Reason]], noted: Mapping[str, _Noted]) -> Iterator[str]:
    """Say why the notes do not prove that all is current, once for the schemas that share it."""
    found: Dict[_Reason, List[str]] = {}
    for schema, reason in reasons.items():
        if reason is not None:
            found.setdefault(reason, []).append(schema)
    for reason, these in found.items():
        verified = [str(noted[schema].note.get("verified")) for schema in these if reason.since]
        yield reason.said_of(these, verified, all_schemas=len(these) == len(reasons))


def _reason(noted: Optional[_Noted], expected: Fingerprints) -> Optional[_Reason]:
    if noted is None:
        return NOT_RECORDED
    tool = noted.note.get("tool")
    reasons = {
        "desired": (expected.models, _shared("the models have changed")),
        "tool": (VERSION, _shared(f"it was verified by version {tool} of this tool")),
        "rules": (expected.rules, _shared("the rules of the comparison have changed")),
        "place": (noted.place, COPIED),
        "live": (noted.live, CHANGED),
    }
    differ = (reason for key, (now, reason) in reasons.items() if noted.note.get(key) != now)
    return next(differ, None)


def _shared(reason: str) -> _Reason:
    return _Reason(reason, names_schemas=False)
