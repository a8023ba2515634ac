"""What a run says to machines: with LOG_FORMAT=json every line has an `event` and its fields.

Whoever logs says what it is about: `log.info("…", extra=about("connected", host=host))`. A result
is said so too: `put("…", event="history", runs=…)`. In text the message has to say it all. Nobody
logs a secret, nor what is in a row.
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


def listed(schema: Mapping[str, object]) -> Mapping[str, object]:
    return {"type": "array", "items": schema}


def record(*required: str, **fields: Mapping[str, object]) -> Mapping[str, object]:
    """Return the schema of an object that has these fields, and no others."""
    parts: Dict[str, object] = {"type": "object", "properties": fields}
    return {**parts, "required": list(required), "additionalProperties": False}


def by_name(schema: Mapping[str, object]) -> Mapping[str, object]:
    return {"type": "object", "additionalProperties": schema}


TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
TIME = {"type": "string", "format": "date-time"}
REFUSAL = record(
    *("schema", "subject", "what", "why", "way_out", "schemas"),
    schema=TEXT,
    subject=TEXT,
    what=TEXT,
    why=listed(TEXT),
    way_out=record("advice", "statements", advice=TEXT, statements=listed(TEXT)),
    schemas=listed(TEXT),
)
WAIT = record(
    relation=TEXT,
    pid=WHOLE,
    name=TEXT,
    state=TEXT,
    age=TEXT,
    query=TEXT,
    prepared=TEXT,
    owner=TEXT,
    prepared_at=TEXT,
    standbys=TEXT,
    elsewhere={"type": "boolean"},
)
QUERY = record(
    *("schema", "query", "access", "indexes"),
    schema=TEXT,
    query=TEXT,
    rows=WHOLE,
    median_ms=NUMBER,
    access=TEXT,
    indexes=listed(TEXT),
)
COUNTED = record(
    *("schemas", "count", "created", "altered", "indexed", "unchanged"),
    schemas=listed(TEXT),
    count=WHOLE,
    created=WHOLE,
    altered=WHOLE,
    indexed=WHOLE,
    unchanged=WHOLE,
)

# Of every line; `exception` where there is a traceback.
ALWAYS: Mapping[str, Field] = {
    "timestamp": Field(TIME, "when, as ISO 8601 in UTC"),
    "level": Field(TEXT, "`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`"),
    "severity": Field(TEXT, "the same, where Google Cloud looks for it"),
    "logger": Field(TEXT, "the program"),
    "message": Field(TEXT, "what a person reads"),
    "event": Field(TEXT, "what it is, a word of the table below"),
    "exception": Field(TEXT, "a traceback; only where there is one"),
}

FIELDS: Mapping[str, Field] = {
    "step": Field(TEXT, "the step of the run, or the kind of step of a plan"),
    "schema": Field(TEXT, "the schema"),
    "object": Field(TEXT, "the name of the table, column, constraint or index"),
    "duration_ms": Field(NUMBER, "how long it took, in milliseconds"),
    "percent": Field(NUMBER, "how far it is"),
    "phase": Field(TEXT, "what it is at"),
    "eta_s": Field(NUMBER, "how many seconds are left, estimated"),
    "blocked_by": Field(listed(WAIT), "who it waits for: sessions, and what each of them is"),
    "elapsed_s": Field(NUMBER, "for how many seconds it has run"),
    "number": Field(WHOLE, "which step it is, from 1 to `total`"),
    "waited_s": Field(NUMBER, "for how many seconds it has waited"),
    "refusals": Field(listed(REFUSAL), "what is refused: what, why, and the way out"),
    "queries": Field(listed(QUERY), "the key queries, each with its median and indexes"),
    "summary": Field(listed(COUNTED), "how many tables and indexes were changed, by schema"),
    "differences": Field(listed(TEXT), "what differs between database and models"),
    "exit_code": Field(WHOLE, "the exit code of the process"),
    "done": Field(by_name(WHOLE), "how many steps of each kind were done"),
    "undone": Field(WHOLE, "how many steps were undone"),
    "seconds": Field(by_name(NUMBER), "how many seconds each step of the run took"),
    "program_version": Field(TEXT, "the version of the program"),
    "versions": Field(listed(WHOLE), "the versions that the schemas have"),
    "version": Field(WHOLE, "the version that the schema has"),
    "verified": Field(TEXT, "when the schema was verified last"),
    "host": Field(TEXT, "the server"),
    "port": Field(WHOLE, "its port"),
    "database": Field(TEXT, "the database"),
    "pid": Field(WHOLE, "the server's process that is told to do it"),
    "attempt": Field(WHOLE, "which attempt"),
    "attempts": Field(WHOLE, "how many are made at most"),
    "reason": Field(TEXT, "why, in the words of the server or of the program"),
    "reasons": Field(listed(TEXT), "why, each reason"),
    "count": Field(WHOLE, "how many"),
    "total": Field(WHOLE, "of how many"),
    "plan": Field({"type": "object"}, "the plan, as docs/plan.schema.json says"),
    "refused": Field(WHOLE, "how many of them are refused"),
    "failed": Field(WHOLE, "how many of them have failed"),
    "schemas": Field(listed(TEXT), "the schemas"),
    "tables": Field(listed(TEXT), "the tables, each as `schema.table`"),
    "created": Field(by_name(WHOLE), "how many of each kind were created"),
    "query": Field(TEXT, "the name of the key query"),
    "rows_read": Field(WHOLE, "how many rows it has read"),
    "expected": Field(listed(TEXT), "the indexes any of which would serve it"),
    "pattern": Field(TEXT, "the pattern"),
    "shard": Field(TEXT, "which shard: `3/8`"),
    "setting": Field(TEXT, "the environment variable"),
    "file": Field(TEXT, "the path of the file"),
    "mistakes": Field(listed(TEXT), "what is wrong, each mistake"),
    "usage": Field(TEXT, "how the command line is written"),
    "signal": Field(WHOLE, "the number of the signal"),
    "error": Field(TEXT, "the event that such an error is at the end of a run"),
    "source": Field(TEXT, "who says it"),
}

WHERE = ("step", "schema", "object")
EVENTS: Mapping[str, Event] = {
    # How it begins.
    "dotenv_not_read": Event("a file of settings is beside the program, and not read", ("file",)),
    "dotenv_read": Event("a file of settings is read", ("file",)),
    "setting_doubted": Event("a variable is set that nobody reads", ("reason",)),
    "connection_attempt_failed": Event(
        "an attempt to connect has failed", ("host", "port", "attempt", "attempts", "reason")
    ),
    "server_notice": Event("what the server says on connecting", ("reason",)),
    "connected": Event("a connection is open", ("host", "port", "database")),
    "pooled": Event("behind a pooler one connection works, whatever PARALLEL is", ("setting",)),
    "schemas_found": Event("how many schemas a pattern, query or file names", ("count",)),
    "pattern_unmatched": Event("no schema is like a pattern", ("setting", "pattern")),
    "null_names": Event("POSTGRES_SCHEMAS_QUERY returns NULL", ("setting", "count")),
    "shard": Event("which part of the schemas is this run's", ("shard", "count", "total")),
    "letters_ignored": Event("pg_trgm ignores letters under this locale", ("object", "database")),
    # What is to be done.
    "schema_current": Event("all is as the last verified run left it", ("versions", "verified")),
    "comparing": Event("a full comparison is needed, and why", ("reasons",)),
    "waiting_for_run": Event("another run is at work", ("waited_s", "reason")),
    "left_alone": Event("no difference, or not ours", ("reason",)),
    "warned": Event("no difference, and yet it may lose rows", ("reason",)),
    "read_only_default": Event("read-only is the default, and a run writes all the same"),
    "planned": Event("how many steps are to be done", ("count",)),
    # What is done.
    "step_done": Event("a step of the plan is done", (*WHERE, "duration_ms")),
    "created": Event(
        "what is new was created in one transaction", ("schemas", "created", "duration_ms")
    ),
    "progress": Event(
        "how far a step is, or the schemas of a run",
        (
            *(*WHERE, "number", "total", "percent", "phase", "elapsed_s", "eta_s", "blocked_by"),
            *("count", "refused", "failed"),
        ),
    ),
    "blocked": Event("a statement waits for a lock", (*WHERE, "number", "total", "blocked_by")),
    "step_unfinished": Event("a step was not finished", (*WHERE, "count")),
    "steps_left": Event("how many steps are left for the next run", ("count",)),
    "index_dropped": Event("the unfinished half of an index is dropped", (*WHERE,)),
    "helper_dropped": Event("a helper of a step that was not finished is dropped", ("object",)),
    "interrupted": Event("it is planned again", ("attempt", "attempts", "reason")),
    "schema_failed": Event(
        "a schema is refused or has failed",
        ("schema", "exit_code", "error", "refusals", "blocked_by", "mistakes"),
    ),
    "canary_failed": Event("a canary is refused or has failed: no other is begun", ("schema",)),
    "done_last": Event("schemas that another run is at work on are done last", ("count",)),
    "version_reached": Event("a rollback has led to a version", ("schema", "version")),
    "verified": Event("nothing differs from the models"),
    "not_verified": Event("verification is switched off", ("setting",)),
    "adopted": Event("a schema that was right already has its first version", ("schema",)),
    "not_recorded": Event("the role may not record the verification", ("reason",)),
    "analyzed": Event("tables have fresh statistics", ("tables", "count")),
    "analyze_notice": Event("what the server says on ANALYZE", ("reason",)),
    "query_unserved": Event(
        "a key query uses none of its indexes", (*WHERE, "query", "rows_read", "expected")
    ),
    "query_failed": Event("a key query could not be timed", (*WHERE, "query", "reason")),
    "queries_left_out": Event("there was no time for so many key queries", ("count",)),
    # Results, on stdout.
    "help": Event("the options, exit codes and variables, or the version"),
    "result": Event("any other result"),
    "plan": Event("what a run or a rollback would do", ("plan",)),
    "differences": Event("what differs, one by one", ("differences",)),
    "history": Event("what runs have changed, or the steps of one"),
    "query_report": Event("the key queries, timed", ("queries",)),
    "summary": Event("what was done in each schema", ("summary", "undone", "seconds")),
    "report_written": Event("a report is written", ("file",)),
    "report_failed": Event("there is no report, and why", ("file", "reason")),
    # How it ends.
    "bad_command_line": Event("exit code 2: the command line", ("exit_code", "usage")),
    "misconfigured": Event("exit code 2: settings or models", ("exit_code", "mistakes")),
    "connection_failed": Event("exit code 3: no connection, or it was lost", ("exit_code",)),
    "refused": Event("exit code 4: a person has to act", ("exit_code", "refusals")),
    "differs": Event("exit code 5: the database is not as the models", ("exit_code",)),
    "lock_not_acquired": Event("exit code 6: it waited for a lock", ("exit_code", "blocked_by")),
    "schemas_failed": Event("some schemas are not done", ("exit_code", "schemas")),
    "terminated": Event("a signal ended it", ("exit_code", "signal")),
    "failed": Event("exit code 1: an error of the server", ("exit_code",)),
    "bug": Event("exit code 1: a bug, with its traceback", ("exit_code",)),
    "finished": Event(
        "always the last line, whatever LOG_LEVEL is",
        ("exit_code", "done", "undone", "seconds", "program_version", "versions"),
    ),
    # At DEBUG.
    "statement": Event("a statement is sent, its parameters not shown", ("pid",)),
    "run_step_done": Event("a step of the run is done", ("step", "duration_ms")),
    "cause": Event("where the error that ends it came from"),
    # Whoever else logs.
    "log": Event("a library says something, or Python warns", ("source",)),
}


def about(event: str, **fields: object) -> Dict[str, object]:
    """Return the `extra` of a log call; fields that are None are left out.

    `event` is one of `EVENTS`, and the fields are those that it has there.
    """
    return {"event": event, "fields": known(**fields)}


def known(**fields: object) -> Dict[str, object]:
    """Return the fields of an event, or of an object in one, that are not None."""
    return {name: value for name, value in fields.items() if value is not None}
