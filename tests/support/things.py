"""A database that is brought to any models, as a run does it."""

from contextlib import closing
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table

from converge.compare.desired import Desired
from converge.plan import Plan
from converge.server.retries import connect
from converge.settings.extension import Extension
from converge.settings.loading import load_settings
from tests.support.database import Database
from tests.support.runs import converge

EXTENSIONS = (Extension("citext"),)


def converged(database: Database, metadata: MetaData, **variables: str) -> Plan:
    """Return the plan that was run; one with refusals was not."""
    settings = load_settings({**database.environment, **variables}, "no such file")
    with closing(connect(settings)) as control:
        plan, left = converge(control, settings, Desired(metadata, extensions=EXTENSIONS))
    assert left == ()
    return plan


def thing_with(*wanted: Any) -> MetaData:
    """Return models of one table, `thing`, with these columns besides its key."""
    metadata = MetaData()
    Table("thing", metadata, Column("id", Integer, primary_key=True), *wanted)
    return metadata
