"""Backfills that are computed from other columns: whether each row gets a value."""

from typing import Iterator, NamedTuple, Optional, Tuple

import psycopg2
from psycopg2 import errors

from converge.compare import conversions, limits
from converge.compare.backfills import Backfill
from converge.compare.raising import RAISED, refuse_raising
from converge.compare.rows import too_early
from converge.compare.table import READ_ONLY, ComparedTable
from converge.plan import WayOut
from converge.quoting import identifier
from converge.server.catalog import Column
from converge.server.failures import first_line, is_transient
from converge.text import rows_of

NOT_READABLE = WayOut(
    "Correct the backfill; or leave the column out for a run that makes what it reads."
)


class Problem(NamedTuple):
    """Rows that get no value: the condition that finds them, and what they are or have."""

    condition: str
    verbs: Tuple[str, str]
    columns: Tuple[str, ...]  # to be shown


def writes(table: ComparedTable, backfill: Backfill) -> bool:
    """True if to draw a backfill's value writes: a sequence's numbers are not given back."""
    rows = f"(SELECT) AS one LEFT JOIN {table.rows()} ON true"
    try:
        table.ask(f"{READ_ONLY}; SELECT ({backfill.sql(table.values)})::text FROM {rows} LIMIT 1")
    except errors.ReadOnlySqlTransaction:
        return True
    except errors.InsufficientPrivilege:
        raise
    except psycopg2.Error as error:
        if is_transient(error):
            raise
    return False


def fills_each_row(table: ComparedTable, name: str, backfill: Backfill, empty: str) -> bool:
    """True if a backfill has a value for each row without one (`empty`); else it is refused."""
    readable = all(map(table.is_readable, backfill.reads))
    if readable and not _is_refused(table, name, backfill, empty):
        return True
    if name not in table.live.columns:
        # The rules after this one read it, which must not fail.
        table.values[name] = f"NULL::{table.desired.columns[name].type}"
    return False


def _is_refused(table: ComparedTable, name: str, backfill: Backfill, empty: str) -> bool:
    """Refuse a backfill that has no value for a row without one."""
    state = "is nullable" if name in table.live.columns else "is missing"
    what = f"{state}; the model requires NOT NULL and fills it with {backfill.sql()}."
    try:
        for problem in _problems(table, table.desired.columns[name], backfill, empty):
            bad = table.count(problem.condition)
            if bad:
                _refuse(table, name, what, problem, bad)
                return True
    except RAISED as error:
        if too_early(table, error):
            table.untried.add(name)
            return False
        value = f"({backfill.sql(table.values)})::{table.desired.columns[name].type}"
        shown = _live(table, backfill)
        refuse_raising(table, name, what, value, error, where=empty, columns=shown)
        return True
    except psycopg2.ProgrammingError as error:
        if isinstance(error, errors.InsufficientPrivilege):
            raise
        # A text of the models', or a table or column that is yet to be made.
        table.refuse(name, what, f"The server says: {first_line(error)}.", way_out=NOT_READABLE)
        return True
    return False


def _problems(
    table: ComparedTable, desired: Column, backfill: Backfill, empty: str
) -> Iterator[Problem]:
    """Yield what may be wrong with rows, each to be asked only where it was not one before."""
    sources = _live(table, backfill)
    # What the model's type does not hold was never meant: milliseconds instead of seconds.
    for column in sources:
        models = table.desired.columns.get(column)
        fits = _within(table.live.columns[column], models) if models else None
        if models and fits:
            beyond = f"{{c}} IS NOT NULL AND NOT ({fits})".format(c=identifier(column))
            a_value = f"a {column} that {models.type} does not hold"
            verbs = (f"has {a_value}", f"have {a_value}")
            yield Problem(f"{empty} AND {beyond}", verbs, (column,))
    value = f"({backfill.sql(table.values)})"
    short = limits.short_enough(f"{value}::text", desired.type)
    if short is None:
        value += f"::{desired.type}"  # which may raise an error too
    else:
        verbs = ("gets a text that is too long", "get a text that is too long")
        yield Problem(f"{empty} AND NOT ({short})", verbs, sources)
    yield Problem(f"{empty} AND {value} IS NULL", ("stays NULL", "stay NULL"), sources)


def _within(live: Column, desired: Column) -> Optional[str]:
    """Return what is true for a value, if any, that the type of the models holds as well."""
    if not conversions.holds(live.type, desired.type):
        return None
    known = conversions.conversion(live.type, desired.type, conversions.Told())
    return None if known is None or known[1] == conversions.ALWAYS else known[1]


def _refuse(table: ComparedTable, name: str, what: str, problem: Problem, bad: int) -> None:
    found = f"{rows_of(bad, table.count())} {problem.verbs[bad != 1]}"
    shown = table.examples(problem.condition, problem.columns[0]) if problem.columns else ""
    way_out = table.find(problem.condition, problem.columns)
    table.refuse(name, what, f"{found}{shown}.", way_out=way_out)


def _live(table: ComparedTable, backfill: Backfill) -> Tuple[str, ...]:
    """Return the columns that a backfill reads and that are there already."""
    return tuple(column for column in backfill.columns if column in table.live.columns)
