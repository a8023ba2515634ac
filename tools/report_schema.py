"""The JSON schema of a report, from `converge.report.model`: its fields, and what is said of them.

`make docs` writes it, and `make lint` compares.
"""

import inspect
import json
import re
import sys
from typing import Any, Dict, List, Tuple, Union, get_type_hints

from converge.report import model
from tools.generated import renewed

SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean"}
SAID = re.compile(r"^    (\w+): .*?  # (.+)$", re.MULTILINE)


def schema() -> Dict[str, Any]:
    parts = [part for part in vars(model).values() if hasattr(part, "_fields")]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A report of Eater Init",
        "description": "What `create_tables.py --report FILE.json` writes. Times are ISO 8601 "
        "with their zone, sizes bytes, durations seconds unless a name says else. What a server "
        "or a role does not tell is null. A field may be added in a version.",
        "$ref": "#/$defs/Report",
        "$defs": {part.__name__: _of(part) for part in parts},
    }


def _of(part: Any) -> Dict[str, Any]:
    """Return the schema of a NamedTuple; what its comments say are descriptions."""
    said = dict(SAID.findall(inspect.getsource(part)))
    fields = get_type_hints(part, vars(model))
    properties = {
        name: {**({"description": said[name]} if name in said else {}), **_type(kind)}
        for name, kind in fields.items()
    }
    own = part.__doc__ if not part.__doc__.startswith(f"{part.__name__}(") else ""
    return {
        **({"description": own} if own else {}),
        "type": "object",
        "required": list(fields),
        "properties": properties,
    }


def _type(kind: Any) -> Dict[str, Any]:
    if kind in SIMPLE:
        return {"type": SIMPLE[kind]}
    if hasattr(kind, "_fields"):
        return {"$ref": f"#/$defs/{kind.__name__}"}
    inside = kind.__args__
    if kind.__origin__ is Union:
        return {"type": [SIMPLE[inside[0]], "null"]}
    assert kind.__origin__ in (tuple, Tuple)
    if inside[1:] == (...,):
        return {"type": "array", "items": _type(inside[0])}
    count = len(inside)
    return {
        "type": "array",
        "prefixItems": list(map(_type, inside)),
        "minItems": count,
        "maxItems": count,
    }


def main(arguments: List[str]) -> int:
    text = json.dumps(schema(), indent=1) + "\n"
    return renewed("report.schema.json", text, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
