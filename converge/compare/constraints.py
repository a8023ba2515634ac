"""The safety rules for primary keys, unique, check, exclusion and foreign key constraints."""

import re
from typing import Dict, Optional

from converge.compare.declared import named_constraints
from converge.compare.exclusions import add_exclusion
from converge.compare.keys import (
    KEYS,
    Old,
    add_key,
    adopt,
    back,
    comment_on,
    commented,
    refuse_if_used,
)
from converge.compare.obeying import has_violators, refuse_violators, relies_on_a_step
from converge.compare.refusals import refuse_taken
from converge.compare.table import ComparedTable
from converge.compare.words import check_written, has_constraint
from converge.names import NEW_PREFIX, helper_name
from converge.plan import WayOut
from converge.quoting import identifier, qualified
from converge.server.catalog import Constraint
from converge.steps import NO_UNDO, Kind, Lock, Undo

DEFERRABLE = re.compile(r" DEFERRABLE( INITIALLY DEFERRED)?$")
REFERENCES = " REFERENCES "
UNPROVEN = "it is NOT VALID: existing rows were never checked"


def constraints(table: ComparedTable) -> None:
    """Bring the models' constraints to the live table, but for foreign keys; leave others alone."""
    table.live_names = _live_names(table)
    # A key last: what has the name of the live one takes its place.
    for name, desired in sorted(table.desired.constraints.items(), key=lambda d: d[1].kind == "p"):
        # What becomes of a parent's becomes of one that is inherited.
        if desired.kind != "f" and table.models.says(table.name, name, table.desired):
            _bring(table, name, desired)
    key_stays = table.desired.primary_key[0] is None
    known = {*table.live_names.values(), *table.desired.constraints}
    for name, live in table.live.constraints.items():
        replaced = (live.kind == "p" and not key_stays) or _is_to_be_an_index(table, name)
        if name in known or replaced or name.startswith(NEW_PREFIX):
            continue
        drop = table.alter(f"DROP CONSTRAINT {identifier(name)}")
        table.leave("constraint", name, None if live.inherited else drop)


def foreign_keys(table: ComparedTable) -> None:
    """Bring the models' foreign keys to the live table: when the keys of all tables are there."""
    table.live_names = _live_names(table)
    for name, desired in table.desired.constraints.items():
        if desired.kind == "f":
            _bring(table, name, desired)


def _live_names(table: ComparedTable) -> Dict[str, str]:
    """Return the live names of the models' constraints that are there, each of one.

    Another name than the models have is right where these leave it open or a parent gives it, but
    not one that is about to be given to what is missing.
    """
    wanted, live = table.desired.constraints, table.live.constraints
    found = {name: name for name in wanted if name in live and has_constraint(table, name, name)}
    free = [name for name in live if name not in found and _is_free(table, name)]
    named = named_constraints(table.models, table.name)
    for name in wanted:
        for known in () if name in found else free:
            may_be = name not in named or live[known].inherited
            if may_be and has_constraint(table, known, name):
                found[name] = known
                free.remove(known)
                break
    while True:
        lost = [n for n, known in found.items() if known in wanted and known not in found]
        if not lost:
            return found
        found = {name: known for name, known in found.items() if name not in lost}


def _is_free(table: ComparedTable, name: str) -> bool:
    return not name.startswith(NEW_PREFIX) and not _is_to_be_an_index(table, name)


def _is_to_be_an_index(table: ComparedTable, name: str) -> bool:
    """Return whether the models say an index where a live constraint has its own of that name.

    A check or a foreign key may share its name with an index.
    """
    return name in table.desired.indexes and table.live.constraints[name].owned_index is not None


def _bring(table: ComparedTable, name: str, desired: Constraint) -> None:
    found = table.live_names.get(name)
    if found is None:
        _add(table, name, desired)
    elif not table.live.constraints[found].valid:
        _validate(table, name, found)


