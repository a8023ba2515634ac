"""What new types and values would break: whether the rows go on obeying their checks and keys."""

from converge.compare.duplicates import refuse_duplicates
from converge.compare.obeying import violation
from converge.compare.table import ComparedTable
from converge.names import NEW_PREFIX
from converge.plan import WayOut
from converge.quoting import identifier
from converge.server.catalog import Constraint
from converge.text import counted


def keep_obeying(table: ComparedTable) -> None:
    """Refuse new values that would break a check, a key or a foreign key that the table has."""
    columns = table.live.columns
    changed = {name for name in columns if table.values[name] != identifier(name)}
    if table.refusals or not changed:
        return
    checks = table.try_on_a_copy(table.type_changes)
    for name, live in table.live.constraints.items():
        if changed & set(live.columns or []) and not name.startswith(NEW_PREFIX):
            if live.kind == "c":
                _refuse_broken(table, name, live, f"NOT ({checks[name]})")
            elif live.kind == "f":
                values = {column: identifier(column) for column in columns}
                _refuse_broken(table, name, live, violation(table.schema, live, values))
            else:
                what = f"is {live.definition}, which new values would break."
                refuse_duplicates(table, name, what, live.columns or [])
    for name, index in table.live.indexes.items():
        if index.unique and index.valid and changed & set(index.columns or []):
            what = f"is {index.definition}, which new values would break."
            refuse_duplicates(table, name, what, index.columns or [], index.predicate)


def unlogged(table: ComparedTable) -> None:
    """Warn of a table that a crash empties."""
    if table.live.persistence == "u":
        logged = WayOut("This makes it last, and rewrites it:", (table.alter("SET LOGGED"),))
        warning = f"{table.relation} is UNLOGGED: a crash of the server empties it. {logged}"
        table.warnings.append(warning)


def _refuse_broken(table: ComparedTable, name: str, live: Constraint, condition: str) -> None:
    """Refuse if the condition is true for a row as it will be; if unproven, for one we write to."""
    touched = " OR ".join(f"{identifier(column)} IS NULL" for column in table.filled) or "false"
    will_be = ", ".join(
        f"{value} AS {identifier(column)}"
        for column, value in table.values.items()
        if column in table.live.columns
    )
    rows = f"SELECT {will_be} FROM {table.relation} WHERE {'true' if live.valid else touched}"
    found = f"FROM ({rows}) AS rows WHERE {condition}"
    bad = int(table.ask(f"SELECT count(*) {found}")[0][0])
    if bad:
        table.refuse(
            name,
            f"is {live.definition}, which new values would break.",
            f"{counted(bad, 'row')} would violate it.",
            way_out=WayOut("Find them with:", (f"SELECT * {found}",)),
        )
