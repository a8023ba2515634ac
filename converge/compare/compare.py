"""The comparison: plan = desired − live.

What a difference leads to stands in the rules, a module each. A new rule is a function from a live
table beside its desired one (`table.py`) to what it finds, named in `RULES`.
"""

import logging
from typing import Dict, List, Optional

import psycopg2
from psycopg2 import errors

from converge.compare import (
    columns,
    constraints,
    existing,
    indexes,
    missing,
    nulls,
    partitions,
    replication,
    rights,
    trial,
)
from converge.compare.desired import Desired
from converge.compare.shapes import refuse_by_shape
from converge.compare.table import ComparedTable, Given, rename
from converge.errors import Refused
from converge.names import HISTORY_TABLE
from converge.plan import Plan, joined
from converge.server import catalog
from converge.server.catalog import Schema
from converge.server.connection import Connection
from converge.server.inspect import ServerFacts
from converge.server.messages import ask
from converge.server.rights import limited_builds
from converge.settings.variables import Settings

log = logging.getLogger(__name__)

# In their order: a later one relies on what the earlier ones have found.
RULES = (
    columns.add_and_change,
    nulls.require_values,
    existing.keep_obeying,
    existing.unlogged,
    constraints.constraints,
    nulls.allow_nulls,
    columns.comments,
    indexes.indexes,
    replication.keep_replicating,
)


def make_plan(
    connection: Connection, facts: ServerFacts, *, settings: Settings, desired: Desired
) -> Plan:
    """Compare the live schemas with the models. Touches nothing."""
    live = _read(connection, settings, facts, desired)
    plan = compare(live, Given(desired, settings, facts, lambda sql: ask(connection, sql)))
    limited = limited_builds(connection, facts, plan.steps)
    return plan._replace(refusals=(*plan.refusals, *limited)).numbered()


def _read(
    connection: Connection, settings: Settings, facts: ServerFacts, desired: Desired
) -> Dict[str, Schema]:
    """Read the live schemas and, if this server was not asked yet, what it makes of the models."""
    home = desired.trial_home(settings, facts)
    known = home in desired.in_server_words
    try:
        live = catalog.read(
            connection,
            schemas=settings.schemas,
            tables=desired.tables,
            names=desired.names,
            desired_ddl=() if known else desired.trial_ddl(settings, facts),
        )
    except psycopg2.Error as error:
        if known or not trial.objects(error):
            raise
        raise Refused(str(trial.refusal(connection, facts, desired, error))) from None
    words = live.pop("", None)
    if words is not None and not known:
        desired.in_server_words[home] = words
    return live


def compare(live: Dict[str, Schema], given: Given) -> Plan:
    """Return what brings the live schemas to the desired one."""
    plan = joined(_schema(schema, live.get(schema), given) for schema in given.settings.schemas)
    return plan._replace(
        fingerprints={name: schema.fingerprint for name, schema in live.items()},
        recorded=frozenset(n for n, s in live.items() if HISTORY_TABLE in s.relations),
        tables=given.desired.tables,
    )


def _schema(name: str, live: Optional[Schema], given: Given) -> Plan:
    parts = [missing.missing_schema(name, given)] if live is None else []
    if name == given.settings.schemas[0]:
        parts.append(missing.missing_extension(given))
    parts.append(missing.missing_tables(name, live, given))
    if live is not None:
        parts += _live_tables(name, live, given)
        plan = joined(parts)
        if plan.steps:
            parts.append(rights.of_history(name, live, given.facts.user, plan.refusals))
        parts.append(missing.taken_tables(name, live, given))
        parts.append(missing.unmanaged_tables(name, live, given))
    return joined(parts)


def _live_tables(name: str, live: Schema, given: Given) -> List[Plan]:
    home = given.desired.trial_home(given.settings, given.facts)
    desired = given.desired.in_server_words[home]
    return [
        _live_table(ComparedTable(name, table, live, desired, given))
        for table in desired.tables
        if table in live.tables
    ]


def _live_table(table: ComparedTable) -> Plan:
    """Return what the rules say of a table that was there before this run."""
    kind = table.live.kind
    if kind not in missing.TABLES:
        what = f"is {missing.described(kind)}; the models say a table."
        table.refuse("", what, way_out=rename(table.schema, table.name, table.relations))
        return Plan(refusals=tuple(table.refusals))
    try:
        for rule in RULES:
            rule(table)
    except errors.InsufficientPrivilege:
        rights.refuse_unreadable(table)
        return Plan(refusals=tuple(table.refusals))
    rights.refuse_changes(table)
    refuse_by_shape(table)
    partitions.refuse_online(table)
    return Plan(
        steps=tuple(table.steps),
        refusals=tuple(table.refusals),
        notes=tuple(table.notes),
        warnings=tuple(table.warnings),
    )
