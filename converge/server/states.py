"""The states of schemas: two that are in the same state are one thing to a comparison.

A state does not depend on a schema's name, on oids, nor on the order in which things were made. It
comes from the catalog alone: what depends on rows is not in it.
"""

from typing import Dict, NamedTuple, Sequence

from converge.names import HISTORY_TABLE
from converge.plan import Managed
from converge.server.connection import Connection
from converge.server.messages import rows, unhindered
from converge.server.sql import statement

# Beside what `unhindered` sets: in what else the server's words follow the session.
WORDS = {"TimeZone": "'UTC'", "bytea_output": "hex", "lc_monetary": "'C'"}


class State(NamedTuple):
    """Hashes that are equal where nothing differs that they are of."""

    managed: str  # what the comparison reads of what the models describe
    around: str  # what else a plan may depend on: other names, their owners, the role's rights


def states(connection: Connection, schemas: Sequence[str], managed: Managed) -> Dict[str, State]:
    """Return the states of the schemas that exist, by name; in one round trip.

    What changes while it is read may be in it or not: read it before what it is to stand for.
    """
    values = {"schemas": schemas, "history": HISTORY_TABLE, **managed._asdict()}
    query = statement("server/states.sql", **values)
    found = rows(connection, alike(connection) + query)
    return {schema: State(managed, around) for schema, managed, around in found}


def alike(connection: Connection) -> str:
    """Return what makes the server word the same state in the same way, whoever asks."""
    settings = "".join(f"SET LOCAL {name} = {value}; " for name, value in WORDS.items())
    return unhindered(connection) + settings
