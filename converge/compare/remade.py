"""An enum made anew: its columns are converted, and what compares these with its values is, too.

The server converts a check or an index along with its column, but no value of the old type in it.
"""

from typing import Iterator, List, NamedTuple, Sequence

from converge.compare.builds import stands_behind
from converge.names import free_name
from converge.quoting import identifier, literal, qualified
from converge.server.catalog import Column, Former, Schema


class Use(NamedTuple):
    """A column of the models' tables that holds values of a type."""

    table: str  # as it is called until the run
    relation: str  # that, qualified
    name: str  # quoted, as it is called until the run
    column: Column

    @property
    def many(self) -> str:
        return "[]" if self.column.type.endswith("[]") else ""


class Parts(NamedTuple):
    """What goes before a conversion, and is put back behind it."""

    drops: List[str]
    adds: List[str]


def uses(schema: str, name: str, live: Schema) -> Iterator[Use]:
    """Yield the columns of a type."""
    sql = qualified(schema, name)
    for table, known in live.tables.items():
        present = known.former or Former(table)  # until it is renamed
        for column_name, column in known.columns.items():
            if column.type in (sql, f"{sql}[]"):
                in_table = identifier(present.columns.get(column_name, column_name))
                yield Use(present.table, qualified(schema, present.table), in_table, column)


def remade(schema: str, name: str, live: Schema, labels: Sequence[str]) -> Iterator[str]:
    """Yield what makes the type anew, with these values."""
    old, new = free_name(name, "_old", live.relations), qualified(schema, name)
    comparing = [_comparing(schema, name, live, table) for table in live.tables]
    for parts in comparing:
        yield from parts.drops
    yield f"ALTER TYPE {new} RENAME TO {identifier(old)}"
    yield f"CREATE TYPE {new} AS ENUM ({', '.join(map(literal, labels))})"
    for use in uses(schema, name, live):
        yield from _converted(new, use)
    yield f"DROP TYPE {qualified(schema, old)}"
    for parts in comparing:
        yield from parts.adds


def _converted(type_name: str, use: Use) -> List[str]:
    """Return what gives a column the new type of the same name."""
    change = f"ALTER TABLE {use.relation} ALTER COLUMN {use.name}"
    new = type_name + use.many
    statements = [f"{change} TYPE {new} USING {use.name}::text{use.many}::{new}"]
    default = use.column.default_sql
    if default is None:
        return statements
    return [f"{change} DROP DEFAULT", *statements, f"{change} SET DEFAULT {default}"]


def _comparing(schema: str, name: str, live: Schema, table: str) -> Parts:
    """Return the checks and indexes of a table that have values of the type in them."""
    known, drops, adds = live.tables[table], [], []
    present = known.former or Former(table)
    relation, value = qualified(schema, present.table), f"::{qualified(schema, name)}"
    for constraint, check in known.constraints.items():
        if check.kind == "c" and value in check.sql and not check.inherited:
            own = identifier(present.constraints.get(constraint, constraint))
            unproven = "" if check.valid or check.sql.endswith(" NOT ENFORCED") else " NOT VALID"
            drops.append(f"ALTER TABLE {relation} DROP CONSTRAINT {own}")
            adds.append(f"ALTER TABLE {relation} ADD CONSTRAINT {own} {check.sql}{unproven}")
            if check.comment is not None:
                on = f"CONSTRAINT {own} ON {relation}"
                adds.append(f"COMMENT ON {on} IS {literal(check.comment)}")
    for index_name, index in known.indexes.items():
        if value in index.using and index.valid and not index.attached and not index.identity:
            own = present.indexes.get(index_name, index_name)
            unique = "UNIQUE " if index.unique else ""
            drops.append(f"DROP INDEX {qualified(schema, own)}")
            create = f"CREATE {unique}INDEX {identifier(own)} ON {relation}"
            adds.append(f"{create} {stands_behind(index)}")
            if index.comment is not None:
                on = f"INDEX {qualified(schema, own)}"
                adds.append(f"COMMENT ON {on} IS {literal(index.comment)}")
            if index.clustered:
                adds.append(f"ALTER TABLE {relation} CLUSTER ON {identifier(own)}")
    return Parts(drops, adds)
