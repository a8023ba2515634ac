"""Refusals that several rules share: a name is taken, something is used, rows are in the way."""

from typing import Mapping, Optional, Sequence, Tuple

from converge.compare.table import ComparedTable
from converge.names import free_name
from converge.plan import OUT_OF_THE_WAY, WayOut
from converge.quoting import identifier, literal, qualified
from converge.text import counted, rows_of

# What a name may belong to, in SQL: as in `pg_class.relkind`, and `c` for a type.
KINDS = {
    "r": "TABLE",
    "p": "TABLE",
    "v": "VIEW",
    "m": "MATERIALIZED VIEW",
    "f": "FOREIGN TABLE",
    "S": "SEQUENCE",
    "i": "INDEX",
    "I": "INDEX",
    "c": "TYPE",
}


def refuse_used(table: ComparedTable, name: str, what: str, used_by: Sequence[str]) -> None:
    """Refuse to change what other objects rely on."""
    why = f"It is used by {', '.join(used_by)}."
    table.refuse(name, what, why, way_out=OUT_OF_THE_WAY)


def refuse_rows(
    table: ComparedTable, name: str, what: str, bad: int, verbs: Tuple[str, str], condition: str
) -> None:
    """Refuse because of rows: how many, some of them, and the query that finds all."""
    found = f"{rows_of(bad, table.count())} {verbs[bad != 1]}"
    why = f"{found}{table.examples(condition, name)}."
    table.refuse(name, what, why, way_out=table.find(condition, [name]))


def refuse_taken(table: ComparedTable, name: str, wanted: str) -> None:
    """Refuse because a name that is needed belongs to something else."""
    what = f"needs {wanted} named {name}, but something else has that name."
    if name in table.relations:
        way_out = rename(table.schema, name, table.relations)
    else:
        new = identifier(free_name(name, "_old", table.live.constraints))
        change = f"RENAME CONSTRAINT {identifier(name)} TO {new}"
        way_out = WayOut("Rename the constraint:", (table.alter(change),))
    table.refuse("", what, way_out=way_out)


def refuse_large(
    table: ComparedTable,
    name: str,
    what: str,
    statements: Sequence[str],
    *,
    does: str = "rewrites",
    relation: Optional[str] = None,
) -> bool:
    """Refuse to rewrite or read more rows than REWRITE_MAX_ROWS under the lock.

    They are the table's, or of a `relation` that refers to it.
    """
    large, limit = relation or table.present, table.settings.rewrite_max_rows
    rows = int(table.ask(f"SELECT count(*) FROM {large}")[0][0])
    if rows <= limit:
        return False
    query = f"SELECT pg_size_pretty(pg_total_relation_size({literal(large)}))"
    size = table.ask_catalog(query)[0][0]
    table.refuse(
        name,
        what,
        f"That {does} {relation or 'the table'} while everybody waits: "
        f"{counted(rows, 'row')}, {size}; REWRITE_MAX_ROWS is {limit:,}.",
        way_out=WayOut(
            f"In a maintenance window, run with REWRITE_MAX_ROWS={rows}, or type:",
            tuple(statements),
        ),
    )
    return True


def rename(schema: str, name: str, relations: Mapping[str, str]) -> WayOut:
    """Return the way out where one of the relations or types has the name that is needed."""
    new, what = identifier(free_name(name, "_old", relations)), KINDS[relations[name]]
    statement = f"ALTER {what} {qualified(schema, name)} RENAME TO {new}"
    return WayOut(f"Rename the {what.lower()}:", (statement,))
