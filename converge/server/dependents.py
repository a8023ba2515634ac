"""What depends on what is to be dropped, so that the server would refuse it."""

from typing import Dict, List, Sequence, Tuple

from converge.server.connection import Connection
from converge.server.messages import rows, unhindered
from converge.server.sql import statement

Dropped = Tuple[str, str]  # a relation, qualified and quoted; a column of it, or empty: the whole


def dependents(connection: Connection, dropped: Sequence[Dropped]) -> Dict[Dropped, List[str]]:
    """Return what keeps each of these from being dropped, when all of them are.

    What goes with one of them, such as an index, or a foreign key of another that is dropped too,
    does not. What is gone already has none. Asks for `pg_depend` as DROP does, without CASCADE.
    """
    if not dropped:
        return {}
    query = statement(
        "server/dependents.sql",
        relations=[relation for relation, _ in dropped],
        columns=[column for _, column in dropped],
    )
    found = rows(connection, unhindered(connection) + query)
    return {(relation, column): users for relation, column, users in found}
