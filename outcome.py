"""What a run has done."""

from typing import List, NamedTuple, Optional, Sequence, Tuple

from database import Connection
from plan import Step


class Done(NamedTuple):
    """A step that was run, and how long that took, in seconds."""

    step: Step
    seconds: float


class Outcome:
    """What a run has done so far, and the connection that it goes on with."""

    def __init__(
        self,
        connection: Connection,
        tables: Sequence[str],
        stale: Optional[List[Tuple[str, str]]] = None,
    ) -> None:
        self.connection, self.tables = connection, tables
        self.stale = stale or []  # schema and name of the tables that want ANALYZE
        self.done: List[Done] = []
