"""Time whole processes, wall and CPU: `python benchmarks/start_up.py`.

The job's first run and its run that finds nothing to do, beside psql and Alembic with the same DDL,
and the imports that they all stand on. "As deployed" means with the manifests' settings: logs in
JSON, and the key queries timed. One of each in turn, round after round, so that whatever else the
machine does hits all alike; ratios are taken within a round. The CPU time is the process's own, not
the server's. The first round does not count: it writes the byte code that the image comes with.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from benchmarks import bench
from converge.text import table
from tools.embedded import Server

ROUNDS = 15
COLUMNS = ("process", "wall ms", "CPU ms", "middle half")
COMPARED = ("CPU : psycopg2", "CPU : Alembic", "wall : psql")
JUDGED = ("ours", "theirs", "ratio of", "found", "middle half", "at most", "aim")
EMPTY, CURRENT, MIGRATED = "empty", "current", "migrated"
DRIVER = "python -c 'import psycopg2'"
NO_OP, DEPLOYED_NO_OP = "run with nothing to do", "run with nothing to do, as deployed"
FIRST, DEPLOYED_FIRST = "first run, empty database", "first run, as deployed"
ALEMBIC = "alembic upgrade head, nothing to do"
ALEMBIC_FIRST = "alembic upgrade head, empty database"
PSQL = "psql -1 -f, same DDL"
DEPLOYED = {"LOG_FORMAT": "json", "ENABLE_PERFORMANCE_TEST": "true"}

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


class Aim(NamedTuple):
    """What a process may take, `wall` or `cpu`, as a multiple of another's; None: any."""

    ours: str
    theirs: str
    what: str
    limit: Optional[float]


# Alembic does not look at what it has made: a first run's key queries are beyond the comparison.
AIMS = (
    Aim(DEPLOYED_NO_OP, DRIVER, "cpu", 1.4),
    Aim(DEPLOYED_NO_OP, ALEMBIC, "cpu", 0.18),
    Aim(FIRST, ALEMBIC_FIRST, "wall", 1.0),
    Aim(DEPLOYED_FIRST, ALEMBIC_FIRST, "wall", None),
)


def contenders(server: Server, directory: Path) -> List[Contender]:
    """Return them in the order in which they take turns."""
    ddl = bench.schema(directory)
    script = bench.write_script(directory / "schema.sql", ddl)
    plain = bench.environment()
    alembic = alembic_project(server, directory, ddl)
    bench.run(alembic(bench.fresh(server, MIGRATED)), plain, directory)
    bench.run(bench.job(), bench.job_environment(server, bench.fresh(server, CURRENT)), directory)

    def empty() -> None:
        bench.fresh(server, EMPTY)

    def python(code: str) -> List[str]:
        return [bench.PYTHON, "-c", code]

    def job(database: str, **variables: str) -> Tuple[List[str], Dict[str, str]]:
        return bench.job(), bench.job_environment(server, database, **variables)

    return [
        Contender("python -c pass", python("pass"), plain),
        Contender(DRIVER, python("import psycopg2"), plain),
        Contender("python -c 'import sqlalchemy.orm'", python("import sqlalchemy.orm"), plain),
        Contender(NO_OP, *job(CURRENT)),
        Contender(DEPLOYED_NO_OP, *job(CURRENT, **DEPLOYED)),
        Contender(ALEMBIC, alembic(MIGRATED), plain),
        Contender(FIRST, *job(EMPTY), empty),
        Contender(DEPLOYED_FIRST, *job(EMPTY, **DEPLOYED), empty),
        Contender(ALEMBIC_FIRST, alembic(EMPTY), plain, empty),
        Contender(PSQL, bench.psql(server, script), libpq(server, EMPTY), empty),
    ]


def libpq(server: Server, database: str) -> Dict[str, str]:
    return bench.environment(PGHOST=server.host, PGUSER=server.user, PGDATABASE=database)


