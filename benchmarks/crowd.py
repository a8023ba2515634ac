"""How long fifty runs wait that start together, and their clients: `python benchmarks/crowd.py`.

Once on an empty database and once on an earlier state, in which a client reads and another writes
all the time. Beside it stands what the clients wait for when nothing is to be done, but as many
processes start. `--runs` says how many.
"""

import argparse
import multiprocessing
import os
import sys
import time
from contextlib import closing, suppress
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Optional, Sequence

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from psycopg2 import errors

from benchmarks import bench
from converge.text import table
from tests.support.crowd import Crowd
from tools.embedded import Server

STATES = Path(__file__).parent.parent / "tests" / "support" / "states"
STATE = "late_2024"
RUNS = 50
PAUSE_SECONDS = 0.01  # between two statements of a client
CLIENTS = ("SELECT count(*) FROM weight", "UPDATE weight SET weight = weight + 1 WHERE time > 0")
HEAD = ("state", "runs", "exit 0", "all after s", "work s", "beyond it s", "a client waited s")


def main() -> None:
    parser = argparse.ArgumentParser(description="Fifty runs at once, and their clients.")
    parser.add_argument("--runs", type=int, default=RUNS)
    runs = parser.parse_args().runs
    with bench.private_server("fsync=off", f"max_connections={2 * runs + 20}") as server:
        rows = [measure(server, state, runs) for state in ("empty", STATE)]
        rows.append(measure(server, "nothing to do", runs))
    print(table(HEAD, rows))


def measure(server: Server, state: str, runs: int) -> Sequence[object]:
    """Start the runs together; the clients are at work where there are tables for them."""
    if state != "nothing to do":
        bench.fresh(server, "crowd")
    clients: Sequence[str] = CLIENTS if state != "empty" else ()
    if state == STATE:
        bench.execute(server, "crowd", (STATES / f"{STATE}.sql").read_text("utf-8"))
    ended: Event = multiprocessing.Event()
    waits: Queue[float] = multiprocessing.Queue()
    processes = [
        multiprocessing.Process(target=client, args=(server, statement, ended, waits))
        for statement in clients
    ]
    for process in processes:
        process.start()
    with bench.scratch() as directory:
        started = time.monotonic()
        crowd = Crowd(directory, [bench.job_environment(server, "crowd")] * runs)
        codes = crowd.join()
        seconds = time.monotonic() - started
        ended.set()
        longest = max([waits.get() for _ in processes], default=None)
        work = crowd.work_seconds()
        beyond = crowd.longest_wait() if work else 0.0
    return (state, runs, codes.count(0), *map(rounded, (seconds, work, beyond, longest)))


def client(server: Server, statement: str, ended: Event, waits: "Queue[float]") -> None:
    """Send a statement over and over, and tell how long the longest one took."""
    longest = 0.0
    with closing(bench.connect(server, "crowd")) as connection, connection.cursor() as cursor:
        while not ended.wait(PAUSE_SECONDS):
            started = time.monotonic()
            with suppress(errors.CheckViolation):  # of a row that is not backfilled yet
                cursor.execute(statement)
            longest = max(longest, time.monotonic() - started)
    waits.put(longest)


def rounded(seconds: Optional[float]) -> str:
    return "-" if seconds is None else f"{seconds:.2f}"


if __name__ == "__main__":
    main()
