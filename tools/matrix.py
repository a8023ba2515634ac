"""The tests on every server and every Python: `make test-matrix`, one table at the end.

Servers and Pythons are paired diagonally, so that each has its turn. The pairs share the tests that
are not about files only: each parameter, and each test without, is tried by one of them, and the
table of constructs by the last, too. MATRIX_SHARES=1 tries all everywhere. The tests that stop a
server start one of the same version. What was asked for and can't run fails.

MATRIX_SERVERS    major versions, by default 12 to 18
MATRIX_URLS       or servers that are there: superusers' URLs
MATRIX_PYTHONS    versions; by default those of 3.8 to 3.13 that are on this machine
MATRIX_SHARES     the shares of the tests; by default, as many as there are pairs
MATRIX_JOBS       pairs at a time, by default one more than there are processors
"""

import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from threading import Lock
from typing import Dict, Iterator, List, NamedTuple, Tuple

from converge.text import table
from tools.servers import Impossible, output, package, running

ROOT = Path(__file__).resolve().parent.parent

KEPT = ROOT / ".matrix"  # packages, environments and logs
PREPARING = Lock()  # Several pairs may want the same package, or the same environment.
SERVERS = "12 13 14 15 16 17 18"
PYTHONS = "3.8 3.9 3.10 3.11 3.12 3.13"
# Than `make test` tries of a crowd; and more of what each pair has a share of.
OTHER = {"EATER_PROPERTY_EXAMPLES": "20", "EATER_CROWD": "10", "EATER_INTERRUPT_EVERY": "10"}
PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no"]
# What is about files only, and asks neither a server nor the program: `make test` has it.
ABOUT_FILES = "chart documents image kubernetes_md make manifests release tenants"
PYTEST += [f"--ignore=tests/unit/test_{name}.py" for name in ABOUT_FILES.split()]
PYTEST += ["--ignore=tests/integration/test_transcripts.py"]  # of the server of `make run`
# Of a page, whatever the server.
PYTEST += [
    f"--ignore=tests/integration/report/test_{name}.py" for name in ("browser", "page_script")
]
COUNTS = re.compile(r"(\d+) (passed|failed|skipped|error)")
SKIPPED = re.compile(r"SKIPPED \[\d+\] .*?\.py:\d+: (.*)")
HEAD = ["PostgreSQL", "Python", "passed", "failed", "skipped", "seconds"]


class Pair(NamedTuple):
    """A server, as its major version or its URL, and the Python that meets it."""

    server: str
    python: str
    program: str
    share: str  # "2/7": of each test's parameters, the second of seven shares


class Row(NamedTuple):
    """What came of one pair."""

    server: str
    python: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: int = 0
    reasons: Tuple[str, ...] = ()  # why tests were skipped
    log: str = ""

    @property
    def good(self) -> bool:
        return self.passed > 0 and self.failed == 0


