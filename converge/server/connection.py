"""The connection: opening it once, waiting for the server, and noticing that it has gone.

Every connection is in autocommit mode; what is sent over it is made in `messages.py`.
"""

import select
import time
from contextlib import contextmanager
from functools import partial
from typing import Any, Callable, ClassVar, Dict, Iterator, Optional, Tuple

import psycopg2
import psycopg2.extensions

from converge.quoting import identifier
from converge.settings.variables import Settings

CONNECT_TIMEOUT_SECONDS = 10
# Together these end a connection whose peer has vanished after about 4 s; without them a run
# hangs for minutes. https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-KEEPALIVES
KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 4000,
}
# Keepalives see only as far as the next proxy. So after this long without an answer it is asked on
# a new connection whether the server is still there.
DOUBT_SECONDS = 20.0
# The same before a cancellation, as libpq waits for its answer without any limit.
CANCEL_SECONDS = 0.5
WAIT_TICK_SECONDS = 0.25  # how late a watcher may be; a signal interrupts the wait at once
WATCH_SECONDS = 3.0  # between two looks at a statement that takes long
LOOK_SECONDS = 1.0  # the same where a look costs no connection of its own


class Silence(psycopg2.OperationalError):
    """The server, or the network before it, does not answer."""


class NoEncoding(psycopg2.NotSupportedError):
    """The database is SQL_ASCII: it holds any bytes, and some that were asked for are no UTF-8."""


class NoSecondConnection(psycopg2.OperationalError):
    """A run takes two connections, and the second one could not be opened.

    `names` are those of the role and the database, quoted, for the advice.
    """

    def __init__(self, reason: str, **names: str) -> None:
        super().__init__(reason)
        self.names = names


class Connection(psycopg2.extensions.connection):
    """A psycopg2 connection that can be watched while it waits for the server.

    `watch` is called with the seconds that it has waited: after `watch_after`, then every
    `watch_every`. It may use another connection, never this.
    """

    watch: Optional[Callable[[float], None]] = None
    watch_after = watch_every = WATCH_SECONDS
    statement = ""  # the last one that was sent
    answers: Callable[[float], bool]  # whether the server does, a newcomer, within so many seconds
    opened = False
    pooled = False  # behind a pooler, which hands the server's session on to others
    checks_client = False  # the server can notice, in the middle of a statement, that we are gone
    citus = False  # whose coordinator hands on statements to workers
    lifted_for: Optional[Tuple[str, ...]] = None
    to_roll_back = False  # a transaction is open that the next message ends first
    asks_on = False  # a question is followed by others, see `messages.in_a_row`
    # Signals reach the main thread alone: what it leaves here ends the waits of the others.
    interrupted: ClassVar[Optional[BaseException]] = None
    lock_patience = 0.0  # seconds that a statement may wait for a lock; 0: for ever

    def __init__(self, dsn: str, patience: float, **kwargs: Any) -> None:
        self.deadline = time.monotonic() + patience
        super().__init__(dsn, **kwargs)
        self.opened = True
        self.autocommit = True

    @contextmanager
    def watched(self, look: Callable[[float], None], after: float = LOOK_SECONDS) -> Iterator[None]:
        """Have `look` watch the statements of the block, for the first time after so long."""
        before = self.watch, self.watch_after, self.watch_every
        self.watch, self.watch_after, self.watch_every = look, after, LOOK_SECONDS
        try:
            yield
        finally:
            self.watch, self.watch_after, self.watch_every = before


def wait(connection: psycopg2.extensions.connection) -> None:
    """Wait for the server as psycopg2's wait callback, so that signals are handled at once.

    psycopg2's own wait is in C and delays every signal until the statement has ended. When this
    raises, psycopg2 closes the connection; the statement is cancelled on the server before that.
    The callback is the whole process's, so it may be called for connections that are not ours.
    """
    ours = connection if isinstance(connection, Connection) else None
    started = now = asked = time.monotonic()
    look_at = started + (ours.watch_after if ours else WATCH_SECONDS)
    try:
        while not _is_done(connection, look_at - now):
            now = time.monotonic()
            if ours is None:
                continue
            # libpq's own connect_timeout does not count in this non-blocking mode.
            if not ours.opened and now > ours.deadline:
                raise Silence("timeout expired")
            if ours.watch is not None and now >= look_at:
                ours.watch(now - started)
                look_at = time.monotonic() + ours.watch_every
            if ours.opened and now - asked > DOUBT_SECONDS:
                if not ours.answers(CONNECT_TIMEOUT_SECONDS):
                    raise Silence(f"no answer for {now - started:.0f} s, nor to a new connection")
                asked = time.monotonic()
    except Silence:
        raise
    except BaseException:
        if ours and ours.opened and not ours.closed and ours.answers(CANCEL_SECONDS):
            ours.cancel()
        raise


def _is_done(connection: psycopg2.extensions.connection, look_in: float) -> bool:
    """Wait for a tick, or until a look that is due before; True if the server has answered."""
    if Connection.interrupted is not None:
        raise Connection.interrupted
    state = connection.poll()
    if state == psycopg2.extensions.POLL_OK:
        return True
    fds = [connection.fileno()]
    reading = fds if state == psycopg2.extensions.POLL_READ else []
    writing = fds if state == psycopg2.extensions.POLL_WRITE else []
    tick = min(look_in, WAIT_TICK_SECONDS) if look_in > 0 else WAIT_TICK_SECONDS
    select.select(reading, writing, [], tick)
    return False


def open_connection(
    settings: Settings,
    patience: float = CONNECT_TIMEOUT_SECONDS,
    sslmode: Optional[str] = None,
) -> Connection:
    """Open a connection in one attempt, or raise `psycopg2.OperationalError`.

    It is `Silence` if there is no answer within `patience` seconds.
    """
    psycopg2.extensions.set_wait_callback(wait)
    optional = {"sslmode": sslmode or settings.sslmode, "sslrootcert": settings.sslrootcert}
    parameters: Dict[str, Any] = {**KEEPALIVES, **optional}
    connection: Connection = psycopg2.connect(
        host=settings.host,
        port=settings.port,
        dbname=settings.database,
        user=settings.user,
        password=settings.password,
        client_encoding="UTF8",
        connection_factory=partial(Connection, patience=patience),
        **{name: value for name, value in parameters.items() if value is not None},
    )
    connection.lock_patience = settings.lock_patience
    connection.answers = partial(_answers, settings)
    return connection


def twin(connection: Connection, settings: Settings) -> Connection:
    """Open another connection to where `connection` leads, in one attempt.

    Where that was opened without TLS, this is not asked for again: a round trip less.
    Raises `NoSecondConnection`.
    """
    sslmode = settings.sslmode if connection.info.ssl_in_use else "disable"
    try:
        other = open_connection(settings, sslmode=sslmode)
    except psycopg2.OperationalError as error:
        raise NoSecondConnection(str(error), **quoted_names(settings)) from None
    other.pooled, other.checks_client = connection.pooled, connection.checks_client
    other.citus = connection.citus
    return other


def quoted_names(settings: Settings) -> Dict[str, str]:
    """Return the names of the role and the database, quoted, for an advice."""
    return {"user": identifier(settings.user), "database": identifier(settings.database)}


def _answers(settings: Settings, seconds: float) -> bool:
    try:
        open_connection(settings, seconds).close()
    except Silence:
        return False
    except psycopg2.OperationalError:
        pass  # "too many clients" is an answer too
    return True
