"""What a run says while a statement takes long."""

import re
import threading
import time
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, Callable, List, Optional, Set

import pytest
from psycopg2.extensions import connection

from converge.change.progress import watched_build
from converge.server import messages
from converge.server.retries import connect
from converge.server.sql import statement
from converge.server.waits import whereabouts
from converge.settings.loading import load_settings
from converge.task import Task
from tests.support.database import Database
from tests.support.job import Run, Spawn
from tests.support.screen import terminal, unlike
from tests.support.terminal import started
from tests.support.waiting import holding


@pytest.mark.usefixtures("initialised")
def test_a_build_says_how_far_it_is_and_whom_it_waits_for(database: Database, run: Run) -> None:
    """An index build that waits for an older snapshot names who has it: at once, and only then."""
    database.execute("DROP INDEX idx_weight_date")
    other = database.connect(application_name="analyst")
    with other.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM weight")
        ending = threading.Thread(target=_commit_later, args=(other,))
        ending.start()
        result = run()
        ending.join()
    other.close()
    assert result.code == 0
    who = r"the transaction of pid \d+ \(analyst\), idle in transaction, for 00:00:\d\d: SELECT"
    line = r"INFO  create index public\.weight\.idx_weight_date: 99 %, "
    found = re.findall(rf"{line}waiting for old snapshots, for [12] s, waits for {who}", result.err)
    assert len(found) == result.err.count("analyst") == 1


ASKED = """SELECT pg_stat_clear_snapshot();
SELECT count(*) FILTER (WHERE c.state_change > b.query_start), count(*)
FROM pg_stat_activity c JOIN pg_stat_activity b ON c.datname = b.datname
WHERE c.datname = current_database() AND c.state = 'idle in transaction'
  AND c.application_name = b.application_name AND b.query LIKE 'CREATE INDEX CONCURRENTLY %'"""


@pytest.mark.usefixtures("initialised")
def test_what_holds_the_run_lock_is_asked_nothing_in_a_build(
    database: Database, spawn: Spawn
) -> None:
    """A build that counts older snapshots in the moment of such a look would wait for its own run:
    for ever, as no deadlock detector sees that."""
    database.execute("DROP INDEX idx_weight_date")
    snapshot = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM weight"
    other = holding(database, snapshot, name="analyst")
    process = spawn()
    assert process.stderr is not None
    assert any("waits for the transaction of " in line for line in process.stderr)
    asked = database.rows(ASKED)
    other.close()
    assert process.communicate(timeout=30)[1].endswith("done: changes were made\n")
    assert asked == [(0, 1)]


BLOCKED = """SELECT pg_stat_clear_snapshot();
SELECT FROM pg_stat_progress_create_index WHERE phase = 'waiting for old snapshots'"""


def _commit_later(other: connection) -> None:
    """Commit when a build has waited for it for a while."""
    with other.cursor() as cursor:
        cursor.execute(BLOCKED)
        while cursor.rowcount != 1:
            time.sleep(0.1)
            cursor.execute(BLOCKED)
        time.sleep(1.5)
        cursor.execute("COMMIT")


def test_a_terminal_shows_a_blocked_build(initialised: Database, tmp_path: Path) -> None:
    """However narrow it is: the bar, the phase, and who is in the way, each by itself."""
    initialised.execute("DROP INDEX idx_weight_date")
    snapshot = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM weight"
    other = holding(initialised, snapshot, name="analyst")
    with terminal(40) as shown:
        process = started(tmp_path, initialised.environment, shown.theirs)
        deadline = time.monotonic() + 30
        while not any("waits" in line for line in shown.lines) and time.monotonic() < deadline:
            time.sleep(0.05)
        bars = shown.lines[-9:]
        other.close()
        process.communicate(timeout=60)
        after = shown.lines
    assert process.returncode == 0
    text = "\n".join(bars)
    panel = (
        r"create index\n  public\.weight\.idx_weight_date\n"
        r" *\d+ % \|.*\| \d s\nwaiting for old snapshots\n"
        r"waits for the transaction of pid \d+\n  \(analyst\), idle in transaction, for\n"
    )
    assert re.search(panel, text), text
    assert "analyst" not in "".join(after)
    assert unlike([line for line in after if "%" in line]) == []