def main() -> int:
    """Run all pairs and print the table; 1 if a pair failed or could not run."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that servers are stopped
    KEPT.mkdir(exist_ok=True)
    urls = os.environ.get("MATRIX_URLS", "").split()
    servers = urls or os.environ.get("MATRIX_SERVERS", SERVERS).split()
    try:
        pythons = find_pythons(os.environ.get("MATRIX_PYTHONS", ""))
    except Impossible as error:
        print(error, file=sys.stderr)
        return 1
    jobs = int(os.environ.get("MATRIX_JOBS") or (os.cpu_count() or 1) + 1)
    wanted = pairs(servers, pythons)
    # The last has most to do (`on_the_newest` in pyproject.toml).
    longest_first = wanted[::-1]
    with ThreadPoolExecutor(jobs) as pool:
        rows = dict(zip(longest_first, pool.map(run_pair, longest_first)))
    found = [rows[pair] for pair in wanted]
    print(table(HEAD, [row[: len(HEAD)] for row in found]))
    for row in found:
        for reason in row.reasons:
            print(f"PostgreSQL {row.server}, Python {row.python} skipped: {reason}")
        if not row.good:
            print(f"\nPostgreSQL {row.server}, Python {row.python}: {row.log}")
    return 0 if all(row.good for row in found) else 1


def pairs(servers: List[str], pythons: Dict[str, str]) -> List[Pair]:
    """Let the oldest server meet the newest Python, and so on, until each has had its turn."""
    count = max(len(servers), len(pythons))
    newest_first = cycle(reversed(list(pythons.items())))
    both = enumerate(islice(zip(cycle(servers), newest_first), count))
    shares = int(os.environ.get("MATRIX_SHARES") or count)
    return [
        Pair(server, *python, f"{turn % shares + 1}/{shares}") for turn, (server, python) in both
    ]


def run_pair(pair: Pair) -> Row:
    """Run all tests of one pair."""
    beginning = time.monotonic()
    try:
        with PREPARING:
            interpreter = environment(pair.python, pair.program)
        with (given if "://" in pair.server else started)(pair.server) as (server, settings):
            row = run_tests(server, pair, interpreter, settings)
    except (Impossible, OSError) as error:
        row = Row(pair.server.rpartition("@")[2], pair.python, log=f"it could not run: {error}")
    row = row._replace(seconds=round(time.monotonic() - beginning))
    print(f"PostgreSQL {row.server}, Python {row.python}: {'ok' if row.good else 'FAILED'}")
    return row


def run_tests(server: str, pair: Pair, interpreter: str, settings: Dict[str, str]) -> Row:
    """Run all tests with an interpreter on a server; the log is kept."""
    log = KEPT / f"{re.sub('[^0-9.]', '_', server)}-{pair.python}.log"
    with log.open("w", encoding="utf-8") as output:
        subprocess.run(
            [interpreter, *PYTEST, f"--share={pair.share}"],
            cwd=ROOT,
            env={**OTHER, **os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    text = log.read_text("utf-8")
    lines = text.splitlines() or [""]
    crash = text.find("Fatal Python error")  # then the last lines are the bottoms of stacks
    tail = lines[-20:] if crash < 0 else text[crash:].splitlines()[:80]
    counts = {word: int(number) for number, word in COUNTS.findall(lines[-1])}
    return Row(
        server,
        pair.python,
        counts.get("passed", 0),
        counts.get("failed", 0) + counts.get("error", 0),
        counts.get("skipped", 0),
        reasons=tuple(dict.fromkeys(SKIPPED.findall(text))),
        log="\n".join([f"{log.relative_to(ROOT)} ends with", *tail]),
    )


def find_pythons(wanted: str) -> Dict[str, str]:
    """Return an interpreter for each version; those that are not here are said, or `Impossible`."""
    found = {}
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    for version in (wanted or PYTHONS).split():
        installed = sorted(glob.glob(f"{pyenv}/versions/{version}.*/bin/python"))
        program = installed[-1] if installed else shutil.which(f"python{version}")
        if program:
            found[version] = program
        else:
            print(f"Python {version} is not here.")
    if not found or (wanted and len(found) < len(wanted.split())):
        raise Impossible("Not all Pythons that were asked for are here: nothing was run.")
    return found


def environment(python: str, program: str) -> str:
    """Return an interpreter with what the tests need, in an environment that is kept."""
    directory = KEPT / f"python{python}"
    interpreter, stamp = directory / "bin" / "python", directory / "requirements-installed"
    wanted = "".join(
        (ROOT / f"requirements{end}.txt").read_text() for end in ("", "-embedded", "-test")
    )
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        output([program, "-m", "venv", str(directory)], cwd=ROOT)
        quietly = ["--quiet", "--disable-pip-version-check"]
        pip = [str(interpreter), "-m", "pip", "install", *quietly]
        output([*pip, "-r", "requirements-test.txt"], cwd=ROOT)
        stamp.write_text(wanted)
    return str(interpreter)


@contextmanager
def given(url: str) -> Iterator[Tuple[str, Dict[str, str]]]:
    """Yield where a server is that is there, and the settings of its tests."""
    yield url.rpartition("@")[2], {"TEST_DATABASE_URL": url}


@contextmanager
def started(major: str) -> Iterator[Tuple[str, Dict[str, str]]]:
    """Run a server of a major version; yield its version, and the settings of its tests."""
    with PREPARING:
        archive = package(major, KEPT)
    with running(archive) as server:
        url = f"postgresql://postgres@127.0.0.1:{server.port}/postgres"
        yield server.version, {"TEST_DATABASE_URL": url, "TEST_SERVER_WHEEL": server.wheel}


if __name__ == "__main__":
    sys.exit(main())
