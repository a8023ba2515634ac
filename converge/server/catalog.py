"""The catalog: what a schema holds, in PostgreSQL's own canonical words.

One query reads the live schemas and, in the same round trip, the desired one: the models' DDL,
created in `pg_temp` inside a transaction that is always rolled back. Both sides were thus worded
by the same server, and comparing them needs no normaliser of ours.
"""

from typing import Any, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from converge.names import HISTORY_TABLE
from converge.plan import Managed
from converge.server.connection import Connection
from converge.server.messages import begin, rolled_back, rows
from converge.server.sql import statement

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
    fingerprint: str = ""
    foreign: Sequence[str] = ()  # relations that belong to a role that is not ours
    history: Optional[Sequence[str]] = None  # the columns of the table that has its name
    unmanaged: Mapping[str, str] = {}  # types and sequences: TYPE, DOMAIN or SEQUENCE, by name


def read(
    connection: Connection,
    *,
    schemas: Sequence[str],
    managed: Managed,
    names: Sequence[str],
    desired_ddl: Sequence[str] = (),
) -> Dict[str, Schema]:
    """Read the schemas that exist, by name, in one round trip; nothing stays behind.

    What is `managed` is read in full, of `names` only whether something has them. `desired_ddl`
    creates it all in `pg_temp`, which is then read too, as `""`: in a transaction that is rolled
    back in every case.
    """
    query = statement(
        "server/catalog.sql",
        schemas=schemas,
        names=names,
        history=HISTORY_TABLE,
        **managed._asdict(),
    )
    # Behind a pooler, another client's temporary tables may have the names of ours: they are back
    # when the transaction is rolled back. With an empty search path the server qualifies whatever
    # is not its own.
    discard = ["DISCARD TEMP"] if desired_ddl and connection.pooled else []
    messages = [*discard, *desired_ddl, "SET LOCAL search_path = ''", query]
    with rolled_back(connection):
        found = rows(connection, begin(connection) + ";\n".join(messages))
    return {document["name"]: _schema(document) for (document,) in found}


def _schema(document: Dict[str, Any]) -> Schema:
    foreign, hidden = document["foreign"] or [], document["hidden"] or []
    contents = document["contents"]
    return Schema(
        tables={
            name: _table(value)._replace(owned=name not in foreign, rows_hidden=name in hidden)
            for name, value in (contents["tables"] or {}).items()
        },
        relations=document["relations"] or {},
        types={name: OwnType(**value) for name, value in (contents["types"] or {}).items()},
        sequences={n: OwnSequence(**value) for n, value in (contents["sequences"] or {}).items()},
        can_create=document["can_create"],
        fingerprint=document["fingerprint"],
        foreign=foreign,
        history=document["history"],
        unmanaged=document["unmanaged"] or {},
    )


def _table(document: Dict[str, Any]) -> Table:
    indexes = {
        name: Index(**{**value, "options": value["options"] or ()})
        for name, value in (document["indexes"] or {}).items()
    }
    owners = {index.constraint: index for index in indexes.values()}
    parts = {
        **document,
        "options": document["options"] or (),
        "shape": Shape(**{k: v for k, v in document["shape"].items() if v is not None}),
        "columns": {n: _column(value) for n, value in (document["columns"] or {}).items()},
        "constraints": {
            name: Constraint(**value, owned_index=owners.get(name))
            for name, value in (document["constraints"] or {}).items()
        },
        "indexes": {n: index for n, index in indexes.items() if index.constraint is None},
        "referenced_by": [Reference(**value) for value in document["referenced_by"] or []],
        "publications": [Publication(**value) for value in document["publications"] or []],
    }
    return Table(**parts)


def _column(document: Dict[str, Any]) -> Column:
    used_by = [User(**user) for user in document["used_by"] or []]
    numbers = document["sequence"]
    sequence = sequence_facts(numbers) if numbers else None
    return Column(**{**document, "used_by": used_by, "sequence": sequence})


def sequence_facts(document: Dict[str, Any]) -> SequenceFacts:
    """Return what `sequence.sql` has found."""
    return SequenceFacts(**{**document, "others": document["others"] or ()})
