"""The safety rules for NOT NULL: filled, proven, and only then set; or dropped."""

from typing import List, Optional

from converge.compare import desired as ddl
from converge.compare.table import NEW_PREFIX, Difference, helper_name, rows_of
from converge.plan import Lock, Run
from converge.server.catalog import Column


def require_values(table: Difference) -> None:
    """Make every column NOT NULL that the models say so of: fill it, prove it, set it."""
    for name in table.desired.columns:
        if _proof(table, name) is False:
            _sweep_proof(table, name)  # it would refuse the backfill of another column
    for name, desired in table.desired.columns.items():
        live = table.live.columns.get(name)
        added_with_values = live is None and not table.computed(name)
        if added_with_values or name not in table.values:
            continue
        if live is not None and (live.not_null or not desired.not_null):
            if _proof(table, name):
                _sweep_proof(table, name)
        elif desired.not_null:
            _require(table, name, live)


def _require(table: Difference, name: str, live: Optional[Column]) -> None:
    empty = "true" if live is None else f"{ddl.quote(name)} IS NULL"
    nulls = table.count(empty)
    if not nulls:
        prove_not_null(table, name, is_new=live is None)
    elif _can_fill(table, name, empty, nulls):
        value = _fill(table, name, f"{rows_of(nulls, table.count())} have no value")
        table.values[name] = f"COALESCE({table.values[name]}, {value})"
        prove_not_null(table, name, is_new=live is None, filled=True)


def _can_fill(table: Difference, name: str, empty: str, nulls: int) -> bool:
    """True if the backfill has a value for each row without one; else it is refused."""
    backfill = table.backfill(name)
    if backfill is None:
        what = "may be NULL, the model says NOT NULL and no value for older rows."
        table.refuse_rows(name, what, nulls, ("is NULL", "are NULL"), empty)
        return False
    unknown = f"{empty} AND ({backfill.sql(table.values)}) IS NULL"
    unfilled = table.count(unknown) if backfill.computed else 0
    if unfilled:
        what = f"may be NULL, the model says NOT NULL and fills it with {backfill.sql()}."
        table.refuse_rows(name, what, unfilled, ("stays NULL", "stay NULL"), unknown)
    return not unfilled


def _fill(table: Difference, name: str, why: str) -> str:
    """Plan the backfill of the rows that have no value, and return the value as SQL."""
    backfill = table.backfill(name)
    assert backfill is not None
    column = ddl.quote(name)
    table.step(
        "backfill",
        name,
        why,
        [f"UPDATE {table.relation} SET {column} = {backfill.sql()} WHERE {column} IS NULL"],
        run=Run.BATCHES,
        lock=Lock.ROWS,
        on_the_way=True,
    )
    return backfill.sql(table.values)


def prove_not_null(table: Difference, name: str, *, is_new: bool, filled: bool = False) -> None:
    """SET NOT NULL without a scan under its lock: a validated CHECK is proof enough to it.

    After a backfill there is a second one: whoever updates a row that has no value yet moves it to
    a page that the first may have passed. Once there is the check, nobody can.

    https://www.postgresql.org/docs/current/sql-altertable.html (SET NOT NULL), since 12.
    """
    proof, column = helper_name(NEW_PREFIX, f"{name}_not_null"), ddl.quote(name)
    known = _proof(table, name)
    if not known:
        check = f"ADD CONSTRAINT {ddl.quote(proof)} CHECK ({column} IS NOT NULL) NOT VALID"
        why = "no new NULL from here on"
        table.step("forbid new nulls", name, why, [table.alter(check)], on_the_way=True)
    if filled:
        _fill(table, name, "rows that were updated or inserted meanwhile")
    if not known:
        table.step(
            "prove no nulls",
            name,
            "no older row is NULL either",
            [table.alter(f"VALIDATE CONSTRAINT {ddl.quote(proof)}")],
            lock=Lock.SHARED,
            on_the_way=True,
        )
    table.step(
        "set not null",
        name,
        "it may be NULL, the model says NOT NULL",
        [
            table.alter_column(name, "SET NOT NULL"),
            table.alter(f"DROP CONSTRAINT {ddl.quote(proof)}"),
        ],
        undo=() if is_new else [table.alter_column(name, "DROP NOT NULL"), *_unproven(table, name)],
        on_the_way=is_new,
    )


def _unproven(table: Difference, name: str) -> List[str]:
    """Return what puts back a NOT NULL that held for new rows only, as it may from 18 on."""
    add = table.alter(f"ADD NOT NULL {ddl.quote(name)} NOT VALID")
    return [add] if table.live.columns[name].unproven else []


def _proof(table: Difference, name: str) -> Optional[bool]:
    """Return whether the check that an interrupted run left is validated; None: there is none."""
    left = table.live.constraints.get(helper_name(NEW_PREFIX, f"{name}_not_null"))
    return None if left is None else left.valid


def _sweep_proof(table: Difference, name: str) -> None:
    proof = helper_name(NEW_PREFIX, f"{name}_not_null")
    drop = table.alter(f"DROP CONSTRAINT {ddl.quote(proof)}")
    table.step("sweep", proof, "an interrupted run left it", [drop])


def allow_nulls(table: Difference) -> None:
    """Drop NOT NULL where the model says nullable; after the keys, which may have held it."""
    for name, desired in table.desired.columns.items():
        live = table.live.columns.get(name)
        if live is None or desired.not_null or not (live.not_null or live.unproven):
            continue
        nulls = f"SELECT count(*) FROM {table.relation} WHERE {ddl.quote(name)} IS NULL"
        table.step(
            "drop not null",
            name,
            "it is NOT NULL, the model says nullable",
            [table.alter_column(name, "DROP NOT NULL")],
            undo=_unproven(table, name) or [table.alter_column(name, "SET NOT NULL")],
            guard=None if live.unproven else nulls,
        )
