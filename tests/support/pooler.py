"""A PgBouncer of one test's own: transaction pooling, and two connections to the server."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple

import psycopg2
import psycopg2.extensions
import pytest

ROOT = Path(__file__).resolve().parents[2]
PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", str(ROOT / ".pgbouncer")])
HOW_TO_GET_ONE = (
    "There is no PgBouncer here, which this test takes.\n"
    "  Debian, Ubuntu: make .pgbouncer/pgbouncer (without root). Elsewhere: install it.\n"
    "  To leave such tests out: --without-pgbouncer."
)
ADMIN, PORT, POOL_SIZE = "pooler_admin", 6432, 2
START_SECONDS = 30
CONFIGURATION = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr =
listen_port = {pooler_port}
unix_socket_dir = {directory}
logfile = {directory}/log
auth_type = {auth_type}
auth_file = {directory}/users
admin_users = {admin}
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 100
"""


class Pooler:
    """Leads to the server of `environment`, for its user and for those of `users`.

    `environment` leads through it. `log` is what it has written. With another `auth_type` than
    `trust` it asks for the password of `environment`.
    """

    def __init__(self, environment: Dict[str, str], *users: str, auth_type: str = "trust") -> None:
        program = shutil.which("pgbouncer", path=PLACES)
        if program is None:
            pytest.fail(HOW_TO_GET_ONE, pytrace=False)
        self._directory = Path(tempfile.mkdtemp(prefix="eater-init-tests-"))
        self.environment = {"POSTGRES_HOST": str(self._directory), "POSTGRES_PORT": str(PORT)}
        self._password = environment["POSTGRES_PASSWORD"]
        self._write(environment, users, auth_type)
        arguments = ["-q", str(self._directory / "ini")]
        if os.geteuid() == 0:  # it refuses to stay root
            shutil.chown(self._directory, "nobody")
            arguments[:0] = ["-u", "nobody"]
        self._process = subprocess.Popen(
            [program, *arguments], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait()

    @property
    def log(self) -> str:
        path = self._directory / "log"
        return path.read_text("utf-8") if path.exists() else ""

    @property
    def address(self) -> Dict[str, Any]:
        """The same as a connection's parameters."""
        return {"host": str(self._directory), "port": PORT}

    def sessions(self, database: str, user: str) -> Dict[int, Dict[str, str]]:
        """Return every setting of each of the server's sessions in the pool, by process id."""
        clients = [self._connect(database, user) for _ in range(POOL_SIZE)]
        found = {}
        for client in clients:  # at the same time, so that each has a session of its own
            with client.cursor() as cursor:
                cursor.execute("BEGIN; SELECT pg_backend_pid()")
                ((pid,),) = cursor.fetchall()
                cursor.execute("SHOW ALL")
                found[int(pid)] = {name: value for name, value, _ in cursor.fetchall()}
        for client in clients:
            client.cursor().execute("ROLLBACK")
            client.close()
        return found

    def clients(self, database: str) -> int:
        """Return how many connections it has from clients."""
        return sum(row[2] == database for row in self.command("SHOW CLIENTS"))

    def command(self, statement: str) -> List[Tuple[Any, ...]]:
        """Give it an administrator's command."""
        admin = self._connect("pgbouncer", ADMIN)
        with admin.cursor() as cursor:
            cursor.execute(statement)
            found = cursor.fetchall() if cursor.description else []
        admin.close()
        return found

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._directory)

    def _write(self, environment: Dict[str, str], users: Tuple[str, ...], auth_type: str) -> None:
        password = self._password.replace('"', '""')
        names = [environment["POSTGRES_USER"], ADMIN, *users]
        lines = "".join(f'"{name}" "{password}"\n' for name in names)
        (self._directory / "users").write_text(lines, "utf-8")
        text = CONFIGURATION.format(
            host=environment["POSTGRES_HOST"],
            port=environment["POSTGRES_PORT"],
            pooler_port=PORT,
            directory=self._directory,
            admin=ADMIN,
            pool_size=POOL_SIZE,
            auth_type=auth_type,
        )
        (self._directory / "ini").write_text(text, "utf-8")

    def _connect(self, database: str, user: str) -> psycopg2.extensions.connection:
        psycopg2.extensions.set_wait_callback(None)  # the job sets one, for the whole process
        connection: psycopg2.extensions.connection = psycopg2.connect(
            **self.address, dbname=database, user=user, password=self._password
        )
        connection.autocommit = True
        return connection

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.command("SHOW VERSION")
                return
            except psycopg2.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"PgBouncer did not start: {error}\n{self.log}", pytrace=False)
                time.sleep(0.02)
