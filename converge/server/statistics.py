"""The planner's statistics: which are stale, and ANALYZE."""

from typing import List, Sequence, Tuple

from converge.quoting import qualified
from converge.server.connection import Connection
from converge.server.messages import rows, transaction
from converge.server.sql import statement


def stale(
    connection: Connection, schemas: Sequence[str], tables: Sequence[str]
) -> List[Tuple[str, str]]:
    """Return schema and name of the tables never analyzed, or changed a lot since."""
    query = statement("server/stale.sql", schemas=schemas, tables=tables)
    return [(schema, table) for schema, table in rows(connection, query)]


def analyze(connection: Connection, tables: Sequence[Tuple[str, str]]) -> List[str]:
    """ANALYZE tables, given as schema and name, and return the server's warnings.

    Tables that are locked are left to the next run or to autovacuum: it never waits.
    https://www.postgresql.org/docs/current/sql-analyze.html (SKIP_LOCKED)
    """
    if not tables:
        return []
    del connection.notices[:]
    listed = ", ".join(qualified(schema, table) for schema, table in tables)
    transaction(connection, [f"ANALYZE (SKIP_LOCKED) {listed}"])
    # DEBUG and LOG come if client_min_messages asks for them.
    return [n.strip() for n in connection.notices if not n.startswith(("DEBUG", "LOG"))]
