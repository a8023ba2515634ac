"""The safety rules for primary keys, unique, check and foreign key constraints."""

from typing import Dict, List, Optional, Tuple

from converge.compare import desired as ddl
from converge.compare.indexes import build, statement
from converge.compare.table import NEW_PREFIX, Difference, helper_name
from converge.plan import Lock
from converge.server.catalog import Constraint
from converge.text import counted

KEYS = {"p": "PRIMARY KEY", "u": "UNIQUE"}
KINDS = {**KEYS, "c": "CHECK", "f": "FOREIGN KEY", "x": "EXCLUDE"}


def constraints(table: Difference) -> None:
    """Bring the models' constraints to the live table.

    One with the right definition under another name is accepted; unknown ones are left alone.
    """
    accepted = set()
    for name, desired in table.desired.constraints.items():
        found = _same(table, name, desired)
        if found is None:
            _add(table, name, desired)
        elif not table.live.constraints[found].valid:
            _validate(table, found, table.live.constraints[found])
        accepted.add(found or name)
    unmanaged = [
        name
        for name, live in table.live.constraints.items()
        if name not in accepted and live.kind != "p" and not name.startswith(NEW_PREFIX)
    ]
    if unmanaged:
        table.notes.append(f"constraints of {table.relation}: {', '.join(unmanaged)}")


def _same(table: Difference, name: str, desired: Constraint) -> Optional[str]:
    names = [name, *table.live.constraints]
    return next(
        (
            known
            for known in names
            if known in table.live.constraints
            and table.live.constraints[known].definition == desired.definition
            and not known.startswith(NEW_PREFIX)
        ),
        None,
    )


def _replaced(table: Difference, name: str, desired: Constraint) -> Optional[str]:
    """Return the live constraint that the new one takes the place of."""
    if desired.kind == "p":
        return table.live.primary_key[0]
    return name if name in table.live.constraints else None


def _add(table: Difference, name: str, desired: Constraint) -> None:
    old = _replaced(table, name, desired)
    taken = name != old and (name in table.relations or name in table.live.constraints)
    if taken and desired.kind in KEYS:
        table.refuse_taken(name, "an index")
    elif desired.kind in KEYS:
        _add_key(table, name, desired, old)
    elif desired.kind in ("c", "f"):
        _add_checked(table, name, desired, old)
    else:
        table.refuse(
            name,
            f"is missing: {desired.definition}.",
            way_out="Exclusion constraints can't be added under live traffic:\n    "
            + table.alter(f"ADD CONSTRAINT {ddl.quote(name)} {desired.definition};"),
        )


def _add_key(table: Difference, name: str, desired: Constraint, old: Optional[str]) -> None:
    """Build the key's index while everybody works, then put the key in place in an instant."""
    columns = desired.columns or []
    if any(column not in table.values for column in columns):
        return  # the column's own refusal says why
    if old is not None and table.live.referenced_by:
        table.refuse(
            name,
            f"is {table.live.constraints[old].definition}, the model says {desired.definition}.",
            f"Foreign keys depend on it: {', '.join(table.live.referenced_by)}.",
            way_out="Drop them, run again, create them again.",
        )
        return
    if old is not None and table.live.constraints[old].used_by:
        what = f"is {table.live.constraints[old].definition}, the model says {desired.definition}."
        table.refuse_used(name, what, table.live.constraints[old].used_by or [])
        return
    if table.refuse_duplicates(name, f"is missing: {desired.definition}.", columns):
        return
    # The server's words, not ours, so that what an interrupted run has built is known again.
    definition = f"UNIQUE btree {desired.definition[desired.definition.index('(') :]}"
    temporary = build(table, name, definition, why="the key needs it", undo=False)
    before, undo_online, undo = _swapped(table, name, old)
    using = f"ADD CONSTRAINT {ddl.quote(name)} {KEYS[desired.kind]} USING INDEX"
    table.step(
        "add key",
        name,
        f"the model says {desired.definition}",
        [*before, table.alter(f"{using} {ddl.quote(temporary)}")],
        undo_online=undo_online,
        undo=undo,
    )


