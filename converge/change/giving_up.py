"""Giving up: helpers of ours go, so that what clients could do before they can do afterwards."""

import logging
from contextlib import suppress

import psycopg2

from converge.events import about
from converge.server import messages
from converge.server.connection import Connection
from converge.server.helpers import helpers
from converge.settings.variables import Settings
from converge.steps import Step

log = logging.getLogger(__name__)


def drop_helpers(connection: Connection, settings: Settings, step: Step) -> None:
    """Drop what forbids something and was left by steps on the table of a step that failed.

    The steps that it was for won't come. If a lock can't be acquired in one attempt, or the
    connection is lost, it stays until the next run.
    """
    if not step.relation or connection.closed:
        return
    with suppress(psycopg2.Error):
        for it in helpers(connection, [step.relation]):
            if it.forbids:
                messages.transaction(connection, [it.drop], lock_timeout=settings.lock_timeout)
                log.info(
                    "dropped the helper %s %s of a step that could not be finished",
                    it.noun,
                    it.name,
                    extra=about("helper_dropped", object=it.name),
                )
