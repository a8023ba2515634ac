"""The rehearsal: the server is asked on the real tables, before the first change.

What its catalog holds is known while planning; what else it would refuse (because of an event
trigger, a dependent of a kind that nobody thought of) it says itself, in transactions that are
rolled back. They change no more than the catalog, or one row, so each takes milliseconds: what
writes a table with its children ends at the first row.
"""

from typing import Callable, Collection, Dict, Hashable, List, Optional, Sequence, Set, Tuple

import psycopg2

from converge.change.refused import refusal
from converge.plan import Plan, Refusal
from converge.server.failures import is_transient
from converge.server.proofs import ended_at_a_row
from converge.steps import Kind, Run, Step

# What a type or a key decides on, maybe another table's: not to be tried before it is there.
RELYING = (Kind.SET_DEFAULT, Kind.ADD_CONSTRAINT)
# Of no use before its transaction is over: https://www.postgresql.org/docs/current/sql-altertype.html
USING_VALUES = (Kind.ADD_COLUMN, Kind.SET_EXPRESSION, *RELYING)
# What is new, locks nothing, and may be what a table is to use.
BROUGHT = (Kind.CREATE_EXTENSION, Kind.CREATE_TYPE, Kind.CREATE_SEQUENCE)
Attempt = Callable[[Step, Sequence[str]], None]


def rehearse(plan: Plan, attempt: Attempt) -> List[Refusal]:
    """Return what the server refuses of a plan's steps, at most one refusal for each table.

    `attempt` runs statements in a transaction that is rolled back; the step is for its messages.
    """
    brought = [step for step in plan.steps if step.kind in BROUGHT]
    found = []
    for steps in _together(plan.steps):
        schema = steps[0].schema
        ours = [s for s in brought if s.schema == schema or s.kind is Kind.CREATE_EXTENSION]
        found.append(_refusal(steps, attempt, [sql for step in ours for sql in step.statements]))
    return [refusal for refusal in found if refusal is not None]


def _together(steps: Sequence[Step]) -> List[List[Step]]:
    """Split the steps that can be tried into those that one transaction takes.

    Each table has one, so that no lock is held while another is waited for, and so have those of
    which one takes the other's name; a rollback has one for all, as a table may be dropped only
    after those that refer to it. The backfill of a column that is there already has one, too: it
    looks for a row without a value, under no lock that matters.
    """
    unsettled = {
        step.schema
        for step in steps
        if step.kind is Kind.ADD_KEY or (step.kind is Kind.CHANGE_TYPE and not step.tried)
    }
    growing = {step.schema for step in steps if step.kind is Kind.ADD_VALUE}
    renamed = {(step.schema, step.table) for step in steps if step.kind.renames}
    tried = [
        step
        for step in steps
        if (step.tried or step.tried_to_a_row)
        and not (step.kind is Kind.ADD_CONSTRAINT and _others(step, renamed))
        and not (step.kind in RELYING and step.schema in unsettled)
        and not ((step.kind in USING_VALUES or step.tried_to_a_row) and step.schema in growing)
    ]
    added = _added([step for step in tried if step.tried])
    absent = _added(steps) - added
    first = _first_to_be_renamed(steps)
    groups: Dict[Hashable, List[Step]] = {}
    for step in tried:
        column = (step.schema, step.table, step.name)
        if column in absent and not step.tried_to_a_row:
            continue
        key: Hashable = first.get(column[:2], column[:2])
        if step.kind is Kind.UNDO:
            key = step.schema
        elif step.run is Run.BATCHES and column not in added and column[:2] not in renamed:
            key = column
        groups.setdefault(key, []).append(step)
    return list(groups.values())


def _first_to_be_renamed(steps: Sequence[Step]) -> Dict[Tuple[str, str], Tuple[str, str]]:
    """Return, for each table that gets a name that another one leaves, the first of these."""
    renames = [step for step in steps if step.former]
    leaves = {(step.schema, step.former): (step.schema, step.table) for step in renames}
    first: Dict[Tuple[str, str], Tuple[str, str]] = {}
    for step in renames:  # who leaves a name comes before who gets it
        table = (step.schema, step.table)
        other = leaves.get((step.schema, step.name), table)
        if other != table:
            first[table] = first.get(other, other)
    return first


def _added(steps: Sequence[Step]) -> Set[Tuple[str, str, str]]:
    """Return the columns that steps add."""
    added = (step for step in steps if step.kind is Kind.ADD_COLUMN)
    return {(step.schema, step.table, step.name) for step in added}


def _others(step: Step, renamed: Collection[Tuple[str, str]]) -> bool:
    """Return whether another table is renamed before: a foreign key may refer to it."""
    return any(schema == step.schema and table != step.table for schema, table in renamed)


def _refusal(steps: Sequence[Step], attempt: Attempt, brought: Sequence[str]) -> Optional[Refusal]:
    """Return the refusal of the first of the steps that the server does not take."""

    def error_of(step: Step, number: int, last: Sequence[str] = ()) -> Optional[psycopg2.Error]:
        """Return what the server says of so many steps and these statements, tried for a step."""
        before = (sql for step in steps[:number] for sql in step.tried)
        try:
            attempt(step, [*brought, *before, *last])
        except psycopg2.Error as error:
            if is_transient(error):
                raise
            return error
        return None

    if any(step.tried for step in steps) and error_of(steps[0], len(steps)) is not None:
        # Which one it was the error does not tell. If none fails now, what was in the way has gone.
        for number, step in enumerate(steps, 1):
            error = error_of(step, number)
            if error is not None:
                return refusal(step, error)
    for number, step in enumerate(steps):
        error = error_of(step, number, step.tried_to_a_row) if step.tried_to_a_row else None
        if error is not None and not ended_at_a_row(error):
            return refusal(step, error)
    return None
