"""The live side as it will read once what is declared as renamed has its new name.

The server words what an expression says of a renamed column: on an empty copy, which is rolled
back. What is only made of names is put together here.
"""

from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from psycopg2 import errors

from converge.compare.declared import TABLES, declares, formers
from converge.compare.desired import Desired
from converge.compare.namesakes import renamed_objects
from converge.compare.outside import types_outside
from converge.compare.placed import placed
from converge.plan import Managed
from converge.quoting import identifier, qualified
from converge.server.catalog import Constraint, Former, Index, Publication, Schema, Shape, Table
from converge.server.connection import Connection
from converge.server.reading import read

Names = Mapping[str, str]  # the names that the plan goes by, by the live ones
Words = Callable[[Optional[str]], Any]


def foreseen(
    connection: Connection,
    live: Mapping[str, Schema],
    desired: Desired,
    words: Schema,
    again: Callable[[], Schema],
) -> Dict[str, Schema]:
    """Return the live schemas by the names that the plan goes by.

    `words` are the desired ones, and `again` returns the server's words for these.
    """
    live = {
        name: types_outside(connection, name, schema, desired, words.types)
        for name, schema in live.items()
    }
    declared = any(declares(table) for table in desired.tables.values())
    reworded = {
        name: _reworded(connection, name, schema, desired) if declared else schema
        for name, schema in live.items()
    }
    return {
        name: renamed_objects(
            schema,
            desired,
            placed(words, name, schema.outside),
            partial(_placed_again, again, name, schema.outside),
        )
        for name, schema in reworded.items()
    }


def _placed_again(again: Callable[[], Schema], name: str, outside: Names) -> Schema:
    return placed(again(), name, outside)


def _reworded(connection: Connection, name: str, schema: Schema, desired: Desired) -> Schema:
    """Return a schema with its tables and columns renamed."""
    tables = formers(desired.tables, _with_rows(schema), schema.relations)
    known = {new: _former(new, tables.get(new, new), schema, desired) for new in desired.tables}
    renamed = {new: former for new, former in known.items() if former is not None}
    names = {former.table: new for new, former in renamed.items()}

    def seen(old: str, live: Table) -> Table:
        former = renamed.get(names.get(old, old))
        table = live if former is None else _renamed(connection, name, names[old], live, former)
        referring = {
            known: _foreign_key(constraint, name, live.constraints[known], renamed)
            for known, constraint in table.constraints.items()
        }
        return table._replace(constraints=referring)

    return schema._replace(
        tables={names.get(old, old): seen(old, live) for old, live in schema.tables.items()},
        relations={names.get(known, known): kind for known, kind in schema.relations.items()},
        foreign=[names.get(known, known) for known in schema.foreign],
    )


def _former(name: str, old: str, schema: Schema, desired: Desired) -> Optional[Former]:
    """Return what a table and its columns are called now, if any of it is to be renamed."""
    live = _with_rows(schema).get(old)
    if live is None:
        return None
    models = {column.name: column for column in desired.tables[name].columns}
    columns = formers(models, live.columns, live.columns)
    return Former(old, columns) if columns or old != name else None


def _with_rows(schema: Schema) -> Dict[str, Table]:
    return {name: table for name, table in schema.tables.items() if table.kind in TABLES}


def _texts_of_copy(
    connection: Connection, schema: str, new: str, former: Former
) -> Dict[Optional[str], Optional[str]]:
    """Return what the server says with the new names, by what it says with the live ones."""
    relation = identifier(former.table)
    copy = f"CREATE TEMP TABLE {relation} (LIKE {qualified(schema, former.table)} INCLUDING ALL)"
    changes = [
        f"RENAME COLUMN {identifier(old)} TO {identifier(name)}"
        for name, old in former.columns.items()
    ]
    changes += [f"RENAME TO {identifier(new)}"] if new != former.table else []
    renames = [f"ALTER TABLE pg_temp.{relation} {change}" for change in changes]
    try:
        before = _read_copy(connection, former.table, [copy])
        after = _read_copy(connection, new, [copy, *renames])
    except errors.InsufficientPrivilege:  # who may not read it can't change it either
        return {}
    return dict(zip(_texts(before), _texts(after)))


def _read_copy(connection: Connection, name: str, ddl: Sequence[str]) -> Table:
    found = read(connection, schemas=(), managed=Managed((name,)), names=(), desired_ddl=ddl)
    return found[""].tables[name]


