"""Checks that compare a column with a value of its old type: said anew in the step of the new one.

The server converts a check along with a column, but no value in it; and proves it for every row.
"""

from typing import List, Optional, Sequence

from converge.compare.keys import commented
from converge.compare.table import ComparedTable
from converge.compare.words import check_written
from converge.quoting import identifier


def around(checks: Sequence[str], changes: Sequence[str], added: Sequence[str]) -> List[str]:
    """Return changes of ALTER TABLE with the checks dropped before and others added behind them."""
    drops = (f"DROP CONSTRAINT {identifier(check)}" for check in checks)
    return [*drops, *changes, *added]


def added(table: ComparedTable, checks: Sequence[str]) -> List[str]:
    """Return the changes that add the checks; the server proves them as it does in ALTER TYPE."""
    live = table.live.constraints
    unproven = {name: "" if live[name].valid else " NOT VALID" for name in checks}
    return [
        f"ADD CONSTRAINT {identifier(name)} {check_written(table, name)}{unproven[name]}"
        for name in checks
    ]


def comments(table: ComparedTable, checks: Sequence[str]) -> List[str]:
    """Return what gives the checks the comments that they have."""
    live = table.live.constraints
    return [sql for name in checks for sql in commented(table, name, live[name])]


def say_anew(table: ComparedTable, checks: Sequence[str]) -> None:
    """Let the rules after this one find the checks as they will be."""
    known = table.live.constraints
    anew = {
        name: table.desired.constraints[name]._replace(
            valid=known[name].valid, comment=known[name].comment
        )
        for name in checks
    }
    table.live = table.live._replace(constraints={**known, **anew})


def former(table: ComparedTable, checks: Sequence[str]) -> List[str]:
    """Return the changes that add the checks as they are."""
    live = {name: table.live.constraints[name] for name in checks}
    return [
        f"ADD CONSTRAINT {identifier(name)} {check.sql}{'' if check.valid else ' NOT VALID'}"
        for name, check in live.items()
    ]


def or_violates(
    table: ComparedTable, checks: Sequence[str], guard: Optional[str], *, name: str, using: str
) -> Optional[str]:
    """Return what is true for a row of the guard, or that violates a check as it is now.

    `using` is what a column has then, of its new value.
    """
    for check in (table.live.constraints[known] for known in checks):
        others = [identifier(column) for column in check.columns or [] if column != name]
        values = ", ".join([f"{using} AS {identifier(name)}", *others])
        violates = f"(SELECT NOT ({check.expression}) FROM (SELECT {values}) AS former)"
        if check.valid:
            guard = f"CASE WHEN {guard or 'false'} THEN true ELSE {violates} END"
    return guard
