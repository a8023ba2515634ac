"""A client that writes all the time, and remembers what the server has taken."""

from contextlib import closing, contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Dict, Iterator

import psycopg2

from tests.support import forked
from tests.support.database import Database

INSERT = """INSERT INTO weight (time, date, weight, user_email)
VALUES (%s, '2025-01-02', 1.5, 'w') RETURNING weight::float"""
UPDATE = "UPDATE weight SET weight = time / 4.0 WHERE time = %s RETURNING weight::float"
FIRST_TIME = 1_000_000
PAUSE_SECONDS = 0.002

Written = Dict[int, float]


@contextmanager
def writing(
    database: Database, insert: str = INSERT, pause: float = PAUSE_SECONDS
) -> Iterator[Written]:
    """Write while the block runs: each row once new and once changed.

    `pause` is in seconds, between two. Behind the block, what has been yielded holds each row's
    time and weight. What the server refuses, as it may while a column is missing, is not
    remembered.

    The client is a process of its own: a run in this one sets psycopg2's wait callback, and where
    that is taken back in the moment of a query, the client is told of an error that the server
    knows nothing of.
    """
    written: Written = {}
    ours, theirs = Pipe()
    server = {**database.server, "dbname": database.name}
    client = forked.call(_write, server, insert, pause, theirs)
    theirs.close()
    assert ours.recv() == "connected"
    try:
        yield written
    finally:
        ours.send("stop")
        written.update(ours.recv())
        forked.join(client, seconds=60)


def _write(server: Dict[str, Any], insert: str, pause: float, test: Connection) -> None:
    written: Written = {}
    with closing(psycopg2.connect(**server, application_name="client")) as connection:
        connection.autocommit = True
        test.send("connected")
        cursor = connection.cursor()
        number = FIRST_TIME
        while not test.poll(pause):
            number += 1
            for sql in (insert, UPDATE):
                try:
                    cursor.execute(sql, (number,))
                except psycopg2.Error:
                    if connection.closed:
                        raise  # nobody knows what the server has done
                else:
                    written.update((number, value) for (value,) in cursor.fetchall())
    test.send(written)


def kept(database: Database, written: Written) -> bool:
    """Return whether each row that the client wrote has the value that it was told it has."""
    query = "SELECT time::integer, weight::float FROM weight WHERE time BETWEEN %s AND %s"
    return not written or dict(database.rows(query, (FIRST_TIME, 2 * FIRST_TIME))) == written
