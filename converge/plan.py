"""The plan: the steps that close the difference, what is refused, what is left alone.

As in its steps, what the program needs to know is a field, and nothing reads a text back.
"""

import hashlib
import re
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from converge.quoting import identifier, qualified
from converge.steps import Step
from converge.text import plural


class WayOut(NamedTuple):
    """What to do next, in words, and what to type: complete SQL, without a semicolon."""

    advice: str
    statements: Tuple[str, ...] = ()
    asks: bool = False  # they look at rows, and change nothing

    def __str__(self) -> str:
        return self.advice + "".join(f"\n    {statement};" for statement in self.statements)


OUT_OF_THE_WAY = WayOut("Drop what is in the way, run again, create it again.")


class Right(NamedTuple):
    """A right that the role lacks to run. `to_look` is the way out where it takes it to look."""

    name: str
    schema: str
    to_look: Optional[WayOut] = None


class Refusal(NamedTuple):
    """A difference that can't be closed safely: what, why, and the way out, in this order."""

    schema: str
    subject: str  # `public.weight.date`, or empty if `what` says it all
    what: str
    way_out: WayOut
    why: Tuple[str, ...] = ()
    lacks: Optional[Right] = None
    also: Tuple[str, ...] = ()  # the other schemas in which the same is refused

    @property
    def facts(self) -> Dict[str, object]:
        """What it says, as the fields of an event."""
        advice, statements = self.way_out.advice, list(self.way_out.statements)
        return {
            "schema": self.schema,
            "subject": self.subject,
            "what": self.what,
            "why": list(self.why),
            "way_out": {"advice": advice, "statements": statements},
            "schemas": [self.schema, *self.also] if self.schema else [],
        }

    def _lines(self, *between: str) -> str:
        first = f"{self.subject} {self.what}".strip()
        way_out = " ".join([*between, str(self.way_out)])
        return "\n  ".join([first, *self.why, way_out])

    @property
    def explained(self) -> str:
        """What, why and the way out, without a verdict."""
        return self._lines()

    @property
    def as_difference(self) -> str:
        """The message of a comparison, which changes nothing anyway."""
        return f"cannot be closed: {self._lines()}"

    def after(self, done: str) -> str:
        """The message of a step that was refused when others were done."""
        return f"refused: {self._lines(done)}"

    def __str__(self) -> str:
        return self.after("Nothing was changed.")


ANY_SCHEMA = "*"  # stands for the name of one
# What others may have put beside ours; a schema may be full of their types and sequences.
NOTED = ("table", "column", "constraint", "index")


class Managed(NamedTuple):
    """What the models describe, by name; each schema has all of it."""

    tables: Tuple[str, ...] = ()
    types: Tuple[str, ...] = ()
    sequences: Tuple[str, ...] = ()


class Thing(NamedTuple):
    """What a schema has by name; `table` is that of a table too, and empty if it is of none."""

    noun: str  # table, column, constraint, index, type or sequence
    schema: str
    table: str
    name: str

    @property
    def is_noted(self) -> bool:
        """Whether it is said that others have put it there."""
        return self.noun in NOTED

    def __str__(self) -> str:
        whole = self.noun == "table" or not self.table
        of_table = qualified(self.schema, self.name if whole else self.table)
        return f"{self.noun} {of_table if whole else f'{of_table}.{identifier(self.name)}'}"


class Unmanaged(NamedTuple):
    """What the models do not know, with the statement that drops it; none if it alone can't be.

    `version` is the one that a run has made it in; 0 if no run did, as far as is known.
    """

    thing: Thing
    drop: Optional[str] = None
    version: int = 0

    def __str__(self) -> str:
        return (
            f"{self.thing} is left over from version {self.version}. "
            f"Once nothing uses it: {self.drop};"
        )


