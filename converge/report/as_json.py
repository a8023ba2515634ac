"""A report as a document: its fields by their names; `docs/report.schema.json` says what is there.

A field may be added in a version; none is renamed, or means something else.
"""

import json
from typing import Any

from converge.report.model import Report


def as_json(report: Report) -> str:
    """Return the document as text, in ASCII: a table, an index or a run is a line."""
    parts = [f"{json.dumps(name)}: {_lines(value)}" for name, value in document(report).items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"


def document(value: Any) -> Any:
    """Return a report, or a part of one, as what JSON has."""
    if isinstance(value, tuple):
        if hasattr(value, "_fields"):
            return {name: document(getattr(value, name)) for name in value._fields}
        return [document(part) for part in value]
    return value
