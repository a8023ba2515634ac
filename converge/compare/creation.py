"""What creates what the models describe, in an order in which the server takes it.

Nothing here asks a server.
"""

from typing import Any, Callable, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from sqlalchemy import ForeignKeyConstraint, Index, Table
from sqlalchemy import Sequence as NumberSequence
from sqlalchemy.dialects.postgresql import ENUM, CreateDomainType, CreateEnumType
from sqlalchemy.schema import (
    AddConstraint,
    CreateSequence,
    CreateTable,
    SetColumnComment,
    SetConstraintComment,
    SetTableComment,
    sort_tables_and_constraints,
)

from converge.compare import ddl
from converge.compare.ddl import Schemas, final_name, written
from converge.steps import Kind


class Creation(NamedTuple):
    """What creates a type, a sequence, a table with comments, an index, or a key between two."""

    kind: Kind
    table: str  # empty if it is about no table
    name: str
    statements: Tuple[str, ...]


def create_type(kind: Any, where: Schemas) -> Creation:
    """Return what creates an enum or a domain."""
    create = CreateEnumType(kind) if isinstance(kind, ENUM) else CreateDomainType(kind)
    return Creation(Kind.CREATE_TYPE, "", str(kind.name), (written(create, where),))


def create_sequence(sequence: NumberSequence, where: Schemas) -> Creation:
    """Return what creates a sequence."""
    create = CreateSequence(sequence)
    return Creation(Kind.CREATE_SEQUENCE, "", sequence.name, (written(create, where),))


def create_tables(
    tables: Sequence[Table],
    where: Schemas,
    operators: Mapping[str, str],
    place: Callable[[Index], Any],
) -> Iterator[Creation]:
    """Yield what creates tables and indexes, and last the keys of tables that need each other.

    Foreign keys to tables other than these are left out. `operators` are the qualified names of
    operator classes; a table's indexes are in the order of their `place`.
    """
    names = {table.name for table in tables}
    last: List[Creation] = []
    wanted = sorted(tables, key=lambda table: table.key)
    ordered = sort_tables_and_constraints(  # type: ignore[no-untyped-call]
        wanted, extra_dependencies=_inheritance(wanted)
    )
    for table, all_keys in ordered:
        keys = [key for key in all_keys if key.referred_table.name in names]
        if table is None:
            last += [_create_key(key, where) for key in keys]
        else:
            yield _create_table(table, keys, where)
            # SQLAlchemy keeps a table's indexes in a set; a plan reads the same every time.
            for index in sorted(table.indexes, key=place):
                yield _create_index(table.name, index, where, operators)
    yield from last


def _inheritance(tables: Sequence[Table]) -> List[Tuple[Table, Table]]:
    """Return the pairs of a parent and a child."""
    by_name = {table.name: table for table in tables}
    pairs = []
    for table in tables:
        parents = table.dialect_options["postgresql"]["inherits"] or ()
        for name in [parents] if isinstance(parents, str) else parents:
            if name in by_name:
                pairs.append((by_name[name], table))
    return pairs


def _create_table(table: Table, keys: Sequence[ForeignKeyConstraint], where: Schemas) -> Creation:
    create = CreateTable(table, include_foreign_key_constraints=keys)
    statements = (written(create, where), *_comments(table, keys, where))
    return Creation(Kind.CREATE_TABLE, table.name, table.name, statements)


def _create_index(
    table: str, index: Index, where: Schemas, operators: Mapping[str, str]
) -> Creation:
    statement = ddl.index_written(index, where, operators)
    return Creation(Kind.CREATE_INDEX, table, str(final_name(index)), (statement,))


def _create_key(key: ForeignKeyConstraint, where: Schemas) -> Creation:
    add = written(AddConstraint(key, isolate_from_table=False), where)
    name = final_name(key) or ""
    return Creation(Kind.ADD_CONSTRAINT, key.table.name, name, (add, *_comment(key, where)))


def _comments(table: Table, keys: Sequence[ForeignKeyConstraint], where: Schemas) -> Iterator[str]:
    if table.comment is not None:
        yield written(SetTableComment(table), where)
    for column in table.columns:
        if column.comment is not None:
            yield written(SetColumnComment(column), where)
    for constraint in table._sorted_constraints:
        if not isinstance(constraint, ForeignKeyConstraint) or constraint in keys:
            yield from _comment(constraint, where)


def _comment(constraint: Any, where: Schemas) -> Tuple[str, ...]:
    if constraint.comment is None:
        return ()
    return (written(SetConstraintComment(constraint), where),)
