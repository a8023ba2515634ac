"""The schema of plans that are JSON."""

from typing import Any, Iterator

from jsonschema import Draft202012Validator

from converge.console.plan_json import FORMAT, WAITS
from converge.steps import Kind, Lock, Run, Undoable
from tests.support.plan_schema import SCHEMA

STEP, LOCK = (SCHEMA["$defs"][name]["properties"] for name in ("step", "lock"))


def objects(schema: Any) -> Iterator[Any]:
    """Yield what in a schema describes an object."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from objects(part)


def test_it_is_a_schema_and_allows_nothing_else() -> None:
    """So that a field that it does not know is seen where plans are validated."""
    Draft202012Validator.check_schema(SCHEMA)
    found = list(objects(SCHEMA))
    assert len(found) == 11
    for one in found:
        assert one["additionalProperties"] is False
        assert sorted(one["required"]) == sorted(one["properties"])


def test_it_knows_every_code() -> None:
    """Of what steps do, how they run and what they lock."""
    assert SCHEMA["properties"]["format"]["const"] == FORMAT
    assert STEP["kind"]["enum"] == [kind.value for kind in Kind]
    assert STEP["run"]["enum"] == [run.value for run in Run]
    assert LOCK["lock"]["enum"] == [lock.value for lock in Lock]
    assert STEP["can_be_undone"]["enum"] == [undoable.value for undoable in Undoable]
    assert set(WAITS) == set(Lock)
