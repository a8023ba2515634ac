"""The comparison: plan = desired − live.

What a difference leads to stands in the rules, by what it is about: `column_rules.py`,
`type_rules.py`, `null_rules.py`, `constraint_rules.py`, `index_rules.py`. A new rule goes there; a
new table, column or index goes into `models.py` and `indexes.py` and needs nothing here.
"""

from typing import List, Optional, Tuple

from psycopg2 import errors

from converge.compare import columns as column_rules
from converge.compare import constraints as constraint_rules
from converge.compare import desired as ddl
from converge.compare import existing as trial
from converge.compare import indexes as index_rules
from converge.compare import nulls as null_rules
from converge.compare import rights
from converge.compare.table import NEW_PREFIX, OLD_PREFIX, Ask, Difference, helper_name
from converge.history import journal as history
from converge.plan import NOTHING_CHANGED, Lock, Plan, Refusal, Run, Step
from converge.server import catalog
from converge.server.catalog import Catalog, Schema
from converge.server.connection import Connection, ask
from converge.server.inspect import EXTENSION, Server, limited_builds
from converge.settings.variables import Settings

TABLES = list(ddl.METADATA.tables)
NAMES = [history.TABLE, *TABLES, *(str(index.name) for index in ddl.INDEXES)]
NAMES += [f"{t.name}_{c.name}_seq" for t in ddl.METADATA.sorted_tables for c in t.columns]
NAMES += [
    str(k.name or f"{t.name}_pkey") for t in ddl.METADATA.sorted_tables for k in t.constraints
]
NAMES += [helper_name(prefix, name) for prefix in (NEW_PREFIX, OLD_PREFIX) for name in NAMES]
TABLE_KINDS = {"r": "a table", "p": "a partitioned table"}
TRIAL_SCHEMA = "eater_init_trial"  # exists only inside a transaction that is rolled back
RELATION_KINDS = {
    "v": "a view",
    "m": "a materialized view",
    "f": "a foreign table",
    "S": "a sequence",
    "i": "an index",
    "I": "an index",
    "c": "a type",
}
RULES = (
    column_rules.add_and_change,
    null_rules.require_values,
    trial.keep_obeying,
    constraint_rules.constraints,
    null_rules.allow_nulls,
    column_rules.comments,
    index_rules.indexes,
)


def make_plan(connection: Connection, settings: Settings, server: Server) -> Plan:
    """Compare the live schemas with the models. Touches nothing."""
    found = catalog.read(
        connection,
        schemas=settings.schemas,
        tables=TABLES,
        names=NAMES,
        desired_ddl=desired_ddl(settings, server),
    )
    plan = compare(found, settings, server, lambda sql: ask(connection, sql))
    limited = limited_builds(connection, server, plan.steps)
    return plan._replace(refusals=(*plan.refusals, *limited))


def desired_ddl(settings: Settings, server: Server) -> List[str]:
    """Return what creates the desired tables in `pg_temp`, in a transaction that is open."""
    statements = []
    home = extension_home(settings, server)
    if server.extension_schema is None:
        if server.home is None:
            # Not by the name that it will have: it would look as if it were there already.
            home = TRIAL_SCHEMA
            statements.append(f"CREATE SCHEMA {home}")
        statements.append(_create_extension(home))
    statements.append(f"SET LOCAL search_path = pg_temp, {ddl.quote(home)}")
    return statements + [sql for creation in ddl.create_all() for sql in creation.statements]


def extension_home(settings: Settings, server: Server) -> str:
    """Return the schema in which pg_trgm lives, or will."""
    return server.extension_schema or server.home or settings.schemas[0]


def compare(found: Catalog, settings: Settings, server: Server, ask_rows: Ask) -> Plan:
    """Return what brings the live schemas to the desired one.

    `ask_rows` runs a query on live rows; it is called only where a difference depends on them.
    """
    parts = []
    for schema in settings.schemas:
        live = found.live.get(schema)
        parts.append(_missing_schema(schema, server) if live is None else Plan())
        if schema == settings.schemas[0]:
            parts.append(_missing_extension(settings, server))
        parts.append(_missing_tables(schema, live, found.desired, settings, server))
        if live is not None:
            parts += [
                _live_table(Difference(schema, name, live, desired, settings, ask_rows))
                for name, desired in found.desired.tables.items()
                if name in live.tables
            ]
            if any(step.schema == schema for part in parts for step in part.steps):
                said = "\n".join(str(refusal) for part in parts for refusal in part.refusals)
                parts.append(rights.of_history(schema, live, server.user, said))
            parts.append(_taken_tables(schema, live, found.desired))
            parts.append(_unmanaged_tables(schema, live))
    return Plan(
        tuple(step for part in parts for step in part.steps),
        tuple(refusal for part in parts for refusal in part.refusals),
        notes=tuple(note for part in parts for note in part.notes),
        fingerprints={name: schema.fingerprint for name, schema in found.live.items()},
        recorded=frozenset(n for n, s in found.live.items() if history.TABLE in s.relations),
        tables=tuple(TABLES),
    )


