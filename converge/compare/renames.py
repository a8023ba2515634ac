"""Declared renames: `info={"renamed_from": …}` on what has another name in the models.

While the plan is made, the live side is read by the names that it will have (`foreseen.py`). So the
rules find what was renamed under its new name, and their steps run when it has it.
"""

import re
from typing import Iterator, List, NamedTuple

from converge.compare.declared import TABLES, declared
from converge.compare.table import ComparedTable, Given
from converge.names import free_name
from converge.plan import Plan, WayOut, joined, refused
from converge.quoting import identifier, literal, qualified
from converge.server.catalog import Renamed, Schema
from converge.steps import Kind, Lock, Step, Undo
from converge.text import counted, rows_of

BOTH = "is there beside {old}, which the models say it was."
WANTED = "is missing; the models say that it was {old}, and have that as well."
BY_HAND = "If it is so, rename it by hand; else take renamed_from out of the models:"
EITHER = "Take renamed_from out of the models, or set the one aside that is not wanted, e.g.:"
# The server keeps the text of these as it was written, so that no name in it follows a rename; what
# is in BEGIN ATOMIC (14 and newer) does. https://www.postgresql.org/docs/current/xfunc-sql.html
FUNCTIONS = r"""SELECT (pg_identify_object('pg_proc'::regclass, p.oid, 0)).identity FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND l.lanname NOT IN ('c', 'internal')
  AND {mentions} AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
      AND d.deptype = 'e')
ORDER BY 1"""
OF_TRIGGERS = (
    "EXISTS (SELECT FROM pg_trigger g WHERE g.tgfoid = p.oid AND g.tgrelid = {relation}::regclass)"
)


class Found(NamedTuple):
    """What one of two names has: in how many rows, and in how many the other has not the same."""

    name: str
    filled: int
    more: int


def rename(table: ComparedTable) -> None:
    """Rename in an instant; refuse where both names exist, as either may have what is wanted."""
    _refuse_both_tables(table)
    for name in table.desired.columns:
        _refuse_both_columns(table, name)
    if table.live.former is None:
        return
    if table.former.table != table.name:
        _table(table)
    for name, old in table.former.columns.items():
        if not _parents_rename(table, name, old):
            _change(table, Kind.RENAME_COLUMN, "COLUMN", name, old)
    for one in table.renamed:
        if one.table == table.name:
            _object(table, one)
    _warn(table)


def _parents_rename(table: ComparedTable, name: str, old: str) -> bool:
    """Return whether all parents of a table have the column, and the same is declared of theirs.

    The server renames it along with them.
    """
    of = table.live.shape.parents if table.live.columns[name].inherited else ()
    parents = [other for other in table.others.values() if other.present in of]
    return 0 < len(of) == sum(parent.former.columns.get(name) == old for parent in parents)


def before_the_run(table: ComparedTable) -> None:
    """Let the ways out that change a table begin with its renames, which come first in a run."""
    first = [
        sql
        for step in table.steps
        if step.kind.renames and not _is_its_parents(table, step)
        for sql in step.statements
    ]
    for number, refusal in enumerate(table.refusals):
        way_out = refusal.way_out
        if first and way_out.statements and not way_out.asks and refusal.lacks is None:
            typed = way_out._replace(statements=(*first, *way_out.statements))
            table.refusals[number] = refusal._replace(way_out=typed)


def _is_its_parents(table: ComparedTable, step: Step) -> bool:
    """Return whether a parent of the table has to do it; that is refused by itself."""
    return step.kind is Kind.RENAME_COLUMN and table.live.columns[step.name].inherited


def _table(table: ComparedTable) -> None:
    new, old = table.name, table.former.table
    table.step(
        Kind.RENAME_TABLE,
        new,
        f"it was {old}",
        [_rename_table(table.schema, old, new)],
        creates=True,
        undo=Undo(statements=(_rename_table(table.schema, new, old),), creates=True),
        change=(old, new),
    )
    _was(table, old)


def _change(table: ComparedTable, kind: Kind, what: str, name: str, old: str) -> None:
    """Rename a column or a constraint."""
    new, former = identifier(name), identifier(old)
    back = table.alter(f"RENAME {what} {new} TO {former}")
    leaves = (old,) if kind is Kind.RENAME_CONSTRAINT else ()
    statement = table.alter(f"RENAME {what} {former} TO {new}")
    undo = Undo(statements=(back,), leaves=leaves)
    table.step(kind, name, f"it was {old}", [statement], undo=undo, change=(old, name))
    _was(table, old)


def _object(table: ComparedTable, one: Renamed) -> None:
    """Rename a constraint or an index."""
    if one.constraint:
        _change(table, Kind.RENAME_CONSTRAINT, "CONSTRAINT", one.new, one.old)
    else:
        _index(table, one.new, one.old)
    others = {other.old for other in table.renamed if other.indexed and other.table != one.table}
    if one.indexed and one.new in others:  # until then, it is another table's
        table.steps[-1] = table.steps[-1]._replace(tried=())


def _index(table: ComparedTable, name: str, old: str) -> None:
    """Rename an index, which locks only the index, and SHARE UPDATE EXCLUSIVE at that."""
    statement, back = (
        f"ALTER INDEX {qualified(table.schema, one)} RENAME TO {identifier(other)}"
        for one, other in ((old, name), (name, old))
    )
    table.step(
        Kind.RENAME_INDEX,
        name,
        f"it was {old}",
        [statement],
        lock=Lock.SHARED,
        creates=True,
        undo=Undo(statements=(back,), lock=Lock.SHARED, creates=True, leaves=(old,)),
        tried=[statement],
        change=(old, name),
    )
    _was(table, old)


