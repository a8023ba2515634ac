"""The safety rules for indexes: built, rebuilt and replaced while everybody goes on working."""

import re
from typing import Optional

from converge.compare.builds import (
    build,
    built,
    create_statement,
    drop,
    drop_left,
    dropped,
    is_built_at_once,
    said,
)
from converge.compare.duplicates import refuse_duplicates
from converge.compare.identity import carried_over, identified_otherwise, refuse_lost
from converge.compare.keys import release
from converge.compare.raising import refuse_uncomputable
from converge.compare.refusals import refuse_taken, refuse_used, rename
from converge.compare.table import ComparedTable
from converge.compare.widths import refuse_wide
from converge.compare.words import has_index
from converge.names import NEW_PREFIX, OLD_PREFIX, helper_name
from converge.quoting import identifier, qualified
from converge.server.catalog import Index
from converge.steps import Kind, Lock, Run, Undo


def indexes(table: ComparedTable) -> None:
    """Bring every index of the model to the live table; valid unknown ones are left alone."""
    for name, desired in table.desired.indexes.items():
        live = table.live.indexes.get(name)
        if live is None or not live.valid or not has_index(table, live, name):
            close(table, name, live, desired)
    sweep(table)


def close(table: ComparedTable, name: str, live: Optional[Index], desired: Index) -> None:
    """Bring one index, which is missing, invalid or another, to the model's."""
    owner = table.live.constraints.get(name)
    if live is None and owner is not None and owner.kind == "u":
        release(table, name, owner, desired)
        return
    if live is None and name in table.relations:
        what = "is missing, but something else in the schema has its name."
        table.refuse(name, what, way_out=rename(table.schema, name, table.relations))
        return
    columns = desired.columns or []
    if any(column not in table.values for column in columns):
        return  # the column's own refusal says why
    what = f"is missing: {desired.definition}."
    if refuse_uncomputable(table, name, what, desired):
        return
    if desired.unique and refuse_duplicates(table, name, what, desired):
        return
    if refuse_wide(table, name, desired):
        return
    if live is not None and live.used_by:
        what = f"is {live.definition}; the model says {desired.definition}."
        refuse_used(table, name, what if live.valid else "is invalid.", live.used_by)
    elif live is None:
        create(table, name, desired, "it is missing")
    elif not live.valid:
        drop(table, name, "it is invalid: an interrupted build left it")
        create(table, name, desired, "the invalid one is dropped", on_the_way=True)
    else:
        replace(table, name, live, desired)


def create(
    table: ComparedTable, name: str, index: Index, why: str, *, on_the_way: bool = False
) -> None:
    """Build an index, concurrently unless that takes longer than its lock is felt."""
    at_once = is_built_at_once(table)
    table.step(
        Kind.CREATE_INDEX,
        name,
        why,
        [
            create_statement(
                table,
                name,
                index,
                said(table, name, index),
                how="" if at_once else " CONCURRENTLY",
            )
        ],
        run=Run.BRIEF if at_once else Run.ONLINE,
        lock=Lock.BUILD if at_once else Lock.SHARED,
        creates=True,
        undo=Undo((dropped(table, name),)),
        on_the_way=on_the_way,
    )
    table.builds_index(index)


def replace(table: ComparedTable, name: str, live: Index, desired: Index) -> None:
    """Build the new index beside the old one and swap the names: one of them always serves.

    Renaming an index locks only the index, and SHARE UPDATE EXCLUSIVE at that (since 12).
    """
    what = f"is {live.definition}; the model says {desired.definition}."
    if refuse_lost(table, name, what, old=live, new=desired):
        return
    old = helper_name(OLD_PREFIX, name)
    if old in table.live.indexes:
        drop_left(table, old, table.live.indexes[old])
    elif old in table.relations:
        refuse_taken(table, old, "an index")
    new = build(table, name, desired, why=f"it will take the place of {name}", undo=True)
    besides = carried_over(table, live, name)
    lock = Lock.INSTANT if live.identity else Lock.SHARED
    table.step(
        Kind.SWAP_INDEX,
        name,
        f"it is {live.definition}; the model says {desired.definition}",
        [_rename(table, name, old), _rename(table, new, name), *besides],
        lock=lock,
        creates=True,
        undo=Undo(
            statements=(_rename(table, name, new), _rename(table, old, name), *besides),
            lock=lock,
            creates=True,
            leaves=(new, name),
        ),
        # Unless its drop is tried, a left one has the name.
        tried=[_rename(table, name, old)]
        if table.facts.guarded or old not in table.live.indexes
        else (),
        change=(live.definition, desired.definition),
    )
    undo = Undo((built(table, old, live),))
    drop(table, old, "the new one is in use", undo=undo, on_the_way=True)


def sweep(table: ComparedTable) -> None:
    """Drop what interrupted runs and interrupted REINDEX CONCURRENTLY of our indexes left."""
    ours = {*table.desired.indexes, *table.desired.constraints}
    steps = {step.name for step in table.steps if step.kind.changes_only_indexes}
    spoken_for = steps | table.kept_leftovers
    for name, live in table.live.indexes.items():
        base = re.sub(r"_cc(new|old)\d*$", "", name)
        half_reindexed = base != name and base in ours and not live.valid
        temporary = name.startswith((NEW_PREFIX, OLD_PREFIX)) and name not in ours
        if temporary or half_reindexed:
            if live.identity:
                what = "was left by an interrupted run, but is the replica identity."
                table.refuse(name, what, way_out=identified_otherwise(table))
            elif name not in spoken_for:
                drop_left(table, name, live)
        elif name not in table.desired.indexes:
            table.leave("index", name, _drop(table, name, live))


def _drop(table: ComparedTable, name: str, live: Index) -> Optional[str]:
    """Return what drops an index; nothing does so with a part of a partitioned one."""
    if live.attached is not None:
        return None
    if table.live.kind == "p":  # which the server does not do concurrently
        return f"DROP INDEX {qualified(table.schema, name)}"
    return dropped(table, name).statement


def _rename(table: ComparedTable, old: str, new: str) -> str:
    return f"ALTER INDEX {qualified(table.schema, old)} RENAME TO {identifier(new)}"
