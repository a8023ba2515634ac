"""What a run has made and the models do not know any more: the history knows its version."""

from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

from psycopg2 import errors

from converge.errors import Refused
from converge.history.recorded import NOUNS, recorded
from converge.plan import Plan, Thing, Unmanaged
from converge.quoting import identifier, literal, qualified
from converge.server.connection import Connection
from converge.server.messages import ask

# Also where something else has the name of the history, which the plan refuses.
UNKNOWN = (errors.InsufficientPrivilege, errors.UndefinedTable, errors.WrongObjectType, Refused)
# The foreign keys between some tables of a schema.
KEYS = """SELECT c.relname, k.conname, r.relname FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
WHERE k.contype = 'f' AND k.conparentid = 0 AND c.relname IN ({names}) AND r.relname IN ({names})
  AND c.relnamespace = {schema}::regnamespace AND r.relnamespace = c.relnamespace ORDER BY 1, 2"""


class Made(NamedTuple):
    """What a step has made: nouns and names; or what it has renamed, from `former`."""

    version: int
    table: str
    things: Sequence[Sequence[str]]
    former: str


def left_over(connection: Connection, plan: Plan) -> Plan:
    """Return the plan with the versions of what is left alone, what was made last first.

    In this order nothing is dropped before what was built upon it. It takes one query for a schema
    that has both a history and something unmanaged; where this role may not read that history,
    nothing is known of it.
    """
    schemas = {one.thing.schema for one in plan.unmanaged} & plan.recorded
    made: Dict[Thing, int] = {}
    for schema in sorted(schemas):
        made.update(_made(connection, schema, plan))
    unmanaged = {one.thing: one for one in plan.unmanaged}
    ours = {
        thing: unmanaged[thing]._replace(version=made[thing])
        for thing in reversed(list(made))
        if thing in unmanaged and unmanaged[thing].drop is not None
    }
    # Whole tables go with columns that are made later, and use these.
    in_order = sorted(ours.values(), key=lambda one: not one.thing.table)
    others = (one for one in plan.unmanaged if one.thing not in ours)
    return plan._replace(unmanaged=(*others, *_without_keys(connection, in_order)))


def _without_keys(connection: Connection, in_order: Sequence[Unmanaged]) -> Iterator[Unmanaged]:
    """Yield what is left over; the drop of a table begins with that of the keys of later ones."""
    tables: Dict[str, List[str]] = {}
    for one in in_order:
        if one.thing.noun == "table":
            tables.setdefault(one.thing.schema, []).append(one.thing.name)
    before: Dict[Tuple[str, str], List[str]] = {}
    for schema, names in tables.items():
        listed = ", ".join(map(literal, names))
        query = KEYS.format(schema=literal(identifier(schema)), names=listed)
        for name, key, referred in ask(connection, query) if names[1:] else ():
            if names.index(name) > names.index(referred):
                drop = f"ALTER TABLE {qualified(schema, name)} DROP CONSTRAINT {identifier(key)}"
                before.setdefault((schema, referred), []).append(drop)
    for one in in_order:
        is_table = one.thing.noun == "table"
        keys = before.get((one.thing.schema, one.thing.name), []) if is_table else []
        yield one._replace(drop="; ".join([*keys, one.drop or ""]))


def _made(connection: Connection, schema: str, plan: Plan) -> Dict[Thing, int]:
    """Return the versions of what runs have made and not undone, by the names of the plan."""
    made: Dict[Thing, int] = {}
    for version, table, things, former in _steps(connection, schema, plan):
        for noun, name in things:
            if former:
                made = {_renamed(old, noun, table, name, former): made[old] for old in made}
            else:
                thing = Thing(noun, schema, table, name)
                made.pop(thing, None)  # whose place is where it was made last
                made[thing] = version
    return made


def _steps(connection: Connection, schema: str, plan: Plan) -> Iterator[Made]:
    """Yield the recorded steps that are in effect, oldest first; then the renames of the plan."""
    try:
        known = recorded(connection, schema)
    except UNKNOWN:
        return
    for run in reversed(known):
        for step in run.steps[: run.in_effect]:
            yield Made(run.version, step.table, step.makes, step.former)
    for new in plan.steps:
        if new.schema == schema and new.kind.renames:
            yield Made(0, new.table, [(NOUNS[new.kind.value], new.name)], new.former)


def _renamed(thing: Thing, noun: str, table: str, name: str, former: str) -> Thing:
    """Return what a thing is called when `former`, a table or something of one, is `name`."""
    if noun == "table" and thing.table == former:
        thing = thing._replace(table=table)
        return thing._replace(name=name) if thing.noun == noun else thing
    same = (thing.noun, thing.table, thing.name) == (noun, table, former)
    return thing._replace(name=name) if same else thing
