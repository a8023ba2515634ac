"""What to say when the server or the connection is in the way, and what to check then."""

import logging
from contextlib import contextmanager
from typing import Iterator, Optional

import psycopg2
from psycopg2 import errors

from converge.errors import ConnectionFailed, EaterInitError, Refused
from converge.settings.variables import Settings

log = logging.getLogger(__name__)

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
    ("too many connections for", "Free connections, or raise the CONNECTION LIMIT."),
    ("remaining connection slots", "Free connections, or raise max_connections."),
    (
        "query_wait_timeout",
        "The pooler had no connection free in time: a run takes two (default_pool_size).",
    ),
    ("certificate", "Check POSTGRES_SSLMODE and POSTGRES_SSLROOTCERT."),
    ("SSL", "Check POSTGRES_SSLMODE: the server may not speak TLS."),
    ("timeout expired", "Check the network: firewall, network policy, POSTGRES_HOST."),
    ("timed out", "Check the network: firewall, network policy, POSTGRES_HOST."),
    (
        "permission denied for database",
        "Let an administrator run:\n    GRANT CONNECT ON DATABASE {database} TO {user};",
    ),
    ("not permitted to log in", "Let an administrator run:\n    ALTER ROLE {user} LOGIN;"),
    ('role "', "Check POSTGRES_USER: create the role, or name another."),
    ('database "', "Check POSTGRES_DB: create it with CREATE DATABASE, or name another."),
)
ADVICE_OTHERWISE = "Try the same connection with psql from the same place."
# Where the server makes a file longer. Only a full disk has a SQLSTATE of its own: a quota (EDQUOT)
# and a limit (EFBIG) are "internal errors" like many others, in the language of the server.
WRITERS = ("mdextend", "mdzeroextend", "BufFileDumpBuffer")
FREE_SPACE = "No row is lost. Free space on the server, or give it more, then run again."
SAFE = "What was finished stays; safe to run again."


def known(reason: str) -> Optional[str]:
    """Return what to check, if the reason is one of those in `ADVICE`."""
    return next((text for word, text in ADVICE if word in reason), None)


def connection_failed(settings: Settings, error: BaseException) -> ConnectionFailed:
    """Say where to, why not, and what to check (`ADVICE`)."""
    reason = str(error).strip()
    advice = known(reason) or ADVICE_OTHERWISE
    if "{" in advice:
        from converge.compare import desired as ddl  # SQLAlchemy comes with it

        names = {"database": ddl.quote(settings.database), "user": ddl.quote(settings.user)}
        advice = advice.format(**names)
    times = "1 attempt" if settings.max_retries == 1 else f"{settings.max_retries} attempts"
    return ConnectionFailed(
        f"no connection to {settings.host}:{settings.port}, database {settings.database}, "
        f"user {settings.user}, after {times}.\n"
        f"  {reason}\n  {advice}\n  Safe to run again."
    )


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
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@contextmanager
def explained() -> Iterator[None]:
    """Turn what the server or the connection says into an error with an exit code."""
    try:
        yield
    except errors.LockNotAvailable as error:
        raise Refused(
            f"{str(error).strip()}\n  Somebody held a lock for longer than LOCK_PATIENCE.\n  {SAFE}"
        ) from None
    except psycopg2.Error as error:
        log.debug("where it happened", exc_info=True)
        raise _explained(error) from None


def _explained(error: psycopg2.Error) -> EaterInitError:
    reason = str(error).strip()
    lost = isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError))
    # 08…: what a pooler says of its connection to the server.
    if lost and (error.pgcode is None or error.pgcode.startswith("08")):
        check = known(reason)
        more = f"  {check}\n" if check else ""
        return ConnectionFailed(f"the connection was lost: {reason}\n{more}  {SAFE}")
    if out_of_space(error):
        return EaterInitError(f"the server has no space left: {reason}\n  {FREE_SPACE}\n  {SAFE}")
    return EaterInitError(f"the server refused: {reason}\n  {SAFE}")
