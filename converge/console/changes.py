"""What a plan comes to, table by table: what is added, changed, dropped, and what is left alone."""

from typing import Dict, List, NamedTuple, Tuple

from converge.plan import NOTED, Plan
from converge.quoting import identifier, qualified
from converge.steps import Kind, Step
from converge.text import counted, plural

ADDED, DROPPED, REPLACED = "added", "dropped", "definition"
# What a step is about, and what becomes of it, or what of it changes.
ABOUT: Dict[Kind, Tuple[str, str]] = {
    Kind.CREATE_SCHEMA: ("schema", ADDED),
    Kind.CREATE_EXTENSION: ("extension", ADDED),
    Kind.CREATE_TYPE: ("type", ADDED),
    Kind.CREATE_SEQUENCE: ("sequence", ADDED),
    Kind.ADD_VALUE: ("type", "values"),
    Kind.CREATE_TABLE: ("table", ADDED),
    Kind.RENAME_TABLE: ("table", "name"),
    Kind.RENAME_COLUMN: ("column", "name"),
    Kind.RENAME_CONSTRAINT: ("constraint", "name"),
    Kind.RENAME_INDEX: ("index", "name"),
    Kind.FOLLOW_RENAME: ("table", "what is named after it"),
    Kind.ADD_COLUMN: ("column", ADDED),
    Kind.CHANGE_TYPE: ("column", "type"),
    Kind.SET_DEFAULT: ("column", "default"),
    Kind.SET_IDENTITY: ("column", "identity"),
    Kind.SET_EXPRESSION: ("column", "expression"),
    Kind.SET_OPTIONS: ("index", "options"),
    Kind.WIDEN_SEQUENCE: ("column", "sequence"),
    Kind.ALTER_SEQUENCE: ("sequence", "options"),
    Kind.BACKFILL: ("column", "rows"),
    Kind.SET_NOT_NULL: ("column", "NOT NULL"),
    Kind.DROP_NOT_NULL: ("column", "nullable"),
    Kind.ADD_KEY: ("constraint", ADDED),
    Kind.ADD_CONSTRAINT: ("constraint", ADDED),
    Kind.ALTER_CONSTRAINT: ("constraint", REPLACED),
    Kind.VALIDATE_CONSTRAINT: ("constraint", "validated"),
    Kind.DROP_HELPER: ("constraint", DROPPED),
    Kind.SET_COMMENTS: ("table", "comments"),
    Kind.CREATE_INDEX: ("index", ADDED),
    Kind.SWAP_INDEX: ("index", REPLACED),
    Kind.DROP_INDEX: ("index", DROPPED),
}
# What counts although it only serves another step: the others' names are temporary.
SHOWN_ON_THE_WAY = (Kind.BACKFILL, Kind.CREATE_INDEX, Kind.ADD_CONSTRAINT)
MOST_LEFT = 5  # names of what is left alone; all of them stand elsewhere


class Changes(NamedTuple):
    """What becomes of a table, or of what a schema has besides tables."""

    where: str  # the table or the schema, quoted
    added: Tuple[str, ...] = ()
    changed: Tuple[str, ...] = ()
    dropped: Tuple[str, ...] = ()
    left_alone: Tuple[str, ...] = ()


Thing = Tuple[str, str]  # noun, and name; none if it is the table itself


def by_table(plan: Plan) -> List[Changes]:
    """Return what the steps come to, in their order; then what else is left alone."""
    found: Dict[str, Dict[Thing, List[str]]] = {}
    for step in plan.steps:
        if step.kind in ABOUT and (not step.on_the_way or step.kind in SHOWN_ON_THE_WAY):
            thing, becomes = _about(step)
            found.setdefault(_where(step), {}).setdefault(thing, []).append(becomes)
    left: Dict[str, List[Thing]] = {}
    for one in (unmanaged.thing for unmanaged in plan.unmanaged):
        if one.noun in NOTED:
            where = identifier(one.schema)
            where = where if one.noun == "table" else qualified(one.schema, one.table)
            left.setdefault(where, []).append((one.noun, identifier(one.name)))
    return [
        _changes(where, found.get(where, {}), left.get(where, []))
        for where in dict.fromkeys([*found, *left])
    ]


def _where(step: Step) -> str:
    """Return the table of a step, or the schema: an enum's values are no table's."""
    if step.table and step.kind is not Kind.ADD_VALUE:
        return qualified(step.schema, step.table)
    return identifier(step.schema)


def _about(step: Step) -> Tuple[Thing, str]:
    noun, becomes = ABOUT[step.kind]
    if not step.table and noun == "column":
        noun = "type"  # a domain
    if noun == "index" and step.name == step.table:
        noun = "table"
    if becomes == ADDED and step.before:
        becomes = REPLACED
    if step.kind.renames:
        becomes = f"was {identifier(step.before)}"
    return (noun, "" if noun == "table" else identifier(step.name)), becomes


def _changes(where: str, found: Dict[Thing, List[str]], left: List[Thing]) -> Changes:
    added: List[Thing] = []
    changed: List[Thing] = []
    dropped: List[Thing] = []
    for (noun, name), becomes in found.items():
        if ADDED in becomes and DROPPED in becomes:
            changed.append((noun, f"{name} (built again)"))
        elif ADDED in becomes and REPLACED not in becomes:
            added.append((noun, name))
        elif DROPPED in becomes:
            dropped.append((noun, name))
        else:
            kept = ", ".join(what for what in dict.fromkeys(becomes) if what != ADDED)
            changed.append((noun, f"{name} ({kept})".strip()))
    return Changes(where, _added(added), _grouped(changed), _grouped(dropped), _left(left))


def _added(things: List[Thing]) -> Tuple[str, ...]:
    """Return what is added by name, but of what a new table has how much there is."""
    nouns = [noun for noun, _ in things if noun != "table"]
    if len(nouns) == len(things):
        return _grouped(things)
    return ("table", *(counted(nouns.count(noun), noun) for noun in dict.fromkeys(nouns)))


def _left(things: List[Thing]) -> Tuple[str, ...]:
    more = len(things) - MOST_LEFT
    return (*_grouped(things[:MOST_LEFT]), *([f"{more:,} more"] if more > 0 else []))


def _grouped(things: List[Thing]) -> Tuple[str, ...]:
    """Return `columns a, b` and `index c`."""
    names: Dict[str, List[str]] = {}
    for noun, name in things:
        names.setdefault(noun, []).append(name)
    nouns = {noun: plural(noun) if listed[1:] else noun for noun, listed in names.items()}
    return tuple(f"{nouns[noun]} {', '.join(listed)}" for noun, listed in names.items())