def _replaced(table: ComparedTable, name: str, desired: Constraint) -> Optional[Old]:
    """Return what the new constraint takes the place of."""
    key, _ = table.live.primary_key
    passed_on = key != name and key in table.desired.constraints  # its name, and so its place
    old = key if desired.kind == "p" and not passed_on else name
    if old is not None and old in table.live.constraints:
        live = table.live.constraints[old]
        return Old(old, live, live.owned_index)
    index = table.live.indexes.get(name)
    return Old(name, None, index) if index is not None and desired.kind in KEYS else None


def _add(table: ComparedTable, name: str, desired: Constraint) -> None:
    old = _replaced(table, name, desired)
    taken = name in table.relations or name in table.live.constraints
    if taken and (old is None or old.name != name) and desired.owned_index is not None:
        refuse_taken(table, name, "an index")
    elif desired.kind == "x":
        add_exclusion(table, name, desired, old)
    elif desired.kind in ("c", "f"):
        _add_checked(table, name, desired, old)
    elif old is not None and _is_adopted(desired, old):
        assert old.owned_index is not None
        adopt(table, name, desired, old.owned_index)
    else:
        add_key(table, name, desired, old)


def _is_adopted(desired: Constraint, old: Old) -> bool:
    """Return whether the plain index of a constraint's name can become it as it is."""
    wanted, index = desired.owned_index, old.owned_index
    if old.constraint is not None or wanted is None or index is None:
        return False
    return index.valid and index.definition == wanted.definition


def _add_checked(table: ComparedTable, name: str, desired: Constraint, old: Optional[Old]) -> None:
    """Add a check or foreign key that holds for new rows at once, and is then proven for all."""
    live = None if old is None else old.constraint
    if live is not None and _differs_in_deferral(live, desired):
        _defer(table, name, desired, live)
        return
    if any(column not in table.values for column in desired.columns or []):
        return  # the column's own refusal says why
    tolerated = _tolerates(table, name, desired)
    what = f"is missing: {desired.definition}."
    if not tolerated and refuse_violators(table, name, what, desired):
        return
    if old is not None and refuse_if_used(table, name, desired, old):
        return
    at_once = old is None or table.distributed  # as Citus renames no constraint
    added = name if at_once else helper_name(NEW_PREFIX, name)
    if old is not None and at_once:
        _replace_by_unproven(table, name, desired, old)
    else:
        _add_unproven(table, name, desired, added)
    if not tolerated:
        _validate_step(table, added, "existing rows are checked too", on_the_way=True)
    if at_once or old is None or live is None:
        return
    drop = table.alter(f"DROP CONSTRAINT {identifier(old.name)}")
    rename = table.alter(f"RENAME CONSTRAINT {identifier(added)} TO {identifier(name)}")
    table.step(
        Kind.ADD_CONSTRAINT,
        name,
        "it takes the place of the old one",
        [drop, rename, *commented(table, name, desired, live)],
        undo=back(table, name, old),
        on_the_way=True,
        tried=[drop],  # the new one may not be there yet
        change=(old.definition, desired.definition),
    )
    table.lock_besides(live.target, Lock.INSTANT)


def _replace_by_unproven(table: ComparedTable, name: str, desired: Constraint, old: Old) -> None:
    """Replace a check or foreign key by one that holds for new rows only, in one transaction."""
    drop = table.alter(f"DROP CONSTRAINT {identifier(old.name)}")
    add = table.alter(f"ADD CONSTRAINT {identifier(name)} {_sql(table, name, desired)} NOT VALID")
    table.step(
        Kind.ADD_CONSTRAINT,
        name,
        f"it is {old.definition}; the model says {desired.definition}",
        [drop, add, *commented(table, name, desired, old.constraint)],
        undo=back(table, name, old),
        tried=[drop] if relies_on_a_step(table, desired) else [drop, add],
        change=(old.definition, desired.definition),
    )
    table.lock_besides(desired.target, Lock.WRITES)


def _tolerates(table: ComparedTable, name: str, constraint: Constraint) -> bool:
    """Return whether the models say NOT VALID, and there are rows that need it."""
    said = table.models.not_valid(table.name, name, table.desired)
    return said and has_violators(table, constraint)


