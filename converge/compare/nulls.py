"""The safety rules for NOT NULL: filled, proven, and only then set; or dropped."""

from typing import List, Optional

from converge.compare.computed import fills_each_row
from converge.compare.order import in_order
from converge.compare.refusals import refuse_rows
from converge.compare.table import FROM_A_SEQUENCE, ComparedTable
from converge.names import NEW_PREFIX, chosen_name, helper_name
from converge.quoting import identifier
from converge.server.catalog import Column
from converge.server.proofs import stores
from converge.steps import NO_UNDO, Kind, Lock, Run, Undo
from converge.text import rows_of


def require_values(table: ComparedTable) -> None:
    """Make every column NOT NULL that the models say so of: fill it, prove it, set it."""
    _sweep(table)
    for name in in_order(table, table.desired.columns):
        live, desired = table.live.columns.get(name), table.desired.columns[name]
        numbered = desired.default == FROM_A_SEQUENCE
        added_with_values = live is None and (numbered or not table.computed(name))
        if added_with_values or name not in table.values or desired.inherited:
            continue
        if live is not None and (live.not_null or not desired.not_null):
            if _proof(table, name):
                _drop_helper(table, _proof_name(name))
        elif desired.not_null:
            _require(table, name, live)


def _require(table: ComparedTable, name: str, live: Optional[Column]) -> None:
    empty = "true" if live is None else f"{identifier(name)} IS NULL"
    nulls = table.count(empty)
    if not nulls:
        prove_not_null(table, name, is_new=live is None)
    elif _can_fill(table, name, empty, nulls):
        value = _fill(table, name, f"{rows_of(nulls, table.count())} have no value")
        table.values[name] = f"COALESCE({table.values[name]}, {value})"
        prove_not_null(table, name, is_new=live is None, filled=True)


def _can_fill(table: ComparedTable, name: str, empty: str, nulls: int) -> bool:
    """True if the backfill has a value for each row without one; else it is refused."""
    backfill = table.backfill(name)
    if backfill is None:
        what = (
            "is nullable; the model requires NOT NULL and declares no backfill for existing rows."
        )
        refuse_rows(table, name, what, nulls, ("is NULL", "are NULL"), empty)
        return False
    return not backfill.computed or fills_each_row(table, name, backfill, empty)


def _fill(table: ComparedTable, name: str, why: str) -> str:
    """Plan the backfill of the rows that have no value, and return the value as SQL."""
    backfill = table.backfill(name)
    assert backfill is not None
    value, column = backfill.sql(), identifier(name)
    parts = list(table.live.shape.parts)
    targets = [f"ONLY {part}" for part in parts] or [table.relation]
    table.filled.append(name)
    table.step(
        Kind.BACKFILL,
        name,
        why,
        [f"UPDATE {target} SET {column} = {value} WHERE {column} IS NULL" for target in targets],
        run=Run.BATCHES,
        lock=Lock.ROWS,
        on_the_way=True,
        parts=parts,
        tried=_trial(table, name, value, [name, *backfill.reads]),
        fires=table.live.shape.triggers,
        change=("NULL", value),
    )
    if name in table.live.columns:  # else a rollback drops it
        table.steps[-1] = table.steps[-1]._replace(lasting=True)
    return backfill.sql(table.values)


def _trial(table: ComparedTable, name: str, value: str, columns: List[str]) -> List[str]:
    """Return what tries the backfill on a row, unless earlier steps decide what it does then."""
    live = [column for column in columns if column != name or column in table.live.columns]
    changed = any(table.values.get(column) != identifier(column) for column in live)
    if (
        changed
        or table.growing
        or name in table.untried
        or any(known.startswith(NEW_PREFIX) for known in table.live.constraints)
    ):
        return []
    parts = table.live.shape.parts or [table.relation]
    # What is deferred fires when a batch is committed; pending, it forbids the next ALTER TABLE.
    return [*(stores(part, name, value) for part in parts), "SET CONSTRAINTS ALL IMMEDIATE"]


