"""Which rows violate a check or a foreign key: what several rules need."""

from typing import List, NamedTuple, Optional, Tuple

from converge.compare.new_table import NewTable
from converge.compare.raising import RAISED, of_row_to_be, refuse_raising
from converge.compare.rows import ask_ahead, find_with, has_own_keys, rows_to_be
from converge.compare.table import ComparedTable
from converge.quoting import identifier, qualified
from converge.server.catalog import Constraint
from converge.text import counted


class Violators(NamedTuple):
    """The rows that violate a constraint, as SQL."""

    source: str  # what stands behind FROM
    condition: str


def refuse_violators(
    table: ComparedTable,
    name: str,
    what: str,
    constraint: Constraint,
    *,
    verbs: Tuple[str, str] = ("violates", "violate"),
    where: str = "true",
) -> bool:
    """Refuse a check or foreign key that rows will violate; `where` limits the live rows.

    What can't be asked before the steps have run, VALIDATE proves after them.
    """
    found = violators(table, constraint, where)
    if found is None:
        return False
    source, condition = found
    try:
        counts = ask_ahead(table, f"SELECT count(*) FROM {source} WHERE {condition}")
    except RAISED as error:
        value, shown = of_row_to_be(table, condition), constraint.columns or []
        refuse_raising(table, name, what, value, error, where=where, columns=shown)
        return True
    bad = int(counts[0][0]) if counts else 0
    if bad:
        columns = constraint.columns or []
        examples = table.examples(condition, columns[0], source) if columns else ""
        query = table.query(condition, columns, source)
        why = f"{counted(bad, 'row')} {verbs[bad != 1]} it{examples}."
        table.refuse(name, what, why, way_out=find_with(table, query))
    return bool(bad)


def has_violators(table: ComparedTable, constraint: Constraint) -> bool:
    """Return whether rows will violate a check or foreign key, or may: if nobody can say yet."""
    found = violators(table, constraint)
    if found is None:
        return False
    query = f"SELECT EXISTS (SELECT FROM {found.source} WHERE {found.condition})"
    answer = ask_ahead(table, query)
    return answer is None or bool(answer[0][0])


def violators(
    table: ComparedTable, constraint: Constraint, where: str = "true"
) -> Optional[Violators]:
    """Return the rows, as they will be, that violate a check or foreign key.

    None where there are none yet, or one of its columns won't be there: that is refused by itself.
    """
    columns = constraint.columns or []
    if isinstance(table, NewTable) or any(column not in table.values for column in columns):
        return None
    condition = f"NOT ({constraint.expression})"
    if constraint.kind == "f":
        orphans = _orphans(table, constraint)
        if orphans is None:
            return None
        condition = orphans
    own = constraint.kind == "f" and has_own_keys(table)
    return Violators(rows_to_be(table, columns, where, own=own), condition)


def _orphans(table: ComparedTable, constraint: Constraint) -> Optional[str]:
    """Return SQL that is true for a row whose foreign key refers to nothing."""
    columns, targets = list(map(identifier, constraint.columns or [])), constraint.target_columns
    # Under names of their own: a column of the target would hide the row's of the same name.
    keys = [f"key_{number}_of_target" for number, _ in enumerate(columns, 1)]
    present = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    rows = _target_rows(table, constraint)
    if rows is None:
        return None
    orphan = present
    if rows:
        selected = ", ".join(f"{identifier(c)} AS {k}" for c, k in zip(targets or [], keys))
        same = " AND ".join(f"{key} = {column}" for key, column in zip(keys, columns))
        exists = f"SELECT FROM (SELECT {selected} FROM {rows}) AS target WHERE {same}"
        orphan = f"{present} AND NOT EXISTS ({exists})"
    if constraint.match != "f" or not columns[1:]:
        return orphan
    partly = " OR ".join(f"{column} IS NOT NULL" for column in columns)
    return f"({orphan} OR ({partly}) AND NOT ({present}))"


def _target_rows(table: ComparedTable, constraint: Constraint) -> Optional[str]:
    """Return what stands behind FROM for the rows that a foreign key may refer to.

    It is empty where there are none yet, None where the target is refused.
    """
    target, columns = constraint.target or "", constraint.target_columns or []
    other = table.others.get(target)
    if isinstance(other, NewTable):
        return ""
    if other is None:
        return qualified(table.schema, target)
    if any(column not in other.values for column in columns):
        return None
    return rows_to_be(other, columns, own=has_own_keys(other))


def relies_on_a_step(table: ComparedTable, constraint: Constraint) -> bool:
    """Return whether the server would refuse a check or foreign key before some step has run."""
    changed = _changed(table, constraint.columns or [])
    if constraint.kind != "f":
        return changed
    other = table.others.get(constraint.target or "")
    if other is None or isinstance(other, NewTable):
        return changed or other is not None
    keys: List[Tuple[str, ...]] = [
        tuple(known.columns or []) for known in other.live.constraints.values()
    ]
    keys += [tuple(index.columns or []) for index in other.live.indexes.values() if index.unique]
    columns = constraint.target_columns or []
    there = any(sorted(columns) == sorted(key) for key in keys)
    return changed or not there or _changed(other, columns)


def _changed(table: ComparedTable, columns: List[str]) -> bool:
    return any(table.values.get(column) != identifier(column) for column in columns)
