"""The connection: opening it, with retries, and transactions that travel as one message.

Every connection is in autocommit mode; a transaction is an explicit `BEGIN … COMMIT` string that
travels as one message. Nothing is set for the session: behind a transaction-pooling PgBouncer
another client would inherit it.
"""

import logging
import select
import time
from contextlib import contextmanager
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import psycopg2
import psycopg2.extensions

from converge.settings.variables import Settings

log = logging.getLogger(__name__)

VERSION = "1.0.0"
APPLICATION_NAME = "eater-init"
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
# How soon the server ends the statement of a client that has vanished, where it can (from 14 on).
# https://www.postgresql.org/docs/current/runtime-config-connection.html
CLIENT_CHECK = "'5s'"
# What a role or a database may have set, that would end or forbid an index build, and how it runs.
# A timeout also counts the build's wait for older snapshots, and leaves an invalid index.
UNLIMITED = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "transaction_timeout": "0",  # from 17 on
    "default_transaction_read_only": "off",
}
# First of all: a serializable, read-only and deferrable transaction would begin with waiting for
# those of others. https://www.postgresql.org/docs/current/sql-set-transaction.html
READ_COMMITTED = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; "
# How the server words what is compared, kept to be run another time, or cast to text for good.
WORDING = {
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "quote_all_identifiers": "off",
}


class Silence(psycopg2.OperationalError):
    """The server, or the network before it, does not answer."""


class Connection(psycopg2.extensions.connection):
    """A psycopg2 connection that can be watched while it waits for the server.

    `watch` is called every `WATCH_SECONDS` of a wait. It may use another connection, never this.
    """

    watch: Optional[Callable[[], None]] = None
    answers: Callable[[float], bool]  # whether the server does, a newcomer, within so many seconds
    opened = False
    pooled = False  # behind a pooler, which hands the server's session on to others
    checks_client = False  # the server can notice, in the middle of a statement, that we are gone
    restrictions_lifted = False
    to_roll_back = False  # a transaction is open that the next message ends first
    lock_patience = 0.0  # seconds that a statement may wait for a lock; 0: for ever

    def __init__(self, dsn: str, patience: float, **kwargs: Any) -> None:
        self.deadline = time.monotonic() + patience
        super().__init__(dsn, **kwargs)
        self.opened = True
        self.autocommit = True


def wait(connection: psycopg2.extensions.connection) -> None:
    """Wait for the server as psycopg2's wait callback, so that signals are handled at once.

    psycopg2's own wait is in C and delays every signal until the statement has ended. When this
    raises, psycopg2 closes the connection; the statement is cancelled on the server before that.
    The callback is the whole process's, so it may be called for connections that are not ours.
    """
    ours = connection if isinstance(connection, Connection) else None
    started = time.monotonic()
    watched = asked = started
    try:
        while not _is_done(connection):
            now = time.monotonic()
            if ours is None:
                continue
            # libpq's own connect_timeout does not count in this non-blocking mode.
            if not ours.opened and now > ours.deadline:
                raise Silence("timeout expired")
            if ours.watch is not None and now - watched > WATCH_SECONDS:
                ours.watch()
                watched = time.monotonic()
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


def _is_done(connection: psycopg2.extensions.connection) -> bool:
    state = connection.poll()
    if state == psycopg2.extensions.POLL_OK:
        return True
    fds = [connection.fileno()]
    reading = fds if state == psycopg2.extensions.POLL_READ else []
    writing = fds if state == psycopg2.extensions.POLL_WRITE else []
    select.select(reading, writing, [], WAIT_TICK_SECONDS)
    return False


def connect(settings: Settings) -> Connection:
    """Open a connection, in up to `MAX_RETRIES` attempts, `RETRY_DELAY` seconds apart.

    Raises `ConnectionFailed` with the server's last reason and what to check.
    """
    try:
        return open_connection(settings)
    except psycopg2.OperationalError as error:
        # tenacity's import takes more CPU than all the rest of a run that finds nothing to do.
        from converge.server import retries

        return retries.connect_again(settings, error)


def open_connection(settings: Settings, patience: float = CONNECT_TIMEOUT_SECONDS) -> Connection:
    """Open a connection in one attempt, or raise `psycopg2.OperationalError`.

    It is `Silence` if there is no answer within `patience` seconds.
    """
    psycopg2.extensions.set_wait_callback(wait)
    optional = {"sslmode": settings.sslmode, "sslrootcert": settings.sslrootcert}
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
    """Open another connection to where `connection` leads, in one attempt."""
    other = open_connection(settings)
    other.pooled, other.checks_client = connection.pooled, connection.checks_client
    return other


