"""What is missing as a whole: schemas, the extension, tables with their indexes."""

from typing import Container, Mapping, Optional, Sequence, Set

from converge.compare.desired import Creation
from converge.compare.table import KINDS, Given, rename
from converge.names import HISTORY_TABLE, free_name
from converge.plan import (
    EVERY_ROW,
    NO_UNDO,
    Kind,
    Lock,
    Plan,
    Right,
    Run,
    Step,
    Undo,
    WayOut,
    joined,
    refused,
)
from converge.quoting import identifier, qualified
from converge.server.catalog import Schema
from converge.server.inspect import ADMINISTRATOR, no_right_to_extension
from converge.server.others import HISTORY_COLUMNS, taken_history
from converge.server.rights import grant_create

TABLES = ("r", "p")  # what has rows of its own, as in `pg_class.relkind`


def missing_schema(schema: str, given: Given) -> Plan:
    """Create a schema."""
    name = identifier(schema)
    step = _new(Kind.CREATE_SCHEMA, schema, "", schema, [f"CREATE SCHEMA {name}"])
    if given.facts.can_create_schema:
        return step
    create = f"CREATE SCHEMA {name} AUTHORIZATION {identifier(given.facts.user)}"
    what = f"schema {name} is missing, and {given.facts.user} lacks the right to create it."
    lacks = Right("CREATE ON DATABASE", schema)
    return joined([step, refused(schema, what, WayOut(ADMINISTRATOR, (create,)), lacks=lacks)])


def missing_extension(given: Given) -> Plan:
    """Create the extension. A rollback leaves it: by then others may use it too."""
    if not given.facts.lacks_extension:
        return Plan()
    home = given.facts.extension_home(given.settings)
    create, extension = given.desired.create_extension(home), given.desired.extension
    step = _new(Kind.CREATE_EXTENSION, given.settings.schemas[0], "", extension.name, [create])
    if given.facts.extension_permitted:
        return step
    return joined([step, Plan(refusals=(no_right_to_extension(given.facts, extension),))])


def missing_tables(schema: str, live: Optional[Schema], given: Given) -> Plan:
    """Create the tables that nothing in the schema has the name of, with their indexes."""
    taken = live.relations if live is not None else {}
    missing = {name for name in given.desired.tables if name not in taken}
    if not missing:
        return Plan()
    no_right = live is not None and not live.can_create
    parts = [_no_right_to_create(schema, missing, given)] if no_right else []
    home = given.facts.extension_home(given.settings)
    created = given.desired.create_all(schema, home, missing)
    parts += [
        _name_taken(schema, creation, taken)
        if creation.name in taken
        else _new(
            creation.kind,
            schema,
            creation.table,
            creation.name,
            creation.statements,
            _drop(schema, creation, taken),
        )
        for creation in created
    ]
    return joined(parts)


def taken_tables(schema: str, live: Schema, given: Given) -> Plan:
    """Refuse the tables whose names belong to what is nothing like a table."""
    taken = [n for n in given.desired.tables if n in live.relations and n not in live.tables]
    if live.relations.get(HISTORY_TABLE, "r") != "r":
        taken.append(HISTORY_TABLE)
    parts = [
        refused(
            schema,
            f"is {described(live.relations[name])}; the models say a table.",
            rename(schema, name, live.relations),
            subject=f"{schema}.{name}",
        )
        for name in taken
    ]
    if live.history is not None and not HISTORY_COLUMNS.issubset(live.history):
        parts.append(Plan(refusals=(taken_history(schema),)))
    return joined(parts)


def unmanaged_tables(schema: str, live: Schema, given: Given) -> Plan:
    """Note the tables that the models do not know."""
    known = {*given.desired.tables, HISTORY_TABLE}
    names = [n for n, kind in live.relations.items() if kind in TABLES and n not in known]
    note = f"tables of {identifier(schema)}: {', '.join(names)}"
    return Plan(notes=(note,) if names else ())


def described(kind: str) -> str:
    """Return `a view`, `an index`…"""
    word = KINDS[kind].lower()
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _no_right_to_create(schema: str, missing: Set[str], given: Given) -> Plan:
    role, lacks = given.facts.user, Right("CREATE", schema)
    what = (
        f"schema {identifier(schema)} lacks {', '.join(sorted(missing))}, "
        f"and {role} lacks the right to create in it."
    )
    return refused(schema, what, grant_create(schema, role), lacks=lacks)


def _name_taken(schema: str, creation: Creation, taken: Mapping[str, str]) -> Plan:
    what = f"needs an index named {creation.name}, but something else has that name."
    way_out = rename(schema, creation.name, taken)
    return refused(schema, what, way_out, subject=f"{schema}.{creation.table}")


def _drop(schema: str, creation: Creation, taken: Container[str]) -> Undo:
    """Return what takes a table back; its indexes go with it."""
    if creation.kind is not Kind.CREATE_TABLE:
        return NO_UNDO
    table = qualified(schema, creation.name)
    saved = identifier(free_name(creation.name, "_saved", taken))
    keep = f"ALTER TABLE {table} RENAME TO {saved}"
    return Undo(statements=(f"DROP TABLE {table}",), guard=EVERY_ROW, keep=(keep,))


def _new(
    kind: Kind,
    schema: str,
    table: str,
    name: str,
    statements: Sequence[str],
    undo: Undo = NO_UNDO,
) -> Plan:
    step = Step(
        kind=kind,
        schema=schema,
        table=table,
        name=name,
        why="it is missing",
        statements=tuple(statements),
        run=Run.NEW,
        lock=Lock.NONE,
        creates=True,
        undo=undo,
    )
    return Plan((step,))
