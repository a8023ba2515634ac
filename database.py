"""The connection: opening it, what the server is, the run lock, transactions as one message.

Every connection is in autocommit mode; a transaction is an explicit `BEGIN … COMMIT` string that
travels as one message. Nothing is set for the session: behind a transaction-pooling PgBouncer
another client would inherit it.
"""

import logging
import select
import time
import zlib
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import psycopg2
import psycopg2.extensions

from config import Settings
from errors import ConnectionFailed, EaterInitError, Refused

log = logging.getLogger(__name__)

VERSION = "1.0.0"
APPLICATION_NAME = "eater-init"
EXTENSION = "pg_trgm"
OLDEST_SERVER = 120000

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
WAIT_TICK_SECONDS = 0.25  # how late a watcher may be; a signal interrupts the wait at once
WATCH_SECONDS = 3.0  # between two looks at a statement that takes long
# How soon the server ends the statement of a client that has vanished, where it can (from 14 on).
# https://www.postgresql.org/docs/current/runtime-config-connection.html
CLIENT_CHECK = "'5s'"
LOCK_POLL_SECONDS = 0.2
LOCK_REMINDER_SECONDS = 10.0
# The first key of all advisory locks of this tool; the second is the schema's, or 0 for what is
# database-wide.
LOCK_CLASS = zlib.crc32(b"eater-init") & 0x7FFFFFFF
DATABASE_WIDE = 0


class Connection(psycopg2.extensions.connection):
    """A psycopg2 connection that can be watched while it waits for the server.

    `watch` is called every `WATCH_SECONDS` of a wait. It may use another connection, never this.
    """

    watch: Optional[Callable[[], None]] = None
    opened = False
    pooled = False  # behind a pooler, which hands the server's session on to others
    checks_client = False  # the server can notice, in the middle of a statement, that we are gone
    timeouts_lifted = False
    waited = False  # for the run lock, so that another run may have done the work

    def __init__(self, dsn: str, **kwargs: Any) -> None:
        self.deadline = time.monotonic() + CONNECT_TIMEOUT_SECONDS
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
    next_watch = time.monotonic() + WATCH_SECONDS
    try:
        while not _is_done(connection):
            # libpq's own connect_timeout does not count in this non-blocking mode.
            if ours and not ours.opened and time.monotonic() > ours.deadline:
                raise psycopg2.OperationalError("timeout expired")
            if ours and ours.watch is not None and time.monotonic() > next_watch:
                ours.watch()
                next_watch = time.monotonic() + WATCH_SECONDS
    except BaseException:
        if ours and ours.opened and not ours.closed:
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
        import retries

        return retries.connect_again(settings, error)


def open_connection(settings: Settings) -> Connection:
    """Open a connection in one attempt, or raise `psycopg2.OperationalError`."""
    psycopg2.extensions.set_wait_callback(wait)
    optional = {"sslmode": settings.sslmode, "sslrootcert": settings.sslrootcert}
    parameters: Dict[str, Any] = {**KEEPALIVES, **optional}
    connection: Connection = psycopg2.connect(
        host=settings.host,
        port=settings.port,
        dbname=settings.database,
        user=settings.user,
        password=settings.password,
        application_name=APPLICATION_NAME,
        client_encoding="UTF8",
        connection_factory=Connection,
        **{name: value for name, value in parameters.items() if value is not None},
    )
    return connection


class Server(NamedTuple):
    """What the server and the role are, as one query tells it (`inspect`)."""

    version: int
    platform: str
    standby: bool
    user: str
    database: str
    superuser: bool
    can_create_schema: bool
    can_use_temp: bool
    has_public: bool
    has_first_schema: bool
    ctype: str
    extension_schema: Optional[str]
    extension_usable: bool
    extension_available: bool
    backend_pid: int

    @property
    def extension_permitted(self) -> bool:
        """pg_trgm is a trusted extension since 13: CREATE on the database is enough."""
        return self.superuser or (self.version >= 130000 and self.can_create_schema)


SERVER_QUERY = f"""
SELECT current_setting('server_version_num')::integer, version(), pg_is_in_recovery(),
  current_user, current_database(),
  (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
  has_database_privilege(current_database(), 'CREATE'),
  has_database_privilege(current_database(), 'TEMPORARY'),
  to_regnamespace('public') IS NOT NULL,
  EXISTS (SELECT FROM pg_namespace WHERE nspname = %(first_schema)s),
  (SELECT datctype FROM pg_database WHERE datname = current_database()),
  (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
   WHERE e.extname = '{EXTENSION}'),
  (SELECT has_schema_privilege(e.extnamespace, 'USAGE') FROM pg_extension e
   WHERE e.extname = '{EXTENSION}'),
  EXISTS (SELECT FROM pg_extension WHERE extname = '{EXTENSION}')
    OR EXISTS (SELECT FROM pg_available_extensions WHERE name = '{EXTENSION}'),
  pg_backend_pid()
"""


