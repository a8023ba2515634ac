"""Which database this is: what two of them differ in, also where they have one name."""

from contextlib import suppress
from typing import NamedTuple, Optional

from psycopg2 import errors

from converge.server.connection import Connection
from converge.server.messages import rows

# To the microsecond, and as JSON has times (RFC 3339).
NOW = "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')"
PLACE = f"SELECT datname, oid::bigint, {NOW} FROM pg_database WHERE datname = current_database()"
# A whole server's, standbys included; some providers keep it to themselves.
SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"


class Place(NamedTuple):
    """A database; `system` is None where the role may not ask for its server's number."""

    name: str
    oid: int
    system: Optional[str] = None

    def is_another(self, other: "Place") -> bool:
        """Return whether the other one can't be the same."""
        known = self.system and other.system
        return self[:2] != other[:2] or bool(known and self.system != other.system)

    def __str__(self) -> str:
        return f"{self.name} (oid {self.oid}, system {self.system or 'unknown'})"


class Moment(NamedTuple):
    """A database, and the time by its server's clock, as RFC 3339 has it."""

    place: Place
    time: str


def here_and_now(connection: Connection) -> Moment:
    """Return where a connection leads, in one round trip or two."""
    [(name, oid, time)] = rows(connection, PLACE)
    system = None
    with suppress(errors.InsufficientPrivilege, errors.UndefinedFunction):
        [(system,)] = rows(connection, SYSTEM)
    return Moment(Place(name, oid, system), time)
