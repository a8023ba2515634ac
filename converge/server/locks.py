"""Locks: the run lock of this tool, and who holds those that it waits for."""

import logging
import time
from contextlib import closing, contextmanager, nullcontext
from typing import Iterator, List, Optional, Sequence

from psycopg2 import errors

from converge.errors import LockNotAcquired
from converge.events import about
from converge.names import DATABASE_WIDE, HISTORY_TABLE, LOCK_CLASS, lock_key
from converge.quoting import literal
from converge.server.connection import Connection, twin
from converge.server.messages import begin, named, pooled, rows
from converge.server.waits import Guess, Teller, Wait, Watcher, holders
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
    control: Connection,
    settings: Settings,
    extensions: Sequence[str] = (),
    *,
    wait: bool = True,
) -> Iterator[Optional[Connection]]:
    """Keep other runs out while the block runs, and yield a connection to work on.

    None is yielded, and nothing is held, if another run is at work: with `wait` once that has
    ended, as it may have done all. The lock is this tool's advisory locks on the schemas and,
    where one of the `extensions` is missing, on the database. `control` holds them in a
    transaction that stays open: READ COMMITTED and idle, it has no snapshot for which a CREATE
    INDEX CONCURRENTLY would wait. A killed run's locks end with its connection, and so do those
    of a block that raises an error.

    The connection to work on is opened only now: those who wait have one each, and leave room for
    the one who works. Raises `NoSecondConnection` if none can be opened, and
    `LockNotAcquired` for a block in which a query has waited too long for a lock.
    """
    tries = _tries(control, settings, extensions)
    if not _acquired(control, tries):
        if wait:
            _wait(control, settings, tries)
        yield None
        return
    try:
        with closing(twin(control, settings)) as work:
            watcher = work.watch = Watcher(work, lambda: nullcontext(control), Teller())
            yield work
    except BaseException as error:
        with closing(control):
            if isinstance(error, errors.LockNotAvailable):
                raise not_acquired(control, settings, seen=watcher.seen) from None
            raise
    control.to_roll_back = True


def _tries(control: Connection, settings: Settings, extensions: Sequence[str]) -> str:
    """Return SQL that acquires all locks, and is true, or false if one is another's."""
    keys = sorted(lock_key(schema) for schema in settings.schemas)
    tries = [f"pg_try_advisory_xact_lock({LOCK_CLASS}, {key})" for key in keys]
    listed = ", ".join(map(literal, extensions))
    there = f"(SELECT count(*) FROM pg_extension WHERE extname IN ({listed}))"
    # Behind a pooler, runs of different schemas wait for each other too: each takes two of its
    # connections, and those that have one each would wait for a second for ever.
    apart = [pooled(control)] + ([f"{there} < {len(extensions)}"] if extensions else [])
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
            extra = about("waiting_for_run", waited_s=round(now - started), reason=holder)
            log.info(
                "waiting for another run to finish (%.0f s): %s", now - started, holder, extra=extra
            )
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


def not_acquired(
    observer: Connection, settings: Settings, *, seen: Sequence[Wait] = (), done: bool = True
) -> LockNotAcquired:
    """Return the error for a query that has waited for LOCK_PATIENCE: who has its lock.

    Even a query waits, behind an ACCESS EXCLUSIVE lock, be it held or only waited for. `seen` is
    whom it was seen to wait for; `done`, whether steps may be finished.
    """
    found = seen or holders(observer, [guess for name in settings.schemas for guess in _any(name)])
    return lock_not_acquired("a query", settings, found, done=done)


def _any(schema: str) -> List[Guess]:
    history = Guess(schema, HISTORY_TABLE, "RowExclusiveLock")
    return [Guess(schema, None, "AccessShareLock"), history]


def lock_not_acquired(
    who: str, settings: Settings, found: Sequence[Wait], *, done: bool = True
) -> LockNotAcquired:
    """Return the error for who has waited for a lock for LOCK_PATIENCE."""
    patience = duration(settings.lock_patience)
    lines = [f"{who} could not acquire the lock within LOCK_PATIENCE ({patience})."]
    lines += [f"It waited for {wait}" for wait in found]
    if not found:
        lines.append("It was held by a session that has just ended.")
    stays = "Finished steps stay; safe to run again." if done else "Nothing was changed; run again."
    return LockNotAcquired("\n  ".join([*lines, stays]), found)
