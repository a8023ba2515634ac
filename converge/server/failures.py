"""What a failure is: by its SQLSTATE, or, while connecting, by the whole message."""

import enum
import re
from typing import Optional, Tuple

import psycopg2
from psycopg2 import errors

from converge.server.connection import Silence


class Failure(enum.Enum):
    """Why there is no connection, or no longer one. What to do then: `console/advice.py`."""

    NOT_LISTENING = "not_listening"
    NO_SOCKET = "no_socket"
    UNKNOWN_HOST = "unknown_host"
    NO_ANSWER = "no_answer"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a code
    NO_PASSWORD = "no_password"  # noqa: S105 - a code
    HBA_NO_ENTRY = "hba_no_entry"
    HBA_REJECTS = "hba_rejects"
    NO_ROLE = "no_role"
    NO_LOGIN = "no_login"
    NO_DATABASE = "no_database"
    DATABASE_CLOSED = "database_closed"
    NO_CONNECT_RIGHT = "no_connect_right"
    STARTING = "starting"
    STOPPING = "stopping"
    SERVER_FULL = "server_full"
    LIMIT_REACHED = "limit_reached"
    POOL_EMPTY = "pool_empty"
    POOLER_FULL = "pooler_full"
    NO_TLS = "no_tls"
    CERTIFICATE = "certificate"
    LOST = "lost"


# psycopg2 gives no SQLSTATE while connecting, so only the message of the server, of a pooler or of
# libpq tells the causes apart: the whole of it, because names in it are other people's. libpq may
# report several attempts, one for each address, or with and without TLS: the one that got furthest
# is the cause, so it stands first here.
MESSAGES = (
    (  # a pooler names no user
        Failure.WRONG_PASSWORD,
        r'FATAL:  (password|LDAP|PAM|RADIUS|SASL|"trust") authentication failed( for user ".*")?',
    ),
    (Failure.NO_PASSWORD, r"(fe_sendauth: )?no password supplied"),
    (Failure.NO_ROLE, r'FATAL:  role ".*" does not exist'),
    (Failure.NO_LOGIN, r'FATAL:  role ".*" is not permitted to log in'),
    (Failure.NO_DATABASE, r'FATAL:  database ".*" does not exist'),
    (Failure.DATABASE_CLOSED, r'FATAL:  database ".*" is not currently accepting connections'),
    (Failure.NO_CONNECT_RIGHT, r'FATAL:  permission denied for database ".*"'),
    (Failure.STARTING, r"FATAL:  the database system is starting up"),
    (Failure.STARTING, r"FATAL:  the database system is (in recovery mode|not yet accepting .*)"),
    (Failure.STOPPING, r"FATAL:  the database system is shutting down"),
    (Failure.SERVER_FULL, r"FATAL:  sorry, too many clients already"),
    (Failure.SERVER_FULL, r"FATAL:  remaining connection slots are reserved for .*"),
    (Failure.LIMIT_REACHED, r'FATAL:  too many connections for (role|database) ".*"'),
    (Failure.POOL_EMPTY, r"(FATAL:  )?query_wait_timeout"),
    (Failure.POOLER_FULL, r"(FATAL:  )?no more connections allowed \(max_client_conn\)"),
    (Failure.HBA_NO_ENTRY, r"FATAL:  no pg_hba\.conf entry for host .*"),
    (Failure.HBA_REJECTS, r"FATAL:  pg_hba\.conf rejects connection for host .*"),
    (Failure.NO_TLS, r"server does not support SSL, but SSL was required"),
    (Failure.CERTIFICATE, r'root certificate file ".*" does not exist'),
    (Failure.CERTIFICATE, r"SSL error: certificate verify failed"),
    (Failure.CERTIFICATE, r'server certificate for ".*" .*does not match host name ".*"'),
    (Failure.CERTIFICATE, r'could not read root certificate file ".*": .*'),
    (Failure.NO_ANSWER, r"timeout expired|Connection timed out|Operation timed out"),
    (Failure.NO_ANSWER, r"No route to host|Network is unreachable"),
    (Failure.NOT_LISTENING, r"Connection refused"),
    (Failure.NO_SOCKET, r"No such file or directory"),
    (Failure.UNKNOWN_HOST, r'could not translate host name ".*" to address: .*'),
)
# What libpq puts before the reason: where it tried to connect to, or what it tried to do.
BEFORE = (
    r'(connection to server (at|on socket) ".*" ?.*failed: |could not connect to server: '
    r"|could not receive data from server: |could not send data to server: "
    r"|SSL SYSCALL error: )?"
)
# Another attempt with the same password would only help to lock the account.
FINAL = (Failure.WRONG_PASSWORD, Failure.NO_PASSWORD)
# Rolled back for another's sake; resources; an operator's intervention; a pooler's own.
TRANSIENT = ("40", "53", "57", "58", "08")
LOCK_NOT_AVAILABLE = "55P03"
OURS = "inline_code_block"  # as the server calls a DO block, in every language
FUNCTION = re.compile("PL/|function")  # every translation keeps the language's name
# Whose detail is a row with all its values: nothing for a log.
SHOWING_A_ROW = (errors.NotNullViolation, errors.CheckViolation)
# Where the server makes a file longer. Only a full disk has a SQLSTATE of its own: a quota (EDQUOT)
# and a limit (EFBIG) are "internal errors" like many others, in the language of the server.
WRITERS = ("mdextend", "mdzeroextend", "BufFileDumpBuffer")


