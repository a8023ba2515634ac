"""Whether a key would be unique: what several rules need."""

from typing import Dict

from converge.compare.rows import ask_ahead, find_with, has_own_keys, rows_to_be
from converge.compare.table import EXAMPLES, ComparedTable
from converge.quoting import identifier
from converge.server.catalog import Index
from converge.text import counted


def refuse_duplicates(table: ComparedTable, name: str, what: str, index: Index) -> bool:
    """Refuse a unique index for which the rows, as they will be, have the same key twice."""
    keys = labels(table, index)
    grouped = _grouped(table, index, keys)
    counts = ask_ahead(table, f"SELECT count(*) FROM ({grouped}) AS duplicates")
    duplicates = counts[0][0] if counts else 0
    if duplicates:
        names = [f"value_{number}" for number, _ in enumerate(keys, 1)]
        selected = "::text, ".join([*names, "times"])
        aliases = f"duplicates ({', '.join([*names, 'times'])})"
        query = f"SELECT {selected} FROM ({grouped} LIMIT {EXAMPLES}) AS {aliases}"
        shown = [
            ", ".join(f"{key}={'NULL' if v is None else v}" for key, v in zip(keys.values(), row))
            + f" ({counted(row[-1], 'row')})"
            for row in table.ask(query)
        ]
        are = "is" if duplicates == 1 else "are"
        why = f"{counted(duplicates, 'value')} {are} duplicated, e.g. {'; '.join(shown)}."
        table.refuse(name, what, why, way_out=find_with(table, grouped))
    return bool(duplicates)


def labels(table: ComparedTable, index: Index) -> Dict[str, str]:
    """Return how to call the keys of an index in a query, each with how to show it."""
    plain = {identifier(column): column for column in table.values}
    return {
        sql if sql in plain else f"key_{number}": plain.get(sql, sql)
        for number, sql in enumerate(index.keys, 1)
    }


def _grouped(table: ComparedTable, index: Index, keys: Dict[str, str]) -> str:
    """Return the query for the keys that more than one row will have."""
    columns = table.values if index.expressions or index.predicate else index.columns or []
    rows = rows_to_be(table, columns, own=has_own_keys(table))
    null = " OR ".join(f"({sql}) IS NULL" for sql in index.keys)
    # Constants can't be grouped by expression, so they are grouped as columns.
    listed = ", ".join(f"{sql} AS {key}" for sql, key in zip(index.keys, keys))
    names = ", ".join(keys)
    counts = "true" if index.nulls_equal else f"NOT ({null})"
    if index.predicate is not None:  # which guards expressions, and AND would not
        counts = f"CASE WHEN {index.predicate} THEN {counts} ELSE false END"
    return (
        f"SELECT {names}, count(*) FROM (SELECT {listed} FROM {rows} WHERE {counts}) AS rows "
        f"GROUP BY {names} HAVING count(*) > 1"
    )
