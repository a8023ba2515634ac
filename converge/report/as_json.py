"""A report as a document: its fields by their names; `docs/report.schema.json` says what is there.

A field may be added in a version; none is renamed, or means something else.
"""

import json
from typing import Any

from converge.report.model import Report


def as_json(report: Report) -> str:
    """Return the document as text, in ASCII."""
    return json.dumps(document(report), indent=1) + "\n"


def document(value: Any) -> Any:
    """Return a report, or a part of one, as what JSON has."""
    if isinstance(value, tuple):
        if hasattr(value, "_fields"):
            return {name: document(getattr(value, name)) for name in value._fields}
        return [document(part) for part in value]
    return value