def _add_unproven(table: ComparedTable, name: str, desired: Constraint, added: str) -> None:
    """Add a check or foreign key for new rows only; under another name if it replaces one."""
    add = table.alter(f"ADD CONSTRAINT {identifier(added)} {_sql(table, name, desired)} NOT VALID")
    statements = [add, *(commented(table, name, desired) if added == name else [])]
    table.step(
        Kind.ADD_CONSTRAINT,
        name,
        f"the model says {desired.definition}; it holds for new rows from here on",
        statements,
        # A foreign key locks both tables alike.
        lock=Lock.WRITES if desired.kind == "f" else Lock.INSTANT,
        undo=back(table, name, None) if added == name else NO_UNDO,
        tried=[] if relies_on_a_step(table, desired) else statements,
    )
    table.lock_besides(desired.target, Lock.WRITES)


def _sql(table: ComparedTable, name: str, desired: Constraint) -> str:
    """Return the definition of a check, in the models' words, or of a foreign key."""
    if desired.kind == "c":
        return check_written(table, name)
    within = sum(column.count(REFERENCES) for column in desired.columns or [])
    parts = desired.definition.split(REFERENCES)
    before, after = parts[: within + 1], parts[within + 1 :]
    target = f"{identifier(table.schema)}.{REFERENCES.join(after)}"
    return REFERENCES.join([*before, target])


def _differs_in_deferral(live: Constraint, desired: Constraint) -> bool:
    """Return whether two foreign keys differ in nothing but when they are checked."""
    before, after = (DEFERRABLE.sub("", one.definition) for one in (live, desired))
    return live.kind == desired.kind == "f" and before == after


def _defer(table: ComparedTable, name: str, desired: Constraint, live: Constraint) -> None:
    """Say anew when a foreign key is checked, which is an entry in the catalog."""
    proven = live.valid or _tolerates(table, name, desired)
    if not proven and refuse_violators(table, name, "is NOT VALID.", desired):
        return
    change, undo = _alter_constraint(table, name, desired), _alter_constraint(table, name, live)
    comments = desired.comment not in (None, live.comment)
    table.step(
        Kind.ALTER_CONSTRAINT,
        name,
        f"it is {live.definition}; the model says {desired.definition}",
        [change, *commented(table, name, desired)] if comments else [change],
        undo=Undo(
            statements=(undo, comment_on(table, name, live.comment)) if comments else (undo,)
        ),
        change=(live.definition, desired.definition),
    )
    if not proven:
        _validate_step(table, name, UNPROVEN)


def _alter_constraint(table: ComparedTable, name: str, wanted: Constraint) -> str:
    initially = "DEFERRED" if wanted.deferred else "IMMEDIATE"
    when = f"DEFERRABLE INITIALLY {initially}" if wanted.deferrable else "NOT DEFERRABLE"
    return table.alter(f"ALTER CONSTRAINT {identifier(name)} {when}")


def _validate(table: ComparedTable, name: str, found: str) -> None:
    """Prove for every row what holds for new ones; `found` is its live name."""
    live = table.live.constraints[found]
    if live.owned_index is not None:
        reindex = f"REINDEX INDEX CONCURRENTLY {qualified(table.schema, found)}"
        table.refuse(found, "has an invalid index.", way_out=WayOut("Rebuild it:", (reindex,)))
    elif _tolerates(table, name, live):
        note = f"{name} of {table.relation} is NOT VALID, as the models say: rows violate it"
        table.notes.append(note)
    elif not refuse_violators(table, found, f"is NOT VALID: {live.definition}.", live):
        _validate_step(table, found, UNPROVEN)


def _validate_step(table: ComparedTable, name: str, why: str, *, on_the_way: bool = False) -> None:
    table.step(
        Kind.VALIDATE_CONSTRAINT,
        name,
        why,
        [table.alter(f"VALIDATE CONSTRAINT {identifier(name)}")],
        lock=Lock.SHARED,
        on_the_way=on_the_way,
    )
