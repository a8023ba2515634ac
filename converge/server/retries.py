"""Waiting and trying again: three policies, all by tenacity.

Imported only when something has failed or there is something to do: tenacity's import takes
more CPU than the whole rest of a run that finds nothing to do.
"""

import logging
from typing import Callable, TypeVar

import psycopg2
from psycopg2 import errors
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
    wait_random,
)

from converge.console import advice
from converge.server import connection as database
from converge.settings.variables import Settings

log = logging.getLogger(__name__)
T = TypeVar("T")

# Between two attempts at a lock, so that the clients that queued behind the last one get through.
LOCK_PAUSE_SECONDS = (0.1, 0.6)
# What a new plan may well mend: the connection or the server went away, somebody deadlocked with
# us, or somebody changed the schema or the rows between our plan and our statement.
MENDED_BY_A_NEW_PLAN = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    psycopg2.DataError,
    psycopg2.IntegrityError,
    psycopg2.InternalError,
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


def connect_again(settings: Settings, first: psycopg2.OperationalError) -> database.Connection:
    """Go on connecting after a first attempt that failed with `first`, which counts as one.

    Raises `ConnectionFailed` when `MAX_RETRIES` attempts are used up.
    """
    known = iter([first])

    def attempt() -> database.Connection:
        for error in known:
            raise error
        return database.open_connection(settings)

    def say(state: RetryCallState) -> None:
        log.warning(
            "connecting to %s:%s: attempt %d of %d failed: %s",
            settings.host,
            settings.port,
            state.attempt_number,
            settings.max_retries,
            advice.first_line(failure_of(state)),
        )

    try:
        return Retrying(
            stop=stop_after_attempt(settings.max_retries),
            wait=wait_fixed(settings.retry_delay),
            retry=retry_if_exception_type(psycopg2.OperationalError),
            after=say,
            reraise=True,
        )(attempt)
    except psycopg2.OperationalError as error:
        raise advice.connection_failed(settings, error) from None


def until_done(settings: Settings, run: Callable[[], T], first: psycopg2.Error) -> T:
    """Repeat `run`, which plans anew each time, after an attempt that failed with `first`.

    Raises the last error after `MAX_RETRIES` attempts; safe to run again.
    """
    known = iter([first])

    def attempt() -> T:
        for error in known:
            raise error
        return run()

    def say(state: RetryCallState) -> None:
        log.warning(
            "attempt %d of %d was interrupted, planning anew: %s",
            state.attempt_number,
            settings.max_retries,
            advice.first_line(failure_of(state)),
        )

    return Retrying(
        stop=stop_after_attempt(settings.max_retries),
        wait=wait_fixed(settings.retry_delay),
        retry=retry_if_exception(_is_mended_by_a_new_plan),
        before_sleep=say,
        reraise=True,
    )(attempt)


def until_locked(settings: Settings, action: Callable[[], T], say: Callable[[], None]) -> T:
    """Run `action` until it gets its lock, or raise `LockNotAvailable` after `LOCK_PATIENCE`.

    `say` is called after each attempt that did not.
    """
    return Retrying(
        stop=stop_after_delay(settings.lock_patience),
        wait=wait_random(*LOCK_PAUSE_SECONDS),
        retry=retry_if_exception_type(errors.LockNotAvailable),
        before_sleep=lambda _: say(),
        reraise=True,
    )(action)


def _is_mended_by_a_new_plan(error: BaseException) -> bool:
    # A lock that was not had within LOCK_PATIENCE has been waited for long enough.
    hopeless = isinstance(error, errors.LockNotAvailable) or advice.out_of_space(error)
    return isinstance(error, MENDED_BY_A_NEW_PLAN) and not hopeless


def failure_of(state: RetryCallState) -> BaseException:
    """Return the exception that ended the attempt."""
    error = state.outcome.exception() if state.outcome else None
    assert error is not None
    return error