def alembic_project(
    server: Server, directory: Path, ddl: Sequence[str]
) -> Callable[[str], List[str]]:
    """Make Alembic's own sample project with one revision; return what upgrades a database to it.

    The revision has the DDL as text, which Alembic need not compile.
    """
    program = [bench.PYTHON, "-m", "alembic"]
    bench.run([*program, "init", "alembic"], bench.environment(), directory)
    sample = (directory / "alembic.ini").read_text(encoding="utf-8")
    revision = directory / "alembic" / "versions" / "1_all.py"
    revision.write_text(REVISION.format(statements=list(ddl)), encoding="utf-8")

    def upgrade(database: str) -> List[str]:
        url = f"postgresql+psycopg2://{server.user}@/{database}?host={server.host}"
        ini = directory / f"{database}.ini"
        text = sample.replace("driver://user:pass@localhost/dbname", url)
        ini.write_text(text, encoding="utf-8")
        return [*program, "-c", str(ini), "upgrade", "head"]

    return upgrade


def timed(contender: Contender, directory: Path) -> Times:
    """Run a process to its end, which has to be a good one."""
    contender.prepare()
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            contender.command,
            env=contender.environment,
            cwd=directory,
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


def measure(server: Server, directory: Path, rounds: int) -> Dict[str, List[Times]]:
    """Return every contender's times, a round each; the first round only warms up."""
    taking_part = contenders(server, directory)
    times: Dict[str, List[Times]] = {contender.title: [] for contender in taking_part}
    for number in range(rounds + 1):
        for contender in taking_part:
            taken = timed(contender, directory)
            if number > 0:
                times[contender.title].append(taken)
    return times


def line(title: str, times: Dict[str, List[Times]]) -> Tuple[object, ...]:
    """Return a process's line: medians, the spread of its CPU time, ratios."""
    cpus = [own.cpu for own in times[title]]
    return (
        title,
        f"{statistics.median(own.wall for own in times[title]):.0f}",
        f"{statistics.median(cpus):.0f}",
        middle_half(cpus, digits=0),
        *(
            f"{statistics.median(ratios(Aim(title, other, what, None), times)):.2f}"
            for other, what in ((DRIVER, "cpu"), (ALEMBIC, "cpu"), (PSQL, "wall"))
        ),
    )


def verdict(aim: Aim, times: Dict[str, List[Times]]) -> Tuple[object, ...]:
    """Return an aim's line: what is compared, what was found, whether that is met."""
    found = ratios(aim, times)
    median = statistics.median(found)
    limit, met = "-", ""
    if aim.limit is not None:
        limit, met = f"{aim.limit:.2f}", "met" if median <= aim.limit else "MISSED"
    compared = (aim.ours, aim.theirs, aim.what)
    return (*compared, f"{median:.2f}", middle_half(found, digits=2), limit, met)


def ratios(aim: Aim, times: Dict[str, List[Times]]) -> List[float]:
    """Return what ours took as a multiple of theirs, in each round."""
    pairs = zip(times[aim.ours], times[aim.theirs])
    return [getattr(ours, aim.what) / getattr(theirs, aim.what) for ours, theirs in pairs]


def middle_half(values: Sequence[float], *, digits: int) -> str:
    """Return between what the values are, without the lowest and the highest quarter."""
    ordered, quarter = sorted(values), len(values) // 4
    return f"{ordered[quarter]:.{digits}f} to {ordered[-1 - quarter]:.{digits}f}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Time whole processes.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"at least 5 (now {ROUNDS})")
    rounds = max(5, parser.parse_args().rounds)
    with bench.private_server() as server, bench.scratch() as directory:
        times = measure(server, directory, rounds)
    print(table([*COLUMNS, *COMPARED], [line(title, times) for title in times]))
    print(f"\nMedians of {rounds} rounds, and of the ratios within each round.\n")
    print(table(JUDGED, [verdict(aim, times) for aim in AIMS]))


if __name__ == "__main__":
    main()
