"""The desired state: what SQLAlchemy models describe, by its names in the database.

Nothing here asks a server.
"""

import re
from copy import copy
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from sqlalchemy import ARRAY, CheckConstraint, Column, Index, MetaData, Table
from sqlalchemy import Sequence as NumberSequence
from sqlalchemy.dialects.postgresql import DOMAIN, ENUM, ExcludeConstraint
from sqlalchemy.sql.sqltypes import SchemaType

from converge.compare import ddl
from converge.compare.backfills import Backfill
from converge.compare.creation import Creation, create_sequence, create_tables, create_type
from converge.compare.ddl import DIALECT, Schemas, final_name
from converge.compare.loaded import refuse_unusable
from converge.compare.qualified import in_trial
from converge.names import (
    HISTORY_TABLE,
    NEW_PREFIX,
    OLD_PREFIX,
    TRIAL_SCHEMA,
    helper_name,
    sequence_name,
    suffixed,
)
from converge.plan import Managed
from converge.quoting import identifier
from converge.server.catalog import Schema
from converge.server.catalog import Table as Words
from converge.server.inspect import ServerFacts
from converge.settings.extension import Extension
from converge.settings.variables import Settings

SAID_AS = {"c": CheckConstraint, "x": ExcludeConstraint}  # by their kinds in the catalog


