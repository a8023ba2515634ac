"""Primary keys and unique constraints: built as an index, then put in place in an instant."""

from typing import List, NamedTuple, Optional, Sequence

from converge.compare.builds import build, built
from converge.compare.duplicates import refuse_duplicates
from converge.compare.identity import carried_over, refuse_lost
from converge.compare.refusals import refuse_used
from converge.compare.table import ComparedTable
from converge.compare.widths import refuse_wide
from converge.names import NEW_PREFIX, helper_name
from converge.plan import WayOut
from converge.quoting import identifier, literal, qualified
from converge.server.catalog import Constraint, Index, Reference
from converge.steps import Kind, Lock, Undo

KEYS = {"p": "PRIMARY KEY", "u": "UNIQUE"}


class Old(NamedTuple):
    """What a key takes the place of: a constraint, or the plain index of its name."""

    name: str
    constraint: Optional[Constraint]
    owned_index: Optional[Index]  # that the constraint has, or that it is

    @property
    def definition(self) -> str:
        if self.constraint is not None:
            return self.constraint.definition
        return self.owned_index.definition if self.owned_index is not None else ""


def add_key(table: ComparedTable, name: str, desired: Constraint, old: Optional[Old]) -> None:
    """Build the key's index while everybody works, then put the key in place in an instant."""
    index = desired.owned_index
    assert index is not None
    if any(column not in table.values for column in desired.columns or []):
        return  # the column's own refusal says why
    if old is not None and refuse_if_used(table, name, desired, old):
        return
    if refuse_duplicates(table, name, f"is missing: {desired.definition}.", index):
        return
    if refuse_wide(table, name, index):
        return
    if old is not None and _refuse_identity(table, name, desired, old):
        return
    # The server's words, not ours, so that what an interrupted run has built is known again.
    temporary = build(table, name, index, why="the key needs it", undo=False)
    drop = [] if old is None else [_drop(table, old)]
    table.step(
        Kind.ADD_KEY,
        name,
        f"the model says {desired.definition}",
        [
            *drop,
            _by_index(table, name, desired, temporary),
            *carried_over(table, old.owned_index if old else None, name),
            *commented(table, name, desired, old.constraint if old else None),
        ],
        creates=True,
        undo=back(table, name, old),
        tried=drop,  # the index is not there yet
        change=("", "") if old is None else (old.definition, desired.definition),
    )


def adopt(table: ComparedTable, name: str, desired: Constraint, index: Index) -> None:
    """Make a unique index that is there the constraint of its name, in an instant."""
    old = Old(name, None, index)
    if desired.deferrable and refuse_if_used(table, name, desired, old):
        return
    if _refuse_identity(table, name, desired, old):
        return
    table.step(
        Kind.ADD_KEY,
        name,
        f"it is an index; the model says {desired.definition}",
        [_by_index(table, name, desired, name), *commented(table, name, desired)],
        creates=True,
        undo=back(table, name, old),
        change=(old.definition, desired.definition),
    )


def _drop(table: ComparedTable, old: Old) -> str:
    if old.constraint is None:
        return f"DROP INDEX {qualified(table.schema, old.name)}"
    return table.alter(f"DROP CONSTRAINT {identifier(old.name)}")


def refuse_if_used(table: ComparedTable, name: str, desired: Constraint, old: Old) -> bool:
    """Refuse to replace a key that something depends on."""
    what = f"is {old.definition}; the model says {desired.definition}."
    return _refuse_if_relied_on(table, name, what, old)


def _refuse_identity(table: ComparedTable, name: str, desired: Constraint, old: Old) -> bool:
    """Refuse to replace a key that is the replica identity by one that can't be."""
    assert desired.owned_index is not None
    return refuse_lost(
        table,
        name,
        f"is {old.definition}; the model says {desired.definition}.",
        old=old.owned_index,
        new=desired.owned_index,
        deferrable=desired.deferrable,
    )


def release(table: ComparedTable, name: str, live: Constraint, desired: Index) -> None:
    """Put an index in the place of the unique constraint of its name."""
    assert live.owned_index is not None
    what = f"is {live.definition}; the model says {desired.definition}."
    if _refuse_if_relied_on(table, name, what, Old(name, live, live.owned_index)):
        return
    if refuse_lost(table, name, what, old=live.owned_index, new=desired):
        return
    new = build(table, name, desired, why=f"it will take the place of {name}", undo=False)
    drop = table.alter(f"DROP CONSTRAINT {identifier(name)}")
    besides = carried_over(table, live.owned_index, name)
    again = (_by_index(table, name, live, new), *besides, *commented(table, name, live))
    table.step(
        Kind.SWAP_INDEX,
        name,
        f"it is {live.definition}; the model says {desired.definition}",
        [drop, _renamed(table, new, name), *besides],
        creates=True,
        undo=Undo(
            (built(table, new, live.owned_index),),
            (f"DROP INDEX {qualified(table.schema, name)}", *again),
            creates=True,
        ),
        tried=[drop],  # the index is not there yet
        change=(live.definition, desired.definition),
    )


