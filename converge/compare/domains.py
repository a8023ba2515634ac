"""The safety rule for a new column of a domain: it may refuse what existing rows get.

https://www.postgresql.org/docs/current/sql-createdomain.html
"""

import psycopg2

from converge.compare.table import ComparedTable
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
