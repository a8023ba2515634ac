"""Citus, where a database outgrows one server: tenants' schemas are distributed over workers.

https://docs.citusdata.com/en/stable/admin_guide/cluster_management.html#schema-based-sharding
"""

from typing import FrozenSet, NamedTuple, Optional, Sequence, Tuple

from converge.plan import WayOut
from converge.quoting import identifier, literal
from converge.server.connection import Connection
from converge.server.messages import READ_COMMITTED, rows
from converge.server.sql import statement

OLDEST = 12  # the first that can distribute a schema


class Citus(NamedTuple):
    """What Citus makes of a database, as `ask_citus` tells it."""

    coordinator: Optional[Tuple[str, int]] = None  # host and port, where this server is a worker
    distributes: bool = False  # each new schema, when it is created
    distributed: FrozenSet[str] = frozenset()  # those of POSTGRES_SCHEMAS that are
    # The tables in these, by schema and name, of which rows are on the coordinator, too.
    copies: FrozenSet[Tuple[str, str]] = frozenset()


def off_the_worker(schema: str) -> WayOut:
    """Return the way out of what Citus does not do: without it, a run does it."""
    name = literal(identifier(schema))
    both = (f"SELECT citus_schema_{way}({name})" for way in ("undistribute", "distribute"))
    advice = "In a maintenance window, take the schema off its worker, run again, distribute it:"
    return WayOut(advice, tuple(both))


def ask_citus(connection: Connection, schemas: Sequence[str]) -> Citus:
    """Ask a server that has Citus what it is, in one round trip."""
    query = statement("server/citus.sql", schemas=schemas)
    coordinator, distributes, distributed, copies = rows(connection, READ_COMMITTED + query)[0]
    return Citus(
        coordinator and tuple(coordinator),
        distributes,
        frozenset(distributed),
        frozenset((schema, table) for schema, table in copies),
    )
