"""The run lock, once that of an earlier run is gone: it ends with its connection, in a moment."""

from contextlib import contextmanager
from typing import Iterator

from converge.server import locks
from converge.server.connection import Connection
from converge.settings.variables import Settings


@contextmanager
def run_lock(control: Connection, settings: Settings) -> Iterator[Connection]:
    """Yield the connection to work on."""
    while True:
        with locks.run_lock(control, settings) as work:
            if work is not None:
                yield work
                return