def _was(table: ComparedTable, old: str) -> None:
    table.steps[-1] = table.steps[-1]._replace(former=old)


def both_wanted(schema: str, live: Schema, given: Given) -> Plan:
    """Refuse a missing table if the models say that it was one that they have as well."""
    found = []
    for name in given.desired.tables:
        formers = declared(given.desired.tables[name].info)
        for old in formers if name not in live.relations else ():
            if old in live.tables and old in given.desired.tables:
                way_out = WayOut(BY_HAND, (_rename_table(schema, old, name),))
                what = WANTED.format(old=identifier(old))
                found.append(refused(schema, what, way_out, subject=f"{schema}.{name}"))
    return joined(found)


def _rename_table(schema: str, old: str, new: str) -> str:
    return f"ALTER TABLE {qualified(schema, old)} RENAME TO {identifier(new)}"


def _refuse_both_tables(table: ComparedTable) -> None:
    """Refuse a table that is there beside one of its former names."""
    for old in declared(table.models.tables[table.name].info):
        other = table.neighbours.get(old)
        if other is not None and other.kind in TABLES and old not in table.models.tables:
            _refuse_table(table, old)


def _refuse_table(table: ComparedTable, old: str) -> None:
    old_rows, new_rows = (_rows(table, name) for name in (old, table.former.table))
    aside = table.name if old_rows else old
    saved = free_name(aside, "_saved", table.relations)
    has = f"{identifier(table.name)} has {counted(new_rows, 'row')}, "
    table.refuse(
        "",
        BOTH.format(old=qualified(table.schema, old)),
        f"{has}{identifier(old)} has {counted(old_rows, 'row')}.",
        way_out=WayOut(EITHER, (_rename_table(table.schema, aside, saved),)),
    )


def _rows(table: ComparedTable, name: str) -> int:
    return int(table.ask(f"SELECT count(*) FROM {qualified(table.schema, name)}")[0][0])


def _refuse_both_columns(table: ComparedTable, name: str) -> None:
    """Refuse a column that is there beside one of its former names, or wanted beside it."""
    column = table.models.column(table.name, name)
    for old in declared(column.info) if column is not None else ():
        if old not in table.live.columns:
            continue
        if name not in table.live.columns:  # else the old one would have been renamed
            change = f"RENAME COLUMN {identifier(old)} TO {identifier(name)}"
            way_out = WayOut(BY_HAND, (table.alter(change),))
            table.refuse(name, WANTED.format(old=identifier(old)), way_out=way_out)
        elif old not in table.desired.columns:
            _refuse_column(table, old, name)


def _refuse_column(table: ComparedTable, old: str, new: str) -> None:
    differ = f"{identifier(old)}::text IS DISTINCT FROM {identifier(new)}::text"
    one, other = (_found(table, name, differ) for name in (new, old))
    # What the models say is the old one's, unless that has nothing of its own.
    aside = new if other.more else old
    unlike, total = table.count(differ), table.count()
    filled = [
        f"{identifier(it.name)} has a value in {rows_of(it.filled, total)}" for it in (one, other)
    ]
    shown = f"they differ in {counted(unlike, 'row')}{table.examples(differ, old)}"
    table.refuse(
        new,
        BOTH.format(old=identifier(old)),
        f"{', '.join(filled)}; {shown if unlike else 'they do not differ'}.",
        way_out=WayOut(EITHER, tuple(_set_aside(table, aside))),
    )


def _set_aside(table: ComparedTable, name: str) -> Iterator[str]:
    saved = free_name(name, "_saved", [*table.live.columns, *table.desired.columns])
    yield table.alter(f"RENAME COLUMN {identifier(name)} TO {identifier(saved)}")
    if table.live.columns[name].not_null and name not in table.key:
        yield table.alter_column(saved, "DROP NOT NULL")  # for INSERTs that do not name it


def _found(table: ComparedTable, name: str, differ: str) -> Found:
    filled = f"{identifier(name)} IS NOT NULL"
    return Found(name, table.count(filled), table.count(f"{filled} AND {differ}"))


def _warn(table: ComparedTable) -> None:
    """Warn of what does not follow a rename: clients, and the texts of functions."""
    old_names = ", ".join(_old_names(table))
    if not old_names:
        return
    fails = f"from its rename on, nobody finds {old_names}"
    table.warnings.append(f"{fails}: views and foreign keys follow it, deployed services do not")
    functions = ", ".join(_functions(table))
    if functions:
        table.warnings.append(f"{fails}, which the text of {functions} seems to mention")


def _old_names(table: ComparedTable) -> Iterator[str]:
    if table.former.table != table.name:
        yield table.present
    for old in table.former.columns.values():
        yield f"{table.present}.{identifier(old)}"


def _functions(table: ComparedTable) -> List[str]:
    """Return the functions whose text mentions an old name.

    That of a column only along with the table's, or in what a trigger of the table calls.
    """
    of_table = _mentions(table.former.table)
    of_triggers = OF_TRIGGERS.format(relation=literal(table.present))
    found = [of_table] if table.former.table != table.name else []
    for old in table.former.columns.values():
        found.append(f"{_mentions(old)} AND ({of_table} OR {of_triggers})")
    query = FUNCTIONS.format(mentions=f"({' OR '.join(found)})")
    return [function for (function,) in table.ask_catalog(query)]


def _mentions(name: str) -> str:
    """Return SQL that is true if a function's text has the word."""
    word = re.sub(r"(\W)", r"\\\1", name)
    pattern = rf"(^|\W){word}(\W|$)"
    return f"p.prosrc ~ {literal(pattern)}"