def _missing_schema(schema: str, server: Server) -> Plan:
    statement = f"CREATE SCHEMA {ddl.quote(schema)}"
    if server.can_create_schema:
        return Plan((_new_step("create schema", schema, "", schema, (statement,)),))
    grant = f"{statement} AUTHORIZATION {ddl.quote(server.user)}"
    return _refused(
        schema,
        f"schema {ddl.quote(schema)} is missing, and {server.user} may not create it.",
        f"Let an administrator run:\n    {grant};",
    )


def _missing_extension(settings: Settings, server: Server) -> Plan:
    if server.extension_schema is not None:
        return Plan()
    home = extension_home(settings, server)
    # A rollback leaves it: by then others may use it too.
    create = (_create_extension(home),)
    return Plan((_new_step("create extension", settings.schemas[0], "", EXTENSION, create),))


def _create_extension(home: str) -> str:
    return f"CREATE EXTENSION {EXTENSION} SCHEMA {ddl.quote(home)}"


def _missing_tables(
    schema: str, live: Optional[Schema], desired: Schema, settings: Settings, server: Server
) -> Plan:
    """Return the steps for the tables that nothing in the schema has the name of."""
    taken = live.relations if live is not None else {}
    missing = {name for name in desired.tables if name not in taken}
    if not missing:
        return Plan()
    if live is not None and not live.can_create:
        listed = ", ".join(sorted(missing))
        what = f"schema {ddl.quote(schema)} lacks {listed}, and this role may not create in it."
        return _refused(schema, what, rights.grant_create(schema, server.user))
    steps: List[Step] = []
    refusals: List[Refusal] = []
    home = extension_home(settings, server)
    for kind, table, name, statements in ddl.create_all(schema, home, missing):
        relation = ddl.qualified(schema, name)
        if name in taken:
            refusals += _name_taken(schema, table, name).refusals
        elif kind == "create table":
            drop, guard = (f"DROP TABLE {relation}",), f"SELECT count(*) FROM {relation}"
            steps.append(_new_step(kind, schema, table, name, statements, drop, guard))
        else:
            steps.append(_new_step(kind, schema, table, name, statements))
    return Plan(tuple(steps), tuple(refusals))


def _new_step(
    kind: str,
    schema: str,
    table: str,
    name: str,
    statements: Tuple[str, ...],
    undo: Tuple[str, ...] = (),
    guard: Optional[str] = None,
) -> Step:
    return Step(
        kind=kind,
        schema=schema,
        table=table,
        relation=ddl.qualified(schema, table) if table else "",
        name=name,
        why="it is missing",
        statements=statements,
        run=Run.NEW,
        lock=Lock.NONE,
        undo=undo,
        guard=guard,
    )


def _live_table(table: Difference) -> Plan:
    """Return what the rules say of a table that was there before this run."""
    kind = RELATION_KINDS.get(table.live.kind)
    if kind is not None:
        way_out = f"Rename it: {table.relation}."
        table.refuse("", f"is {kind}, the models say a table.", way_out=way_out)
        return Plan((), tuple(table.refusals))
    try:
        for rule in RULES:
            rule(table)
    except errors.InsufficientPrivilege:
        table.refuse(
            "",
            f"differs from the models, belongs to {table.live.owner}, and can't be read.",
            way_out=rights.change_owner(table),
        )
        return Plan((), tuple(table.refusals))
    rights.refuse_changes(table)
    _refuse_partitioned(table)
    return Plan(tuple(table.steps), tuple(table.refusals), notes=tuple(table.notes))


def _refuse_partitioned(table: Difference) -> None:
    """Refuse what a partitioned table can't have done online."""
    online = [step for step in table.steps if step.run is Run.ONLINE]
    if online and table.live.kind == "p":
        by_hand = "".join(f"\n    {sql};" for step in online for sql in step.statements)
        table.refuse(
            "",
            f"is partitioned, and the server can't do that online: {online[0]}.",
            way_out=f"Do it by hand, partition by partition:{by_hand}",
        )


def _unmanaged_tables(schema: str, live: Schema) -> Plan:
    known = {*TABLES, history.TABLE}
    names = [n for n, kind in live.relations.items() if kind in TABLE_KINDS and n not in known]
    return Plan(notes=(f"tables of {ddl.quote(schema)}: {', '.join(names)}",) if names else ())


def _taken_tables(schema: str, live: Schema, desired: Schema) -> Plan:
    """Refuse the tables whose names belong to what is nothing like a table."""
    taken = [n for n in desired.tables if n in live.relations and n not in live.tables]
    if live.relations.get(history.TABLE, "r") != "r":
        taken.append(history.TABLE)
    found = [
        _refused(
            schema,
            f"{schema}.{name} is {RELATION_KINDS[live.relations[name]]}, the models say a table.",
            f"Rename it: {ddl.qualified(schema, name)}.",
        )
        for name in taken
    ]
    return Plan(refusals=tuple(refusal for part in found for refusal in part.refusals))


def _name_taken(schema: str, table: str, name: str) -> Plan:
    return _refused(
        schema,
        f"{schema}.{table} needs an index named {name}, but that name belongs to something else.",
        f"Rename what has it: {ddl.qualified(schema, name)}.",
    )


def _refused(schema: str, what: str, way_out: str) -> Plan:
    return Plan(refusals=(Refusal(schema, "", f"{what}\n  {NOTHING_CHANGED} {way_out}"),))
