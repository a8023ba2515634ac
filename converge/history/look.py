"""The quick look: is all as the last verified run left it? One query, without SQLAlchemy.

What that run left is kept as the comment on the history table, the *note*: a catalog can always be
asked for a comment, even where there is no such table yet.
"""

import hashlib
import json
import os
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from converge.names import HISTORY_TABLE, NOTE_KEY, VERSION
from converge.server.connection import Connection
from converge.server.messages import named, rows, unhindered
from converge.server.sql import ENGINE, statement

NOTE_START = f'{{"{NOTE_KEY}" : '  # any other comment is somebody else's
# The files that decide what a difference is, and what it leads to.
RULES = ("compare", "server/catalog.py", "server/catalog.sql", "server/tables.sql")


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

    They are read as files: importing them would import SQLAlchemy, ten times the whole look.
    """
    engine = [os.path.join(ENGINE, file) for file in RULES]
    return Fingerprints(_digest(models), _digest([*engine, *rules]))


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
    found = rows(connection, unhindered(connection) + named(connection) + query)
    noted = {schema: (json.loads(note), live, stale) for schema, note, live, stale in found}
    reasons = tuple(_reasons(schemas, noted, expected))
    if reasons:
        return Look(reasons)
    notes = [note for note, _, _ in noted.values()]
    return Look(
        reasons,
        ", ".join(sorted({str(note["version"]) for note in notes})),
        min(str(note["verified"]) for note in notes),
        tuple(notes[0]["tables"]),
        tuple((schema, table) for schema, (_, _, stale) in noted.items() for table in stale),
    )


def _reasons(
    schemas: Sequence[str],
    noted: Mapping[str, Tuple[Dict[str, Any], str, List[str]]],
    expected: Fingerprints,
) -> List[str]:
    """Say why the note does not do, one reason for all schemas that share it."""
    schemas_by_reason: Dict[str, List[str]] = {}
    for schema in schemas:
        note, live, _ = noted.get(schema, ({}, "", []))
        reason = _reason(note, live, expected)
        if reason:
            schemas_by_reason.setdefault(reason, []).append(schema)
    return [
        reason if len(these) == len(schemas) and "{}" not in reason else _of(these, reason)
        for reason, these in schemas_by_reason.items()
    ]


def _of(schemas: Sequence[str], reason: str) -> str:
    listed = ", ".join(schemas)
    return reason.format(listed) if "{}" in reason else f"{reason} ({listed})"


def _reason(note: Mapping[str, Any], live: str, expected: Fingerprints) -> str:
    if not note:
        return "no verified run is recorded for schema {}"
    if note.get("desired") != expected.models:
        return "the models have changed"
    if note.get("tool") != VERSION:
        return f"it was verified by version {note.get('tool')} of this tool"
    if note.get("rules") != expected.rules:
        return "the rules of the comparison have changed"
    if note.get("live") != live:
        return f"schema {{}} has changed since it was verified at {note.get('verified')}"
    return ""
