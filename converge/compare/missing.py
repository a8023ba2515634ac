"""What is missing as a whole: schemas, the extension, tables with their indexes."""

from difflib import get_close_matches
from typing import Container, List, Optional, Sequence, Set, Tuple

from converge.compare.creation import Creation
from converge.compare.declared import named_constraints
from converge.compare.desired import Desired
from converge.compare.distributed import distribution
from converge.compare.refusals import KINDS, rename
from converge.compare.table import Given
from converge.names import HISTORY_TABLE, free_name
from converge.plan import Managed, Plan, Right, Thing, Unmanaged, WayOut, joined, refused
from converge.quoting import identifier, qualified
from converge.server.catalog import Schema
from converge.server.inspect import ADMINISTRATOR, no_right_to_extension
from converge.server.others import HISTORY_COLUMNS, taken_history
from converge.server.rights import grant_create
from converge.steps import EVERY_ROW, NO_UNDO, Kind, Lock, Run, Step, Undo

OURS = f"""SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = '{HISTORY_TABLE}' AND c.relkind = 'r' ORDER BY 1"""
TYPED = 20  # names, at most, that somebody may have typed
TABLES = ("r", "p")  # what has rows of its own, as in `pg_class.relkind`


def missing_schema(schema: str, given: Given) -> Plan:
    """Create a schema."""
    name = identifier(schema)
    create = [f"CREATE SCHEMA {name}", *distribution(schema, given)]
    step = _new(Kind.CREATE_SCHEMA, schema, "", schema, create)
    step = step._replace(warnings=_beside(schema, given))
    if given.facts.can_create_schema:
        return step
    by_hand = f"CREATE SCHEMA {name} AUTHORIZATION {identifier(given.facts.user)}"
    what = f"schema {name} is missing, and {given.facts.user} lacks the right to create it."
    lacks = Right("CREATE ON DATABASE", schema)
    return joined([step, refused(schema, what, WayOut(ADMINISTRATOR, (by_hand,)), lacks=lacks)])


def _beside(schema: str, given: Given) -> Tuple[str, ...]:
    """Return what to say where there are schemas of ours: a slip in a name would make another.

    A list of many was not typed.
    """
    if len(given.settings.every_schema) > TYPED:
        return ()
    ours = [name for (name,) in given.ask_catalog(OURS) if name not in given.settings.every_schema]
    like = get_close_matches(schema, ours, 1, 0)
    return tuple(f"schema {identifier(schema)} is new; there is {identifier(it)}" for it in like)


def missing_extensions(given: Given) -> Plan:
    """Create the extensions. A rollback leaves them: by then others may use them too."""
    home, parts = given.facts.new_home(given.settings), []
    for name in given.facts.lacking:
        create = [given.desired.create_extension(name, home)]
        parts.append(_new(Kind.CREATE_EXTENSION, given.settings.schemas[0], "", name, create))
        if not given.facts.permits(name):
            parts.append(Plan(refusals=(no_right_to_extension(given.facts, name),)))
    return joined(parts)


def missing(live: Optional[Schema], desired: Desired) -> Managed:
    """Return what of the models nothing in the schema has the name of."""
    taken = live.relations if live is not None else {}
    known = (tuple(n for n in names if n not in taken) for names in desired.managed)
    return Managed(*known)


def missing_things(schema: str, live: Optional[Schema], given: Given) -> Plan:
    """Create what is missing: types, sequences, and tables with their indexes."""
    taken = live.relations if live is not None else {}
    lacking = missing(live, given.desired)
    names = {name for names in lacking for name in names}
    if not names:
        return Plan()
    no_right = live is not None and not live.can_create
    parts = [_no_right_to_create(schema, names, given)] if no_right else []
    trial, home = (
        given.desired.trial_home(given.settings, given.facts),
        given.facts.new_home(given.settings),
    )
    operators = given.desired.operators(trial, home)
    words = given.desired.in_server_words[trial]
    for creation in given.desired.create_all(schema, lacking, operators):
        there = live or Schema({}, {})
        parts += _names_taken(schema, creation, there, given.desired, words) or [
            _new(
                creation.kind,
                schema,
                creation.table,
                creation.name,
                creation.statements,
                _drop(schema, creation, taken),
                _holds(creation, words),
            )
        ]
    return joined(parts)


