"""The plan: the steps that close the difference, what is refused, what is left alone.

What the program needs to know of a step is a field of it; texts are for people, and nothing reads
them back. The values of the enums are codes: the history stores them.
"""

import enum
from typing import Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from converge.quoting import identifier, qualified
from converge.text import plural


class Kind(enum.Enum):
    """What a step does."""

    CREATE_SCHEMA = "create_schema"
    CREATE_EXTENSION = "create_extension"
    CREATE_TYPE = "create_type"
    CREATE_SEQUENCE = "create_sequence"
    ADD_VALUE = "add_value"  # to an enum
    CREATE_TABLE = "create_table"
    RENAME_TABLE = "rename_table"
    RENAME_COLUMN = "rename_column"
    RENAME_CONSTRAINT = "rename_constraint"
    RENAME_INDEX = "rename_index"
    FOLLOW_RENAME = "follow_rename"  # by what the server names after tables and columns
    ADD_COLUMN = "add_column"
    CHANGE_TYPE = "change_type"
    SET_DEFAULT = "set_default"
    SET_IDENTITY = "set_identity"
    SET_EXPRESSION = "set_expression"  # of a generated column
    SET_OPTIONS = "set_options"  # storage parameters
    WIDEN_SEQUENCE = "widen_sequence"
    ALTER_SEQUENCE = "alter_sequence"
    BACKFILL = "backfill"
    FORBID_NULLS = "forbid_nulls"
    PROVE_NO_NULLS = "prove_no_nulls"
    SET_NOT_NULL = "set_not_null"
    DROP_NOT_NULL = "drop_not_null"
    ADD_KEY = "add_key"
    ADD_CONSTRAINT = "add_constraint"
    ALTER_CONSTRAINT = "alter_constraint"
    VALIDATE_CONSTRAINT = "validate_constraint"
    DROP_HELPER = "drop_helper"
    SET_COMMENTS = "set_comments"
    CREATE_INDEX = "create_index"
    BUILD_INDEX = "build_index"  # under a temporary name
    SWAP_INDEX = "swap_index"
    DROP_INDEX = "drop_index"
    CREATE_HISTORY = "create_history"
    RECORD = "record"
    UNDO = "undo"

    @property
    def words(self) -> str:
        """The title of a step, before the name of what it is about."""
        return "set comments of" if self is Kind.SET_COMMENTS else self.value.replace("_", " ")

    @property
    def noun(self) -> str:
        """What a step creates; empty if it creates nothing that a count would name."""
        return CREATED.get(self, "")

    @property
    def creates_table(self) -> bool:
        return self is Kind.CREATE_TABLE

    @property
    def completes_index(self) -> bool:
        return self in (Kind.CREATE_INDEX, Kind.SWAP_INDEX)

    @property
    def renames(self) -> bool:
        return self.value.startswith("rename_")

    @property
    def builds_index(self) -> bool:
        return self in (Kind.CREATE_INDEX, Kind.BUILD_INDEX)

    @property
    def changes_only_indexes(self) -> bool:
        return self.builds_index or self in (Kind.SWAP_INDEX, Kind.DROP_INDEX)


# Whose name is the table's.
OF_TABLES = (Kind.CREATE_TABLE, Kind.RENAME_TABLE, Kind.FOLLOW_RENAME, Kind.SET_COMMENTS)
CREATED = {
    Kind.CREATE_SCHEMA: "schema",
    Kind.CREATE_EXTENSION: "extension",
    Kind.CREATE_TYPE: "type",
    Kind.CREATE_SEQUENCE: "sequence",
    Kind.CREATE_TABLE: "table",
    Kind.CREATE_INDEX: "index",
    Kind.CREATE_HISTORY: "history",
}


class Run(enum.Enum):
    """How a step's statements run."""

    AHEAD = "ahead"  # alone in a transaction, like what is brief: what is new may need it
    NEW = "new"  # with everything else that is new, in one transaction
    BRIEF = "brief"  # alone in a transaction, under LOCK_TIMEOUT, until LOCK_PATIENCE is over
    ONLINE = "online"  # outside a transaction, each for as long as it takes; it blocks nobody
    BATCHES = "batches"  # some 10,000 rows at a time, each in a transaction of its own


