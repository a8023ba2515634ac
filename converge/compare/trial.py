"""When the server objects to the trial: refused, with its words, before the first change."""

from typing import Any, Callable, List, Optional, Tuple

import psycopg2

from converge.compare.desired import Desired
from converge.plan import Refusal, WayOut
from converge.quoting import identifier, literal
from converge.server.connection import Connection, NoEncoding
from converge.server.failures import is_transient, raised_by, said
from converge.server.inspect import ServerFacts
from converge.server.messages import begin, rolled_back, rows
from converge.server.retries import MENDED_BY_A_NEW_PLAN

# Those whose function is named where an error arose, in whatever language.
TRIGGERS = """SELECT t.evtname FROM pg_event_trigger t JOIN pg_proc p ON p.oid = t.evtfoid
WHERE t.evtenabled <> 'D' AND strpos({context}, quote_ident(p.proname) || '(') > 0
ORDER BY t.evtname"""
Ask = Callable[[str], List[Tuple[Any, ...]]]


def objects(error: psycopg2.Error) -> bool:
    """Return whether the server, or a function that a trigger calls, refuses the statement itself.

    Not so if another attempt may succeed: somebody created the same at the same time.
    """
    mended = isinstance(error, MENDED_BY_A_NEW_PLAN)
    if isinstance(error, NoEncoding) or is_transient(error):
        return False
    return raised_by(error) is not None or not mended


def refusal(
    connection: Connection, facts: ServerFacts, desired: Desired, error: psycopg2.Error
) -> Refusal:
    """Return the refusal of a comparison that the server objects to."""
    triggers = event_triggers(lambda sql: rows(connection, sql), error)
    for extension in [] if triggers else facts.lacking:
        name = identifier(extension)
        found = _tried(connection, desired.create_extension(extension, facts.home or "public"))
        if found:
            what = f"extension {name} is missing, and the server refuses to create it."
            advice = f"Let an administrator run in database {identifier(facts.database)}:"
            why = tuple(f"The server says: {words}." for words in found)
            return Refusal("", "", what, WayOut(advice, (f"CREATE EXTENSION {name}",)), why)
    what = "the server refuses what the comparison creates and rolls back."
    way_out = triggers or WayOut("Show this to an administrator of the server, then run again.")
    return Refusal("", "", what, way_out, (f"The server says: {said(error)}.",))


def event_triggers(ask: Ask, error: psycopg2.Error) -> Optional[WayOut]:
    """Return the way out where event triggers raised the error."""
    found = ask(TRIGGERS.format(context=literal(error.diag.context or "")))
    if not found:
        return None
    disable = tuple(f"ALTER EVENT TRIGGER {identifier(name)} DISABLE" for (name,) in found)
    return WayOut("Let an administrator run this, and ENABLE it after the run:", disable)


def _tried(connection: Connection, statement: str) -> List[str]:
    """Return what the server says of a statement, and its hint; empty if it takes it."""
    try:
        with rolled_back(connection):
            rows(connection, begin(connection) + statement)
    except psycopg2.Error as error:
        if is_transient(error):
            raise
        hint = " ".join((error.diag.message_hint or "").split()).rstrip(".")
        return [part for part in (said(error), hint) if part]
    return []