class Desired:
    """What a database should hold: what `metadata` describes, in each schema.

    `extensions` are what its types, defaults and operator classes need. `indexes` gives the indexes
    an order; they are attached to the tables. `backfills` are the values of the bind parameters in
    the models' backfills, by name. `date_shapes` are the shapes in which dates have been written as
    text, the preferred one first: `YYYY-MM-DD`.

    Raises `UnusableModels` with all that is wrong with them.
    """

    def __init__(
        self,
        metadata: MetaData,
        *,
        extensions: Sequence[Extension] = (),
        indexes: Sequence[Index] = (),
        backfills: Optional[Mapping[str, str]] = None,
        date_shapes: Sequence[str] = ("YYYY-MM-DD",),
    ) -> None:
        self.metadata, self.extensions = metadata, tuple(extensions)
        self.backfills, self.date_shapes = dict(backfills or {}), tuple(date_shapes)
        self.tables = {table.name: table for table in metadata.tables.values()}
        types = list(_own_types(metadata))
        self.types: Dict[str, Any] = {}
        for kind in types:
            self.types.setdefault(str(kind.name), kind)
        self.sequences = {sequence.name: sequence for sequence in _own_sequences(metadata)}
        self.managed = Managed(tuple(self.tables), tuple(self.types), tuple(self.sequences))
        # The models may name a schema; it is the one that they are brought to then.
        everything = [*self.tables.values(), *self.types.values(), *self.sequences.values()]
        self.named_schemas = sorted({thing.schema for thing in everything if thing.schema})
        refuse_unusable(metadata, types, self.sequences, self.backfills, indexes)
        self._index_order = {str(index.name): number for number, index in enumerate(indexes)}
        # What the server made of it, by the schema of new extensions: it is asked once.
        self.in_server_words: Dict[str, Schema] = {}
        self.outside: Mapping[str, str] = {}  # the live schemas of `types_nowhere`, by name

    @property
    def names(self) -> List[str]:
        """All names that a run, or who follows its advice, may give to something in a schema."""
        found = [HISTORY_TABLE, *self.tables, *self.types, *self.sequences]
        for table in self.tables.values():
            found += [str(final_name(index)) for index in table.indexes]
            found += [sequence_name(table.name, c.name) for c in table.columns]
            found += [final_name(k) or f"{table.name}_pkey" for k in _constraints(table)]
        helpers = [
            helper_name(prefix, name) for prefix in (NEW_PREFIX, OLD_PREFIX) for name in found
        ]
        renamed = [suffixed(name, "_old") for name in found]  # as a refusal says; see `free_name`
        return found + helpers + renamed

    def schemas(self, schema: str) -> Schemas:
        """Return the schema for what the models put into none, and into one that they name."""
        nowhere = next(iter(self.outside.values()), schema)
        return {None: nowhere, **dict.fromkeys(self.named_schemas, schema)}

    @property
    def types_nowhere(self) -> List[str]:
        """The enums for which no schema is said, if one is for everything else."""
        names = [name for name, kind in self.types.items() if not kind.schema]
        others = [*self.tables.values(), *self.sequences.values()]
        enums = all(isinstance(self.types[name], ENUM) for name in names)
        return names if enums and all(thing.schema for thing in others) else []

    def with_types_outside(self, outside: Mapping[str, str]) -> "Desired":
        """Return the same with its `types_nowhere` in the live schemas that they are in."""
        changed = copy(self)
        changed.outside = outside
        return changed

    def trial_home(self, settings: Settings, facts: ServerFacts) -> str:
        """Return the schema in which new extensions live while the desired state is tried out."""
        if facts.lacking and facts.home is None:
            # Not by the name that it will have: it would look as if it were there already.
            return TRIAL_SCHEMA
        return facts.new_home(settings)

    def trial_ddl(self, settings: Settings, facts: ServerFacts) -> List[str]:
        """Return what creates all in `pg_temp`, in a transaction that is open."""
        home = self.trial_home(settings, facts)
        permitted = all(map(facts.permits, facts.lacking))
        statements = [f"CREATE SCHEMA {home}"] if home == TRIAL_SCHEMA and permitted else []
        if permitted:
            statements += [self.create_extension(name, home) for name in facts.lacking]
        path = ["pg_temp", *facts.homes(home), settings.schemas[0]]
        statements.append(f"SET LOCAL search_path = {', '.join(map(identifier, path))}")
        # Where an extension is missing, so are the indexes that may take it.
        left_out = set() if permitted else self._with_operators()
        created = [c for c in self.create_all("pg_temp") if c.name not in left_out]
        for sql in (sql for creation in created for sql in creation.statements):
            statements.append(_temporary(sql, settings.every_schema, self.managed))
        return statements

    def _with_operators(self) -> Set[str]:
        """Return the names of the indexes with operator classes other than a type's own."""
        indexes = (index for table in self.tables.values() for index in table.indexes)
        return {str(final_name(i)) for i in indexes if i.dialect_options["postgresql"]["ops"]}

    def create_extension(self, name: str, home: str) -> str:
        """Return the statement that creates an extension in a schema."""
        return f"CREATE EXTENSION {identifier(name)} SCHEMA {identifier(home)}"

    def create_all(
        self,
        schema: str,
        missing: Optional[Managed] = None,
        operators: Optional[Mapping[str, str]] = None,
    ) -> List[Creation]:
        """Return what creates all, or what is missing, in an order in which the server takes it.

        Foreign keys to tables that are there already are left out: those lock them.
        """
        missing, where = missing or self.managed, self.schemas(schema)
        types = [kind for name, kind in self.types.items() if name in missing.types]
        sequences = [s for name, s in self.sequences.items() if name in missing.sequences]
        tables = [table for name, table in self.tables.items() if name in missing.tables]
        return [
            *(create_type(kind, where) for kind in types),
            *(create_sequence(sequence, where) for sequence in sequences),
            *create_tables(tables, where, operators or {}, self._place),
        ]

    def _place(self, index: Index) -> Tuple[int, str]:
        return self._index_order.get(str(index.name), -1), str(final_name(index))

    def operators(self, home: str, new_home: str) -> Dict[str, str]:
        """Return the qualified names of the operator classes that are an extension's.

        `home` is that of new extensions in the trial, `new_home` the one that they will have.
        """
        found = {}
        for table, words in self.in_server_words[home].tables.items():
            for index in self.tables[table].indexes:
                known = words.indexes.get(str(final_name(index)))
                for text in index.dialect_options["postgresql"]["ops"].values():
                    name = text.partition("(")[0].strip()
                    schema = known and _schema_of(name, known.using)
                    if schema:
                        real = new_home if schema == identifier(home) else schema
                        found[name] = f"{real}.{identifier(name)}"
        return found

    def backfill(self, table: str, column: str, schema: str) -> Optional[Backfill]:
        """Return what the models put into rows that have no value for the column, if they say."""
        target = self.column(table, column)
        given = None if target is None else target.info.get("backfill")
        if target is None or given is None:
            return None
        return Backfill(given, target, self.backfills, self.schemas(schema))

    def time_zone(self, table: str, column: str) -> Optional[str]:
        """Return the zone of a column's timestamps without one, if the models say."""
        said = self.column(table, column)
        zone: Optional[str] = None if said is None else said.info.get("time_zone")
        return zone

    def column(self, table: str, name: str) -> "Optional[Column[Any]]":
        """Return a column by its name in the database, which may be another than in Python.

        None if the table has it from a parent.
        """
        columns: Any = self.tables[table].columns
        return next((column for column in columns if column.name == name), None)

    def says(self, table: str, name: str, words: Words) -> bool:
        """Return whether a constraint that `words` have is the table's, not only its parent's."""
        known = {final_name(constraint) for constraint in _constraints(self.tables[table])}
        return name in known or not words.constraints[name].inherited

    def constraint(self, table: str, name: str, words: Words) -> Any:
        """Return a check or an exclusion by its name in the database, as `words` have it."""
        said, code = _constraints(self.tables[table]), words.constraints[name].kind
        kind = SAID_AS[code]
        for constraint in said:
            if isinstance(constraint, kind) and final_name(constraint) == name:
                return constraint
        known = {final_name(constraint) for constraint in said}
        unnamed = sorted(
            (
                key
                for key, value in words.constraints.items()
                if value.kind == code and not value.inherited and key not in known
            ),
            key=lambda key: words.constraints[key].place or 0,
        )
        return ddl.unnamed(self.tables[table], kind)[unnamed.index(name)]

    def not_valid(self, table: str, name: str, words: Words) -> bool:
        """Return whether the models say NOT VALID of a check or foreign key of `words`."""
        constraint = words.constraints[name]
        if constraint.kind == "c":
            said: List[Any] = [self.constraint(table, name, words)]
        else:
            said = [
                key
                for key in self.tables[table].foreign_key_constraints
                if [column.name for column in key.columns] == constraint.columns
                and key.referred_table.name == constraint.target
            ]
        return any(key.dialect_options["postgresql"]["not_valid"] for key in said)

    def index(self, table: str, name: str) -> Index:
        """Return an index by its name in the database."""
        return next(i for i in self.tables[table].indexes if final_name(i) == name)


