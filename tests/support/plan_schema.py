"""Plans in JSON, and the schema that they are promised to have."""

import json
from typing import Any, Dict

from jsonschema import Draft202012Validator

from tests.support.program import ROOT

SCHEMA: Dict[str, Any] = json.loads((ROOT / "docs" / "plan.schema.json").read_text("utf-8"))


def plan_of(text: str) -> Dict[str, Any]:
    """Return a printed plan, which is all that was printed, and is as the schema says."""
    found: Dict[str, Any] = json.loads(text)
    Draft202012Validator(SCHEMA).validate(found)
    return found
