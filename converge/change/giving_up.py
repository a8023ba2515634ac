"""Giving up: helpers of ours go, so that what clients could do before they can do afterwards."""

import logging
from contextlib import suppress

import psycopg2

from converge.names import NEW_PREFIX
from converge.plan import Step
from converge.quoting import identifier, literal
from converge.server import messages
from converge.server.connection import Connection
from converge.settings.variables import Settings

log = logging.getLogger(__name__)

# A check that only proves something on the way to NOT NULL, or is to take another's place.
HELPERS = """SELECT conname FROM pg_constraint
WHERE conrelid = to_regclass({relation}) AND contype = 'c' AND starts_with(conname, {prefix})
ORDER BY conname"""


def drop_helpers(connection: Connection, settings: Settings, step: Step) -> None:
    """Drop the checks that steps on the table of a step that failed have left.

    They forbid what was allowed, and the steps that they were for won't come. If a lock can't be
    acquired in one attempt, or the connection is lost, they stay until the next run.
    """
    if not step.relation or connection.closed:
        return
    query = HELPERS.format(relation=literal(step.relation), prefix=literal(NEW_PREFIX))
    with suppress(psycopg2.Error):
        for (name,) in messages.ask(connection, query):
            drop = f"ALTER TABLE {step.relation} DROP CONSTRAINT {identifier(name)}"
            messages.transaction(connection, [drop], lock_timeout=settings.lock_timeout)
            log.info("dropped the helper constraint %s of a step that could not be finished", name)
