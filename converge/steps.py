"""The steps of a plan: what each does, how it runs, what it locks and what takes it back.

What the program needs to know of a step is a field of it; texts are for people, and nothing reads
them back. The values of the enums are codes: the history stores them.
"""

import enum
from typing import NamedTuple, Optional, Tuple

from converge.quoting import qualified


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
    def undoes(self) -> bool:
        return self is Kind.UNDO

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
    BUILD = "build"  # SHARE while a small index is built: readers go on
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
    puts these out of its way, without a loss. `besides` are other tables of the schema, with such a
    condition for each.
    """

    indexes: Tuple[IndexChange, ...] = ()
    statements: Tuple[str, ...] = ()
    lock: Lock = Lock.INSTANT
    creates: bool = False  # takes the right to create in the schema
    leaves: Tuple[str, ...] = ()  # the indexes that have these names afterwards
    guard: Optional[str] = None
    keep: Tuple[str, ...] = ()
    besides: Tuple[Tuple[str, str], ...] = ()


NO_UNDO = Undo()


class Undoable(enum.Enum):
    """Whether a rollback takes a step back; the values are codes."""

    YES = "yes"
    GUARDED = "while_no_value_is_lost"  # refused once a row has a value that this would lose
    NO = "no"  # what it has written stays


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
    # Likewise of what writes or reads a table that has children: it ends at the first row.
    tried_to_a_row: Tuple[str, ...] = ()
    fires: Tuple[str, ...] = ()  # the triggers that its UPDATE fires, quoted
    path: Tuple[str, ...] = ()  # the schemas in which it finds what it names without one
    locks: Tuple[Tuple[str, Lock], ...] = ()  # that it takes besides, on tables of its schema
    former: str = ""  # the name that it takes from what is renamed
    # What a table is created with, besides itself: nouns (`column`, `constraint`) and names.
    holds: Tuple[Tuple[str, str], ...] = ()
    number: int = 0  # in the plan of its schema, from 1 on (`Plan.numbered`)
    # What it changes, in the server's words, and into what: a type, a default, a definition, a
    # name. Both are empty where it only adds or drops; one of them where it was or will be none.
    before: str = ""
    after: str = ""
    method: str = ""  # of the index that it builds, as in `pg_am.amname`
    lasting: bool = False  # a rollback leaves the values that it writes

    @property
    def relation(self) -> str:
        """The table, qualified and quoted; empty if it is about no table."""
        name = self.former if self.kind is Kind.RENAME_TABLE else self.table
        return qualified(self.schema, name) if name else ""

    @property
    def changes_rows(self) -> bool:
        """True if a row that is there has another value afterwards."""
        converts = self.kind in (Kind.CHANGE_TYPE, Kind.SET_EXPRESSION, Kind.UNDO)
        return self.kind is Kind.BACKFILL or (converts and self.lock is Lock.REWRITE)

    @property
    def undoable(self) -> Undoable:
        if self.lasting:
            return Undoable.NO
        guarded = self.undo.guard is not None or self.undo.besides
        return Undoable.GUARDED if guarded else Undoable.YES

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
