"""What to say when the server or the connection is in the way, and what to check then."""

import logging
from contextlib import contextmanager
from typing import Iterator, Mapping, Optional

import psycopg2

from converge.errors import ConnectionFailed, ConvergeError, Refused, StepFailed, StepRefused
from converge.events import about
from converge.server.connection import NoEncoding, NoSecondConnection
from converge.server.failures import (
    Failure,
    cause,
    is_transient,
    lost_connection,
    out_of_space,
)

log = logging.getLogger(__name__)

ADVICE: Mapping[Optional[Failure], str] = {
    Failure.NOT_LISTENING: "Check POSTGRES_HOST and POSTGRES_PORT, and that the server is running.",
    Failure.NO_SOCKET: "Check POSTGRES_HOST (a socket directory), and that the server is running.",
    Failure.UNKNOWN_HOST: "Check POSTGRES_HOST: this name cannot be resolved here.",
    Failure.NO_ANSWER: "Check the network: firewall, network policy, POSTGRES_HOST.",
    Failure.WRONG_PASSWORD: (
        "Check POSTGRES_USER and POSTGRES_PASSWORD, and that the password has not expired.\n"
        "  It is not tried again, because that may lock the account."
    ),
    Failure.NO_PASSWORD: "Set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE.",
    Failure.HBA_NO_ENTRY: (
        "Admit this host, user and database in pg_hba.conf; if it admits only encrypted "
        "connections, set POSTGRES_SSLMODE=require."
    ),
    Failure.HBA_REJECTS: (
        "A reject line of pg_hba.conf matches. If only encrypted connections are admitted, set "
        "POSTGRES_SSLMODE=require;\n  otherwise let an administrator change pg_hba.conf."
    ),
    Failure.NO_ROLE: "Check POSTGRES_USER: create the role, or name another.",
    Failure.NO_LOGIN: "Let an administrator run:\n    ALTER ROLE {user} LOGIN;",
    Failure.NO_DATABASE: "Check POSTGRES_DB: create it with CREATE DATABASE, or name another.",
    Failure.DATABASE_CLOSED: (
        "Let an administrator run:\n    ALTER DATABASE {database} ALLOW_CONNECTIONS true;"
    ),
    Failure.NO_CONNECT_RIGHT: (
        "Let an administrator run:\n    GRANT CONNECT ON DATABASE {database} TO {user};"
    ),
    Failure.STARTING: "Wait for the server; if it takes longer, raise MAX_RETRIES or RETRY_DELAY.",
    Failure.STOPPING: "The server is shutting down: start it, then run again.",
    Failure.SERVER_FULL: "Close other connections, or raise max_connections.",
    Failure.LIMIT_REACHED: "Close other connections, or raise the CONNECTION LIMIT.",
    Failure.POOL_EMPTY: (
        "The pooler had no server connection free in time. Check that the server is running, and "
        "default_pool_size: a run takes two."
    ),
    Failure.POOLER_FULL: "Close other connections, or raise the pooler's max_client_conn.",
    Failure.NO_TLS: "Check POSTGRES_SSLMODE: the server does not accept TLS.",
    Failure.CERTIFICATE: "Check POSTGRES_SSLMODE and POSTGRES_SSLROOTCERT.",
    Failure.LOST: (
        "The server was restarted, it crashed, or an administrator ended the session: see its log."
    ),
}
IN_A_RUN = (Failure.NO_ANSWER, Failure.POOL_EMPTY)  # they end an open connection too
OTHERWISE = "Try the same connection with psql from the same place."
FREE_SPACE = "No row is lost. Free disk space on the server or add some, then run again."
NO_UTF8 = "the database is SQL_ASCII: it holds any bytes, and some are no UTF-8."
NO_UTF8_ADVICE = "Change these bytes, or move the data into a database whose encoding is UTF8."
SAFE = "Finished steps stay; safe to run again."


@contextmanager
def explained() -> Iterator[None]:
    """Turn what the server or the connection says into an error with an exit code and advice."""
    try:
        yield
    except ConnectionFailed as error:
        advice = ADVICE.get(error.failure, OTHERWISE).format(**error.names)
        raise ConnectionFailed(f"{error}\n  {advice}\n  Safe to run again.") from None
    except StepFailed as error:
        raise _step_failed(error) from None
    except psycopg2.Error as error:
        log.debug("where it happened", exc_info=True, extra=about("cause"))
        raise _explained(error) from None


def _step_failed(error: StepFailed) -> ConvergeError:
    assert isinstance(error.cause, psycopg2.Error)
    if is_transient(error.cause) or out_of_space(error.cause):
        return _explained(error.cause)
    done = ["Nothing of this step was done"]
    if error.finished:
        done.append("the steps before it are finished, and the log names them")
    return StepRefused(error.refusal.after("; ".join(done) + "."), [error.refusal])


def _explained(error: psycopg2.Error) -> ConvergeError:
    reason = str(error).strip()
    if isinstance(error, NoEncoding):
        from converge.plan import Refusal, WayOut  # no part of a run that finds nothing to do

        why = f"The server says: {reason}."
        refusal = Refusal("", "", NO_UTF8, WayOut(NO_UTF8_ADVICE), (why,))
        return Refused(f"refused: {refusal.explained}\n  {SAFE}", [refusal])
    if isinstance(error, NoSecondConnection):
        what = f"the run's second connection could not be opened: {reason}"
        advice = ADVICE.get(cause(error), OTHERWISE).format(**error.names)
        return ConnectionFailed(f"{what}\n  {advice}\n  {SAFE}")
    if lost_connection(error):
        failure = cause(error)
        advice = ADVICE[failure if failure in IN_A_RUN else Failure.LOST]
        return ConnectionFailed(f"the connection was lost: {reason}\n  {advice}\n  {SAFE}")
    if out_of_space(error):
        return ConvergeError(f"the server has no space left: {reason}\n  {FREE_SPACE}\n  {SAFE}")
    return ConvergeError(f"the server refused: {reason}\n  {SAFE}")
