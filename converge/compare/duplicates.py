"""Whether a key would be unique: what several rules need."""

from typing import Optional, Sequence

from converge.compare.table import EXAMPLES, ComparedTable
from converge.plan import WayOut
from converge.quoting import identifier
from converge.text import counted


def refuse_duplicates(
    table: ComparedTable,
    name: str,
    what: str,
    columns: Sequence[str],
    predicate: Optional[str] = None,
) -> bool:
    """Refuse a key whose columns, as they will be, hold the same values twice."""
    if not columns:
        return False
    grouped = _grouped(table, columns, predicate)
    duplicates = table.ask(f"SELECT count(*) FROM ({grouped}) AS duplicates")[0][0]
    if duplicates:
        names = [f"value_{number}" for number, _ in enumerate(columns, 1)]
        selected = "::text, ".join([*names, "times"])
        aliases = f"duplicates ({', '.join([*names, 'times'])})"
        query = f"SELECT {selected} FROM ({grouped} LIMIT {EXAMPLES}) AS {aliases}"
        shown = [
            ", ".join(f"{column}={value}" for column, value in zip(columns, row))
            + f" ({counted(row[-1], 'row')})"
            for row in table.ask(query)
        ]
        are = "is" if duplicates == 1 else "are"
        why = f"{counted(duplicates, 'value')} {are} duplicated, e.g. {'; '.join(shown)}."
        table.refuse(name, what, why, way_out=WayOut("Find them with:", (grouped,)))
    return bool(duplicates)


def _grouped(table: ComparedTable, columns: Sequence[str], predicate: Optional[str]) -> str:
    """Return the query for the values of the columns that more than one row will have."""
    values = [table.values[column] for column in columns]
    null = " OR ".join(f"({value}) IS NULL" for value in values)
    listed = ", ".join(f"{v} AS {identifier(c)}" for v, c in zip(values, columns))
    names = ", ".join(map(identifier, columns))
    # The key of a table does not reach the rows of its children, that of a partitioned one does.
    only = "ONLY " if table.live.kind == "r" and table.live.shape.parts else ""
    # Constants can't be grouped by expression, so they are grouped as columns.
    return (
        f"SELECT {names}, count(*) FROM (SELECT {listed} FROM {only}{table.relation} "
        f"WHERE NOT ({null}) AND ({predicate or 'true'})) AS rows "
        f"GROUP BY {names} HAVING count(*) > 1"
    )
