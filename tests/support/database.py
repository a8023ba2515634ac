"""A database of one test's own, on a real server."""

import time
import uuid
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional, Tuple

import psycopg2
import psycopg2.extensions

# Nothing of a test's server outlives the tests, so it need not survive a crash.
FAST = (
    "fsync=off",
    "full_page_writes=off",
    "max_connections=200",
    "max_prepared_transactions=20",
    "log_statement=all",
)
EMPTY = "ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"
# Else the quick look would see that it is a copy: the note of a run names its database.
RENEW_NOTES = """UPDATE pg_description SET description = regexp_replace(
  description, '("place" : \\[")\\d+',
  '\\1' || (SELECT oid FROM pg_database WHERE datname = current_database()))
WHERE starts_with(description, '{"eater-init" : ')"""
LEAVING = """SELECT count(*) FROM pg_stat_activity
WHERE datname = %s AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""
LONGEST_LEAVING = 0.5  # seconds
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


class Database:
    """A database of one test's own. Every call is committed at once."""

    def __init__(self, server: Dict[str, Any], name: str) -> None:
        self.server, self.name = server, name
        self._connection: Optional[psycopg2.extensions.connection] = None

    @property
    def environment(self) -> Dict[str, str]:
        """The variables of a run on this database, impatient and without the benchmark."""
        return {
            "POSTGRES_HOST": str(self.server["host"]),
            "POSTGRES_PORT": str(self.server["port"]),
            "POSTGRES_DB": self.name,
            "POSTGRES_USER": str(self.server["user"]),
            "POSTGRES_PASSWORD": str(self.server.get("password") or "any"),
            "MAX_RETRIES": "2",
            "RETRY_DELAY": "100ms",
            "LOCK_PATIENCE": "10s",
            "ENABLE_PERFORMANCE_TEST": "false",
        }

    def connect(self, **parameters: Any) -> psycopg2.extensions.connection:
        """Open another connection to it, in autocommit mode; the test closes it."""
        psycopg2.extensions.set_wait_callback(None)  # the job sets one, for the whole process
        connection: psycopg2.extensions.connection = psycopg2.connect(
            **{**self.server, "dbname": self.name, **parameters}
        )
        connection.autocommit = True
        return connection

    def rows(self, statement: str, parameters: Any = None) -> List[Tuple[Any, ...]]:
        """Run a statement; return its rows, none if it has no result."""
        psycopg2.extensions.set_wait_callback(None)
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def execute(self, statement: str, parameters: Any = None) -> None:
        self.rows(statement, parameters)

    def value(self, statement: str, parameters: Any = None) -> Any:
        """Return the first column of the first row."""
        return self.rows(statement, parameters)[0][0]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


@contextmanager
def fresh_database(server: Dict[str, Any], template: Optional[str] = None) -> Iterator[Database]:
    """A fresh database, or a copy; it is dropped afterwards, whatever still uses it."""
    admin = Database({**server}, str(server.get("database") or server.get("dbname") or "postgres"))
    admin.server.pop("database", None)
    fresh = Database(admin.server, f"eater_test_{uuid.uuid4().hex[:12]}")
    if template:
        copy(admin, template, fresh.name)
        fresh.execute(RENEW_NOTES)
        fresh.close()
    else:
        copy(admin, "template0", fresh.name, EMPTY)
    try:
        yield fresh
    finally:
        fresh.close()
        drop(admin, fresh.name)
        admin.close()


def copy(database: Database, template: str, name: str, how: str = "") -> None:
    """Copy a database that nobody else is connected to."""
    _let_leave(database, template)
    version = int(database.value("SHOW server_version_num"))
    # Page by page through the WAL, the way of 15 and newer, takes five times as long.
    strategy = "STRATEGY file_copy" if version >= 150000 else ""
    database.execute(f"CREATE DATABASE {name} TEMPLATE {template} {how} {strategy}")


def drop(database: Database, name: str) -> None:
    """Drop a database, whatever still uses it."""
    database.execute(TERMINATE, (name,))
    _let_leave(database, name)
    database.execute(f"DROP DATABASE {name}")


def _let_leave(database: Database, name: str) -> None:
    """Wait until the sessions that are ending are gone.

    CREATE DATABASE and DROP DATABASE look for those only every 100 ms.
    """
    end = time.monotonic() + LONGEST_LEAVING
    while database.value(LEAVING, (name,)) and time.monotonic() < end:
        time.sleep(0.002)
