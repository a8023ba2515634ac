"""The safety rules for indexes: built, rebuilt and replaced while everybody goes on working."""

import re
from typing import Optional

from converge.compare import desired as ddl
from converge.compare.table import NEW_PREFIX, OLD_PREFIX, Difference, helper_name
from converge.plan import Lock, Run
from converge.server.catalog import Index

CREATE, DROP = "CREATE INDEX CONCURRENTLY", "DROP INDEX CONCURRENTLY"


def indexes(table: Difference) -> None:
    """Bring every index of the model to the live table; valid unknown ones are left alone."""
    for name, desired in table.desired.indexes.items():
        live = table.live.indexes.get(name)
        if live is None or not live.valid or live.definition != desired.definition:
            close(table, name, live, desired)
    sweep(table)


def close(table: Difference, name: str, live: Optional[Index], desired: Index) -> None:
    """Bring one index, which is missing, invalid or another, to the model's."""
    if live is None and name in table.relations:
        refuse_name(table, name)
        return
    columns = desired.columns or []
    if any(column not in table.values for column in columns):
        return  # the column's own refusal says why
    if desired.unique and table.refuse_duplicates(
        name, f"is missing: {desired.definition}.", columns, desired.predicate
    ):
        return
    if live is not None and live.used_by:
        what = f"is {live.definition}, the model says {desired.definition}."
        table.refuse_used(name, what if live.valid else "is invalid.", live.used_by)
    elif live is None:
        create(table, name, desired.definition, "it is missing")
    elif not live.valid:
        drop(table, name, "it is invalid: an interrupted build left it")
        why = "the invalid one is dropped"
        create(table, name, desired.definition, why, on_the_way=True)
    else:
        replace(table, name, live, desired)


def create(
    table: Difference, name: str, definition: str, why: str, *, on_the_way: bool = False
) -> None:
    """Build an index concurrently."""
    table.step(
        "create index",
        name,
        why,
        [statement(table, name, definition)],
        run=Run.ONLINE,
        lock=Lock.SHARED,
        undo_online=[_drop(table, name)],
        on_the_way=on_the_way,
    )


def drop(table: Difference, name: str, why: str) -> None:
    """Drop an index concurrently."""
    table.step("drop index", name, why, [_drop(table, name)], run=Run.ONLINE, lock=Lock.SHARED)


def replace(table: Difference, name: str, live: Index, desired: Index) -> None:
    """Build the new index beside the old one and swap the names: one of them always serves.

    Renaming an index locks only the index, and SHARE UPDATE EXCLUSIVE at that (since 12).
    """
    old = helper_name(OLD_PREFIX, name)
    if old in table.live.indexes:
        drop(table, old, "an interrupted run left it")
    elif old in table.relations:
        table.refuse_taken(old, "an index")
    new = build(table, name, desired.definition, why=f"to take the place of {name}", undo=True)
    table.step(
        "swap index",
        name,
        f"it is {live.definition}, the model says {desired.definition}",
        [_rename(table, name, old), _rename(table, new, name)],
        lock=Lock.SHARED,
        undo=[_rename(table, name, new), _rename(table, old, name)],
    )
    table.step(
        "drop index",
        old,
        "the new one serves",
        [_drop(table, old)],
        run=Run.ONLINE,
        lock=Lock.SHARED,
        undo_online=[statement(table, old, live.definition)],
        on_the_way=True,
    )


def build(table: Difference, name: str, definition: str, *, why: str, undo: bool) -> str:
    """Build an index under its temporary name, which is returned.

    What an interrupted run left there is used if it is right, and dropped if not. With `undo`,
    taking the step back drops it: not so if a constraint becomes its owner.
    """
    temporary = helper_name(NEW_PREFIX, name)
    left = table.live.indexes.get(temporary)
    if left is None and temporary in table.relations:
        table.refuse_taken(temporary, "an index")
    if left is not None and not (left.valid and left.definition == definition):
        drop(table, temporary, "an interrupted run left it")
        left = None
    if left is None:
        table.step(
            "build index",
            temporary,
            why,
            [statement(table, temporary, definition)],
            run=Run.ONLINE,
            lock=Lock.SHARED,
            undo_online=[_drop(table, temporary)] if undo else (),
            on_the_way=True,
        )
    return temporary


def sweep(table: Difference) -> None:
    """Drop what interrupted runs and interrupted REINDEX CONCURRENTLY of our indexes left."""
    ours = [*table.desired.indexes, *table.desired.constraints]
    mentioned = {step.name for step in table.steps}
    temporary = {helper_name(prefix, name) for prefix in (NEW_PREFIX, OLD_PREFIX) for name in ours}
    unmanaged = []
    for name, live in table.live.indexes.items():
        base = re.sub(r"_cc(new|old)\d*$", "", name)
        half_reindexed = base != name and base in ours and not live.valid
        if name in temporary or half_reindexed:
            if name not in mentioned and not _used(table, name):
                drop(table, name, "an interrupted run left it")
        elif name not in table.desired.indexes:
            unmanaged.append(name)
    if unmanaged:
        table.notes.append(f"indexes of {table.relation}: {', '.join(unmanaged)}")


def _used(table: Difference, name: str) -> bool:
    """True if a planned step puts this leftover to use."""
    return any(ddl.quote(name) in text for step in table.steps for text in step.statements)


def statement(table: Difference, name: str, definition: str) -> str:
    """Return the statement that builds an index concurrently."""
    index = Index(definition)
    create_index = CREATE.replace("INDEX", "UNIQUE INDEX") if index.unique else CREATE
    return f"{create_index} {ddl.quote(name)} ON {table.relation} USING {index.using}"


def refuse_name(table: Difference, name: str) -> None:
    table.refuse(
        name,
        "is missing, but its name belongs to something else in the schema.",
        way_out=f"Rename what has it: {ddl.qualified(table.schema, name)}.",
    )


def _drop(table: Difference, name: str) -> str:
    return f"{DROP} {ddl.qualified(table.schema, name)}"


def _rename(table: Difference, old: str, new: str) -> str:
    return f"ALTER INDEX {ddl.qualified(table.schema, old)} RENAME TO {ddl.quote(new)}"