def inspect(connection: Connection, settings: Settings) -> Server:
    """Ask the server what it is, in one round trip. Raises `Refused` if no run can succeed on it.

    That is before anything was tried, and says the statement that an administrator should run.
    """
    if connection.server_version < OLDEST_SERVER:
        raise Refused(
            f"refused: the server is PostgreSQL {connection.server_version // 10000}, "
            "12 is the oldest that is supported.\n  Nothing was changed. Upgrade the server."
        )
    found = rows(connection, SERVER_QUERY, {"first_schema": settings.schemas[0]})
    server = Server(*found[0])
    # A pooler makes up the process id that it tells libpq.
    connection.pooled = connection.info.backend_pid != server.backend_pid
    connection.checks_client = server.version >= 140000 and "linux" in server.platform
    refusals = list(_obstacles(server, settings, connection))
    if refusals:
        raise Refused("\n".join(f"refused: {text}\n  Nothing was changed." for text in refusals))
    return server


def _obstacles(server: Server, settings: Settings, connection: Connection) -> Iterator[str]:
    """Say what keeps any run from succeeding."""
    role = psycopg2.extensions.quote_ident(server.user, connection)
    database = psycopg2.extensions.quote_ident(server.database, connection)
    if server.standby:
        yield f"{settings.host} is a read-only standby.\n  Name the primary in POSTGRES_HOST."
        return
    if not server.can_use_temp:
        yield (
            f"{server.user} may not create temporary tables, which the comparison needs.\n"
            f"  Let an administrator run:\n    GRANT TEMPORARY ON DATABASE {database} TO {role};"
        )
    if server.extension_schema is None and not server.extension_available:
        yield (
            f"the extension {EXTENSION} is not installed on the server.\n"
            "  Let an administrator install PostgreSQL's contrib package "
            "(Debian: postgresql-contrib), then run again."
        )
    elif server.extension_schema is not None and not server.extension_usable:
        home = psycopg2.extensions.quote_ident(server.extension_schema, connection)
        yield (
            f"the extension {EXTENSION} is in schema {home}, which {server.user} may not use.\n"
            f"  Let an administrator run:\n    GRANT USAGE ON SCHEMA {home} TO {role};"
        )
    elif server.extension_schema is None and not server.extension_permitted:
        yield (
            f"the extension {EXTENSION} is missing, and {server.user} may not create it.\n"
            f"  Let an administrator run, in database {server.database}:\n"
            f"    CREATE EXTENSION {EXTENSION};"
        )


def rows(
    connection: Connection, sql: str, parameters: Optional[Dict[str, Any]] = None
) -> List[Tuple[Any, ...]]:
    """Run one message and return the rows of its last statement, none if it has no result."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def begin(connection: Connection, *, access: str = "READ WRITE", lock_timeout: float = 0) -> str:
    """Return the opening of a transaction in which no setting of the role or database counts.

    `lock_timeout` is in seconds; 0 waits for ever.
    """
    settings = {
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "lock_timeout": f"'{max(1, round(lock_timeout * 1000))}ms'" if lock_timeout else "0",
        "search_path": "pg_catalog",
    }
    if connection.server_version >= 170000:
        settings["transaction_timeout"] = "0"
    if connection.checks_client:
        settings["client_connection_check_interval"] = CLIENT_CHECK
    return f"BEGIN ISOLATION LEVEL READ COMMITTED {access}; " + "".join(
        f"SET LOCAL {name} = {value}; " for name, value in settings.items()
    )


@contextmanager
def rolled_back(connection: Connection) -> Iterator[None]:
    """End the transaction that the block opens, in every case by `ROLLBACK`."""
    try:
        yield
    finally:
        if not connection.closed:
            rows(connection, "ROLLBACK")


def transaction(
    connection: Connection, statements: Sequence[str], *, lock_timeout: float = 0
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
    with rolled_back(connection):
        return rows(connection, begin(connection, access="READ ONLY") + sql)


def lift_timeouts(connection: Connection) -> None:
    """Let the statements that run outside a transaction take as long as they need.

    The session is ours alone, so nobody else's is changed; a pooled one is left as it is. A
    timeout during CREATE INDEX CONCURRENTLY would also count its wait for older snapshots, and
    leave an invalid index.
    """
    if not connection.pooled and not connection.timeouts_lifted:
        settings = ["statement_timeout = 0", "lock_timeout = 0"]
        if connection.checks_client:
            settings.append(f"client_connection_check_interval = {CLIENT_CHECK}")
        rows(connection, "".join(f"SET {setting}; " for setting in settings))
        connection.timeouts_lifted = True


def lock_key(schema: str) -> int:
    """Return a schema's second advisory lock key: a signed 32-bit number, never 0."""
    key = zlib.crc32(schema.encode()) or 1
    return key - (1 << 32) if key >= 1 << 31 else key


@contextmanager
def run_lock(settings: Settings, keys: Sequence[int]) -> Iterator[Connection]:
    """Hold this tool's advisory locks on a connection of their own, which is yielded.

    The lock is polled: a session that *blocks* in `pg_advisory_lock()` holds a snapshot for which
    the holder's CREATE INDEX CONCURRENTLY waits, a deadlock. The transaction that keeps it is READ
    COMMITTED and idle, so it holds no snapshot. A killed run's lock ends with its connection.
    """
    control = connect(settings)
    try:
        started = said = time.monotonic()
        while not _try_lock(control, keys):
            control.waited = True
            now = time.monotonic()
            if said == started or now - said >= LOCK_REMINDER_SECONDS:
                holder = _lock_holder(control, keys)
                log.info("waiting for another run to finish (%.0f s): %s", now - started, holder)
                said = now
            time.sleep(LOCK_POLL_SECONDS)
        yield control
    finally:
        control.close()


