"""How long clients wait while a live table is changed: `python benchmarks/stall.py`.

Readers and writers, each a process of its own, work on `dishes_day` while the same work is done on
it by the job and by plain statements: two columns added, two backfilled, three set NOT NULL, four
indexes built, the primary key moved. Each way once in calm and once behind a report that keeps a
transaction open; and then both once more, when there is nothing left to do. A wait counts from when
the statement was due, so that those which a client could not send for waiting count too.

`--rows` makes it shorter; `--log` shows what the job says, to lay beside "at s".
"""

import argparse
import os
import statistics
import sys
import threading
import time
from contextlib import closing, contextmanager
from typing import Callable, Iterator, List, NamedTuple, Sequence, Tuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from benchmarks import bench
from benchmarks.traffic import (
    CLIENTS,
    DATABASE,
    FIRST_TIME,
    OLD_COLUMNS,
    Client,
    Wait,
    traffic,
)
from converge.text import table
from tools.embedded import Server

ROWS = 1_000_000
CALM_SECONDS = 15.0
KEPT_OPEN_SECONDS = 10.0
AIM_MS = 300  # longer than the longest wait without a run
DRIFTED = "drifted"

# From what the models say, back to an earlier state with many rows.
DRIFT = f"""
ALTER TABLE dishes_day DROP COLUMN user_email, DROP COLUMN contains,
  DROP CONSTRAINT dishes_day_pkey, ALTER date DROP NOT NULL,
  ALTER estimated_avg_calories DROP NOT NULL, ALTER ingredients DROP NOT NULL;
DROP INDEX idx_dishes_day_date;
INSERT INTO dishes_day ({OLD_COLUMNS})
  SELECT t, CASE WHEN n % 10 > 0 THEN (to_timestamp(t) AT TIME ZONE 'UTC')::date END,
    'dish ' || n % 5000, CASE WHEN n % 20 > 0 THEN n % 900 END, '{{water,salt}}', n % 500
  FROM (SELECT n, {FIRST_TIME} + 60 * n AS t FROM generate_series(1, :rows) AS n) AS numbers;
ALTER TABLE dishes_day ADD PRIMARY KEY (time, dish_name);
VACUUM (FREEZE, ANALYZE)"""
# The job's work as it is often done, each statement in a transaction of its own.
PLAIN = """
ALTER TABLE dishes_day ADD COLUMN user_email varchar NOT NULL DEFAULT 'legacy@localhost',
  ADD COLUMN contains json NOT NULL DEFAULT '{}';
ALTER TABLE dishes_day ALTER user_email DROP DEFAULT, ALTER contains DROP DEFAULT;
UPDATE dishes_day SET date = (to_timestamp(time) AT TIME ZONE 'UTC')::date WHERE date IS NULL;
UPDATE dishes_day SET estimated_avg_calories = 0 WHERE estimated_avg_calories IS NULL;
ALTER TABLE dishes_day ALTER date SET NOT NULL, ALTER estimated_avg_calories SET NOT NULL,
  ALTER ingredients SET NOT NULL;
ALTER TABLE dishes_day DROP CONSTRAINT dishes_day_pkey, ADD PRIMARY KEY (time);
CREATE INDEX IF NOT EXISTS idx_dishes_day_user_email ON dishes_day (user_email);
CREATE INDEX IF NOT EXISTS idx_dishes_day_date ON dishes_day (date);
CREATE INDEX IF NOT EXISTS idx_dishes_day_user_date ON dishes_day (user_email, date);
CREATE INDEX IF NOT EXISTS idx_dishes_day_user_time ON dishes_day (user_email, time);
ANALYZE dishes_day"""
PLAIN_AGAIN = ";".join(sql for sql in PLAIN.split(";") if "IF NOT EXISTS" in sql)

REPORT = ("BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT FROM dishes_day LIMIT 1")
WRITER = ("BEGIN", "UPDATE dishes_day SET dish_name = dish_name WHERE time = 0")


class Phase(NamedTuple):
    """What to measure: work on a fresh copy or, if `again`, on what the last phase left."""

    title: str
    work: Callable[[Server, str], None]
    behind: Tuple[str, ...] = ()  # the transaction that is kept open
    again: bool = False


class Result(NamedTuple):
    """Of one phase: when the work began, how long it took, and every wait from then on."""

    began: float
    seconds: float
    waits: List[Wait]


