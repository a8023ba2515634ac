"""The catalog: what a schema holds, in PostgreSQL's own canonical words.

How it is read from a server is in `reading.py`.
"""

from typing import Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Sequence, Tuple

GENERATED = {"s": "STORED", "v": "VIRTUAL"}  # as in `pg_attribute.attgenerated`


class User(NamedTuple):
    """What uses a column, for a message; a foreign key takes a new type without a rewrite."""

    description: str
    foreign_key: bool


class SequenceFacts(NamedTuple):
    """What a column draws its numbers from; how far it has come is no part of the schema."""

    name: str
    type: str
    maximum: int
    schema: Optional[str] = None  # if it is not the table's own
    start: int = 1
    increment: int = 1
    minimum: int = 1
    cache: int = 1
    cycle: bool = False
    owned: bool = True  # by the column: it goes with it
    others: Sequence[str] = ()  # columns that draw from it too, or own it


class Column(NamedTuple):
    """One column. `default` is `nextval()` for everything that draws from a sequence."""

    type: str
    not_null: bool
    default: Optional[str] = None
    default_sql: Optional[str] = None
    generated: str = ""  # a key of `GENERATED`; then `default` is what it is computed by
    identity: str = ""  # as in `pg_attribute.attidentity`
    comment: Optional[str] = None
    used_by: Sequence[User] = ()  # views, triggers, policies, foreign keys…
    unproven: bool = False  # NOT NULL, but for new rows only
    inherited: bool = False  # from a parent, which alone may change it
    own_not_null: Optional[str] = None  # the NOT NULL constraint that children do not inherit
    not_null_name: Optional[str] = None  # of the NOT NULL constraint: from 18 on it has one
    sequence: Optional[SequenceFacts] = None


class Publication(NamedTuple):
    """A publication of a table; `columns` are None where all are published."""

    name: str
    updates: bool
    deletes: bool
    relation: Optional[str] = None  # that it names: the table or a partitioned one, qualified
    columns: Optional[List[str]] = None
    filtered_by: Optional[List[str]] = None  # the columns in its row filter

    @property
    def identifies(self) -> bool:
        """True if clients can't change a row that has no replica identity."""
        return self.updates or self.deletes


class Index(NamedTuple):
    """An index; `using` is what stands behind `USING`."""

    unique: bool
    using: str
    valid: bool = True
    columns: Optional[List[str]] = None  # those of the key that are columns, not expressions
    keys: Sequence[str] = ()  # as SQL: columns and expressions
    nulls_equal: bool = False  # NULLS NOT DISTINCT
    predicate: Optional[str] = None
    attached: Optional[str] = None  # the index of a partitioned table that it is a part of
    expressions: bool = False
    clustered: bool = False  # the one that CLUSTER goes by
    options: Sequence[str] = ()  # `fillfactor=70`
    comment: Optional[str] = None
    identity: bool = False  # the replica identity of its table
    constraint: Optional[str] = None  # that owns it
    used_by: Optional[List[str]] = None  # foreign keys that rely on a unique one

    @property
    def method(self) -> str:
        """How it is stored, as in `pg_am.amname`."""
        return self.using.split(" ", 1)[0]

    @property
    def definition(self) -> str:
        """What tells an index from another, and is shown."""
        return f"UNIQUE {self.using}" if self.unique else self.using


class Constraint(NamedTuple):
    """A key, unique, check, foreign key or exclusion constraint (`kind` as in `pg_constraint`)."""

    kind: str
    definition: str  # without the schema of what it refers to
    sql: str = ""  # with it
    expression: Optional[str] = None  # a check's
    columns: Optional[List[str]] = None
    target: Optional[str] = None
    target_columns: Optional[List[str]] = None
    on_update: Optional[str] = None  # these three as in `pg_constraint`
    on_delete: Optional[str] = None
    match: Optional[str] = None
    operators: Optional[List[str]] = None  # of an exclusion constraint, one for each key
    deferrable: bool = False
    deferred: bool = False
    valid: bool = True
    inherited: bool = False  # from a parent, which alone may drop it
    comment: Optional[str] = None
    place: Optional[int] = None  # among those of its table, by age; only of a desired one
    used_by: Optional[List[str]] = None  # views and functions that group by the key
    owned_index: Optional[Index] = None


class Reference(NamedTuple):
    """A foreign key to a table; `sql` defines it, `key` is the index that it relies on."""

    name: str
    relation: str  # that has it, qualified and quoted
    sql: str
    key: str

    def __str__(self) -> str:
        return f"{self.name} on {self.relation}"