def _texts(table: Table) -> Iterator[Optional[str]]:
    """Yield what the server words, in an order that renames do not change."""
    for column in table.columns.values():
        yield from (column.default, column.default_sql)
    for constraint in table.constraints.values():
        yield from (constraint.definition, constraint.sql, constraint.expression)
    owned = [constraint.owned_index for constraint in table.constraints.values()]
    for index in [*table.indexes.values(), *filter(None, owned)]:
        yield from (index.using, index.predicate, *index.keys)


def _renamed(connection: Connection, schema: str, new: str, table: Table, former: Former) -> Table:
    """Return a table by its new name, with the new names of its columns."""
    names = {old: name for name, old in former.columns.items()}
    texts = _texts_of_copy(connection, schema, new, former) if names else {}

    def words(text: Optional[str]) -> Any:
        return texts.get(text, text)

    return table._replace(
        columns={
            names.get(name, name): column._replace(
                default=words(column.default), default_sql=words(column.default_sql)
            )
            for name, column in table.columns.items()
        },
        constraints={k: _constraint(c, names, words) for k, c in table.constraints.items()},
        indexes={k: _index(i, names, words) for k, i in table.indexes.items()},
        partition_by=_partitioned(table.partition_by, names),
        shape=_shape(table.shape, schema, new, former, names),
        publications=[_publication(known, names) for known in table.publications],
        former=former,
    )


def _listed(columns: Optional[Sequence[str]], names: Names) -> Optional[List[str]]:
    return None if columns is None else [names.get(name, name) for name in columns]


def _constraint(constraint: Constraint, names: Names, words: Words) -> Constraint:
    owned = constraint.owned_index
    return constraint._replace(
        definition=words(constraint.definition),
        sql=words(constraint.sql),
        expression=words(constraint.expression),
        columns=_listed(constraint.columns, names),
        owned_index=None if owned is None else _index(owned, names, words),
    )


def _index(index: Index, names: Names, words: Words) -> Index:
    return index._replace(
        using=words(index.using),
        predicate=words(index.predicate),
        keys=[words(key) for key in index.keys],
        columns=_listed(index.columns, names),
    )


def _shape(shape: Shape, schema: str, new: str, former: Former, names: Names) -> Shape:
    present, relation = qualified(schema, former.table), qualified(schema, new)
    return shape._replace(
        parts={relation if p == present else p: kind for p, kind in shape.parts.items()},
        partition_key=_listed(shape.partition_key, names) or (),
    )


def _partitioned(text: Optional[str], names: Names) -> Optional[str]:
    """Return how a table is partitioned, as far as that is by columns: `RANGE (day, shop)`."""
    if text is None:
        return None
    strategy, _, listed = text.rstrip(")").partition("(")
    words = {identifier(old): identifier(new) for old, new in names.items()}
    return f"{strategy}({', '.join(words.get(part, part) for part in listed.split(', '))})"


def _publication(publication: Publication, names: Names) -> Publication:
    return publication._replace(
        columns=_listed(publication.columns, names),
        filtered_by=_listed(publication.filtered_by, names),
    )


def _foreign_key(
    constraint: Constraint, schema: str, live: Constraint, renamed: Mapping[str, Former]
) -> Constraint:
    """Return a foreign key with the new names of its columns and of what it refers to."""
    if constraint.kind != "f":
        return constraint
    target = next((n for n, f in renamed.items() if f.table == live.target), live.target or "")
    former = renamed.get(target)
    names = {old: new for new, old in former.columns.items()} if former else {}
    now = constraint._replace(
        target=target, target_columns=_listed(constraint.target_columns, names)
    )
    return now._replace(
        definition=_referring(live.definition, live, now, identifier),
        sql=_referring(live.sql, live, now, lambda name: qualified(schema, name)),
    )


def _referring(text: str, old: Constraint, new: Constraint, named: Callable[[str], str]) -> str:
    """Return a foreign key's definition with other names; what follows them stays."""

    def names(key: Constraint) -> Tuple[str, str]:
        columns, targets = (
            ", ".join(map(identifier, listed or [])) for listed in (key.columns, key.target_columns)
        )
        return f"FOREIGN KEY ({columns}) REFERENCES ", f"{named(key.target or '')}({targets})"

    key, target = names(old)
    new_key, new_target = names(new)
    if not text.startswith(key):
        return text
    rest = text[len(key) :]
    if rest.startswith(target):  # else it is in another schema
        rest = new_target + rest[len(target) :]
    return new_key + rest
