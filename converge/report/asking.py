"""Asking a live database for a report, so that what it does not tell is a warning, no error."""

from typing import Any, Callable, List, Sequence, Tuple, TypeVar

import psycopg2

from converge.names import HISTORY_TABLE
from converge.server.connection import Connection
from converge.server.failures import first_line
from converge.server.messages import begin, rolled_back, rows
from converge.server.sql import statement

LONGEST_WAIT = 1.0  # seconds, for a lock; what takes longer is left out
T = TypeVar("T")


class Asking:
    """Asks about the schemas that are `shown`; only a lost connection raises."""

    def __init__(self, connection: Connection, shown: Sequence[str]) -> None:
        self.connection, self.shown = connection, shown
        self.warnings: List[str] = []

    def rows(self, what: str, sql: str) -> List[Tuple[Any, ...]]:
        """Return the rows of a query; none, and a warning, if `what` cannot be read."""
        opening = begin(self.connection, access="READ ONLY", lock_timeout=LONGEST_WAIT)
        return self._tried(what, lambda: rows(self.connection, opening + sql), [])

    def file(self, what: str, file: str, **values: Any) -> List[Tuple[Any, ...]]:
        """Return the rows of a query of this room, which knows `:schemas` and `:history`."""
        values = {"schemas": self.shown, "history": HISTORY_TABLE, **values}
        return self.rows(what, statement(f"report/{file}", **values))

    def _tried(self, what: str, ask: Callable[[], T], otherwise: T) -> T:
        """Return what is asked, or `otherwise` and a warning."""
        try:
            with rolled_back(self.connection):
                return ask()
        except psycopg2.Error as error:
            if self.connection.closed:
                raise
            self.warnings.append(f"{what} cannot be read: {first_line(error)}")
            return otherwise
