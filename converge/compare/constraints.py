"""The safety rules for primary keys, unique, check and foreign key constraints."""

from typing import List, Optional

from converge.compare.builds import build, built
from converge.compare.duplicates import refuse_duplicates
from converge.compare.identity import carried_over, refuse_lost
from converge.compare.obeying import foreign_key, violation
from converge.compare.table import ComparedTable
from converge.compare.widths import refuse_wide
from converge.names import NEW_PREFIX, helper_name
from converge.plan import NO_UNDO, Kind, Lock, Undo, WayOut
from converge.quoting import identifier, literal, qualified
from converge.server.catalog import Constraint
from converge.text import counted

KEYS = {"p": "PRIMARY KEY", "u": "UNIQUE"}
KEYS_AND_CHECKS = "pucx"  # as in `pg_constraint.contype`


def constraints(table: ComparedTable) -> None:
    """Bring the models' keys and checks to the live table."""
    _bring(table, KEYS_AND_CHECKS)


def foreign_keys(table: ComparedTable) -> None:
    """Bring the models' foreign keys to the live table; those to it may need one of its keys."""
    _bring(table, "f")


def _bring(table: ComparedTable, kinds: str) -> None:
    """Bring the models' constraints of some kinds to the live table.

    One with the right definition under another name is accepted; unknown ones are left alone.
    """
    accepted = set()
    for name, desired in table.desired.constraints.items():
        if desired.kind not in kinds:
            continue
        found = _same(table, name)
        if found is None:
            _add(table, name, desired)
        elif not table.live.constraints[found].valid:
            _validate(table, found, table.live.constraints[found])
        accepted.add(found or name)
    unmanaged = [
        name
        for name, live in table.live.constraints.items()
        if name not in accepted
        and live.kind in kinds
        and live.kind != "p"
        and not name.startswith(NEW_PREFIX)
    ]
    if unmanaged:
        table.notes.append(f"constraints of {table.relation}: {', '.join(unmanaged)}")


def _same(table: ComparedTable, name: str) -> Optional[str]:
    live = table.live.constraints
    return next(
        (
            known
            for known in [name, *live]
            if known in live
            and table.has_constraint(known, name)
            and not known.startswith(NEW_PREFIX)
        ),
        None,
    )


def _replaced(table: ComparedTable, name: str, desired: Constraint) -> Optional[str]:
    """Return the live constraint that the new one takes the place of."""
    if desired.kind == "p":
        return table.live.primary_key[0]
    return name if name in table.live.constraints else None


def _add(table: ComparedTable, name: str, desired: Constraint) -> None:
    old = _replaced(table, name, desired)
    taken = name != old and (name in table.relations or name in table.live.constraints)
    if taken and desired.kind in KEYS:
        table.refuse_taken(name, "an index")
    elif desired.kind in KEYS:
        _add_key(table, name, desired, old)
    elif desired.kind in ("c", "f"):
        _add_checked(table, name, desired, old)
    else:
        add = table.alter(f"ADD CONSTRAINT {identifier(name)} {desired.definition}")
        way_out = WayOut("Add it by hand, in a maintenance window:", (add,))
        why = "Exclusion constraints cannot be added under live traffic."
        table.refuse(name, f"is missing: {desired.definition}.", why, way_out=way_out)


def _add_key(table: ComparedTable, name: str, desired: Constraint, old: Optional[str]) -> None:
    """Build the key's index while everybody works, then put the key in place in an instant."""
    columns = desired.columns or []
    if any(column not in table.values for column in columns):
        return  # the column's own refusal says why
    if old is not None and _refuse_if_used(table, name, table.live.constraints[old], desired):
        return
    if refuse_duplicates(table, name, f"is missing: {desired.definition}.", columns):
        return
    # The server's words, not ours, so that what an interrupted run has built is known again.
    assert desired.owned_index is not None
    if refuse_wide(table, name, desired.owned_index):
        return
    if old is not None and _refuse_identity(table, name, table.live.constraints[old], desired):
        return
    temporary = build(table, name, desired.owned_index, why="the key needs it", undo=False)
    drop = [] if old is None else [table.alter(f"DROP CONSTRAINT {identifier(old)}")]
    replaced = None if old is None else table.live.constraints[old].owned_index
    add = _add_by_index(table, name, desired, temporary)
    table.step(
        Kind.ADD_KEY,
        name,
        f"the model says {desired.definition}",
        [*drop, add, *carried_over(table, replaced, name), *_commented(table, name, old)],
        creates=True,
        undo=_back_to(table, name, old),
        tried=drop,  # the index is not there yet
    )


def _refuse_if_used(table: ComparedTable, name: str, live: Constraint, desired: Constraint) -> bool:
    """Refuse to replace a key that something depends on."""
    what = f"is {live.definition}; the model says {desired.definition}."
    if table.live.referenced_by:
        why = f"Foreign keys depend on it: {', '.join(table.live.referenced_by)}."
        way_out = WayOut("Drop them, run again, create them again.")
        table.refuse(name, what, why, way_out=way_out)
    elif live.used_by:
        table.refuse_used(name, what, live.used_by)
    return bool(table.live.referenced_by or live.used_by)


