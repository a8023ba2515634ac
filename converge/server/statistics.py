"""The planner's statistics: which are stale, and ANALYZE."""

from typing import List, Sequence, Tuple

from converge.quoting import qualified
from converge.server.connection import Connection
from converge.server.messages import rows, transaction
from converge.server.sql import statement

# Of one transaction, which keeps the locks of all of them and of their indexes: there are 64 for
# each connection that the server admits. (max_locks_per_transaction)
TABLES_AT_ONCE = 60


def stale(
    connection: Connection, schemas: Sequence[str], tables: Sequence[str]
) -> List[Tuple[str, str]]:
    """Return schema and name of the tables never analyzed, or changed a lot since."""
    query = statement("server/stale.sql", schemas=schemas, tables=tables)
    return [(schema, table) for schema, table in rows(connection, query)]


def analyze(connection: Connection, tables: Sequence[Tuple[str, str]]) -> List[str]:
    """ANALYZE tables, given as schema and name, and return the server's warnings.

    Tables that are locked are left to the next run or to autovacuum: it never waits. If it fails,
    the statistics of the tables before stay.
    https://www.postgresql.org/docs/current/sql-analyze.html (SKIP_LOCKED)
    """
    warnings: List[str] = []
    for first in range(0, len(tables), TABLES_AT_ONCE):
        some = tables[first : first + TABLES_AT_ONCE]
        listed = ", ".join(qualified(schema, table) for schema, table in some)
        del connection.notices[:]
        transaction(connection, [f"ANALYZE (SKIP_LOCKED) {listed}"])
        # DEBUG and LOG come if client_min_messages asks for them.
        warnings += [n.strip() for n in connection.notices if not n.startswith(("DEBUG", "LOG"))]
    return warnings
