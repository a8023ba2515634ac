"""What a run says to machines: with LOG_FORMAT=json every line has an `event` and its fields.

Whoever logs says what it is about: `log.info("…", extra=about("connected", host=host))`. In text
the message has to say it all. Nobody logs a secret.
"""

from typing import Dict, Mapping, NamedTuple, Tuple


class Field(NamedTuple):
    """A field of events; `schema` is its JSON schema."""

    schema: Mapping[str, object]
    meaning: str


class Event(NamedTuple):
    """What happened, and which fields tell of it; each may be missing where it is not known."""

    meaning: str
    fields: Tuple[str, ...] = ()


TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}

FIELDS: Mapping[str, Field] = {
    "step": Field(TEXT, "the step of the run, or the kind of step of a plan"),
    "schema": Field(TEXT, "the schema"),
    "object": Field(TEXT, "the name of the table, column, constraint or index"),
    "duration_ms": Field(NUMBER, "how long it took, in milliseconds"),
}

EVENTS: Mapping[str, Event] = {
    "step_done": Event("a step of the plan is done", ("step", "schema", "object", "duration_ms")),
}


def about(event: str, **fields: object) -> Dict[str, object]:
    """Return the `extra` of a log call; fields that are None are left out.

    `event` is one of `EVENTS`, and the fields are those that it has there.
    """
    return {"event": event, "fields": {k: v for k, v in fields.items() if v is not None}}
