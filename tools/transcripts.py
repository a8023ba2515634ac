"""The commands of README and docs, and what they print: `make docs` types them and renews that.

They are typed in a copy of the program with a private server, its database empty at the start of
each document. What a command prints is compared without times, durations and process ids, and
replaced only where it differs. A command that shows nothing has to succeed.

    <!-- $ COMMAND -->                   typed before what follows, and not shown
    <!-- paste into models.py: Dish -->  where the next block of Python goes: to the end of a class
                                         or a list
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple

import psycopg2

from tools import embedded

ROOT = Path(__file__).resolve().parent.parent
# tests/unit/test_kubernetes_md.py and tests/unit/test_tenants.py hold what these say.
ELSEWHERE = ("kubernetes.md", "tenants.md")
DOCUMENTS = [
    ROOT / "README.md",
    *(path for path in sorted((ROOT / "docs").glob("*.md")) if path.name not in ELSEWHERE),
]
# What is not typed here, by how it begins, and why or by what else it is held.
NOT_TYPED = {
    "make test": "it is what types all this",
    "make lint": "`.ci/run` types it before every change",
    "make docs": "it is what types all this",
    "make lock": "it asks a registry for new versions",
    ".ci/run": "it runs for an hour",
    "python -m pytest": "it is what types all this",
    "python -m pip": "it downloads; tests/unit/test_make.py holds what is installed",
    "TEST_DATABASE_URL=": "a server of somebody's own; tools/matrix.py gives one",
    "CREATE ROLE": "tests/integration/server/test_rights.py, with all of it and without each of it",
    "docker": "there is no docker; tests/unit/test_image.py holds the Dockerfile",
    "kubectl": "there is no cluster; tests/unit/test_manifests.py holds the files",
}
NEW = "…\n"  # an output that `make docs` is to fill in
PSQL = "psql -q -v ON_ERROR_STOP=1"
EVENT = re.compile(
    r"^<!-- \$ (?P<hidden>[\s\S]*?) -->$"
    r"|^<!-- paste into (?P<file>\S+): (?P<place>\w+) -->$"
    r"|^```(?P<language>\w+)\n(?P<text>[\s\S]*?)^```$",
    re.MULTILINE,
)
COMMAND = re.compile(r"^\$ (?P<typed>.*(?:\\\n.*)*)\n(?P<shown>(?:(?!\$ ).*\n)*)", re.MULTILINE)
# The time of a line of the log, which a terminal shows without the date.
AWAY_FROM_A_TERMINAL = re.compile(r"^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)Z(?= )", re.MULTILINE)
# What is another at each run.
CHANGING = (
    (re.compile(r"\b\d+(\.\d+)? (ms|s|min)\b( \d+ s\b)?"), "DURATION"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T](?=\d\d:)"), "DATE "),
    (re.compile(r"\b\d\d:\d\d:\d\d\b(\.\d+)?"), "TIME"),
    (re.compile(r'(?<=": )\d+\.\d+'), "SECONDS"),
    (re.compile(r"\b\d+\.\d{3}\b"), "MEDIAN"),
    (re.compile(r"(?<=pid )\d+|(?<=pg_terminate_backend\()\d+"), "PID"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "FINGERPRINT"),
    (re.compile(r"(?<=Makefile:)\d+"), "LINE"),
    (re.compile(r"-+(?=\s|$)"), "-"),
    (re.compile(r" +"), " "),
)


class Wrong(Exception):
    """A document shows a command that fails."""


class Sandbox(NamedTuple):
    """A copy of the program, and its private server."""

    directory: Path
    server: embedded.Server

    def empty(self) -> None:
        """Forget what an earlier document has done: databases, roles and models."""
        for name in ("models.py", "indexes.py"):
            shutil.copy(ROOT / name, self.directory)
        if (self.directory / ".env").exists():
            (self.directory / ".env").unlink()
        psycopg2.extensions.set_wait_callback(None)
        connection = psycopg2.connect(
            host=self.server.host, user=self.server.user, dbname="template1"
        )
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT format('%I', datname) FROM pg_database WHERE NOT datistemplate")
            for (name,) in cursor.fetchall():
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
            cursor.execute("CREATE DATABASE postgres TEMPLATE template0")
            cursor.execute("SELECT format('%I', rolname) FROM pg_roles WHERE oid >= 16384")
            for (name,) in cursor.fetchall():
                cursor.execute(f"DROP ROLE {name}")
        connection.close()

    def type(self, command: str, *, must_succeed: bool) -> str:
        """Return what a command prints, as the user of a clone sees it."""
        done = subprocess.run(
            ["/bin/bash", "-c", command],
            cwd=self.directory,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        if must_succeed and done.returncode:
            raise Wrong(f"{command}: exit code {done.returncode}\n{done.stdout}")
        return self._shortened(done.stdout.expandtabs())

    def paste(self, name: str, place: str, text: str) -> None:
        """Put a block of Python at the end of a class or a list."""
        path = self.directory / name
        pattern = rf"^(class {place}\(.*?)(?=\n\n\n|\n*\Z)|^({place}\b[^\n]*= \[\n.*?)(?=\n\])"
        indented = re.sub(r"^(?=.)", "    ", text.rstrip(), flags=re.MULTILINE)
        found, count = re.subn(
            pattern,
            lambda match: f"{match[0].rstrip()}\n{indented}",
            path.read_text("utf-8"),
            count=1,
            flags=re.MULTILINE | re.DOTALL,
        )
        if not count:
            raise Wrong(f"There is no {place} in {name}.")
        path.write_text(found, "utf-8")

    def _environment(self) -> Dict[str, str]:
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("POSTGRES_", "MAKE"))}
        libpq = {"PGHOST": self.server.host, "PGUSER": self.server.user, "PGDATABASE": "postgres"}
        own = {"PATH": f"{self.directory / '.venv' / 'bin'}:{os.environ['PATH']}"}
        quick = {"MAX_RETRIES": "2", "RETRY_DELAY": "100ms"}
        return {**ours, **self.server.environment(), **libpq, **own, **quick}

    def _shortened(self, text: str) -> str:
        text = re.sub(r"\S*/pginstall/bin/", "…/", text)
        text = AWAY_FROM_A_TERMINAL.sub(r"\1", text)
        for place in (self.server.host, str(self.directory)):
            text = text.replace(place, "…/.postgres" if place == self.server.host else "…")
        return re.sub(r"make: \*\*\* \[", "make: *** [", text)


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """Make a copy in which `make run` works at once, and nothing is installed."""
    directory = Path(tempfile.mkdtemp(prefix="eater-init-docs-"))
    try:
        for name in ("Makefile", ".env.example"):
            shutil.copy(ROOT / name, directory)
        for path in (*ROOT.glob("*.py"), *ROOT.glob("requirements*.txt")):
            shutil.copy(path, directory)
        for name in ("converge", "tools"):
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, directory / name, ignore=ignore)
        _installed(directory / ".venv")
        yield Sandbox(
            directory, embedded.start(str(directory / ".postgres"), options=["fsync=off"])
        )
    finally:
        embedded.stop(str(directory / ".postgres"))
        shutil.rmtree(directory)


def _installed(environment: Path) -> None:
    (environment / "bin").mkdir(parents=True)
    for name, program in {"python": sys.executable, "psql": embedded.program("psql")}.items():
        script = environment / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{program}" "$@"\n')
        script.chmod(0o755)
    (environment / "embedded-installed").touch()


def renewed(text: str, where: Sandbox) -> str:
    """Return a document with what its commands print now."""
    where.empty()
    pieces: List[str] = []
    end = 0
    pasted = None
    for event in EVENT.finditer(text):
        pieces.append(text[end : event.start()])
        end = event.end()
        shown = event[0]
        if event["hidden"]:
            where.type(event["hidden"], must_succeed=True)
        elif event["file"]:
            pasted = event
        elif event["language"] == "console":
            shown = f"```console\n{COMMAND.sub(lambda c: _typed(c, where), event['text'])}```"
        elif event["language"] == "sql" and not event["text"].startswith(tuple(NOT_TYPED)):
            where.type(f"{PSQL} <<'END'\n{event['text']}END", must_succeed=True)
        elif event["language"] == "python" and pasted:
            where.paste(pasted["file"], pasted["place"], event["text"])
            pasted = None
        pieces.append(shown)
    return "".join(pieces) + text[end:]


def _typed(command: "re.Match[str]", where: Sandbox) -> str:
    typed, shown = command["typed"], command["shown"]
    if typed.startswith(tuple(NOT_TYPED)):
        return command[0]
    if shown == NEW:
        shown = " "
    printed = where.type(typed, must_succeed=not shown)
    if not shown or re.fullmatch(_pattern(shown), steady(printed)):
        return command[0]
    return f"$ {typed}\n{_stripped(printed)}\n"


def _pattern(shown: str) -> str:
    """Return what matches a text in which a line of three dots stands for any others."""
    lines = (re.escape(line) for line in steady(shown).splitlines())
    return "\n".join("[\\s\\S]*" if line == "…" else line for line in lines)


def steady(text: str) -> str:
    """Return a text without what is another at each run."""
    for pattern, name in CHANGING:
        text = pattern.sub(name, text)
    return _stripped(text)


def _stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def main() -> int:
    with sandbox() as where:
        for path in DOCUMENTS:
            before = path.read_text("utf-8")
            after = renewed(before, where)
            if after != before:
                path.write_text(after, "utf-8")
                print(f"renewed {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