class Shape(NamedTuple):
    """What ties a table to others, by which the server refuses some changes of it."""

    attributes: int = 0  # the columns that it has ever had; dropped ones count
    of_type: Optional[str] = None  # of a typed table
    partition_of: Optional[str] = None  # the table that is partitioned, at the top
    parents: Sequence[str] = ()
    parts: Mapping[str, str] = {}  # what holds its rows, if not it alone: relation and kind
    partition_key: Sequence[str] = ()
    row_type_in: Sequence[Sequence[str]] = ()  # relation and column of this table's row type
    rules: Sequence[str] = ()  # that take the place of an UPDATE
    triggers: Sequence[str] = ()  # that an UPDATE fires


def identity_of_key(key: Optional[Constraint]) -> Optional[FrozenSet[str]]:
    """Return what identifies a row by default; a deferrable key does not."""
    usable = key is not None and key.valid and not key.deferrable
    return frozenset(key.columns or []) if key is not None and usable else None


class Former(NamedTuple):
    """The live names of what a plan renames, by those that the models and its steps go by."""

    table: str
    columns: Mapping[str, str] = {}
    constraints: Mapping[str, str] = {}
    indexes: Mapping[str, str] = {}


class Renamed(NamedTuple):
    """A constraint or an index that a plan renames."""

    table: str
    old: str
    new: str
    constraint: bool
    indexed: bool  # so that its name is a relation's


class Table(NamedTuple):
    """A table, or whatever else has its name (`kind` as in `pg_class.relkind`).

    `indexes` are those that no constraint owns.
    """

    columns: Dict[str, Column]
    constraints: Dict[str, Constraint]
    indexes: Dict[str, Index]
    kind: str = "r"
    persistence: str = "p"  # as in `pg_class.relpersistence`
    options: Sequence[str] = ()  # `fillfactor=70`
    method: Optional[str] = None  # that its rows are stored by
    tablespace: Optional[str] = None  # if it is not the database's
    partition_by: Optional[str] = None
    owned: bool = True
    owner: str = ""
    comment: Optional[str] = None
    referenced_by: Sequence[Reference] = ()
    shape: Shape = Shape()
    rows_hidden: bool = False  # row security hides some from this role
    replica_identity: str = "d"  # as in `pg_class.relreplident`
    publications: Sequence[Publication] = ()
    former: Optional[Former] = None  # where a plan renames it, or what it has

    @property
    def primary_key(self) -> Tuple[Optional[str], Optional[Constraint]]:
        """Name and constraint, or (None, None)."""
        found = [item for item in self.constraints.items() if item[1].kind == "p"]
        return found[0] if found else (None, None)

    @property
    def identity(self) -> Optional[FrozenSet[str]]:
        """The columns that identify a row for publications; None if nothing does."""
        if self.replica_identity == "f":
            return frozenset(self.columns)
        if self.replica_identity == "d":
            return identity_of_key(self.primary_key[1])
        owned = [constraint.owned_index for constraint in self.constraints.values()]
        for index in [*self.indexes.values(), *(index for index in owned if index)]:
            if index.identity and index.valid:
                return frozenset(index.columns or [])
        return None


class OwnType(NamedTuple):
    """A type that the models bring along: an enum or a domain."""

    kind: str  # as in `pg_type.typtype`
    labels: Optional[List[str]] = None  # of an enum, in their order
    base: Optional[str] = None  # of a domain, and the following
    not_null: bool = False
    default: Optional[str] = None
    checks: Optional[Dict[str, str]] = None  # definitions by name


class OwnSequence(NamedTuple):
    """A sequence that the models name."""

    type: str
    start: int
    increment: int
    minimum: int
    maximum: int
    cache: int
    cycle: bool


class Schema(NamedTuple):
    """What is managed of a schema, and the kind of every relation that could be in the way."""

    tables: Dict[str, Table]
    relations: Dict[str, str]
    types: Mapping[str, OwnType] = {}
    sequences: Mapping[str, OwnSequence] = {}
    can_create: bool = True
    foreign: Sequence[str] = ()  # relations that belong to a role that is not ours
    history: Optional[Sequence[str]] = None  # the columns of the table that has its name
    unmanaged: Mapping[str, str] = {}  # types and sequences: TYPE, DOMAIN or SEQUENCE, by name
    renamed: Sequence[Renamed] = ()  # by a plan, in its order
    outside: Mapping[str, str] = {}  # the schemas of types that are in another one, by name