def _refuse_if_relied_on(table: ComparedTable, name: str, what: str, old: Old) -> bool:
    indexed = old.owned_index is not None
    references = [ref for ref in table.live.referenced_by if indexed and ref.key == old.name]
    used_by = old.constraint.used_by if old.constraint is not None else None
    if references:
        why = f"Foreign keys depend on it: {', '.join(map(str, references))}."
        table.refuse(name, what, why, way_out=_without(table, references))
    elif used_by:
        refuse_used(table, name, what, used_by)
    return bool(references or used_by)


def _without(table: ComparedTable, references: Sequence[Reference]) -> WayOut:
    """Return the way out where foreign keys are in the way: a run brings back the models' own."""
    ours = {
        (one.present, one.former.constraints.get(name, name))
        for one in table.others.values()
        for name in one.desired.constraints
    }
    alter = [
        (f"ALTER TABLE {ref.relation}", identifier(ref.name), ref.sql)
        for ref in references
        if (ref.relation, ref.name) not in ours
    ]
    drops = [
        f"ALTER TABLE {ref.relation} DROP CONSTRAINT {identifier(ref.name)}" for ref in references
    ]
    adds = [f"{table} ADD CONSTRAINT {name} {sql}" for table, name, sql in alter]
    then = "run again, and create those again that the models do not know" if adds else "run again"
    return WayOut(f"Drop them, {then}:", (*drops, *adds))


def commented(
    table: ComparedTable, name: str, wanted: Constraint, old: Optional[Constraint] = None
) -> List[str]:
    """Return what gives a new constraint its comment, or, if it has none, that of the old one."""
    comment = wanted.comment if wanted.comment is not None or old is None else old.comment
    return [] if comment is None else [comment_on(table, name, comment)]


def comment_on(table: ComparedTable, name: str, comment: Optional[str]) -> str:
    text = "NULL" if comment is None else literal(comment)
    return f"COMMENT ON CONSTRAINT {identifier(name)} ON {table.relation} IS {text}"


def back(table: ComparedTable, name: str, old: Optional[Old]) -> Undo:
    """Return what drops the new constraint, and puts back what it has taken the place of."""
    drop = table.alter(f"DROP CONSTRAINT IF EXISTS {identifier(name)}")
    if old is None:
        return Undo(statements=(drop,))
    live, temporary = old.constraint, helper_name(NEW_PREFIX, old.name)
    comment = [] if live is None else commented(table, old.name, live)
    if live is not None and live.kind not in KEYS:
        unproven = "" if live.valid or live.sql.endswith(" NOT ENFORCED") else " NOT VALID"
        add = table.alter(f"ADD CONSTRAINT {identifier(old.name)} {live.sql}{unproven}")
        return Undo(
            statements=(drop, add, *comment),
            lock=Lock.READ,
            creates=live.kind == "x",
            guard=_violators(table, live) if live.kind == "c" and live.valid else None,
        )
    assert old.owned_index is not None
    again = (
        _renamed(table, temporary, old.name)
        if live is None
        else _by_index(table, old.name, live, temporary)
    )
    besides = carried_over(table, old.owned_index, old.name)
    index = built(table, temporary, old.owned_index)
    return Undo((index,), (drop, again, *besides, *comment), creates=True)


def _violators(table: ComparedTable, check: Constraint) -> Optional[str]:
    """Return what is true for a row that violates a check; None if a type that it reads changes."""
    same = all(table.values.get(name) == identifier(name) for name in check.columns or [])
    return f"NOT ({check.expression})" if same else None


def _by_index(table: ComparedTable, name: str, key: Constraint, index: str) -> str:
    """Return what makes an index the key."""
    deferrable = " DEFERRABLE" if key.deferrable else ""
    deferred = " INITIALLY DEFERRED" if key.deferred else ""
    using = f"{KEYS[key.kind]} USING INDEX {identifier(index)}{deferrable}{deferred}"
    return table.alter(f"ADD CONSTRAINT {identifier(name)} {using}")


def _renamed(table: ComparedTable, old: str, new: str) -> str:
    return f"ALTER INDEX {qualified(table.schema, old)} RENAME TO {identifier(new)}"
