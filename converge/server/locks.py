"""Locks: the run lock of this tool, and who holds those that it waits for."""

import logging
import time
from contextlib import closing, contextmanager
from typing import Iterator, List, Optional

from psycopg2 import errors

from converge.errors import LockNotAcquired
from converge.names import DATABASE_WIDE, LOCK_CLASS, lock_key
from converge.quoting import literal
from converge.server.connection import Connection, twin
from converge.server.messages import begin, named, pooled, rows
from converge.settings.variables import Settings
from converge.text import duration

log = logging.getLogger(__name__)

LOCK_POLL_SECONDS = 0.2
LOCK_REMINDER_SECONDS = 10.0
# How the server notices that the holder of the run lock has vanished: after about 20 s.
KEEPALIVES = {
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": "'20s'",
}


@contextmanager
def run_lock(
    control: Connection, settings: Settings, extension: Optional[str] = None
) -> Iterator[Optional[Connection]]:
    """Keep other runs out while the block runs, and yield a connection to work on.

    None is yielded, and nothing is held, if it had to wait for another run, which may have done
    all. The lock is this tool's advisory locks on the schemas and, where `extension` is missing, on
    the database. `control` holds them in a transaction that stays open: READ COMMITTED and idle, it
    has no snapshot for which a CREATE INDEX CONCURRENTLY would wait. A killed run's locks end with
    its connection, and so do those of a block that raises an error.

    The connection to work on is opened only now: those who wait have one each, and leave room for
    the one who works. Raises `NoSecondConnection` if none can be opened, and
    `LockNotAcquired` for a block in which a query has waited too long for a lock.
    """
    tries = _tries(control, settings, extension)
    if not _acquired(control, tries):
        _wait(control, settings, tries)
        yield None
        return
    try:
        with closing(twin(control, settings)) as work:
            yield work
    except BaseException as error:
        with closing(control):
            if isinstance(error, errors.LockNotAvailable):
                raise not_acquired(control, settings) from None
            raise
    control.to_roll_back = True


def _tries(control: Connection, settings: Settings, extension: Optional[str]) -> str:
    """Return SQL that acquires all locks, and is true, or false if one is another's."""
    keys = sorted(lock_key(schema) for schema in settings.schemas)
    tries = [f"pg_try_advisory_xact_lock({LOCK_CLASS}, {key})" for key in keys]
    missing = f"SELECT FROM pg_extension WHERE extname = {literal(extension or '')}"
    # Behind a pooler, runs of different schemas wait for each other too: each takes two of its
    # connections, and those that have one each would wait for a second for ever.
    apart = [pooled(control)] + ([f"NOT EXISTS ({missing})"] if extension else [])
    whole = f"pg_try_advisory_xact_lock({LOCK_CLASS}, {DATABASE_WIDE})"
    return " AND ".join([*tries, f"CASE WHEN {' OR '.join(apart)} THEN {whole} ELSE true END"])


def _acquired(control: Connection, tries: str) -> bool:
    """Try to acquire all locks, or none."""
    # A network that has vanished must not keep the lock for the two hours that it takes otherwise.
    # https://www.postgresql.org/docs/current/runtime-config-connection.html#RUNTIME-CONFIG-TCP-SETTINGS
    noticing = "".join(f"SET LOCAL {name} = {value}; " for name, value in KEEPALIVES.items())
    # Read-only, so that a standby is told by name, not by its refusal to write.
    opening = begin(control, access="READ ONLY") + noticing + named(control)
    acquired, control.pooled = rows(control, f"{opening}SELECT {tries}, {pooled(control)}")[0]
    if not acquired:
        rows(control, "COMMIT")  # releases what was acquired, and keeps the session's name
    return bool(acquired)


