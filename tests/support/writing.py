"""A client that writes all the time, and remembers what the server has taken."""

import threading
from contextlib import contextmanager, suppress
from typing import Dict, Iterator

import psycopg2

from tests.support.database import Database

INSERT = """INSERT INTO weight (time, date, weight, user_email)
VALUES (%s, '2025-01-02', 1.5, 'w') RETURNING weight::float"""
UPDATE = "UPDATE weight SET weight = time / 4.0 WHERE time = %s RETURNING weight::float"
FIRST_TIME = 1_000_000
PAUSE_SECONDS = 0.002

Written = Dict[int, float]


@contextmanager
def writing(database: Database) -> Iterator[Written]:
    """Write while the block runs: each row once new and once changed; yield time and weight.

    What the server refuses, as it may while a column is missing, is not remembered.
    """
    written: Written = {}
    stop = threading.Event()
    # Before the block: libpq reads the environment, which a run in the main thread may be setting;
    # getenv(3) then crashes now and then.
    connection = database.connect(application_name="client")

    def write() -> None:
        with connection.cursor() as cursor:
            number = FIRST_TIME
            while not stop.wait(PAUSE_SECONDS):
                number += 1
                for sql in (INSERT, UPDATE):
                    with suppress(psycopg2.Error):
                        cursor.execute(sql, (number,))
                        written.update((number, value) for (value,) in cursor.fetchall())
        connection.close()

    client = threading.Thread(target=write)
    client.start()
    try:
        yield written
    finally:
        stop.set()
        client.join()


def kept(database: Database, written: Written) -> bool:
    """Return whether each row that the client wrote has the value that it was told it has."""
    query = "SELECT time::integer, weight::float FROM weight WHERE time BETWEEN %s AND %s"
    return not written or dict(database.rows(query, (FIRST_TIME, 2 * FIRST_TIME))) == written
