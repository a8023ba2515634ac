"""Messages: statements and transactions, each in one round trip.

A transaction is an explicit `BEGIN … COMMIT` string. Nothing is set for the session, unless it is
ours alone (`lift_restrictions`): behind a transaction-pooling PgBouncer another client would
inherit it.
"""

import logging
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import psycopg2
from psycopg2 import errors

from converge.events import about
from converge.names import APPLICATION_NAME
from converge.quoting import identifier
from converge.server.connection import Connection, NoEncoding

log = logging.getLogger(__name__)

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
# A query that would see only a part of the rows is an error then, never a smaller count.
# https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-ROW-SECURITY
ALL_ROWS = "SET LOCAL row_security = off; "
# From then on SET LOCAL holds on the workers too.
# https://docs.citusdata.com/en/stable/develop/api_guc.html#citus-propagate-set-commands-enum
ON_WORKERS = "SET LOCAL citus.propagate_set_commands = 'local'; "
# How the server words what is compared, kept to be run another time, or cast to text for good.
WORDING = {
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "quote_all_identifiers": "off",
}


def rows(
    connection: Connection,
    sql: str,
    parameters: Optional[Dict[str, Any]] = None,
    *,
    shown: str = "",
) -> List[Tuple[Any, ...]]:
    """Run one message and return the rows of its last statement, none if it has no result.

    At DEBUG the log has the message without its parameters, which may be a row's, or what is
    `shown` in its place.
    """
    return typed_rows(connection, sql, parameters, shown=shown)[1]


def typed_rows(
    connection: Connection,
    sql: str,
    parameters: Optional[Dict[str, Any]] = None,
    *,
    shown: str = "",
) -> Tuple[List[int], List[Tuple[Any, ...]]]:
    """Run one message like `rows`, and return the columns' types too, as `pg_type.oid`."""
    if connection.to_roll_back:
        sql, connection.to_roll_back = "ROLLBACK; " + sql, False
    if log.isEnabledFor(logging.DEBUG):
        extra = about("statement", pid=connection.info.backend_pid)
        log.debug("%s", shown or sql, extra=extra)
    with connection.cursor() as cursor:
        if parameters is not None:
            sql = cursor.mogrify(sql, parameters).decode()
        connection.statement = sql
        try:
            cursor.execute(sql)
        except errors.CharacterNotInRepertoire as error:
            if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
                raise NoEncoding(str(error)) from None
            raise
        columns = cursor.description or ()
        return [column.type_code for column in columns], cursor.fetchall() if columns else []


def named(connection: Connection) -> str:
    """Return what names the session in the server's views; behind a pooler, this message only.

    A name that is given while connecting stays on a pooled session, for clients that give none.
    """
    return f"SELECT set_config('application_name', '{APPLICATION_NAME}', {pooled(connection)}); "


def pooled(connection: Connection) -> str:
    """Return SQL that is true behind a pooler, which makes up the process id that libpq is told."""
    return f"pg_backend_pid() <> {connection.info.backend_pid}"


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
    settings = {
        **WORDING,
        "application_name": f"'{APPLICATION_NAME}'",
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "lock_timeout": _longest_wait(connection, lock_timeout),
        "search_path": "pg_catalog",
        "jit": "off",  # compiling the catalog query takes ten times as long as running it
    }
    if connection.server_version >= 170000:
        settings["transaction_timeout"] = "0"
    if connection.checks_client:
        settings["client_connection_check_interval"] = CLIENT_CHECK
    local = "".join(f"SET LOCAL {name} = {value}; " for name, value in settings.items())
    return READ_COMMITTED + local


def _longest_wait(connection: Connection, lock_timeout: Optional[float]) -> str:
    return milliseconds(connection.lock_patience if lock_timeout is None else lock_timeout)


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
    connection: Connection,
    statements: Sequence[str],
    *,
    lock_timeout: Optional[float] = None,
    end: str = "COMMIT",
) -> None:
    """Run the statements in one transaction and one round trip. On an error nothing of it stays.

    Citus hands on to its workers the whole message in which a statement comes: so there each
    statement is a message of its own, and so is the setting that they get too.
    """
    opening = begin(connection, lock_timeout=lock_timeout)
    messages = [opening + ";\n".join([*statements, end])]
    if connection.citus:
        wait = f"SET LOCAL lock_timeout = {_longest_wait(connection, lock_timeout)}"
        messages = [opening + ON_WORKERS, wait, *statements, end]
    try:
        for message in messages:
            rows(connection, message)
    except psycopg2.Error:
        if not connection.closed:
            rows(connection, "ROLLBACK")
        raise


def ask(connection: Connection, sql: str) -> List[Tuple[Any, ...]]:
    """Run a query in a read-only transaction of its own, however long it takes.

    With Citus it is just rolled back: its workers' would stay read-only for what the query creates.

    Raises `psycopg2.errors.InsufficientPrivilege` where row security would hide rows.
    """
    try:
        access = "READ WRITE" if connection.citus else "READ ONLY"
        return rows(connection, begin(connection, access=access) + ALL_ROWS + sql)
    finally:
        connection.to_roll_back = True
        if not connection.asks_on:
            _roll_back(connection)  # at once: it holds locks on live tables


@contextmanager
def in_a_row(connection: Connection) -> Iterator[None]:
    """Let each question of the block end the transaction of the one before: a round trip less.

    So what one has locked is locked until the next message, at the latest until the block's end.
    """
    connection.asks_on = True
    try:
        yield
    finally:
        connection.asks_on = False
        _roll_back(connection)


def _roll_back(connection: Connection) -> None:
    if connection.to_roll_back and not connection.closed:
        connection.to_roll_back = False
        rows(connection, "ROLLBACK")


def search_path(schemas: Sequence[str]) -> str:
    """Return the setting of where names without a schema are found."""
    return f"search_path = {', '.join(map(identifier, schemas))}"


def lift_restrictions(connection: Connection, path: Sequence[str]) -> None:
    """Let the statements that run outside a transaction write, and take as long as they need.

    The session is ours alone, so nobody else's is changed. A pooled one is left as it is: there,
    `rights.limited_builds` has made sure that nothing is to be lifted.
    """
    if connection.pooled or connection.lifted_for == tuple(path):
        return
    found = f"SET {search_path(path)}; " if path else ""
    if connection.lifted_for is None:
        settings = {
            **UNLIMITED,
            "default_transaction_isolation": "'read committed'",
            "application_name": f"'{APPLICATION_NAME}'",
        }
        if connection.server_version < 170000:
            del settings["transaction_timeout"]
        if connection.checks_client:
            settings["client_connection_check_interval"] = CLIENT_CHECK
        found += "".join(f"SET {name} = {value}; " for name, value in settings.items())
    if found:
        rows(connection, found)
    connection.lifted_for = tuple(path)
