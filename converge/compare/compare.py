"""The comparison: plan = desired − live.

What a difference leads to stands in the rules, a module each. A new rule is a function from a live
table beside its desired one (`table.py`) to what it finds, named in `RULES`.
"""

import logging
from functools import lru_cache, partial
from typing import Callable, Dict, Mapping, Optional, Sequence

import psycopg2
from psycopg2 import errors

from converge.compare import (
    columns,
    comments,
    constraints,
    ddl,
    existing,
    following,
    generated,
    indexes,
    missing,
    nulls,
    numbering,
    partitions,
    renames,
    replication,
    rights,
    storage,
    trial,
)
from converge.compare.again import read_again
from converge.compare.declared import former_tables, in_order
from converge.compare.desired import Desired
from converge.compare.distributed import refuse_by_citus
from converge.compare.foreseen import foreseen
from converge.compare.looking import looking_along, refuse_other_schemas
from converge.compare.namesakes import place
from converge.compare.new_table import NewTable
from converge.compare.own import types_and_sequences
from converge.compare.placed import placed
from converge.compare.refusals import rename
from converge.compare.shapes import refuse_by_shape
from converge.compare.table import ComparedTable, Given
from converge.compare.trial import Ask
from converge.errors import Refused
from converge.names import HISTORY_TABLE
from converge.plan import Plan, joined
from converge.server.catalog import Schema
from converge.server.connection import Connection
from converge.server.inspect import ServerFacts
from converge.server.messages import ask
from converge.server.reading import read
from converge.server.rights import limited_builds
from converge.server.states import states
from converge.settings.variables import Settings
from converge.steps import Run

log = logging.getLogger(__name__)
Rule = Callable[[ComparedTable], None]

# In their order: a later one relies on what the earlier ones have found.
RULES = (
    renames.rename,
    columns.add_and_change,
    nulls.require_values,
    generated.computed_from_filled,
    numbering.identities,
    existing.keep_obeying,
    existing.unlogged,
    storage.store,
    constraints.constraints,
    nulls.allow_nulls,
    comments.comments,
    indexes.indexes,
    replication.keep_replicating,
)
# When it is known what all tables will hold, and which keys there will be.
BETWEEN_TABLES = (constraints.foreign_keys, following.follow)
FIRST = {Run.AHEAD: 0, Run.NEW: 1}  # in the order in which they run; the others as they are planned


def make_plan(
    connection: Connection,
    facts: ServerFacts,
    *,
    settings: Settings,
    desired: Desired,
    asking: Optional[Ask] = None,
    fingerprints: Optional[Mapping[str, str]] = None,
) -> Plan:
    """Compare the live schemas with the models. Touches nothing.

    `asking` is what asks about live rows, in the place of `messages.ask`. `fingerprints` are the
    plan's; without them they are read, which takes a round trip.
    Raises `Refused` if the models are for another schema, or the server does not take them.
    """
    refuse_other_schemas(settings, desired)
    ddl.for_server(facts.version)
    again = lru_cache(maxsize=None)(lambda: read_again(connection, desired, settings, facts))
    if fingerprints is None:  # Before what is compared: what changes later, the next look sees.
        before = states(connection, settings.schemas, desired.managed)
        fingerprints = {name: state.managed for name, state in before.items()}
    live = _read(connection, settings, facts, desired, again)
    asking = asking or partial(ask, connection)
    plan = compare(live, Given(desired, settings, facts, asking, asking, again))
    limited = limited_builds(connection, facts, plan.steps)
    found = {name: fingerprint for name, fingerprint in fingerprints.items() if name in live}
    refusals = (*plan.refusals, *limited)
    return plan._replace(refusals=refusals, fingerprints=found).numbered()


def _read(
    connection: Connection,
    settings: Settings,
    facts: ServerFacts,
    desired: Desired,
    again: Callable[[], Schema],
) -> Dict[str, Schema]:
    """Read the live schemas and, if this server was not asked yet, what it makes of the models."""
    managed, former = desired.managed, former_tables(desired)
    home = desired.trial_home(settings, facts)
    known = home in desired.in_server_words
    trying = partial(
        read,
        connection,
        schemas=settings.schemas,
        managed=managed._replace(tables=(*managed.tables, *former)),
        names=[*desired.names, *former],
        desired_ddl=() if known else desired.trial_ddl(settings, facts),
    )
    try:
        live = trying()
    except psycopg2.Error as error:
        asking = partial(ask, connection)
        if known or not trial.objects(error, asking, facts.lacking, trying):
            raise
        raise Refused.of(trial.refusal(connection, facts, desired, error)) from None
    words = live.pop("", Schema({}, {}))
    if not known:
        desired.in_server_words[home] = words
    return foreseen(connection, live, desired, desired.in_server_words[home], again)