def prove_not_null(table: ComparedTable, name: str, *, is_new: bool, filled: bool = False) -> None:
    """SET NOT NULL without a scan under its lock: a validated CHECK is proof enough to it.

    After a backfill there is a second one: whoever updates a row that has no value yet moves it to
    a page that the first may have passed. Once there is the check, nobody can.

    https://www.postgresql.org/docs/current/sql-altertable.html (SET NOT NULL), since 12.
    """
    proof, column = identifier(_proof_name(name)), identifier(name)
    known = _proof(table, name)
    if not known:
        check = f"ADD CONSTRAINT {proof} CHECK ({column} IS NOT NULL) NOT VALID"
        why = "from here on no row can become NULL"
        table.step(Kind.FORBID_NULLS, name, why, [table.alter(check)], on_the_way=True)
    if filled:
        _fill(table, name, "rows that were updated or inserted meanwhile")
    if not known:
        table.step(
            Kind.PROVE_NO_NULLS,
            name,
            "no existing row is NULL either",
            [table.alter(f"VALIDATE CONSTRAINT {proof}")],
            lock=Lock.SHARED,
            on_the_way=True,
            fires=table.live.shape.triggers if filled else (),
        )
    drop_not_null = (table.alter_column(name, "DROP NOT NULL"), *_unproven(table, name))
    table.step(
        Kind.SET_NOT_NULL,
        name,
        "it is nullable; the model requires NOT NULL",
        [table.alter_column(name, "SET NOT NULL"), table.alter(f"DROP CONSTRAINT {proof}")],
        undo=NO_UNDO if is_new else Undo(statements=drop_not_null),
        on_the_way=is_new,
        change=("", "") if is_new else ("nullable", "NOT NULL"),
        # Without the proof, which comes later, setting it would read every row.
        tried=[table.alter(f"DROP CONSTRAINT {proof}")],
    )


def _unproven(table: ComparedTable, name: str) -> List[str]:
    """Return what puts back a NOT NULL that held for new rows only, as it may from 18 on."""
    live = table.live.columns.get(name)
    return [f"{_add(table, name, live)} NOT VALID"] if live is not None and live.unproven else []


def _add(table: ComparedTable, name: str, live: Column) -> str:
    """Return what adds a NOT NULL anew, as it is called: from 18 on."""
    own = f"CONSTRAINT {identifier(live.not_null_name)} " if live.not_null_name else ""
    return table.alter(f"ADD {own}NOT NULL {identifier(name)}")


def _again(table: ComparedTable, name: str, live: Column) -> List[str]:
    """Return what puts back a NOT NULL: by its name, if the server would choose another."""
    if live.unproven:
        return _unproven(table, name)
    if live.not_null_name in (None, chosen_name(table.name, name, "not_null")):
        return [table.alter_column(name, "SET NOT NULL")]
    return [_add(table, name, live)]


def _proof_name(column: str) -> str:
    return helper_name(NEW_PREFIX, f"{column}_not_null")


def _proof(table: ComparedTable, name: str) -> Optional[bool]:
    """Return whether the check that an interrupted run left is validated; None: there is none."""
    left = table.live.constraints.get(_proof_name(name))
    return None if left is None else left.valid


def _sweep(table: ComparedTable) -> None:
    """Drop the constraints that interrupted runs left, but for proofs: they may refuse a backfill.

    Those of a constraint that took another's place are added anew.
    """
    proofs = {_proof_name(name) for name in table.desired.columns if _proof(table, name)}
    for name, live in table.live.constraints.items():
        if name.startswith(NEW_PREFIX) and name not in proofs and not live.inherited:
            _drop_helper(table, name)
            table.lock_besides(live.target, Lock.INSTANT)


def _drop_helper(table: ComparedTable, name: str) -> None:
    drop = table.alter(f"DROP CONSTRAINT {identifier(name)}")
    table.step(Kind.DROP_HELPER, name, "an interrupted run left it", [drop])


def allow_nulls(table: ComparedTable) -> None:
    """Drop NOT NULL where the model says nullable; after the keys, which may have held it."""
    stays = [] if table.desired.primary_key[0] else table.key
    for name, desired in table.desired.columns.items():
        live = table.live.columns.get(name)
        if live is None or desired.not_null or not (live.not_null or live.unproven):
            continue
        if desired.inherited:
            continue  # what becomes of its parent's becomes of it
        if name in stays:
            continue  # a key that the models do not have is left alone, and so is its NOT NULL
        table.step(
            Kind.DROP_NOT_NULL,
            name,
            "it is NOT NULL; the model says nullable",
            [table.alter_column(name, "DROP NOT NULL")],
            undo=Undo(
                statements=tuple(_again(table, name, live)),
                guard=None if live.unproven else f"{identifier(name)} IS NULL",
            ),
            change=("NOT NULL", "nullable"),
        )