def _wait(control: Connection, settings: Settings, tries: str) -> None:
    """Wait until the locks are free, and say who holds them.

    They are polled: a session that *blocks* in `pg_advisory_lock()` holds a snapshot for which the
    holder's CREATE INDEX CONCURRENTLY waits, a deadlock. A poll releases at once what it acquired,
    so that those who wait don't wait for each other.
    """
    started = said = time.monotonic()
    while not rows(control, f"SELECT {tries}")[0][0]:
        now = time.monotonic()
        if said == started or now - said >= LOCK_REMINDER_SECONDS:
            holder = _lock_holder(control, settings)
            log.info("waiting for another run to finish (%.0f s): %s", now - started, holder)
            said = now
        time.sleep(LOCK_POLL_SECONDS)


def _lock_holder(control: Connection, settings: Settings) -> str:
    keys = [DATABASE_WIDE, *map(lock_key, settings.schemas)]
    found = rows(
        control,
        "SELECT format('pid %%s, %%s', a.pid, a.application_name) || "
        "COALESCE(', for ' || date_trunc('second', now() - a.backend_start), '') "
        "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
        "WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database() "
        "AND l.classid = %(class)s "
        "AND l.objid::bigint = ANY (%(keys)s) ORDER BY a.backend_start LIMIT 1",
        {"class": LOCK_CLASS, "keys": [key % (1 << 32) for key in keys]},
    )
    return str(found[0][0]) if found else "it has just ended"


def session(view: str) -> str:
    """Return SQL that describes a row of `pg_stat_activity`: who, in what state, since when, what.

    Of another role's session a role without pg_read_all_stats learns only who.
    """
    age = f"date_trunc('second', clock_timestamp() - {view}.xact_start)"
    return (
        f"format('pid %%s (%%s), ', {view}.pid, {view}.application_name) || "
        f"COALESCE({view}.state || ', ', '') || COALESCE('for ' || {age} || ': ', '') || "
        f"left({view}.query, 80)"
    )


def not_acquired(connection: Connection, settings: Settings) -> LockNotAcquired:
    """Return the error for a query that has waited for LOCK_PATIENCE, with who holds its lock.

    Even a query waits, behind an ACCESS EXCLUSIVE lock, be it held or only waited for.
    """
    holders = _holders(connection, settings) or "It is held by a session that has just ended."
    return LockNotAcquired(
        "a query could not acquire its lock within LOCK_PATIENCE "
        f"({duration(settings.lock_patience)}).\n"
        f"  {holders}\n  Finished steps stay; safe to run again."
    )


def _holders(connection: Connection, settings: Settings) -> str:
    found = rows(
        connection,
        f"SELECT pg_stat_clear_snapshot(); "
        f"SELECT format('%%I.%%I', n.nspname, c.relname), {session('a')} "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_stat_activity a "
        "WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p') "
        "AND a.datname = current_database() AND a.pid <> pg_backend_pid() "
        "AND EXISTS (SELECT FROM pg_locks w JOIN pg_database d ON d.oid = w.database "
        "WHERE d.datname = a.datname AND w.relation = c.oid AND w.mode = 'AccessExclusiveLock') "
        "AND EXISTS (SELECT FROM pg_locks h WHERE h.relation = c.oid AND h.granted "
        "AND h.pid = a.pid) ORDER BY a.xact_start LIMIT 3",
        {"schemas": list(settings.schemas)},
    )
    return "\n  ".join(f"The lock on {table} is held by {holder}" for table, holder in found)


def blockers(connection: Connection, relation: str, but_pid: int) -> List[str]:
    """Describe the sessions with locks on a relation (`schema.table`, quoted), oldest first."""
    found = rows(
        connection,
        # In the run lock's transaction, the view would be as old as the lock.
        f"SELECT pg_stat_clear_snapshot(); SELECT {session('a')} "
        "FROM pg_stat_activity a WHERE a.pid <> %(pid)s AND a.datname = current_database() "
        "AND a.pid IN (SELECT pid FROM pg_locks WHERE granted "
        "AND relation = to_regclass(NULLIF(%(relation)s, ''))) "
        "ORDER BY a.xact_start LIMIT 3",
        {"relation": relation, "pid": but_pid},
    )
    return [text for (text,) in found]
