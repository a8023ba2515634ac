"""The safety rules for columns of a domain: it may refuse what existing rows get or have.

https://www.postgresql.org/docs/current/sql-createdomain.html
"""

import psycopg2

from converge.compare.raising import RAISED, refuse_raising
from converge.compare.rows import ask_ahead
from converge.compare.table import ColumnPair, ComparedTable
from converge.names import TRIAL_TABLE
from converge.plan import WayOut
from converge.quoting import qualified
from converge.server.catalog import Column
from converge.server.failures import is_transient, said

ONE_ROW = f"CREATE TEMP TABLE {TRIAL_TABLE} (); INSERT INTO pg_temp.{TRIAL_TABLE} DEFAULT VALUES"
WAY_OUT = WayOut(
    "Let the models say a default, or a value that is the same for all rows as the backfill, that "
    "it takes; then run again."
)


def default_of_domain(table: ComparedTable, column: Column) -> str:
    """Return what rows get in a new column without a default, as SQL: its domain may have one."""
    for name, known in table.types.items():
        if column.type == qualified(table.schema, name) and known.default is not None:
            return known.default
    return "NULL"


def refuse_by_domain(table: ComparedTable, name: str, addition: str) -> bool:
    """Refuse to add a column if the server does not take that for a table with a row."""
    added = f"ALTER TABLE pg_temp.{TRIAL_TABLE} {addition}"
    try:
        table.ask(f"SET TRANSACTION READ WRITE; {ONE_ROW}; {added}; SELECT 1")
    except (psycopg2.DataError, psycopg2.IntegrityError) as error:
        if is_transient(error):
            raise
        if not table.has_rows():
            return False
        what = "is missing; its type refuses what existing rows would get."
        table.refuse(name, what, f"The server says: {said(error)}.", way_out=WAY_OUT)
        return True
    return False


def refuse_misfits(table: ComparedTable, pair: ColumnPair, using: str) -> bool:
    """Refuse a domain as the type of a column if it refuses the value that some row would get."""
    domains = [qualified(table.schema, n) for n, known in table.types.items() if known.kind == "d"]
    if pair.desired.type not in domains:
        return False
    try:
        ask_ahead(table, f"SELECT count({using}) FROM {table.rows()}")
    except RAISED as error:
        refuse_raising(table, pair.name, f"{pair.differs}.", using, error, columns=[pair.name])
        return True
    return False
