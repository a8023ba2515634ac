"""The safety rules for a column's type: left alone, changed in the catalog, or rewritten."""

import re
from typing import List, Optional, Tuple

from converge.compare import conversions
from converge.compare import desired as ddl
from converge.compare import existing as trial
from converge.compare.table import FROM_A_SEQUENCE, Difference
from converge.plan import Lock
from converge.server.catalog import Column
from converge.text import counted

FOREIGN_KEY = "constraint "  # how the server describes one; it takes a new type without a rewrite


def change_type(table: Difference, name: str, live: Column, desired: Column) -> None:
    """Change a column's type where every row is proven to fit."""
    if live.type == desired.type:
        return
    if conversions.holds(live.type, desired.type):
        table.notes.append(
            f"{table.relation}.{ddl.quote(name)} is {live.type}, which holds every {desired.type}"
        )
        return
    what = f"is {live.type}, the model says {desired.type}."
    rewrite = conversions.rewrites(live.type, desired.type)
    used_by = [user for user in live.used_by or [] if rewrite or not user.startswith(FOREIGN_KEY)]
    known = conversions.conversion(live.type, desired.type)
    if known is None:
        refuse_type(table, name, what, desired.type)
    elif used_by:
        table.refuse_used(name, what, used_by)
    else:
        using, fits = (part.format(c=ddl.quote(name)) for part in known)
        _convert(table, name, live, desired, using, fits)


def _convert(
    table: Difference, name: str, live: Column, desired: Column, using: str, fits: str
) -> None:
    """Change the type if every row fits, the table is small enough and the server agrees."""
    what = f"is {live.type}, the model says {desired.type}."
    rewrite = conversions.rewrites(live.type, desired.type)
    statement = table.alter_column(name, f"TYPE {desired.type} USING {using}")
    misfits = f"{ddl.quote(name)} IS NOT NULL AND NOT ({fits})"
    bad = 0 if fits == conversions.ALWAYS else table.count(misfits)
    if bad:
        table.refuse_rows(name, what, bad, ("does not convert", "do not convert"), misfits)
        return
    if rewrite and too_large(table, name, what, statement):
        return
    statements = _around_default(table, name, live, desired, statement)
    if trial.refused(table, name, what, statements):
        return
    table.values[name] = f"({using})"
    undo, guard = _type_undo(table, name, live, desired)
    table.step(
        "change type",
        name,
        what[:-1],
        statements,
        lock=Lock.REWRITE if rewrite else Lock.INSTANT,
        undo=undo,
        guard=guard,
        undo_lock=Lock.REWRITE if conversions.rewrites(desired.type, live.type) else Lock.INSTANT,
    )


def _around_default(
    table: Difference, name: str, live: Column, desired: Column, statement: str
) -> List[str]:
    """Return the statement with what takes away a default that the server can't cast with it."""
    if live.default is None or conversions.casts_defaults(live.type, desired.type):
        return [statement]
    before = [table.alter_column(name, "DROP DEFAULT"), statement]
    if desired.default_sql is None:
        return before
    return [*before, table.alter_column(name, f"SET DEFAULT {desired.default_sql}")]


def _type_undo(
    table: Difference, name: str, live: Column, desired: Column
) -> Tuple[List[str], Optional[str]]:
    """Return what changes the type back, and the count of rows that then would not fit."""
    known = conversions.conversion(desired.type, live.type)
    column = ddl.quote(name)
    if known is None:
        no_way = table.alter_column(name, f"TYPE {live.type} USING NULL::{live.type}")
        return [no_way], f"SELECT count(*) FROM {table.relation} WHERE {column} IS NOT NULL"
    using, fits = (part.format(c=column) for part in known)
    if desired.type == "date" and re.fullmatch(conversions.TEXT, live.type):
        former = table.count(conversions.FORMER_SHAPE.format(c=column))
        iso = table.count(conversions.ISO_SHAPE.format(c=column))
        using = using.replace("YYYY-MM-DD", "DD-MM-YYYY") if former > iso else using
    undo = [table.alter_column(name, f"TYPE {live.type} USING {using}")]
    if live.default_sql is not None and live.default != FROM_A_SEQUENCE:
        undo.insert(0, table.alter_column(name, "DROP DEFAULT"))
        undo.append(table.alter_column(name, f"SET DEFAULT {live.default_sql}"))
    misfits = f"{column} IS NOT NULL AND NOT ({fits})"
    return undo, f"SELECT count(*) FROM {table.relation} WHERE {misfits}"


def refuse_type(table: Difference, name: str, what: str, desired: str) -> None:
    alter = table.alter_column(name, f"TYPE {desired} USING …")
    table.refuse(
        name,
        what,
        "No conversion is known that is right for every row.",
        way_out=f"Convert it by hand, in a maintenance window:\n    {alter};",
    )


def too_large(table: Difference, name: str, what: str, statement: str) -> bool:
    """Refuse a rewrite of more rows than REWRITE_MAX_ROWS."""
    rows, limit = table.count(), table.settings.rewrite_max_rows
    if rows <= limit:
        return False
    relation = ddl.text_literal(table.relation)
    size = table.ask(f"SELECT pg_size_pretty(pg_total_relation_size({relation}))")[0][0]
    table.refuse(
        name,
        what,
        f"That rewrites the table while everybody waits: {counted(rows, 'row')}, {size}; "
        f"REWRITE_MAX_ROWS is {limit:,}.",
        way_out=f"Raise it for one run, or in a maintenance window:\n    {statement};",
    )
    return True
