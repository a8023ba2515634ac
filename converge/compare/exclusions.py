"""Exclusion constraints: their index can't be built while others write, so all rows are read."""

from typing import Optional

from psycopg2 import errors

from converge.compare.keys import Old, back, commented, refuse_if_used
from converge.compare.raising import refuse_uncomputable
from converge.compare.refusals import refuse_large
from converge.compare.rows import ask_ahead, find_with, rows_to_be
from converge.compare.table import ComparedTable
from converge.compare.words import exclusion_written
from converge.names import TRIAL_TABLE
from converge.quoting import identifier
from converge.server.catalog import Constraint
from converge.steps import Kind, Lock


def add_exclusion(table: ComparedTable, name: str, desired: Constraint, old: Optional[Old]) -> None:
    """Add an exclusion constraint to a small table, if no rows conflict."""
    if any(column not in table.values for column in desired.columns or []):
        return  # the column's own refusal says why
    what = f"is missing: {desired.definition}."
    add = table.alter(f"ADD CONSTRAINT {identifier(name)} {exclusion_written(table, name)}")
    drop = [] if old is None else [table.alter(f"DROP CONSTRAINT {identifier(old.name)}")]
    if old is not None and refuse_if_used(table, name, desired, old):
        return
    if refuse_large(table, name, what, [*drop, add], does="reads"):
        return
    if refuse_conflicts(table, name, what, desired):
        return
    live = old.constraint if old is not None else None
    table.step(
        Kind.ADD_CONSTRAINT,
        name,
        f"the model says {desired.definition}",
        [*drop, add, *commented(table, name, desired, live)],
        lock=Lock.READ,
        creates=True,
        undo=back(table, name, old),
        change=("", "") if old is None else (old.definition, desired.definition),
        # A partitioned table takes none before 17, and then not every one.
        tried=[*drop, add] if table.live.kind == "p" else drop,
    )


def refuse_conflicts(table: ComparedTable, name: str, what: str, desired: Constraint) -> bool:
    """Refuse rows that the server does not take, on a copy of them that is rolled back."""
    assert desired.owned_index is not None
    if refuse_uncomputable(table, name, what, desired.owned_index):
        return True
    copy = f"CREATE TEMP TABLE {TRIAL_TABLE} AS SELECT * FROM {rows_to_be(table, table.values)}"
    add = f"ALTER TABLE pg_temp.{TRIAL_TABLE} ADD {desired.definition}"
    try:
        ask_ahead(table, f"{copy}; {add}", access="READ WRITE")
    except errors.ExclusionViolation as error:
        why = f"The server says: {error.diag.message_detail}"
        way_out = find_with(table, _pairs(table, desired))
        table.refuse(name, what, why, way_out=way_out)
        return True
    return False


def _pairs(table: ComparedTable, desired: Constraint) -> str:
    """Return the query for the rows that conflict, side by side."""
    index = desired.owned_index
    assert index is not None
    keys = [f"key_{number}" for number, _ in enumerate(index.keys, 1)]
    listed = [f"{sql} AS {key}" for sql, key in zip(index.keys, keys)]
    selected = ", ".join(["row_number() OVER () AS number", *map(identifier, table.key), *listed])
    rows = f"SELECT {selected} FROM {rows_to_be(table, table.values)}"
    condition = " AND ".join(
        f"a.{key} {operator} b.{key}" for key, operator in zip(keys, desired.operators or [])
    )
    return (
        f"WITH rows AS ({rows} WHERE {index.predicate or 'true'}) "
        f"SELECT a.*, b.* FROM rows a JOIN rows b ON a.number < b.number AND {condition}"
    )
