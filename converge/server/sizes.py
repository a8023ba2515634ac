"""How large tables are, as the server estimates it without reading them."""

from typing import Dict, NamedTuple, Optional, Sequence, Tuple

from psycopg2 import errors

from converge.server.connection import Connection
from converge.server.messages import ask
from converge.server.sql import statement

MOST = 2_000  # tables that are opened; the session keeps some 10 kB of each
# To open one takes a lock for an instant; a plan is not worth waiting for whoever rewrites it.
NO_WAIT = "SET LOCAL lock_timeout = '200ms'; "


class Size(NamedTuple):
    """Of a table with all its partitions and children."""

    rows: Optional[int]  # an estimate; None before it was ever analyzed
    bytes: int  # with what is stored out of line, without indexes


def sizes(
    connection: Connection, schemas: Sequence[str], tables: Sequence[str]
) -> Dict[Tuple[str, str], Size]:
    """Return the sizes by schema and table, of those that there are; in one query.

    It is empty where somebody holds a lock on one of them for long. What nothing is known of is
    missing: with Citus, what has its rows on workers, and of very many, what nobody analyzed.
    """
    if not tables:
        return {}
    query = statement("server/sizes.sql", schemas=schemas, tables=tables, most=str(MOST))
    try:
        found = ask(connection, NO_WAIT + query)
    except errors.LockNotAvailable:
        return {}
    known = {(schema, table): Size(*size) for schema, table, *size in found}
    empty = not connection.citus
    return {at: size for at, size in known.items() if size.bytes or (empty and size.rows == 0)}
