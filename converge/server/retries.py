"""Waiting and trying again: three policies, all by tenacity.

tenacity is imported when something has failed or a lock is needed: its import takes more CPU than
the whole rest of a run that finds nothing to do.
"""

import logging
from typing import TYPE_CHECKING, Callable, Optional, Tuple, TypeVar

import psycopg2
from psycopg2 import errors

from converge.errors import ConnectionFailed, Refused, StepFailed
from converge.events import about
from converge.quoting import identifier
from converge.server import failures
from converge.server.connection import Connection, open_connection, quoted_names
from converge.settings.variables import Settings
from converge.text import counted

if TYPE_CHECKING:
    from tenacity import RetryCallState

log = logging.getLogger(__name__)
T = TypeVar("T")

OLDEST_SERVER = 120000
QUIET = ("DEBUG", "LOG", "INFO", "NOTICE")  # that come if client_min_messages asks for them
# Between two attempts at a lock, so that the clients that queued behind the last one get through.
LOCK_PAUSE_SECONDS = (0.1, 0.6)
# What a new plan may well mend, besides what is transient: somebody changed the schema or the rows
# between our plan and our statement. If it comes back the same way, nobody did.
MENDED_BY_A_NEW_PLAN = (
    psycopg2.DataError,
    psycopg2.IntegrityError,
    errors.InternalError_,
    errors.DuplicateTable,
    errors.DuplicateObject,
    errors.DuplicateColumn,
    errors.DuplicateSchema,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedObject,
    errors.InvalidSchemaName,
    errors.ObjectNotInPrerequisiteState,
)


def connect(settings: Settings) -> Connection:
    """Open a connection, in up to `MAX_RETRIES` attempts, `RETRY_DELAY` seconds apart.

    Raises `ConnectionFailed` with the server's last reason; a wrong password is not tried again.
    Raises `Refused` if the server is too old to understand our queries.
    """

    def is_worth_it(error: BaseException) -> bool:
        known = isinstance(error, psycopg2.OperationalError)
        return known and failures.cause(error) not in failures.FINAL

    def say(state: "RetryCallState") -> None:
        log.warning(
            "connecting to %s:%s: attempt %d of %d failed: %s",
            settings.host,
            settings.port,
            state.attempt_number,
            settings.max_retries,
            failures.decisive_line(_failure_of(state)),
            extra=about(
                "connection_attempt_failed",
                host=settings.host,
                port=settings.port,
                attempt=state.attempt_number,
                attempts=settings.max_retries,
                reason=failures.decisive_line(_failure_of(state)),
            ),
        )

    attempts = 0

    def attempt() -> Connection:
        nonlocal attempts
        attempts += 1
        return open_connection(settings)

    try:
        connection = _repeated(settings, attempt, is_worth_it, say)
    except psycopg2.OperationalError as error:
        raise _connection_failed(settings, error, attempts) from None
    _require_supported(connection)
    _pass_on(connection)
    return connection


def _pass_on(connection: Connection) -> None:
    """Log what the server has warned of while connecting."""
    reindex = f"REINDEX DATABASE CONCURRENTLY {identifier(connection.info.dbname)}"
    for notice in connection.notices:
        if not notice.startswith(QUIET):
            # The statement stands in the server's hint, in every language.
            stale = "REFRESH COLLATION VERSION" in notice
            advice = f"\n  Before that, rebuild its indexes:\n    {reindex};" if stale else ""
            extra = about("server_notice", reason=notice.strip())
            log.warning("the server says: %s%s", notice.strip(), advice, extra=extra)
    del connection.notices[:]


def _require_supported(connection: Connection) -> None:
    if connection.server_version < OLDEST_SERVER:
        from converge.plan import Refusal, WayOut  # no part of a run that finds nothing to do

        version = connection.server_version // 10000
        what = f"the server is PostgreSQL {version}; 12 is the oldest that is supported."
        raise Refused.of(Refusal("", "", what, WayOut("Upgrade the server.")))


def until_done(settings: Settings, run: Callable[[], T]) -> T:
    """Run `run`, which plans anew each time, and repeat it if it was interrupted.

    Raises the last error after `MAX_RETRIES` attempts, or the same one twice; safe to run again.
    """
    last: Optional[Tuple[str, str]] = None

    def is_worth_it(error: BaseException) -> bool:
        nonlocal last
        cause = _cause(error)
        if failures.out_of_space(cause) or isinstance(cause, errors.LockNotAvailable):
            return False  # LOCK_PATIENCE was long enough
        if failures.is_transient(cause):
            return True
        step = error.refusal.subject if isinstance(error, StepFailed) else ""
        before, last = last, (step, failures.first_line(cause))
        return isinstance(cause, MENDED_BY_A_NEW_PLAN) and last != before

    def say(state: "RetryCallState") -> None:
        attempt, most = state.attempt_number, settings.max_retries
        reason = failures.first_line(_cause(_failure_of(state)))
        if attempt < most:  # else it is not planned again
            extra = about("interrupted", attempt=attempt, attempts=most, reason=reason)
            log.warning(
                "attempt %d of %d was interrupted, planning again: %s",
                *(attempt, most, reason),
                extra=extra,
            )

    return _repeated(settings, run, is_worth_it, say)


def _repeated(
    settings: Settings,
    action: Callable[[], T],
    is_worth_it: Callable[[BaseException], bool],
    say: Callable[["RetryCallState"], None],
) -> T:
    """Run `action` until it succeeds, `MAX_RETRIES` times at most, `RETRY_DELAY` apart."""
    try:
        return action()
    except (psycopg2.Error, StepFailed) as error:
        first: BaseException = error
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_fixed

    known = iter([first])

    def attempt() -> T:
        for error in known:  # the first attempt has been made, and counts
            raise error
        return action()

    return Retrying(
        stop=stop_after_attempt(settings.max_retries),
        wait=wait_fixed(settings.retry_delay),
        retry=retry_if_exception(is_worth_it),
        after=say,
        reraise=True,
    )(attempt)


def until_locked(settings: Settings, action: Callable[[], T], say: Callable[[], None]) -> T:
    """Run `action` until it gets its lock, or raise `LockNotAvailable` after `LOCK_PATIENCE`.

    `say` is called after each attempt that did not.
    """
    try:
        return action()
    except errors.LockNotAvailable as error:
        first = error
    from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

    known = iter([first])

    def attempt() -> T:
        for error in known:
            raise error
        return action()

    return Retrying(
        stop=stop_after_delay(settings.lock_patience),
        wait=wait_random(*LOCK_PAUSE_SECONDS),
        retry=retry_if_exception_type(errors.LockNotAvailable),
        before_sleep=lambda _: say(),
        reraise=True,
    )(attempt)


def _connection_failed(
    settings: Settings, error: psycopg2.OperationalError, attempts: int
) -> ConnectionFailed:
    """Say where to and why not."""
    return ConnectionFailed(
        f"no connection to {settings.host}:{settings.port}, database {settings.database}, "
        f"user {settings.user}, after {counted(attempts, 'attempt')}.\n  {str(error).strip()}",
        failures.cause(error),
        **quoted_names(settings),
    )


def _cause(error: BaseException) -> BaseException:
    """Return what the server said, also of a step that has failed."""
    return error.cause if isinstance(error, StepFailed) else error


def _failure_of(state: "RetryCallState") -> BaseException:
    """Return the exception that ended the attempt."""
    error = state.outcome.exception() if state.outcome else None
    assert error is not None
    return error
