"""Reports as documents."""

import json
from pathlib import Path
from typing import Any, Dict

from jsonschema import Draft202012Validator

from tests.support.job import Run
from tools.generated import DOCS

SCHEMA = json.loads((DOCS / "report.schema.json").read_text("utf-8"))


def reported(run: Run, file: Path, *arguments: str, **variables: str) -> Dict[str, Any]:
    """Return the report of a run as a document, which is as its schema says."""
    result = run("--report", str(file), *arguments, **variables)
    assert f"wrote the report {file}" in result.err, result.err
    document: Dict[str, Any] = json.loads(file.read_text("utf-8"))
    Draft202012Validator(SCHEMA).validate(document)
    return document
