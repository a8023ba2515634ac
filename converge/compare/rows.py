"""The rows of a table as they will be, once its steps have run: asked before the first of them."""

from typing import Any, Iterable, List, Optional, Tuple

import psycopg2
from psycopg2 import errors

from converge.compare.conversions import holds
from converge.compare.table import ComparedTable
from converge.plan import WayOut
from converge.quoting import identifier, qualified

# What makes the question impossible: it is about a type, function or sequence that a step brings,
# or about a default that does more than compute.
NOT_YET = (
    errors.UndefinedObject,
    errors.UndefinedFunction,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.InvalidSchemaName,
    errors.CannotCoerce,
    errors.ReadOnlySqlTransaction,
)
NUMBERED = "ctid"  # the value of a column that a sequence numbers


def rows_to_be(
    table: ComparedTable, columns: Iterable[str], where: str = "true", *, own: bool = False
) -> str:
    """Return what stands behind FROM: the table where these columns stay, else a subquery.

    That has all columns that the table will have, with their types. `where` limits the live rows,
    `own` to those that no child of the table has.
    """
    relation = table.rows(only=own)
    if where == "true" and all(table.values.get(c) == identifier(c) for c in columns):
        return relation
    listed = ", ".join(f"{value_to_be(table, c)} AS {identifier(c)}" for c in table.values)
    return f"(SELECT {listed} FROM {relation} WHERE {where}) AS rows"


def has_own_keys(table: ComparedTable) -> bool:
    """Return whether the keys of a table do not reach all of its rows: not those of its children.

    Those of a partitioned one do.
    """
    return table.live.kind == "r" and bool(table.live.shape.parts)


def value_to_be(table: ComparedTable, column: str) -> str:
    """Return SQL over the live row for what a column will hold, of the type that it will have."""
    value, desired = table.values[column], table.desired.columns.get(column)
    if value == identifier(column) or desired is None:
        return value
    live = table.live.columns.get(column)
    stays = live is not None and holds(live.type, desired.type)
    number = "row_number() OVER ()" if value == NUMBERED else value
    return f"({number})::{live.type if live is not None and stays else desired.type}"


def find_with(table: ComparedTable, query: str) -> WayOut:
    """Return the way out that begins with a query, if it is not about what a step brings."""
    if any(qualified(table.schema, name) in query for name in table.new_types):
        return WayOut("Change what the models say: no row has such a value yet.")
    return WayOut("Find them with:", (query,), asks=True)


def ask_ahead(
    table: ComparedTable, query: str, *, access: str = "READ ONLY"
) -> Optional[List[Tuple[Any, ...]]]:
    """Run a query over rows as they will be; None if it can't be run before the steps."""
    try:
        return table.ask(f"SET TRANSACTION {access}; {query}")
    except NOT_YET:
        return None
    except errors.InvalidTextRepresentation as error:
        if too_early(table, error):
            return None
        raise


def too_early(table: ComparedTable, error: psycopg2.Error) -> bool:
    """True if an error is about a value that a step adds, or that is drawn by writing."""
    if isinstance(error, errors.InvalidTextRepresentation):
        return bool(table.growing)
    return isinstance(error, errors.ReadOnlySqlTransaction)
