"""Giving up: helpers of ours go, so that what clients could do before they can do afterwards."""

import logging
from contextlib import suppress

import psycopg2

from converge.names import NEW_PREFIX
from converge.quoting import identifier, literal, qualified
from converge.server import messages
from converge.server.connection import Connection
from converge.settings.variables import Settings
from converge.steps import Step

log = logging.getLogger(__name__)

# What forbids something: a check that only proves something on the way to NOT NULL, a constraint
# that is to take another's place, and a unique index that is to become a key.
CHECKS = """SELECT conname FROM pg_constraint
WHERE conrelid = to_regclass({relation}) AND contype IN ('c', 'f')
  AND starts_with(conname, {prefix}) ORDER BY conname"""
INDEXES = """SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = to_regclass({relation}) AND i.indisunique AND starts_with(c.relname, {prefix})
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid)
ORDER BY c.relname"""


def drop_helpers(connection: Connection, settings: Settings, step: Step) -> None:
    """Drop what forbids something and was left by steps on the table of a step that failed.

    The steps that it was for won't come. If a lock can't be acquired in one attempt, or the
    connection is lost, it stays until the next run.
    """
    if not step.relation or connection.closed:
        return
    values = {"relation": literal(step.relation), "prefix": literal(NEW_PREFIX)}
    with suppress(psycopg2.Error):
        drops = {
            f"constraint {name}": f"ALTER TABLE {step.relation} DROP CONSTRAINT {identifier(name)}"
            for (name,) in messages.ask(connection, CHECKS.format(**values))
        }
        for (name,) in messages.ask(connection, INDEXES.format(**values)):
            drops[f"index {name}"] = f"DROP INDEX {qualified(step.schema, name)}"
        for what, drop in drops.items():
            messages.transaction(connection, [drop], lock_timeout=settings.lock_timeout)
            log.info("dropped the helper %s of a step that could not be finished", what)