def _add_by_index(table: ComparedTable, name: str, key: Constraint, index: str) -> str:
    """Return what makes an index the key."""
    deferrable = " DEFERRABLE" if key.deferrable else ""
    deferred = " INITIALLY DEFERRED" if key.deferred else ""
    using = f"{KEYS[key.kind]} USING INDEX {identifier(index)}{deferrable}{deferred}"
    return table.alter(f"ADD CONSTRAINT {identifier(name)} {using}")


def _refuse_identity(
    table: ComparedTable, name: str, live: Constraint, desired: Constraint
) -> bool:
    """Refuse to replace a key that is the replica identity by one that can't be."""
    assert desired.owned_index is not None
    return refuse_lost(
        table,
        name,
        f"is {live.definition}; the model says {desired.definition}.",
        old=live.owned_index,
        new=desired.owned_index,
        deferrable=desired.deferrable,
    )


def _commented(table: ComparedTable, name: str, old: Optional[str]) -> List[str]:
    """Return what gives a constraint the comment of the old one."""
    comment = None if old is None else table.live.constraints[old].comment
    on = f"COMMENT ON CONSTRAINT {identifier(name)} ON {table.relation}"
    return [] if comment is None else [f"{on} IS {literal(comment)}"]


def _back_to(table: ComparedTable, name: str, old: Optional[str]) -> Undo:
    """Return what drops the new constraint, if it is still there, and puts the old one back."""
    drop = table.alter(f"DROP CONSTRAINT IF EXISTS {identifier(name)}")
    if old is None:
        return Undo(statements=(drop,))
    live = table.live.constraints[old]
    if live.kind not in KEYS:
        add = table.alter(f"ADD CONSTRAINT {identifier(old)} {live.sql}")
        return Undo(statements=(drop, add, *_commented(table, old, old)))
    assert live.owned_index is not None
    temporary = helper_name(NEW_PREFIX, old)
    add = _add_by_index(table, old, live, temporary)
    besides = [*carried_over(table, live.owned_index, old), *_commented(table, old, old)]
    index = built(table, temporary, live.owned_index)
    return Undo((index,), (drop, add, *besides), creates=True)


def _add_checked(table: ComparedTable, name: str, desired: Constraint, old: Optional[str]) -> None:
    """Add a check or foreign key that holds for new rows at once, and is then proven for all."""
    if _refuse_violations(table, name, desired, "is missing"):
        return
    added = name if old is None else helper_name(NEW_PREFIX, name)
    if added in table.live.constraints:
        drop = table.alter(f"DROP CONSTRAINT {identifier(added)}")
        table.step(Kind.DROP_HELPER, added, "an interrupted run left it", [drop])
    sql = table.check_written(name) if desired.kind == "c" else foreign_key(table.schema, desired)
    table.step(
        Kind.ADD_CONSTRAINT,
        name,
        f"the model says {desired.definition}; it holds for new rows from here on",
        [table.alter(f"ADD CONSTRAINT {identifier(added)} {sql} NOT VALID")],
        undo=_back_to(table, name, None) if old is None else NO_UNDO,
    )
    _validate_step(table, added, "existing rows are checked too", on_the_way=True)
    if old is not None:
        rename = f"RENAME CONSTRAINT {identifier(added)} TO {identifier(name)}"
        table.step(
            Kind.ADD_CONSTRAINT,
            name,
            "it takes the place of the old one",
            [table.alter(f"DROP CONSTRAINT {identifier(old)}"), table.alter(rename)],
            undo=_back_to(table, name, old),
            on_the_way=True,
        )


def _validate(table: ComparedTable, name: str, live: Constraint) -> None:
    """Prove for every row what holds for new ones."""
    if live.kind in KEYS:
        reindex = f"REINDEX INDEX CONCURRENTLY {qualified(table.schema, name)}"
        table.refuse(name, "has an invalid index.", way_out=WayOut("Rebuild it:", (reindex,)))
    elif not _refuse_violations(table, name, live, "is NOT VALID"):
        _validate_step(table, name, "it is NOT VALID: existing rows were never checked")


def _validate_step(table: ComparedTable, name: str, why: str, *, on_the_way: bool = False) -> None:
    table.step(
        Kind.VALIDATE_CONSTRAINT,
        name,
        why,
        [table.alter(f"VALIDATE CONSTRAINT {identifier(name)}")],
        lock=Lock.SHARED,
        on_the_way=on_the_way,
    )


def _refuse_violations(table: ComparedTable, name: str, desired: Constraint, what: str) -> bool:
    """Refuse a check or foreign key that rows violate."""
    condition = violation(table.schema, desired, table.values)
    bad = table.count(condition)
    if bad:
        known = [column for column in desired.columns or [] if column in table.live.columns]
        examples = table.examples(condition, known[0]) if known else ""
        table.refuse(
            name,
            f"{what}: {desired.definition}.",
            f"{counted(bad, 'row')} violate{'s' if bad == 1 else ''} it{examples}.",
            way_out=table.find(condition, known),
        )
    return bool(bad)
