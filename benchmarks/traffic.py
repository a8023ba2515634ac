"""Traffic on a live table: readers and writers of `dishes_day`, each a process of its own."""

import multiprocessing
import os
import time
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing, contextmanager
from typing import Iterator, List, NamedTuple

import psycopg2
import psycopg2.extensions
from psycopg2 import errors

from benchmarks import bench
from tools.embedded import Server

DATABASE = "phase"
CLIENTS = 8  # half of them read, half of them write
CLIENT_NAME = "client"
PER_SECOND = 40  # statements of each
SETTLE_SECONDS = 2.0  # between the clients' start and the work
FIRST_TIME = 1_600_000_000  # epoch seconds; a row a minute
OLD_COLUMNS = "time, date, dish_name, estimated_avg_calories, ingredients, total_avg_weight"

READS = (
    "SELECT * FROM dishes_day WHERE time = %(known)s",
    "SELECT time, dish_name FROM dishes_day ORDER BY time DESC LIMIT 20",
)
CHANGE = "UPDATE dishes_day SET total_avg_weight = total_avg_weight + 1 WHERE time = %(known)s"
# Of a service that does not know the new columns, and of the next one, which takes over as soon as
# the first one fails: once there are the columns, the models want values.
VALUES = "%(new)s, '2026-01-01', 'soup', 100, '{water}', 300"
OLD_ENTRY = f"INSERT INTO dishes_day ({OLD_COLUMNS}) VALUES ({VALUES})"
NEW_COLUMNS, NEW_VALUES = "user_email, contains", "'test@example.com', '{}'"
NEW_ENTRY = f"INSERT INTO dishes_day ({OLD_COLUMNS}, {NEW_COLUMNS}) VALUES ({VALUES}, {NEW_VALUES})"


class Wait(NamedTuple):
    """One statement of a client, in seconds."""

    due: float
    waited: float
    wrote: bool
    failed: bool


class Client:
    """Knows what to send next. No two clients write the same new row."""

    def __init__(self, number: int, rows: int, *, again: bool) -> None:
        self.number, self.rows, self.count = number, rows, 100_000 * again
        self.writes = number % 2 == 1
        self.entries = [OLD_ENTRY, NEW_ENTRY]

    def send(self, cursor: psycopg2.extensions.cursor) -> bool:
        """Send a statement and return whether it succeeded."""
        self.count += 1
        turn = self.count % 2
        statement = (CHANGE, self.entries[0])[turn] if self.writes else READS[turn]
        known = (self.count * 7919 + self.number * 104_729) % self.rows + 1
        new = self.rows + 1 + CLIENTS * self.count + self.number
        times = {"known": FIRST_TIME + 60 * known, "new": FIRST_TIME + 60 * new}
        try:
            cursor.execute(statement, times)
        except (errors.NotNullViolation, errors.UndefinedColumn):
            self.entries.reverse()
            return False
        except errors.CheckViolation:  # of a row that is not backfilled yet
            return False
        if cursor.description:
            cursor.fetchall()
        return True


def work_until(stop: str, host: str, user: str, client: Client) -> List[Wait]:
    """Be a client, at an even pace, until there is a file named `stop`."""
    waits: List[Wait] = []
    name = f"{CLIENT_NAME} {client.number}"
    connection = psycopg2.connect(host=host, user=user, dbname=DATABASE, application_name=name)
    connection.autocommit = True
    with closing(connection), connection.cursor() as cursor:
        due = time.monotonic() + client.number / CLIENTS / PER_SECOND
        while not os.path.exists(stop):
            time.sleep(max(0.0, due - time.monotonic()))
            succeeded = client.send(cursor)
            waits.append(Wait(due, time.monotonic() - due, client.writes, not succeeded))
            due += 1 / PER_SECOND
    return waits


@contextmanager
def traffic(server: Server, clients: List[Client], waits: List[Wait]) -> Iterator[None]:
    """Let the clients work during the block; afterwards `waits` gets all that they saw."""
    spawn = multiprocessing.get_context("spawn")
    with bench.scratch() as directory, ProcessPoolExecutor(CLIENTS, mp_context=spawn) as pool:
        stop = directory / "stop"
        where = (str(stop), server.host, server.user)
        results = [pool.submit(work_until, *where, client) for client in clients]
        try:
            wait_until_connected(server, results)
            time.sleep(SETTLE_SECONDS)
            yield
        finally:
            stop.touch()
        for result in results:
            waits += result.result()


def wait_until_connected(server: Server, results: "List[Future[List[Wait]]]") -> None:
    count = f"SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '{CLIENT_NAME}%'"
    while bench.ask(server, count) != CLIENTS:
        for result in results:
            if result.done():
                result.result()  # raises what ended the client
        time.sleep(0.1)