def _swapped(
    table: Difference, name: str, old: Optional[str]
) -> Tuple[List[str], List[str], List[str]]:
    """Return what drops the old constraint, and what puts it back (online, in a transaction)."""
    drop = table.alter(f"DROP CONSTRAINT {ddl.quote(name)}")
    if old is None:
        return [], [], [drop]
    before, live = [table.alter(f"DROP CONSTRAINT {ddl.quote(old)}")], table.live.constraints[old]
    if live.kind not in KEYS:
        definition = _qualified(table, live)
        return before, [], [drop, table.alter(f"ADD CONSTRAINT {ddl.quote(old)} {definition}")]
    temporary = helper_name(NEW_PREFIX, old)
    listed = ", ".join(ddl.quote(column) for column in live.columns or [])
    index = statement(table, temporary, f"UNIQUE btree ({listed})")
    using = f"ADD CONSTRAINT {ddl.quote(old)} {KEYS[live.kind]} USING INDEX {ddl.quote(temporary)}"
    return before, [index], [drop, table.alter(using)]


def _add_checked(table: Difference, name: str, desired: Constraint, old: Optional[str]) -> None:
    """Add a check or foreign key that holds for new rows at once, and is then proven for all."""
    if _refuse_violations(table, name, desired):
        return
    added = name if old is None else helper_name(NEW_PREFIX, name)
    before, undo_online, undo = _swapped(table, name, old)
    left = table.live.constraints.get(added)
    if left is not None:
        drop = table.alter(f"DROP CONSTRAINT {ddl.quote(added)}")
        table.step("sweep", added, "an interrupted run left it", [drop])
    definition = _qualified(table, desired)
    table.step(
        "add constraint",
        name,
        f"the model says {desired.definition}; it holds for new rows from here on",
        [table.alter(f"ADD CONSTRAINT {ddl.quote(added)} {definition} NOT VALID")],
        undo=undo if old is None else (),
    )
    _validate_step(table, added, on_the_way=True)
    if old is not None:
        rename = f"RENAME CONSTRAINT {ddl.quote(added)} TO {ddl.quote(name)}"
        table.step(
            "add constraint",
            name,
            "it takes the place of the old one",
            [*before, table.alter(rename)],
            undo_online=undo_online,
            undo=undo,
            on_the_way=True,
        )


def _validate(table: Difference, name: str, live: Constraint) -> None:
    """Prove for every row what holds for new ones."""
    if live.kind in KEYS:
        table.refuse(
            name,
            "has an invalid index.",
            way_out="Build it again:\n    REINDEX INDEX CONCURRENTLY "
            + ddl.qualified(table.schema, name)
            + ";",
        )
    elif not _refuse_violations(table, name, live):
        _validate_step(table, name)


def _validate_step(table: Difference, name: str, *, on_the_way: bool = False) -> None:
    table.step(
        "validate constraint",
        name,
        "it holds for older rows too",
        [table.alter(f"VALIDATE CONSTRAINT {ddl.quote(name)}")],
        lock=Lock.SHARED,
        on_the_way=on_the_way,
    )


def _refuse_violations(table: Difference, name: str, desired: Constraint) -> bool:
    """Refuse a check or foreign key that rows violate."""
    condition = violation(table.schema, desired, table.values)
    bad = table.count(condition)
    if bad:
        columns = desired.columns or [""]
        known = [column for column in columns if column in table.live.columns]
        examples = table.examples(condition, known[0]) if known else ""
        table.refuse(
            name,
            f"is missing: {desired.definition}.",
            f"It is violated by {counted(bad, 'row')}, {examples}.",
            way_out=f"Find them with:\n    {table.find(condition, known)};",
        )
    return bool(bad)


def violation(schema: str, desired: Constraint, values: Dict[str, str]) -> str:
    """Return SQL that is true for a row that violates the constraint."""
    if desired.kind == "c":
        return f"NOT ({desired.definition[len('CHECK ') :]})"
    present = " AND ".join(f"{values[column]} IS NOT NULL" for column in desired.columns or [])
    # Under names of their own: a column of the target would hide the row's of the same name.
    keys = {name: f"eater_key_{n}" for n, name in enumerate(desired.target_columns or [], 1)}
    selected = ", ".join(f"{ddl.quote(name)} AS {key}" for name, key in keys.items())
    target = f"SELECT {selected} FROM {ddl.qualified(schema, desired.target or '')}"
    pairs = zip(keys.values(), desired.columns or [])
    same = " AND ".join(f"{key} = {values[column]}" for key, column in pairs)
    return f"{present} AND NOT EXISTS (SELECT FROM ({target}) AS target WHERE {same})"


def _qualified(table: Difference, desired: Constraint) -> str:
    """Return the definition with its target table qualified; the catalog leaves the schema out."""
    if desired.kind != "f":
        return desired.definition
    target = f" REFERENCES {ddl.qualified(table.schema, desired.target or '')}("
    return desired.definition.replace(f" REFERENCES {ddl.quote(desired.target or '')}(", target)
