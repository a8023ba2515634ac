"""When the server objects to the trial: refused, with its words, before the first change."""

import re
from typing import Any, Callable, List, Optional, Sequence, Tuple

import psycopg2
from psycopg2 import errors

from converge.compare.desired import Desired
from converge.plan import Refusal, WayOut
from converge.quoting import identifier, literal
from converge.server.connection import Connection, NoEncoding
from converge.server.failures import first_line, is_transient, raised_by, said
from converge.server.inspect import ServerFacts
from converge.server.messages import begin, rolled_back, rows
from converge.server.retries import MENDED_BY_A_NEW_PLAN

# Those whose function is named where an error arose, in whatever language.
TRIGGERS = """SELECT t.evtname FROM pg_event_trigger t JOIN pg_proc p ON p.oid = t.evtfoid
WHERE t.evtenabled <> 'D' AND strpos({context}, quote_ident(p.proname) || '(') > 0
ORDER BY t.evtname"""
# What the server ships with, and two that are often added. The last two are named by what they are
# missed for: "data type integer has no default operator class for access method "gin"".
BRINGS = {
    "citext": {"citext", "_citext"},
    "hstore": {"hstore"},
    "ltree": {"ltree", "lquery", "ltxtquery"},
    "cube": {"cube"},
    "isn": {"ean13", "isbn13", "isbn", "issn", "upc"},
    "uuid-ossp": {"uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "uuid_generate_v5"},
    "pgcrypto": {"crypt", "gen_salt", "digest", "hmac", "gen_random_bytes", "gen_random_uuid"},
    "pg_trgm": {"gin_trgm_ops", "gist_trgm_ops", "similarity", "word_similarity"},
    "unaccent": {"unaccent"},
    "intarray": {"gin__int_ops", "gist__int_ops", "gist__intbig_ops"},
    "vector": {"vector", "halfvec", "vector_l2_ops", "vector_cosine_ops"},
    "postgis": {"geometry", "geography"},
    "btree_gin": {"gin"},
    "btree_gist": {"gist"},
}
CREATED = "SELECT extname FROM pg_extension WHERE extname IN ({names})"
UNKNOWN = (errors.UndefinedObject, errors.UndefinedFunction)  # type, operator class, function
CORRECT = WayOut("Correct the models, or create what they name, then run again.")
Ask = Callable[[str], List[Tuple[Any, ...]]]
Trial = Callable[[], object]


def objects(error: psycopg2.Error, ask: Ask, lacking: Sequence[str], trial: Trial) -> bool:
    """Return whether the server, or a function that a trigger calls, refuses the statement itself.

    Not so if another attempt may succeed: somebody created an extension that was `lacking`, or
    changed something else at the same time, so that another `trial` is none or another error.
    """
    if isinstance(error, NoEncoding) or is_transient(error):
        return False
    mended = isinstance(error, MENDED_BY_A_NEW_PLAN) and not isinstance(error, UNKNOWN)
    if raised_by(error) is not None or not mended:
        return True
    if lacking and ask(CREATED.format(names=", ".join(map(literal, lacking)))):
        return False
    try:
        trial()
    except psycopg2.Error as again:
        return type(again) is type(error) and first_line(again) == first_line(error)
    return False


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
    needed = _extension(error)
    if needed is not None and needed not in facts.extensions:
        what = f"the models need the extension {identifier(needed)}, which is not listed."
        why = (f"The server says: {said(error)}.",)
        return Refusal("", "", what, WayOut("Add it to the listed extensions, run again."), why)
    what = "the server refuses what the comparison creates and rolls back."
    says = f"The server says: {said(error)}{_place(error)}."
    if triggers or raised_by(error) or not _is_the_models(error):
        administrator = WayOut("Show this to an administrator of the server, then run again.")
        return Refusal("", "", what, triggers or administrator, (says,))
    what = "the server refuses what the models say."
    return Refusal("", "", what, CORRECT, (says,))


def _is_the_models(error: psycopg2.Error) -> bool:
    """Return whether an error is about what a statement says: the classes are PostgreSQL's."""
    wrong = (error.pgcode or "")[:2] in ("0A", "22", "23", "42", "54", "55")
    return wrong and not isinstance(error, errors.InsufficientPrivilege)


def _place(error: psycopg2.Error) -> str:
    """Return the line of the statement that the server points to, if it points to one."""
    if error.diag.statement_position is None:
        return ""
    _, _, line = (error.pgerror or "").partition("\n")[2].partition("\n")[0].partition(": ")
    return f": {' '.join(line.split()).rstrip(',')}" if line else ""


def _extension(error: psycopg2.Error) -> Optional[str]:
    """Return the extension that brings what the server does not know, as far as that is known.

    What it does not know it quotes, in whatever language.
    """
    if not isinstance(error, UNKNOWN):
        return None
    words = set(re.findall(r"[a-z_]\w*", error.diag.message_primary or ""))
    return next((name for name, brings in BRINGS.items() if words & brings), None)


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
