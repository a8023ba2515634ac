"""One run: look, converge if the look says so, refresh the statistics; anew if interrupted."""

import logging

import psycopg2

import verify
from converge.console.summary import Stopwatch
from converge.history import journal as history
from converge.outcome import Outcome
from converge.server import connection as database
from converge.server.connection import Connection
from converge.settings.variables import Settings

log = logging.getLogger(__name__)


def bring_to_models(settings: Settings, connection: Connection, stopwatch: Stopwatch) -> Outcome:
    """Bring the database to the models and return what was done, with an open connection.

    Raises `Refused` before anything was changed, or when a lock is not had; `VerificationFailed`;
    or the server's last error. What was finished stays, and another run closes the rest.
    """
    outcome = Outcome(connection)

    def attempt() -> None:
        if outcome.connection.closed:
            outcome.connection = database.connect(settings)
        try:
            _attempt(settings, outcome, stopwatch)
        except BaseException:
            outcome.connection.close()
            raise

    try:
        attempt()
    except psycopg2.Error as error:
        from converge.server import (
            retries,  # tenacity comes with it, for which nothing else in a no-op run has a use
        )

        retries.until_done(settings, attempt, error)
    return outcome


def _attempt(settings: Settings, outcome: Outcome, stopwatch: Stopwatch) -> None:
    with stopwatch.step("look"):
        look = history.look(outcome.connection, settings)
    if look is None:
        from converge.flow import converge  # SQLAlchemy comes with it: ten times the work of a look

        stale = converge(settings, outcome, stopwatch)
    else:
        log.info("schema is current: version %s, verified %s", look.version, look.verified)
        outcome.tables, stale = look.tables, look.stale
    with stopwatch.step("analyze"):
        verify.analyze(outcome.connection, stale)