class Lock(enum.Enum):
    """The lock on a step's table. https://www.postgresql.org/docs/current/explicit-locking.html"""

    NONE = "none"  # none that anybody uses yet
    INSTANT = "instant"  # ACCESS EXCLUSIVE while only the catalog changes
    READ = "read"  # ACCESS EXCLUSIVE while every row is read
    REWRITE = "rewrite"  # ACCESS EXCLUSIVE while every row is written anew
    WRITES = "writes"  # SHARE ROW EXCLUSIVE while only the catalog changes: readers go on
    SHARED = "shared"  # SHARE UPDATE EXCLUSIVE: readers and writers go on
    ROWS = "rows"  # ROW EXCLUSIVE, and each batch's rows


class IndexChange(NamedTuple):
    """An index that an undo builds or drops concurrently; `name` without its schema, unquoted."""

    name: str
    builds: bool
    statement: str


EVERY_ROW = "true"  # the guard of what loses a row whatever it holds


class Undo(NamedTuple):
    """What takes a step back: `indexes`, each outside a transaction, then `statements` in one.

    `guard` is a condition that is true for a row of the table whose values this would lose; `keep`
    puts these out of its way, without a loss.
    """

    indexes: Tuple[IndexChange, ...] = ()
    statements: Tuple[str, ...] = ()
    lock: Lock = Lock.INSTANT
    creates: bool = False  # takes the right to create in the schema
    leaves: Tuple[str, ...] = ()  # the indexes that have these names afterwards
    guard: Optional[str] = None
    keep: Tuple[str, ...] = ()


NO_UNDO = Undo()


class Step(NamedTuple):
    """One change. `statements` are complete SQL, without a semicolon."""

    kind: Kind
    schema: str
    table: str  # empty if it is about no table
    name: str  # of the table, column, constraint or index
    why: str
    statements: Tuple[str, ...]
    run: Run
    lock: Lock
    creates: bool = False  # takes the right to create in the schema
    undo: Undo = NO_UNDO
    on_the_way: bool = False  # it closes no difference by itself, but another step needs it
    parts: Tuple[str, ...] = ()  # whose rows the statements are about, one each; quoted
    # What the server is asked about before the first change: only what touches no more than its
    # catalog, or one row, as it is rolled back.
    tried: Tuple[str, ...] = ()
    fires: Tuple[str, ...] = ()  # the triggers that its UPDATE fires, quoted
    path: Tuple[str, ...] = ()  # the schemas in which it finds what it names without one
    locks: Tuple[Tuple[str, Lock], ...] = ()  # that it takes besides, on tables of its schema
    former: str = ""  # the name that it takes from what is renamed
    # What a table is created with, besides itself: nouns (`column`, `constraint`) and names.
    holds: Tuple[Tuple[str, str], ...] = ()
    number: int = 0  # in the plan of its schema, from 1 on (`Plan.numbered`)

    @property
    def relation(self) -> str:
        """The table, qualified and quoted; empty if it is about no table."""
        name = self.former if self.kind is Kind.RENAME_TABLE else self.table
        return qualified(self.schema, name) if name else ""

    def __str__(self) -> str:
        if self.kind is Kind.UNDO:
            return f"undo {self.name}"
        if self.kind is Kind.ADD_VALUE:
            return f"{self.kind.words} {self.schema}.{self.name}"
        whole_table = self.kind in OF_TABLES
        parts = [self.schema if self.table else "", "" if whole_table else self.table, self.name]
        return f"{self.kind.words} {'.'.join(part for part in parts if part)}"


class Done(NamedTuple):
    """Steps that were run together, and how long that took, in seconds."""

    steps: Tuple[Step, ...]
    seconds: float


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
            if thing.noun in NOTED:
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
    """Return one plan with the steps, refusals and notes of all."""
    parts = list(parts)
    return Plan(
        tuple(step for part in parts for step in part.steps),
        tuple(refusal for part in parts for refusal in part.refusals),
        tuple(note for part in parts for note in part.notes),
        tuple(warning for part in parts for warning in part.warnings),
        unmanaged=tuple(one for part in parts for one in part.unmanaged),
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
