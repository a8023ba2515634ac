"""How long a report takes, and how large it is: `python benchmarks/report.py`.

Of a database that a first run has just made, of one with a million rows, and of one with 200
schemas: --verify alone, and with a report in each format. The difference is the report's.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Dict, List, Sequence

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from benchmarks import bench
from converge.text import size, table
from tools.embedded import Server

ROWS, SCHEMAS, TIMES = 1_000_000, 200, 3
ENDINGS = ("", ".json", ".md", ".html")
HEAD = ("database", "--verify", "--report .json", ".md", ".html", "sizes")
FILL = """
INSERT INTO "user" SELECT 'someone' || n || '@example.org', '2025-01-01', '2025-06-01', 'en'
  FROM generate_series(1, :rows / 100) AS n;
INSERT INTO dishes_day SELECT n, '2025-01-01'::date + n % 365, 'dish ' || n % 5000, n % 900,
  '{{water,salt}}', n % 500, '{{}}', 'someone' || n % (:rows / 100) || '@example.org'
  FROM generate_series(1, :rows) AS n;
VACUUM ANALYZE"""


class Lab:
    """A server, and where files go."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server, self.directory = server, directory

    def made(self, name: str, **variables: str) -> Dict[str, str]:
        """Return the environment of a run on a fresh database, with a first one behind it."""
        database = bench.fresh(self.server, name)
        found = bench.job_environment(
            self.server, database, ENABLE_PERFORMANCE_TEST="true", **variables
        )
        bench.run(bench.job(), found, self.directory)
        return found

    def cost(self, what: str, variables: Dict[str, str]) -> Sequence[str]:
        sizes, times = [], []
        for ending in ENDINGS:
            file = self.directory / f"report{ending}"
            options = ["--report", str(file)] if ending else ["--verify"]
            times.append(statistics.median(self._time(options, variables) for _ in range(TIMES)))
            sizes += [size(file.stat().st_size)] if ending else []
        return (what, *(f"{seconds:.2f} s" for seconds in times), ", ".join(sizes))

    def _time(self, options: List[str], variables: Dict[str, str]) -> float:
        started = time.perf_counter()
        bench.run([*bench.job(), *options], variables, self.directory)
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description="What a report costs.")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--schemas", type=int, default=SCHEMAS)
    arguments = parser.parse_args()
    names = ",".join(f"tenant_{number:04}" for number in range(1, arguments.schemas + 1))
    with bench.private_server() as server, bench.scratch() as directory:
        lab = Lab(server, directory)
        body = [lab.cost("empty", lab.made("empty"))]
        filled = lab.made("filled")
        fill = FILL.format().replace(":rows", str(arguments.rows)).split(";\n")
        bench.execute(server, "filled", *fill)
        body.append(lab.cost(f"{arguments.rows:,} rows", filled))
        many = lab.made("many", POSTGRES_SCHEMAS=names)
        body.append(lab.cost(f"{arguments.schemas:,} schemas", many))
    print(table(HEAD, body))


if __name__ == "__main__":
    main()
