"""Time whole processes, wall and CPU: `python benchmarks/start_up.py`.

The job's first run and its run that finds nothing to do, beside psql with the same DDL, Alembic
with nothing to do, and the imports that they all stand on. One of each in turn, round after round,
so that whatever else the machine does hits all alike; ratios are taken within a round. The CPU time
is the process's own, not the server's.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Sequence, Tuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from benchmarks import bench
from converge.text import table
from tools.embedded import Server

ROUNDS = 15
EMPTY, CURRENT, MIGRATED = "empty", "current", "migrated"
FIRST, NO_OP, PSQL = "first run, empty database", "run with nothing to do", "psql -1 -f, same DDL"
ALEMBIC, DRIVER = "alembic upgrade head, nothing to do", "python -c 'import psycopg2'"
AIM = 1 / 5  # of Alembic's CPU time, for the run with nothing to do

REVISION = """
from alembic import op
revision, down_revision = "1", None
def upgrade():
    for statement in {statements!r}:
        op.execute(statement)
"""


class Contender(NamedTuple):
    """A process to time. `prepare` runs before it, untimed."""

    title: str
    command: List[str]
    environment: Dict[str, str]
    prepare: Callable[[], object] = lambda: None


class Times(NamedTuple):
    """Of one process, in milliseconds."""

    wall: float
    cpu: float


def contenders(server: Server, folder: Path) -> List[Contender]:
    """Return them in the order in which they take turns."""
    ddl = bench.schema(folder)
    script = bench.write_script(folder / "schema.sql", ddl)
    plain = bench.environment()

    def empty() -> None:
        bench.fresh(server, EMPTY)

    def python(code: str) -> List[str]:
        return [bench.PYTHON, "-c", code]

    return [
        Contender("python -c pass", python("pass"), plain),
        Contender(DRIVER, python("import psycopg2"), plain),
        Contender("python -c 'import sqlalchemy.orm'", python("import sqlalchemy.orm"), plain),
        Contender(NO_OP, bench.job(), current(server, folder)),
        Contender(ALEMBIC, *migrated(server, folder, ddl)),
        Contender(FIRST, bench.job(), bench.job_environment(server, EMPTY), empty),
        Contender(PSQL, bench.psql(server, script), libpq(server, EMPTY), empty),
    ]


def libpq(server: Server, database: str) -> Dict[str, str]:
    return bench.environment(PGHOST=server.host, PGUSER=server.user, PGDATABASE=database)


def current(server: Server, folder: Path) -> Dict[str, str]:
    """Make a database in which the job finds nothing to do; return the run's environment."""
    environment = bench.job_environment(server, bench.fresh(server, CURRENT))
    bench.run(bench.job(), environment, folder)
    return environment


def migrated(server: Server, folder: Path, ddl: Sequence[str]) -> Tuple[List[str], Dict[str, str]]:
    """Make Alembic's own sample project, one revision of it, and a database that is at it."""
    alembic = [bench.PYTHON, "-m", "alembic"]
    environment = bench.environment()
    bench.run([*alembic, "init", "alembic"], environment, folder)
    ini = folder / "alembic.ini"
    bench.fresh(server, MIGRATED)
    url = f"postgresql+psycopg2://{server.user}@/{MIGRATED}?host={server.host}"
    sample = ini.read_text(encoding="utf-8")
    ini.write_text(sample.replace("driver://user:pass@localhost/dbname", url), encoding="utf-8")
    revision = folder / "alembic" / "versions" / "1_all.py"
    revision.write_text(REVISION.format(statements=list(ddl)), encoding="utf-8")
    command = [*alembic, "upgrade", "head"]
    bench.run(command, environment, folder)
    return command, environment


def timed(contender: Contender, folder: Path) -> Times:
    """Run a process to its end, which has to be a good one."""
    contender.prepare()
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            contender.command,
            env=contender.environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _, process.returncode, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{contender.title} failed:\n{output.read().decode()}")
    return Times(1000 * wall, 1000 * (usage.ru_utime + usage.ru_stime))


def measure(server: Server, folder: Path, rounds: int) -> Dict[str, List[Times]]:
    """Return every contender's times, a round each; the first round only warms up."""
    taking_part = contenders(server, folder)
    times: Dict[str, List[Times]] = {contender.title: [] for contender in taking_part}
    for number in range(rounds + 1):
        for contender in taking_part:
            taken = timed(contender, folder)
            if number > 0:
                times[contender.title].append(taken)
    return times


def line(title: str, times: Dict[str, List[Times]]) -> Tuple[object, ...]:
    """Return a contender's line: medians, the spread of its CPU time, ratios."""
    cpus = sorted(own.cpu for own in times[title])
    quarter = len(cpus) // 4
    return (
        title,
        f"{statistics.median(own.wall for own in times[title]):.0f}",
        f"{statistics.median(cpus):.0f}",
        f"{cpus[quarter]:.0f} to {cpus[-1 - quarter]:.0f}",
        f"{cpu_ratio(times[title], times[DRIVER]):.2f}",
        f"{cpu_ratio(times[title], times[ALEMBIC]):.2f}",
        f"{wall_ratio(times[title], times[PSQL]):.2f}",
    )


def cpu_ratio(ours: List[Times], others: List[Times]) -> float:
    return statistics.median(one.cpu / other.cpu for one, other in zip(ours, others))


def wall_ratio(ours: List[Times], others: List[Times]) -> float:
    return statistics.median(one.wall / other.wall for one, other in zip(ours, others))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Time whole processes.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"at least 5 (now {ROUNDS})")
    rounds = max(5, parser.parse_args().rounds)
    with bench.private_server() as server, bench.scratch() as folder:
        times = measure(server, folder, rounds)
    head = ("process", "wall ms", "CPU ms", "middle half")
    ratios = ("CPU : psycopg2", "CPU : Alembic", "wall : psql")
    print(table([*head, *ratios], [line(title, times) for title in times]))
    found = cpu_ratio(times[NO_OP], times[ALEMBIC])
    met = "met" if found <= AIM else "MISSED"
    print(f"\nMedians of {rounds} rounds, and of the ratios within each round.")
    print(f"Aim: a run with nothing to do takes at most {AIM:.2f} of Alembic's CPU time: {met}.")


if __name__ == "__main__":
    main()
