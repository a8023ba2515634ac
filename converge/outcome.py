"""What a run has done."""

from typing import List, NamedTuple, Sequence

from converge.plan import Step
from converge.server.connection import Connection


class Done(NamedTuple):
    """A step that was run, and how long that took, in seconds."""

    step: Step
    seconds: float


class Outcome:
    """What a run has done so far, and the connection that it goes on with."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.tables: Sequence[str] = ()  # that the models know
        self.done: List[Done] = []