def taken_names(schema: str, live: Schema, given: Given) -> Plan:
    """Refuse what has a name of the models, and is nothing like what they say."""
    tables, types, sequences = given.desired.managed
    wanted = {
        **{name: "a table" for name in tables if name not in live.tables},
        **{name: "a type" for name in types if name not in live.types},
        **{name: "a sequence" for name in sequences if name not in live.sequences},
    }
    if live.relations.get(HISTORY_TABLE, "r") != "r":
        wanted[HISTORY_TABLE] = "a table"
    parts = [
        refused(
            schema,
            f"is {described(live.relations[name])}; the models say {what}.",
            rename(schema, name, live.relations),
            subject=f"{schema}.{name}",
        )
        for name, what in wanted.items()
        if name in live.relations
    ]
    if live.history is not None and not HISTORY_COLUMNS.issubset(live.history):
        parts.append(Plan(refusals=(taken_history(schema),)))
    return joined(parts)


def unmanaged(schema: str, live: Schema, given: Given) -> Plan:
    """Leave the tables, types and sequences alone that the models do not know."""
    known = {*given.desired.tables, HISTORY_TABLE}
    tables = [n for n, kind in live.relations.items() if kind in TABLES and n not in known]
    found = [(Thing("table", schema, name, name), "TABLE") for name in tables]
    for name, word in live.unmanaged.items():
        noun = "sequence" if word == "SEQUENCE" else "type"
        found.append((Thing(noun, schema, "", name), word))
    drops = ((thing, f"DROP {word} {qualified(schema, thing.name)}") for thing, word in found)
    return Plan(unmanaged=tuple(Unmanaged(*one) for one in drops))


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


def _names_taken(
    schema: str, creation: Creation, live: Schema, desired: Desired, words: Schema
) -> List[Plan]:
    """Refuse what needs names that something else has, or has until the plan renames it."""
    found = []
    for name in _needed(creation, desired, words):
        renames = _freeing(schema, live, name)
        noun = "a table" if name == creation.table else "an index"
        what = f"needs {noun} named {name}, but something else has that name"
        subject = f"{schema}.{creation.table}"
        if name in live.relations:
            way_out = rename(schema, name, live.relations)
            found.append(refused(schema, f"{what}.", way_out, subject=subject))
        elif renames:
            way_out = WayOut("Rename that, then run again:", tuple(renames))
            what += " until it is renamed."
            found.append(refused(schema, what, way_out, subject=subject))
    return found


def _needed(creation: Creation, desired: Desired, words: Schema) -> List[str]:
    """Return the names of relations without which it cannot be created."""
    if not creation.kind.creates_table:
        return [creation.name] if creation.kind.builds_index else []
    named = named_constraints(desired, creation.name)
    keys = words.tables[creation.name].constraints.items()
    return [creation.name, *(name for name, key in keys if name in named and key.owned_index)]


def _freeing(schema: str, live: Schema, name: str) -> List[str]:
    """Return the renames of the plan after which a name is free; none if they do not free it."""
    for new, table in live.tables.items():
        if table.former is not None and new != table.former.table == name:
            return [f"ALTER TABLE {qualified(schema, name)} RENAME TO {identifier(new)}"]
    new_names = {one.old: one.new for one in live.renamed if one.indexed}
    found: List[str] = []
    while name in new_names:
        rename_to = identifier(new_names[name])
        found.insert(0, f"ALTER INDEX {qualified(schema, name)} RENAME TO {rename_to}")
        name = new_names[name]  # which another one may have until then
    return found


def _holds(creation: Creation, words: Schema) -> List[Tuple[str, str]]:
    """Return the columns and constraints that a table is created with."""
    if not creation.kind.creates_table:
        return []
    table = words.tables[creation.name]
    columns = [("column", name) for name in table.columns]
    return columns + [("constraint", name) for name in table.constraints]


def _drop(schema: str, creation: Creation, taken: Container[str]) -> Undo:
    """Return what takes a table back; its indexes go with it."""
    if creation.kind in (Kind.CREATE_TYPE, Kind.CREATE_SEQUENCE):
        noun = creation.statements[0].split()[1]  # TYPE, DOMAIN or SEQUENCE
        return Undo(statements=(f"DROP {noun} {qualified(schema, creation.name)}",))
    if creation.kind is Kind.ADD_CONSTRAINT and creation.name:
        key = f"DROP CONSTRAINT {identifier(creation.name)}"
        return Undo(statements=(f"ALTER TABLE {qualified(schema, creation.table)} {key}",))
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
    holds: Sequence[Tuple[str, str]] = (),
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
        holds=tuple(holds),
    )
    return Plan((step,))
