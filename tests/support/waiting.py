"""Who holds a lock, who waits for one, and waiting for them in a test."""

import subprocess
import threading
import time

from psycopg2.extensions import connection

from converge.names import LOCK_CLASS, lock_key
from tests.support.database import Database

OURS = "pg_stat_activity a WHERE application_name = 'eater-init' AND datname = current_database()"
WAITS = (
    f"SELECT EXISTS (SELECT FROM {OURS} AND pid IN (SELECT pid FROM pg_locks WHERE NOT granted))"
)
RUN_LOCK = f"SELECT pg_advisory_xact_lock({LOCK_CLASS}, {lock_key('public')})"
FREE = (  # of advisory locks
    "SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

ALONE = (  # no session of anybody else: what a killed client has sent is then done, or gone
    "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() "
    "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


def holding(database: Database, statement: str, name: str = "reader") -> connection:
    """Open a transaction that holds the locks of a statement until it is closed."""
    other = database.connect(application_name=name)
    other.cursor().execute(f"BEGIN; {statement}")
    return other


def until(database: Database, condition: str, *, seconds: float = 60, doing: str = "") -> None:
    """Wait for a query to return true; before each time, do something for it."""
    deadline = time.monotonic() + seconds
    while True:
        if doing:
            database.execute(doing)
        if database.value(condition):
            return
        assert time.monotonic() < deadline, condition
        time.sleep(0.02)


def says(process: "subprocess.Popen[str]", text: str, *, within: float) -> bool:
    """Read what a job says until it says that; False if it does not in so many seconds."""
    heard = threading.Event()

    def listen() -> None:
        for line in process.stderr or ():
            if text in line:
                heard.set()
                return

    threading.Thread(target=listen, daemon=True).start()
    return heard.wait(within)
