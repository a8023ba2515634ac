"""The order in which columns get their values: first what others are computed from."""

from typing import Iterable, List, Set

from converge.compare.backfills import mentioned
from converge.compare.table import ComparedTable


def reads(table: ComparedTable, name: str) -> Set[str]:
    """Return the columns that a column's values may be computed from."""
    desired, backfill = table.desired.columns[name], table.backfill(name)
    if desired.generated:
        return mentioned(table.desired.columns, desired.default_sql or "")
    return set(backfill.reads) if backfill else set()


def in_order(table: ComparedTable, names: Iterable[str]) -> List[str]:
    """Return the columns, those that another's values are computed from before that one."""
    wanted, found = list(names), []  # type: List[str], List[str]

    def add(name: str, *after: str) -> None:
        if name in wanted and name not in found and name not in after:
            for other in sorted(reads(table, name), key=list(table.desired.columns).index):
                add(other, name, *after)
            found.append(name)

    for name in wanted:
        add(name)
    return found
