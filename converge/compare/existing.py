"""What new types and values would break, found before anything is touched.

What depends on a column is rebuilt with its new type, on an empty copy of the table as on the live
one: the server says there if an expression index, an operator class or a generated column does not
go with it. Whether the rows go on obeying their checks and keys is asked of the rows.
"""

from typing import Dict, List

import psycopg2
from psycopg2 import errors

from converge.compare import desired as ddl
from converge.compare.constraints import violation
from converge.compare.table import NEW_PREFIX, OUT_OF_THE_WAY, Difference
from converge.console.advice import first_line
from converge.server.catalog import Constraint
from converge.text import counted

COPY = "eater_init_trial"  # exists only inside a transaction that is rolled back
CHECKS = f"""SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint
WHERE conrelid = 'pg_temp.{COPY}'::regclass AND contype = 'c'"""


def refused(table: Difference, name: str, what: str, statements: List[str]) -> bool:
    """Refuse statements that change a column's type if the server would."""
    try:
        _try_on_a_copy(table, statements)
    except errors.InsufficientPrivilege:
        raise
    except (psycopg2.ProgrammingError, psycopg2.NotSupportedError) as error:
        why = f"The server says: {first_line(error)}."
        table.refuse(name, what, why, way_out=OUT_OF_THE_WAY)
        return True
    return False


def _try_on_a_copy(table: Difference, statements: List[str]) -> Dict[str, str]:
    """Return the checks of an empty copy of the table that has been changed, by name."""
    made = f"CREATE TEMP TABLE {COPY} (LIKE {table.relation} INCLUDING ALL)"
    changes = [sql.replace(table.alter(""), f"ALTER TABLE pg_temp.{COPY} ") for sql in statements]
    return dict(table.ask("; ".join(["SET TRANSACTION READ WRITE", made, *changes, CHECKS])))


def keep_obeying(table: Difference) -> None:
    """Refuse new values that would break a check, a key or a foreign key that the table has."""
    columns = table.live.columns
    changed = {name for name in columns if table.values[name] != ddl.quote(name)}
    if table.refusals or not changed:
        return
    types = [step for step in table.steps if step.kind == "change type"]
    checks = _try_on_a_copy(table, [sql for step in types for sql in step.statements])
    for name, live in table.live.constraints.items():
        if changed & set(live.columns or []) and not name.startswith(NEW_PREFIX):
            if live.kind == "c":
                _refuse_broken(table, name, live, f"NOT ({checks[name]})")
            elif live.kind == "f":
                values = {column: ddl.quote(column) for column in columns}
                _refuse_broken(table, name, live, violation(table.schema, live, values))
            else:
                what = f"is {live.definition}, which new values would break."
                table.refuse_duplicates(name, what, live.columns or [])
    for name, index in table.live.indexes.items():
        if index.unique and index.valid and changed & set(index.columns or []):
            what = f"is {index.definition}, which new values would break."
            table.refuse_duplicates(name, what, index.columns or [], index.predicate)


def _refuse_broken(table: Difference, name: str, live: Constraint, condition: str) -> None:
    """Refuse if the condition is true for a row as it will be; if unproven, for one we write to."""
    filled = [ddl.quote(step.name) for step in table.steps if step.kind == "backfill"]
    touched = " OR ".join(f"{column} IS NULL" for column in filled) or "false"
    will_be = ", ".join(
        f"{value} AS {ddl.quote(column)}"
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
            f"It would be violated by {counted(bad, 'row')}.",
            way_out=f"Find them with:\n    SELECT * {found};",
        )
