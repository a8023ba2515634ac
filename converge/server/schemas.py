"""Which schemas a run is for, by name: those that the settings name, and its shard of them."""

import hashlib
import logging
import re
from typing import Dict, List, Optional, Sequence, Tuple

import psycopg2
from psycopg2 import errors

from converge.errors import ConfigurationError, LockNotAcquired
from converge.events import about
from converge.server.connection import Connection, NoEncoding
from converge.server.failures import first_line, is_transient
from converge.server.messages import (
    ALL_ROWS,
    begin,
    milliseconds,
    rolled_back,
    rows,
    typed_rows,
)
from converge.settings.loading import UNUSABLE
from converge.settings.schemas import Source, schema_name
from converge.settings.shard import Shard
from converge.settings.variables import Settings
from converge.text import counted, duration

log = logging.getLogger(__name__)

# What a syntax error is near to, if it is a string: it may be a password, or all that follows one.
QUOTED, ELIDED = re.compile(r"""(?<=")(?:[A-Za-z]&?)?['"$].*"""), '…"'
LIST, QUERY = "POSTGRES_SCHEMAS", "POSTGRES_SCHEMAS_QUERY"
QUERY_SECONDS = 60.0  # without the time that it may wait for a lock
TEXTS = (19, 25, 1043)  # name, text, varchar; these never change: src/include/catalog/pg_type.dat
ANY = {"*": "%", "?": "_"}  # as LIKE has them
MATCHING = """SELECT p.place::integer, n.nspname
FROM unnest(%(patterns)s::text[]) WITH ORDINALITY AS p (pattern, place)
JOIN pg_namespace n ON n.nspname LIKE p.pattern
WHERE NOT starts_with(n.nspname, 'pg_') AND n.nspname <> 'information_schema' ORDER BY 1, 2"""


def with_schemas(connection: Connection, settings: Settings) -> Settings:
    """Return the settings with the names of the run's schemas; none if all are other shards'.

    Raises what `named_schemas` raises.
    """
    everywhere = named_schemas(connection, settings)
    names = of_shard(everywhere, settings.shard)
    if settings.shard:
        share = len(names), counted(len(everywhere), "schema")
        extra = about("shard", shard=str(settings.shard), count=len(names), total=len(everywhere))
        log.info("shard %s: %d of %s", settings.shard, *share, extra=extra)
    elif not settings.source.known:
        extra = about("schemas_found", count=len(names))
        log.info("found %s", counted(len(names), "schema"), extra=extra)
    return settings._replace(schemas=names)


def named_schemas(connection: Connection, settings: Settings) -> Tuple[str, ...]:
    """Return the names of the schemas that the settings name, in the order of their first mention.

    A pattern stands for schemas that there are, sorted, and never for the server's own. Plain names
    are not asked about: there, nothing is sent. Raises `ConfigurationError` where no schema is
    named, and for a query that fails or returns what is no name; `LockNotAcquired` where it has
    waited for LOCK_PATIENCE.
    """
    source = settings.source
    if source.known:
        return source.names
    if source.query:
        return _asked(connection, source.query, settings)
    return _matched(connection, source)


def of_shard(names: Sequence[str], shard: Optional[Shard]) -> Tuple[str, ...]:
    """Return the names that are a shard's, by a hash: whatever others there are, they stay its."""
    if shard is None:
        return tuple(names)
    return tuple(name for name in names if _hash(name) % shard.of == shard.number - 1)


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _matched(connection: Connection, source: Source) -> Tuple[str, ...]:
    with rolled_back(connection):
        likes = [_like(pattern) for pattern in source.patterns]
        opening = begin(connection, access="READ ONLY")
        pairs = rows(connection, opening + MATCHING, {"patterns": likes})
    found: Dict[str, List[str]] = {pattern: [] for pattern in source.patterns}
    for place, name in pairs:
        found[source.patterns[place - 1]].append(name)
    none = [pattern for pattern in source.patterns if not found[pattern]]
    if none and len(none) == len(source.entries):
        raise _unusable(f"{LIST}: no schema is like {' or '.join(none)}")
    for pattern in none:
        extra = about("pattern_unmatched", setting=LIST, pattern=pattern)
        log.warning("%s: no schema is like %s", LIST, pattern, extra=extra)
    named = (found[entry.text] if entry.pattern else [entry.text] for entry in source.entries)
    return tuple(dict.fromkeys(name for names in named for name in names))


def _like(pattern: str) -> str:
    return re.sub(r"[*?%_\\]", lambda found: ANY.get(found[0], "\\" + found[0]), pattern)


def _asked(connection: Connection, query: str, settings: Settings) -> Tuple[str, ...]:
    try:
        types, found = _result(connection, query)
    except errors.LockNotAvailable:
        patience = duration(settings.lock_patience)
        raise LockNotAcquired(
            f"{QUERY} could not acquire a lock within LOCK_PATIENCE ({patience}).\n"
            "  Nothing was changed; run again."
        ) from None
    except errors.QueryCanceled:
        raise _unusable(f"{QUERY} took longer than {duration(QUERY_SECONDS)}") from None
    except psycopg2.Error as error:
        if is_transient(error) or isinstance(error, NoEncoding):
            raise
        raise _unusable(f"{QUERY}: {QUOTED.sub(ELIDED, first_line(error))}") from None
    if len(types) != 1 or types[0] not in TEXTS:
        raise _unusable(f"{QUERY} must return one column, of type text or name")
    return _names([name for (name,) in found])


def _result(connection: Connection, query: str) -> Tuple[List[int], List[Tuple[str, ...]]]:
    """Run the query where it can change nothing; names are found as in psql.

    DECLARE takes nothing but a query.
    """
    timeout = milliseconds(connection.lock_patience + QUERY_SECONDS)
    opening = begin(connection, access="READ ONLY") + ALL_ROWS
    with rolled_back(connection):
        # By itself: up to 13, a statement_timeout that is set in the same message does not count.
        rows(
            connection,
            f"{opening}SET LOCAL search_path TO DEFAULT; SET LOCAL statement_timeout = {timeout}",
        )
        sql = f"DECLARE named CURSOR FOR {query}\n; FETCH ALL FROM named"
        return typed_rows(connection, sql, shown=f"-- {QUERY}, which is not shown")


def _names(found: Sequence[Optional[str]]) -> Tuple[str, ...]:
    """Return the names of the query's rows, each once."""
    names = tuple(dict.fromkeys(name for name in found if name is not None))
    nulls = sum(name is None for name in found)
    if nulls:
        extra = about("null_names", setting=QUERY, count=nulls)
        log.warning("%s: NULL, in %s, names no schema", QUERY, counted(nulls, "row"), extra=extra)
    if not names:
        raise _unusable(f"{QUERY} names no schema")
    try:
        return tuple(map(schema_name, names))
    except ValueError as error:
        raise _unusable(f"{QUERY}: {error}") from None


def _unusable(what: str) -> ConfigurationError:
    return ConfigurationError(f"{UNUSABLE}\n  {what}", [what])