def _try_lock(control: Connection, keys: Sequence[int]) -> bool:
    tries = " AND ".join(f"pg_try_advisory_xact_lock({LOCK_CLASS}, {key})" for key in sorted(keys))
    if rows(control, begin(control) + f"SELECT {tries}")[0][0]:
        return True
    rows(control, "ROLLBACK")
    return False


def _lock_holder(control: Connection, keys: Sequence[int]) -> str:
    found = rows(
        control,
        "SELECT a.pid, a.application_name, date_trunc('second', now() - a.backend_start) "
        "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
        "WHERE l.locktype = 'advisory' AND l.granted AND l.classid = %(class)s "
        "AND l.objid::bigint = ANY (%(keys)s) ORDER BY a.backend_start LIMIT 1",
        {"class": LOCK_CLASS, "keys": [key % (1 << 32) for key in keys]},
    )
    return "pid {}, {}, for {}".format(*found[0]) if found else "it has just ended"


def blockers(connection: Connection, relation: str, but_pid: int) -> List[str]:
    """Describe the sessions that hold locks on a relation (`schema.table`, quoted), oldest first.

    Each: pid, application_name, state, age of its transaction and the start of its query.
    """
    found = rows(
        connection,
        # In the run lock's transaction, now() and the view would be as old as the lock.
        "SELECT pg_stat_clear_snapshot(); SELECT a.pid, a.application_name, a.state, "
        "date_trunc('second', clock_timestamp() - a.xact_start), left(a.query, 80) "
        "FROM pg_stat_activity a WHERE a.pid <> %(pid)s AND a.pid IN (SELECT pid FROM pg_locks "
        "WHERE granted AND relation = to_regclass(NULLIF(%(relation)s, ''))) ORDER BY a.xact_start",
        {"relation": relation, "pid": but_pid},
    )
    return ["pid {} ({}), {}, for {}: {}".format(*row) for row in found]


@contextmanager
def explained() -> Iterator[None]:
    """Turn what the server or the connection says into an error with an exit code."""
    try:
        yield
    except psycopg2.Error as error:
        lost = isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError))
        kind = ConnectionFailed if lost and error.pgcode is None else EaterInitError
        what = "the connection was lost" if kind is ConnectionFailed else "the server refused"
        log.debug("where it happened", exc_info=True)
        raise kind(
            f"{what}: {str(error).strip()}\n  What was finished stays; safe to run again."
        ) from None


def first_line(error: BaseException) -> str:
    """Return the server's own reason, without its context."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def connection_failed(settings: Settings, error: BaseException) -> ConnectionFailed:
    """Say where to, why not, and what to check (`ADVICE`)."""
    reason = str(error).strip()
    advice = next((text for word, text in ADVICE if word in reason), ADVICE_OTHERWISE)
    times = "1 attempt" if settings.max_retries == 1 else f"{settings.max_retries} attempts"
    return ConnectionFailed(
        f"no connection to {settings.host}:{settings.port}, database {settings.database}, "
        f"user {settings.user}, after {times}.\n"
        f"  {reason}\n  {advice}\n  Safe to run again."
    )


# psycopg2 gives no SQLSTATE while connecting: only the text tells the reasons apart.
ADVICE = (
    ("Connection refused", "Check POSTGRES_HOST and POSTGRES_PORT, and that the server runs."),
    ("No such file or directory", "Check POSTGRES_HOST (a socket folder), and the server."),
    ("translate host name", "Check POSTGRES_HOST: the name is unknown here."),
    ("password authentication failed", "Check POSTGRES_USER and POSTGRES_PASSWORD."),
    ("no password supplied", "Set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE."),
    ("starting up", "Wait: raise MAX_RETRIES or RETRY_DELAY if it takes longer."),
    ("shutting down", "The server is stopping: start it, then run again."),
    ("no pg_hba.conf entry", "Let this host and user in by pg_hba.conf, or set POSTGRES_SSLMODE."),
    ("too many clients", "Free connections, or raise max_connections."),
    ("remaining connection slots", "Free connections, or raise max_connections."),
    ("certificate", "Check POSTGRES_SSLMODE and POSTGRES_SSLROOTCERT."),
    ("SSL", "Check POSTGRES_SSLMODE: the server may not speak TLS."),
    ("timeout expired", "Check the network: firewall, network policy, POSTGRES_HOST."),
    ("timed out", "Check the network: firewall, network policy, POSTGRES_HOST."),
    ("role", "Check POSTGRES_USER: create the role, or name another."),
    ("database", "Check POSTGRES_DB: create it with CREATE DATABASE, or name another."),
)
ADVICE_OTHERWISE = "Try the same connection with psql from the same place."