@contextmanager
def kept_open(server: Server, statements: Sequence[str]) -> Iterator[None]:
    """Keep a transaction open, if there is one, for KEPT_OPEN_SECONDS and the block for longer."""
    if not statements:
        yield
        return
    with closing(bench.connect(server, DATABASE)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        end = threading.Timer(KEPT_OPEN_SECONDS, cursor.execute, ["COMMIT"])
        end.start()
        try:
            yield
        finally:
            end.join()


def measure(server: Server, phase: Phase, rows: int) -> Result:
    """Measure one phase."""
    if not phase.again:
        bench.fresh(server, DATABASE, like=DRIFTED)
    waits: List[Wait] = []
    clients = [Client(number, rows, again=phase.again) for number in range(CLIENTS)]
    with traffic(server, clients, waits):
        began = time.monotonic()
        with kept_open(server, phase.behind):
            phase.work(server, DATABASE)
            seconds = time.monotonic() - began
        ended = time.monotonic()
    return Result(began, seconds, [wait for wait in waits if began <= wait.due <= ended])


def rest(_: Server, __: str) -> None:
    time.sleep(CALM_SECONDS)


def plain(server: Server, database: str) -> None:
    bench.execute(server, database, *PLAIN.split(";"))


def plain_again(server: Server, database: str) -> None:
    bench.execute(server, database, *PLAIN_AGAIN.split(";"))


def job(server: Server, database: str) -> None:
    with bench.scratch() as directory:
        bench.run(bench.job(), bench.job_environment(server, database), directory)


def job_with_log(server: Server, database: str) -> None:
    """Run the job; its log, with exact times, goes to stderr."""
    environment = {**bench.job_environment(server, database), "LOG_FORMAT": "json"}
    with bench.scratch() as directory:
        bench.run(bench.job(), environment, directory, log=None)


def phases(run: Callable[[Server, str], None]) -> List[Phase]:
    """Return what is measured, in this order; `run` runs the job."""
    return [
        Phase("no run", rest),
        Phase("the job", run),
        Phase("the job again, behind a writer", run, WRITER, again=True),
        Phase("the job, behind a report", run, REPORT),
        Phase("plain", plain),
        Phase("plain again (IF NOT EXISTS), behind a writer", plain_again, WRITER, again=True),
        Phase("plain, behind a report", plain, REPORT),
    ]


HEAD = (
    "",
    "work s",
    "statements",
    "failed",
    "p50 ms",
    "p99 ms",
    "longest read",
    "longest write",
    "at s",
    "longer than calm",
)


def line(title: str, result: Result, calm: Result) -> Tuple[object, ...]:
    """Return a phase's line of the table."""
    waits = [wait.waited for wait in result.waits]
    cuts = statistics.quantiles(waits, n=100)
    worst = max(result.waits, key=lambda wait: wait.waited)
    return (
        title,
        f"{result.seconds:.1f}",
        len(waits),
        sum(wait.failed for wait in result.waits),
        f"{1000 * cuts[49]:.1f}",
        f"{1000 * cuts[98]:.1f}",
        f"{longest(result, wrote=False):.0f}",
        f"{longest(result, wrote=True):.0f}",
        f"{worst.due - result.began:.1f}",
        f"{longer(result, calm):.0f}",
    )


def longest(result: Result, *, wrote: bool) -> float:
    """Return the longest wait of the readers, or of the writers, in milliseconds."""
    return 1000 * max(wait.waited for wait in result.waits if wait.wrote == wrote)


def longer(result: Result, calm: Result) -> float:
    """Return by how many milliseconds the longest wait was longer than without a run."""
    ours, theirs = (max(wait.waited for wait in one.waits) for one in (result, calm))
    return 1000 * (ours - theirs)


def prepare(server: Server, rows: int) -> None:
    """Make the database that the phases start from a copy of."""
    bench.fresh(server, DRIFTED)
    job(server, DRIFTED)
    bench.execute(server, DRIFTED, *DRIFT.replace(":rows", str(rows)).split(";"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Measure how long clients wait.")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"of dishes_day (now {ROWS:,})")
    parser.add_argument("--log", action="store_true", help="show what the job says")
    options = parser.parse_args()
    results = {}
    with bench.private_server() as server:
        prepare(server, options.rows)
        for phase in phases(job_with_log if options.log else job):
            print(f"measuring: {phase.title}", file=sys.stderr)
            results[phase.title] = measure(server, phase, options.rows)
    calm = results["no run"]
    body = [line(title, result, calm) for title, result in results.items()]
    print(table(HEAD, body))
    worst = max(longer(result, calm) for title, result in results.items() if "job" in title)
    met = "met" if worst <= AIM_MS else "MISSED"
    print(f"\nAim: no client of the job's waits {AIM_MS} ms longer than without a run: {met}.")
    print("Failed are entries without a value for a new NOT NULL column: one for each writer.")


if __name__ == "__main__":
    main()
