"""The quick look: is all as the last verified run left it? One query, without SQLAlchemy.

What that run left is kept as the comment on the history table, the *note*: a catalog can always be
asked for a comment, even where there is no such table yet.
"""

import hashlib
import json
import os
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from psycopg2 import errors

from converge.history.sources import sources
from converge.names import HISTORY_TABLE, NOTE_KEY, VERSION
from converge.quoting import identifier
from converge.server.connection import Connection
from converge.server.messages import named, rows, unhindered
from converge.server.sql import ENGINE, statement

NOTE_START = f'{{"{NOTE_KEY}" : '  # any other comment is somebody else's
# The files that decide what a difference is, and what it leads to.
RULES = (
    "compare",
    "server/catalog.py",
    "server/catalog.sql",
    "server/reading.py",
    "server/tables.sql",
)


class Fingerprints(NamedTuple):
    """Of all that decides what should be: the files of the desired state, and the rules."""

    models: str
    rules: str


class Look(NamedTuple):
    """What the quick look found. Without `reasons`, there is nothing to do."""

    reasons: Tuple[str, ...]
    version: str = ""
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
    """Return whether all is as the last verified run left it; in one round trip.

    If something is not, or never was verified, only a full comparison can tell what to do.
    """
    query = statement("history/look.sql", schemas=schemas, history=HISTORY_TABLE, note=NOTE_START)
    try:
        found = rows(connection, unhindered(connection) + named(connection) + query)
    except errors.InvalidTextRepresentation:  # somebody has edited a note
        return Look(("the note of the last verified run cannot be read",))
    noted = {schema: _Noted(json.loads(note), *rest) for schema, note, *rest in found}
    reasons = tuple(_reasons(schemas, noted, expected))
    if reasons:
        return Look(reasons)
    notes = [of_schema.note for of_schema in noted.values()]
    return Look(
        reasons,
        ", ".join(sorted({str(note["version"]) for note in notes})),
        min(str(note["verified"]) for note in notes),
        tuple(notes[0]["tables"]),
        tuple((schema, table) for schema in noted for table in noted[schema].stale),
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

    def said_of(self, schemas: Sequence[str], *, all_schemas: bool) -> str:
        listed = ", ".join(map(identifier, schemas))
        if self.names_schemas:
            return " ".join(part for part in (self.before, listed, self.behind) if part)
        return self.before if all_schemas else f"{self.before} ({listed})"


def _reasons(
    schemas: Sequence[str],
    noted: Mapping[str, _Noted],
    expected: Fingerprints,
) -> List[str]:
    """Say why the notes do not prove that all is current, once for the schemas that share it."""
    found: Dict[_Reason, List[str]] = {}
    for schema in schemas:
        reason = _reason(noted.get(schema), expected)
        if reason:
            found.setdefault(reason, []).append(schema)
    return [
        reason.said_of(these, all_schemas=len(these) == len(schemas))
        for reason, these in found.items()
    ]


def _reason(noted: Optional[_Noted], expected: Fingerprints) -> Optional[_Reason]:
    if noted is None:
        return _Reason("no verified run is recorded for schema")
    tool = noted.note.get("tool")
    since = f"since it was verified at {noted.note.get('verified')}"
    reasons = {
        "desired": (expected.models, _shared("the models have changed")),
        "tool": (VERSION, _shared(f"it was verified by version {tool} of this tool")),
        "rules": (expected.rules, _shared("the rules of the comparison have changed")),
        "place": (noted.place, _Reason("schema", f"was copied or restored {since}")),
        "live": (noted.live, _Reason("schema", f"has changed {since}")),
    }
    differ = (reason for key, (now, reason) in reasons.items() if noted.note.get(key) != now)
    return next(differ, None)


def _shared(reason: str) -> _Reason:
    return _Reason(reason, names_schemas=False)
