"""The previous report, as the file that is written anew still has it."""

import json
from typing import Any, Dict, Optional, Tuple

from converge.report.model import Report

EMBEDDED = '<script type="application/json" id="report">'
END = "</script>"
LARGEST = 64 * 1024 * 1024  # characters: nothing that was written as a report


def previous_medians(path: str) -> Dict[Tuple[str, str], float]:
    """Return the medians of the previous run, by schema and query; none if there is no such file.

    A file that is no report of ours, or one in Markdown, has none either.
    """
    try:
        with open(path, encoding="utf-8") as file:
            document = _document(file.read(LARGEST))
        return {
            (str(query["schema"]), str(query["name"])): float(query["milliseconds"])
            for query in (document or {})["queries"]
            if query["milliseconds"] is not None
        }
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def kept_medians(report: Report) -> str:
    """Return what a page keeps for the next one, as JSON."""
    names = ("schema", "name", "milliseconds")
    queries = [{name: getattr(query, name) for name in names} for query in report.queries]
    return json.dumps({"queries": queries})


def _document(text: str) -> Optional[Any]:
    if text.lstrip().startswith("{"):
        return json.loads(text)
    _, found, rest = text.rpartition(EMBEDDED)
    return json.loads(rest.partition(END)[0]) if found else None