def cause(error: BaseException) -> Optional[Failure]:
    """Return why a connection could not be opened, or was lost, if it is known."""
    if isinstance(error, Silence):
        return Failure.NO_ANSWER
    return _told(error)[0]


def decisive_line(error: BaseException) -> str:
    """Return the line that says why a connection could not be opened, else the first."""
    return _told(error)[1]


def _told(error: BaseException) -> Tuple[Optional[Failure], str]:
    lines = [line.strip() for line in str(error).splitlines()]
    for failure, message in MESSAGES:
        for line in lines:
            if re.fullmatch(f"{BEFORE}(?:{message})", line):
                return failure, line
    return None, first_line(error)


def lost_connection(error: psycopg2.Error) -> bool:
    """Return whether the connection, once open, is gone. 08…: what a pooler says of its own."""
    kinds = (psycopg2.OperationalError, psycopg2.InterfaceError)
    ended = isinstance(
        error, (errors.AdminShutdown, errors.CrashShutdown, errors.IdleSessionTimeout)
    )
    return ended or (
        isinstance(error, kinds) and (error.pgcode is None or error.pgcode.startswith("08"))
    )


def is_transient(error: BaseException) -> bool:
    """Return whether the same may well succeed later: it says nothing about the statement.

    The classes are those of https://www.postgresql.org/docs/current/errcodes-appendix.html.
    """
    if not isinstance(error, psycopg2.Error):
        return False
    code = error.pgcode or ""
    return lost_connection(error) or code[:2] in TRANSIENT or code == LOCK_NOT_AVAILABLE


def out_of_space(error: BaseException) -> bool:
    """Return whether the server could not write more: another attempt would fill the disk again."""
    if not isinstance(error, psycopg2.Error):
        return False
    limited = isinstance(
        error, (errors.DiskFull, errors.ConfigurationLimitExceeded)
    )  # temp_file_limit
    return limited or error.diag.source_function in WRITERS


def first_line(error: BaseException) -> str:
    """Return the server's own reason, without its context."""
    # psycopg2 takes `ERROR:` off the text, but no translation of it.
    said = error.diag.message_primary if isinstance(error, psycopg2.Error) else None
    lines = (said or str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def said(error: psycopg2.Error) -> str:
    """Return what the server says, what it says more, and whose function says it, on one line."""
    detail = None if isinstance(error, SHOWING_A_ROW) else error.diag.message_detail
    more = [" ".join((detail or "").split()).rstrip("."), raised_by(error) or ""]
    listed = "; ".join(part for part in more if part)
    return first_line(error).rstrip(".") + (f" ({listed})" if listed else "")


def raised_by(error: psycopg2.Error) -> Optional[str]:
    """Return the line of a function, not ours, in which an error arose, as the server words it."""
    context = error.diag.context or ""
    lines = [line for line in context.splitlines() if OURS not in line and FUNCTION.search(line)]
    return lines[0] if lines else None
