"""What new types and values would break: whether the rows go on obeying their checks and keys."""

from converge.compare.duplicates import refuse_duplicates
from converge.compare.exclusions import refuse_conflicts
from converge.compare.obeying import refuse_violators
from converge.compare.raising import refuse_uncomputable
from converge.compare.table import ComparedTable
from converge.names import NEW_PREFIX
from converge.plan import WayOut
from converge.quoting import identifier
from converge.server.catalog import Constraint, Index


def keep_obeying(table: ComparedTable) -> None:
    """Refuse new values that would break a check, a key or a foreign key that the table has."""
    columns = table.live.columns
    changed = {name for name in columns if table.values[name] != identifier(name)}
    if table.refusals or not changed:
        return
    checks = table.copy.checks(table.type_changes)
    for name, live in table.live.constraints.items():
        if changed & set(live.columns or []) and not name.startswith(NEW_PREFIX):
            what = f"is {live.definition}, which new values would break."
            if live.kind == "c":
                _refuse_broken(table, name, what, live._replace(expression=checks[name]))
            elif live.kind == "f":
                _refuse_broken(table, name, what, live)
            elif live.kind == "x":
                refuse_conflicts(table, name, what, live)
            elif live.owned_index is not None:
                refuse_duplicates(table, name, what, live.owned_index)
    for name, index in table.live.indexes.items():
        reads = changed if index.expressions or index.predicate else set(index.columns or [])
        if index.valid and changed & reads:
            _refuse_index(table, name, index)


def unlogged(table: ComparedTable) -> None:
    """Warn of a table that a crash empties."""
    if table.live.persistence == "u":
        logged = WayOut(
            "This makes it last, and rewrites it:", (f"ALTER TABLE {table.present} SET LOGGED",)
        )
        warning = f"{table.relation} is UNLOGGED: a crash of the server empties it. {logged}"
        table.warnings.append(warning)


def _refuse_index(table: ComparedTable, name: str, index: Index) -> None:
    """Refuse if it can't be computed of a row as it will be, or of two alike and is unique."""
    what = f"is {index.definition}, which new values would break."
    if not refuse_uncomputable(table, name, what, index) and index.unique:
        refuse_duplicates(table, name, what, index)


def _refuse_broken(table: ComparedTable, name: str, what: str, live: Constraint) -> None:
    """Refuse if a row as it will be violates it; if that is unproven, a row that we write to."""
    touched = " OR ".join(f"{identifier(column)} IS NULL" for column in table.filled) or "false"
    where = "true" if live.valid else touched
    verbs = ("would violate", "would violate")
    refuse_violators(table, name, what, live, verbs=verbs, where=where)
