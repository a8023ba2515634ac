"""The JSON schema of the log, from `converge.events`.

`make docs` writes it, and `make lint` compares.
"""

import json
import re
import sys
from typing import Any, Dict, List

from converge.events import ALWAYS, EVENTS, FIELDS, Event
from tools.generated import renewed

OPTIONAL = "exception"


def schema(*only: str) -> Dict[str, Any]:
    """Return the schema of any line; or of those of some events."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of stdout or stderr with LOG_FORMAT=json",
        "type": "object",
        "properties": {
            name: {"description": field.meaning, **field.schema}
            for name, field in {**ALWAYS, **FIELDS}.items()
        },
        "required": [name for name in ALWAYS if name != OPTIONAL],
        "additionalProperties": False,
        "oneOf": [
            of_event(name, event) for name, event in EVENTS.items() if name in (only or EVENTS)
        ],
    }


def of_event(name: str, event: Event) -> Dict[str, Any]:
    """Return what an event adds: the fields that its lines may have."""
    return {
        "description": event.meaning,
        "properties": {"event": {"const": name}},
        "propertyNames": {"enum": [*ALWAYS, *event.fields]},
    }


def main(arguments: List[str]) -> int:
    # Without the line breaks in lists of words, which take most of it.
    spread = json.dumps(schema(), indent=2, ensure_ascii=False)
    text = re.sub(r"\[[^][{}]+\]", lambda found: " ".join(found[0].split()), spread) + "\n"
    return renewed("log.schema.json", text, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
