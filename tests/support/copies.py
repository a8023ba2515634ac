"""Earlier states of the platform, and copies of databases."""

import itertools
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from tests.support.database import Database, copy, drop

STATES = Path(__file__).parent / "states"
COPIES = itertools.count(1)


def load(database: Database, state: str) -> None:
    """Bring an empty database to a state of `STATES`; "empty" leaves it so."""
    if state != "empty":
        database.execute((STATES / f"{state}.sql").read_text("utf-8"))


@contextmanager
def copy_of(database: Database) -> Iterator[Database]:
    """A database of the same content."""
    twin = Database(database.server, f"{database.name}_{next(COPIES)}")
    copy(database, database.name, twin.name)
    try:
        yield twin
    finally:
        twin.close()
        drop(database, twin.name)
