"""Helpers: constraints and indexes of ours that exist only between two steps, and stayed."""

from typing import List, NamedTuple, Sequence

from converge.names import NEW_PREFIX
from converge.server.connection import Connection
from converge.server.messages import ask
from converge.server.sql import statement


class Helper(NamedTuple):
    """What a step made for another one, on a table."""

    relation: str  # qualified and quoted
    noun: str  # constraint or index
    name: str
    forbids: bool  # a row that was allowed before
    drop: str


def helpers(connection: Connection, relations: Sequence[str]) -> List[Helper]:
    """Return what is to take another's place, or to prove something, on these tables."""
    query = statement("server/helpers.sql", relations=relations, prefix=NEW_PREFIX)
    return [Helper(*found) for found in ask(connection, query)]
