"""What a run says while a statement takes long."""

import re
import threading
import time

from psycopg2.extensions import connection

from tests.conftest import Database, Run


def test_a_build_says_how_far_it_is_and_whom_it_waits_for(database: Database, run: Run) -> None:
    """An index build that waits for an older snapshot names who has it, as of now."""
    run()
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
    line = r"waiting for old snapshots, waits for pid \d+ \(analyst\), .*, for 00:00:(\d\d): BEGIN"
    ages = [int(seconds) for seconds in re.findall(line, result.err)]
    assert len(ages) >= 2
    assert ages == sorted(set(ages))


def _commit_in(other: connection, seconds: float) -> None:
    time.sleep(seconds)
    with other.cursor() as cursor:
        cursor.execute("COMMIT")
