"""What a run says while a statement takes long."""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import threading
import time

import pytest
from psycopg2.extensions import connection

from converge.change import progress as watch
from tests.support.database import Database
from tests.support.job import Run


@pytest.mark.usefixtures("initialised")
def test_a_build_says_how_far_it_is_and_whom_it_waits_for(database: Database, run: Run) -> None:
    """An index build that waits for an older snapshot names who has it, as of now."""
    database.execute("DROP INDEX idx_weight_date")
    other = database.connect(application_name="analyst")
    with other.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM weight")
        ending = threading.Thread(target=_commit_in, args=(other, 7.5))
        ending.start()
        result = run()
        ending.join()
    other.close()
    assert result.code == 0
    who = r"the transaction of pid \d+ \(analyst\), .*, for 00:00:(\d\d): BEGIN"
    line = rf"waiting for old snapshots, waits for {who}"
    ages = [int(seconds) for seconds in re.findall(line, result.err)]
    assert len(ages) >= 2
    assert ages == sorted(set(ages))


SLOW = """
ALTER TABLE weight ALTER user_email DROP NOT NULL;
INSERT INTO weight SELECT g, '2024-11-08', g, NULL FROM generate_series(1, 45000) g;
ANALYZE weight;
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  PERFORM pg_sleep(1.2) FROM public.weight WHERE user_email IS NULL LIMIT 1; RETURN NULL; END $$;
CREATE TRIGGER slow BEFORE UPDATE ON weight EXECUTE FUNCTION slow()
"""


@pytest.mark.long
@pytest.mark.usefixtures("initialised")
def test_a_backfill_says_how_far_it_is(database: Database, run: Run) -> None:
    """About 10,000 rows are a transaction, and every few seconds there is a line."""
    database.execute(SLOW)
    result = run()
    assert result.code == 0
    found = re.findall(r" INFO  backfill public\.weight\.user_email: (\d+) %\n", result.err)
    shares = [int(share) for share in found]
    assert shares == sorted(set(shares))
    assert 0 < shares[0] < 100
    batches = database.rows("SELECT count(*) FROM weight GROUP BY xmin::text")
    assert len(batches) == 5
    assert max(batches) <= (11_000,)


def _commit_in(other: connection, seconds: float) -> None:
    time.sleep(seconds)
    with other.cursor() as cursor:
        cursor.execute("COMMIT")


def test_a_progress_bar_takes_no_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a session that holds a lock runs is its own text, and may mean harm."""
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("4H", 25, 80, 0, 0))
    with os.fdopen(writing, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with watch.progress("create index", 100) as advance:
            advance(50, "waits for pid 1: SELECT \x1b[2J\n1")
        shown = ""
        while "[2J 1" not in shown and select.select([reading], [], [], 10)[0]:
            shown += os.read(reading, 10_000).decode()
    os.close(reading)
    assert "create index:  50%" in shown
    assert "waits for pid 1: SELECT \\x1b[2J 1" in shown
    assert "\x1b[2J" not in shown