def _answers(settings: Settings, seconds: float) -> bool:
    try:
        open_connection(settings, seconds).close()
    except Silence:
        return False
    except psycopg2.OperationalError:
        pass  # "too many clients" is an answer too
    return True


def rows(
    connection: Connection, sql: str, parameters: Optional[Dict[str, Any]] = None
) -> List[Tuple[Any, ...]]:
    """Run one message and return the rows of its last statement, none if it has no result."""
    if connection.to_roll_back:
        sql, connection.to_roll_back = "ROLLBACK; " + sql, False
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def named(connection: Connection) -> str:
    """Return what names the session in the server's views; behind a pooler, this message only.

    A name that is given while connecting stays on a pooled session, for clients that give none.
    """
    # A pooler makes up the process id that it tells libpq.
    pooled = f"pg_backend_pid() <> {connection.info.backend_pid}"
    return f"SELECT set_config('application_name', '{APPLICATION_NAME}', {pooled}); "


def begin(
    connection: Connection, *, access: str = "READ WRITE", lock_timeout: Optional[float] = None
) -> str:
    """Return the opening of a transaction in which no setting of the role or database counts.

    `lock_timeout` is in seconds, LOCK_PATIENCE if it is not given: even a query may have to wait,
    behind an ACCESS EXCLUSIVE lock.
    """
    return f"BEGIN {access}; {unhindered(connection, lock_timeout)}"


def unhindered(connection: Connection, lock_timeout: Optional[float] = None) -> str:
    """Return what makes a transaction's settings the same whatever role and database have set.

    Like `begin`, which has it too. Also for a message without BEGIN: it is one transaction too.
    https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT
    """
    timeout = connection.lock_patience if lock_timeout is None else lock_timeout
    settings = {
        **WORDING,
        "application_name": f"'{APPLICATION_NAME}'",
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "lock_timeout": milliseconds(timeout),
        "search_path": "pg_catalog",
        "jit": "off",  # compiling the catalog query takes ten times as long as running it
    }
    if connection.server_version >= 170000:
        settings["transaction_timeout"] = "0"
    if connection.checks_client:
        settings["client_connection_check_interval"] = CLIENT_CHECK
    local = "".join(f"SET LOCAL {name} = {value}; " for name, value in settings.items())
    return READ_COMMITTED + local


def milliseconds(seconds: float) -> str:
    """Return a duration as PostgreSQL reads it."""
    return f"'{round(seconds * 1000)}ms'"


@contextmanager
def rolled_back(connection: Connection) -> Iterator[None]:
    """End the transaction that the block opens, in every case by `ROLLBACK`.

    It travels with the next message: a round trip less. Closing the connection ends it too.
    """
    try:
        yield
    finally:
        connection.to_roll_back = True


def alone(connection: Connection, statement: str) -> None:
    """Run a statement that may not share its message, such as CREATE INDEX CONCURRENTLY."""
    if connection.to_roll_back:
        rows(connection, "SELECT")
    rows(connection, statement)


def transaction(
    connection: Connection, statements: Sequence[str], *, lock_timeout: Optional[float] = None
) -> None:
    """Run the statements in one transaction and one round trip. On an error nothing of it stays."""
    message = begin(connection, lock_timeout=lock_timeout) + ";\n".join([*statements, "COMMIT"])
    try:
        rows(connection, message)
    except psycopg2.Error:
        if not connection.closed:
            rows(connection, "ROLLBACK")
        raise


def ask(connection: Connection, sql: str) -> List[Tuple[Any, ...]]:
    """Run a query in a read-only transaction of its own, however long it takes."""
    try:
        return rows(connection, begin(connection, access="READ ONLY") + sql)
    finally:
        if not connection.closed:
            rows(connection, "ROLLBACK")  # at once: it holds locks on live tables


def lift_restrictions(connection: Connection) -> None:
    """Let the statements that run outside a transaction write, and take as long as they need.

    The session is ours alone, so nobody else's is changed. A pooled one is left as it is: there,
    `preflight.limited_builds` has made sure that nothing is to be lifted.
    """
    if not connection.pooled and not connection.restrictions_lifted:
        settings = {
            **UNLIMITED,
            "default_transaction_isolation": "'read committed'",
            "application_name": f"'{APPLICATION_NAME}'",
        }
        if connection.server_version < 170000:
            del settings["transaction_timeout"]
        if connection.checks_client:
            settings["client_connection_check_interval"] = CLIENT_CHECK
        rows(connection, "".join(f"SET {name} = {value}; " for name, value in settings.items()))
        connection.restrictions_lifted = True