SLOW_ROWS = """
CREATE TABLE slow (id integer, wide text); ALTER TABLE slow ALTER wide SET STORAGE PLAIN;
INSERT INTO slow SELECT g, repeat('x', 3000) FROM generate_series(1, {rows}) g;
CREATE FUNCTION slow(g integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS
$$ BEGIN PERFORM pg_sleep(0.004); RETURN g; END $$;
ALTER DATABASE {name} SET max_parallel_maintenance_workers = {workers};
ALTER DATABASE {name} SET min_parallel_table_scan_size = 0
"""


class Looks(Task):
    """Remembers what a build was seen to be at, and how often in each look."""

    def __init__(self, database: Database, count: Callable[[], int]) -> None:
        super().__init__("build")
        self.database, self.count = database, count
        self.phases: List[str] = []
        self.sessions: Set[int] = set()
        self.percents: List[Optional[int]] = []
        self.workers = 0

    def look(self, *args: Any, **kwargs: Any) -> None:
        super().look(*args, **kwargs)
        self.phases.append(self.phase)
        self.percents.append(self.pace.percent)
        workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'"
        self.workers += self.database.value(workers)
        self.sessions.add(self.count())


@pytest.mark.parametrize("door", ["pooled", "direct"])
def test_a_parallel_build_is_the_leaders(database: Database, tmp_path: Path, door: str) -> None:
    """Behind a pooler it is known by its statement, which its workers have, too."""
    database.execute(SLOW_ROWS.format(name=database.name, rows=400, workers=2))
    settings = load_settings(database.environment, str(tmp_path / "none"))
    with closing(connect(settings)) as work, closing(connect(settings)) as control:
        work.pooled = door == "pooled"

        def count() -> int:
            found = statement("change/progress.sql", **whereabouts(work))
            return len(messages.rows(control, found))

        task = Looks(database, count)
        with watched_build(work, lambda: nullcontext(control), task):
            work.watch_after = work.watch_every = 0.05
            messages.alone(work, "CREATE INDEX CONCURRENTLY ON public.slow (slow(id))")
    assert task.workers > 0
    assert max(task.sessions) == 1
    assert "building index: scanning table" in task.phases
    known = [percent for percent in task.percents if percent is not None]
    assert known == sorted(known)
    assert len(set(known)) > 2


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
    """About 10,000 rows are a transaction, and a line says how many are done."""
    database.execute(SLOW)
    result = run()
    assert result.code == 0
    line = r" INFO  step \d of \d: backfill public\.weight\.user_email: (\d+) %, "
    amount = r"about ([\d,]+) of 45,000 rows, for (\d+) s, (\d+) s left\n"
    [(percent, rows, elapsed, left)] = re.findall(line + amount, result.err)
    assert int(rows.replace(",", "")) == pytest.approx(450 * int(percent), abs=450)
    [in_all] = re.findall(r"backfill public\.weight\.user_email \(([\d.]+) s\)", result.err)
    assert int(elapsed) + int(left) == pytest.approx(float(in_all), rel=0.4)
    batches = database.rows("SELECT count(*) FROM weight GROUP BY xmin::text")
    assert len(batches) == 5
    assert max(batches) <= (11_000,)


@pytest.mark.usefixtures("initialised")
def test_a_step_that_waits_for_a_lock_is_said_once(database: Database, run: Run) -> None:
    """By its own name and place, not by that of a statement besides."""
    database.execute("ALTER TABLE weight DROP weight")
    other = holding(database, "SELECT FROM weight")
    result = run(LOCK_PATIENCE="1s")
    other.close()
    assert result.code == 6
    line = r" WARNING add column public\.weight\.weight waits for a lock on "
    assert len(re.findall(line, result.err)) == 1
    assert result.err.count(" waits for ") == 1