def compare(live: Dict[str, Schema], given: Given) -> Plan:
    """Return what brings the live schemas to the desired one."""
    plan = joined(_schema(schema, live.get(schema), given) for schema in given.settings.schemas)
    return plan._replace(
        recorded=frozenset(n for n, s in live.items() if HISTORY_TABLE in s.relations),
        managed=given.desired.managed,
    )


def _schema(name: str, live: Optional[Schema], given: Given) -> Plan:
    given = looking_along(name, live, given)
    parts = [missing.missing_schema(name, given)] if live is None else []
    if name == given.settings.schemas[0]:
        parts.append(missing.missing_extensions(given))
    parts.append(missing.missing_things(name, live, given))
    if live is not None:
        parts.append(renames.both_wanted(name, live, given))
        desired = _in_words_of(name, given)
        parts.insert(0, types_and_sequences(name, live, desired, given))
        parts.append(_tables(name, live, desired, given))
        plan = joined(parts)
        if plan.steps:
            parts.append(rights.of_history(name, live, given.facts.user, plan.refusals))
        parts.append(missing.taken_names(name, live, given))
        parts.append(missing.unmanaged(name, live, given))
    plan = joined(parts)
    parts.append(refuse_by_citus(name, plan.steps, live, _in_words_of(name, given), given))
    plan = joined(parts)
    steps = sorted(plan.steps, key=lambda step: FIRST.get(step.run, len(FIRST)))
    return plan._replace(steps=tuple(step._replace(path=given.path) for step in steps))


def _in_words_of(schema: str, given: Given) -> Schema:
    """Return the desired state as the server would word it in a schema."""
    home = given.desired.trial_home(given.settings, given.facts)
    return placed(given.desired.in_server_words[home], schema, given.desired.outside)


def _tables(name: str, live: Schema, desired: Schema, given: Given) -> Plan:
    """Return what the rules say of the tables: first of each by itself, then of keys between."""
    live = live._replace(relations=dict(live.relations))  # of which steps let names go
    names = in_order(
        given.desired.tables, (table for table in desired.tables if table in live.tables)
    )
    there = [ComparedTable(name, table, live, desired, given) for table in names]
    lacking = missing.missing(live, given.desired).tables
    new = [
        NewTable(name, table, live, desired, given) for table in lacking if table in desired.tables
    ]
    for table in there:
        table.others = {other.name: other for other in [*there, *new]}
        _apply(table, RULES)
    alone = {table.name: len(table.steps) for table in there}
    for table in [*there, *new]:
        _apply(table, BETWEEN_TABLES)
    for table in there:
        _check(table)
    first = [step for table in there for step in table.steps[: alone[table.name]]]
    first.sort(key=lambda step: place(step, live))
    last = [step for table in there for step in table.steps[alone[table.name] :]]
    last += [step for table in new for step in table.steps]
    return Plan(
        steps=(*first, *last),
        refusals=tuple(found for table in [*there, *new] for found in table.refusals),
        notes=tuple(note for table in there for note in table.notes),
        warnings=tuple(warning for table in there for warning in table.warnings),
        unmanaged=tuple(one for table in there for one in table.unmanaged),
    )


def _apply(table: ComparedTable, rules: Sequence[Rule]) -> None:
    """Apply rules to a table, unless it was found to be nothing that they are for."""
    if table.closed:
        return
    if table.live.kind not in missing.TABLES:
        what = f"is {missing.described(table.live.kind)}; the models say a table."
        table.refuse("", what, way_out=rename(table.schema, table.name, table.relations))
        table.closed = True
        return
    try:
        for rule in rules:
            rule(table)
    except errors.InsufficientPrivilege:
        table.steps, table.notes, table.warnings, table.unmanaged = [], [], [], []
        rights.refuse_unreadable(table)
        table.closed = True


def _check(table: ComparedTable) -> None:
    """Refuse the steps that this role, or this kind of table, does not allow."""
    if not table.closed:
        rights.refuse_changes(table)
        refuse_by_shape(table)
        partitions.refuse_online(table)
        renames.before_the_run(table)
