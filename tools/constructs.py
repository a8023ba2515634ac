"""The table of constructs, tried: `python -m tools.constructs [words of their names]`.

Each is tried on the server of TEST_DATABASE_URL (a superuser's), or on an embedded one: from empty,
compared with what SQLAlchemy alone creates, again, on live tables with rows, changed, again, and
rolled back. What is wrong stands below its line.
"""

import sys
from contextlib import closing
from typing import Iterator, List

from tests.support.construct import Construct
from tests.support.constructing import COLUMNS, Databases, Trial
from tests.support.constructs import EVERYTHING
from tools.serving import served

WIDTH = 58


def table(databases: Databases, wanted: List[Construct]) -> Iterator[str]:
    """Yield the lines of the table, each with what is wrong below it."""
    with databases.empty() as database:
        version = int(database.value("SHOW server_version_num"))
    yield f"{f'PostgreSQL {version // 10000}':{WIDTH}} " + " ".join(f"{c:13}" for c in COLUMNS)
    for construct in wanted:
        if version < construct.since:
            continue
        trial = Trial(databases, construct)
        words = [r if len(r) < 9 else "WRONG" for r in trial.tried().values()]
        yield f"{construct.name[:WIDTH]:{WIDTH}} " + " ".join(f"{word:13}" for word in words)
        yield from (f"    {problem}" for problem in trial.problems)


def main(arguments: List[str]) -> int:
    wanted = [c for c in EVERYTHING if not arguments or any(a in c.name for a in arguments)]
    with served() as server, closing(Databases(server)) as databases:
        for line in table(databases, wanted):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