class Plan(NamedTuple):
    """`desired` minus `live`. Empty: the database is as the models describe."""

    steps: Tuple[Step, ...] = ()
    refusals: Tuple[Refusal, ...] = ()
    notes: Tuple[str, ...] = ()  # what is left alone: accepted as it is
    warnings: Tuple[str, ...] = ()  # what is no difference, and yet may lose rows
    fingerprints: Mapping[str, str] = {}  # of the live schemas
    recorded: FrozenSet[str] = frozenset()  # the schemas that have a history
    managed: Managed = Managed()
    unmanaged: Tuple[Unmanaged, ...] = ()  # what is left alone, in the order in which it can go

    @property
    def tables(self) -> Tuple[str, ...]:
        return self.managed.tables

    @property
    def empty(self) -> bool:
        return not self.steps and not self.refusals

    def left_alone(self) -> List[str]:
        """Return the message for all that is left alone; at the end, what a run has made."""
        strange: Dict[str, List[str]] = {}
        for thing in (one.thing for one in self.unmanaged if not one.version):
            if thing.is_noted:
                where = identifier(thing.schema)
                if thing.noun != "table":
                    where = qualified(thing.schema, thing.table)
                strange.setdefault(f"{plural(thing.noun)} of {where}", []).append(thing.name)
        listed = [f"{what}: {', '.join(names)}" for what, names in strange.items()]
        return [*listed, *self.notes, *(str(one) for one in self.unmanaged if one.version)]

    def differences(self) -> List[str]:
        """Return the message for each difference."""
        found = [f"{step}: {step.why}" for step in self.steps if not step.on_the_way]
        return found + [refusal.as_difference for refusal in self.refusals]

    def looked_at(self) -> "Plan":
        """Return the plan as those have it who only look: the database's differences.

        What the role may not do is a note then, unless it may not even look.
        """
        refusals, notes = looking(self.refusals)
        return self._replace(refusals=tuple(refusals), notes=(*self.notes, *notes))

    def numbered(self) -> "Plan":
        """Return the plan with its steps numbered, in each schema from 1 on."""
        counts: Dict[str, int] = {}
        steps = []
        for step in self.steps:
            counts[step.schema] = counts.get(step.schema, 0) + 1
            steps.append(step._replace(number=counts[step.schema]))
        return self._replace(steps=tuple(steps))


class Alike(NamedTuple):
    """Schemas that differ from the models in the same way; the plan is the first one's."""

    plan: Plan
    schemas: Tuple[str, ...]

    def of(self, schema: str) -> Plan:
        """Return the plan of any of them."""
        found: Plan = renamed(self.plan, self.schemas[0], schema)
        return found

    def each(self) -> Plan:
        """Return the plans of all of them as one."""
        return joined(map(self.of, self.schemas))


def alike(plans: Iterable[Tuple[str, Plan]]) -> List[Alike]:
    """Return schemas and plans as one for those that differ in the schema's name only.

    Of each kind, the first plan is kept.
    """
    found: Dict[str, Tuple[Plan, List[str]]] = {}
    for schema, plan in plans:
        text = repr(renamed(plan, schema, ANY_SCHEMA))
        digest = hashlib.sha256(text.encode()).hexdigest()
        found.setdefault(digest, (plan, []))[1].append(schema)
    return [Alike(plan, tuple(schemas)) for plan, schemas in found.values()]


def renamed(value: Any, schema: str, new: str) -> Any:
    """Return a value with another name of its schema in all its texts.

    Both names are quoted, or neither is, and neither has what a text would have to escape.
    """
    if schema == new:
        return value
    return _renamed(value, named(schema), schema, new)


def named(schema: str) -> "re.Pattern[str]":
    """Return what finds a schema's name in a text, where it is a word."""
    return re.compile(rf"(?<![\w$]){re.escape(schema)}(?![\w$])")


def _renamed(value: Any, name: "re.Pattern[str]", schema: str, new: str) -> Any:
    if isinstance(value, str):
        return name.sub(lambda _: new, value) if schema in value else value
    if isinstance(value, dict):
        items = ((key, value[key]) for key in value)
        return {_renamed(k, name, schema, new): _renamed(v, name, schema, new) for k, v in items}
    if not isinstance(value, (tuple, list, frozenset)) or not value:
        return value
    parts = [_renamed(part, name, schema, new) for part in value]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*parts)
    return type(value)(parts)


def looking(refusals: Iterable[Refusal]) -> Tuple[List[Refusal], List[str]]:
    """Split refusals into those that count for looking, and notes of what counts for a run."""
    kept, notes = [], []
    for refusal in refusals:
        if refusal.lacks is None:
            kept.append(refusal)
        elif refusal.lacks.to_look is not None:
            kept.append(refusal._replace(way_out=refusal.lacks.to_look))
        else:
            notes.append(f"this role could not run it: {refusal.explained}")
    return kept, notes


def joined(parts: Iterable[Plan]) -> Plan:
    """Return one plan with what all have; their steps keep their numbers."""
    parts = list(parts)
    return Plan(
        tuple(step for part in parts for step in part.steps),
        tuple(refusal for part in parts for refusal in part.refusals),
        tuple(note for part in parts for note in part.notes),
        tuple(warning for part in parts for warning in part.warnings),
        {name: found for part in parts for name, found in part.fingerprints.items()},
        frozenset(name for part in parts for name in part.recorded),
        next((part.managed for part in parts if part.managed != Managed()), Managed()),
        tuple(one for part in parts for one in part.unmanaged),
    )


def refused(
    schema: str,
    what: str,
    way_out: WayOut,
    *why: str,
    subject: str = "",
    lacks: Optional[Right] = None,
) -> Plan:
    """Return a plan that is one refusal."""
    return Plan(refusals=(Refusal(schema, subject, what, way_out, why, lacks),))