def _constraints(table: Table) -> List[Any]:
    """Return all constraints; SQLAlchemy keeps those that are said of a column with that."""
    return [*table.constraints, *(k for column in table.columns for k in column.constraints)]


def _own_types(metadata: MetaData) -> Iterator[Any]:
    """Yield the enums and domains that the models bring along, what others need first."""
    for listener in metadata.dispatch.before_create:  # how a type waits for its creation
        owner = getattr(listener, "__self__", getattr(listener, "target", None))
        if isinstance(owner, SchemaType):
            yield from _own(owner)
    for table in metadata.tables.values():
        for column in table.columns:
            yield from _own(column.type)


def _own(kind: Any) -> Iterator[Any]:
    kind = kind.dialect_impl(DIALECT)
    if hasattr(kind, "impl") and not isinstance(kind, (ENUM, DOMAIN)):  # a TypeDecorator
        kind = kind.impl_instance.dialect_impl(DIALECT)
    if isinstance(kind, ARRAY):
        yield from _own(kind.item_type)
    elif isinstance(kind, DOMAIN):
        yield from _own(kind.data_type)
        yield kind
    elif isinstance(kind, ENUM) and kind.native_enum:
        yield kind


def _own_sequences(metadata: MetaData) -> Iterator[NumberSequence]:
    """Yield the sequences that SQLAlchemy creates: not those that may be a serial's."""
    for sequence in metadata._sequences.values():
        if not sequence.optional:
            yield sequence


def _temporary(statement: str, schemas: Sequence[str], managed: Managed) -> str:
    """Return the statement as the trial runs it: what is in pg_temp can't be unlogged."""
    logged = statement.replace("CREATE UNLOGGED TABLE ", "CREATE TABLE ", 1)
    # A text that names one of several schemas is wrong for the others.
    return in_trial(logged, schemas[0], managed) if len(schemas) == 1 else logged


def _schema_of(name: str, using: str) -> Optional[str]:
    """Return the schema, quoted, with which the server's words qualify an operator class."""
    schema = r'("(?:[^"]|"")+"|[\w$]+)'
    found = re.search(rf"{schema}\.{re.escape(identifier(name))}(?![\w$])", using)
    return found.group(1) if found else None
