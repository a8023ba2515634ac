"""What a run waits for is said: who, what exactly, and how to end it."""

import re
import subprocess
import threading
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Iterator, List

import pytest
from psycopg2 import errors

from converge.server import messages
from converge.server.connection import Connection
from converge.server.retries import connect
from converge.server.waits import Guess, Watcher, holders
from converge.settings.loading import load_settings
from tests.support.catalogs import SAMPLE_ROWS
from tests.support.database import FAST, Database, fresh_database
from tests.support.drift import INDEX
from tests.support.job import Run, Spawn
from tests.support.pooler import Pooler
from tests.support.waiting import holding
from tools import embedded

COLUMN = "ALTER TABLE weight DROP weight"
NULLS = "ALTER TABLE weight ALTER user_email DROP NOT NULL; UPDATE weight SET user_email = NULL"


@pytest.fixture
def live(initialised: Database) -> Database:
    """A database as the models describe, with a row in each table."""
    initialised.execute(SAMPLE_ROWS)
    return initialised


@contextmanager
def forgotten(database: Database) -> Iterator[str]:
    """A prepared transaction that has read a table and written another; its name, quoted."""
    if database.value("SHOW max_prepared_transactions") == "0":
        pytest.skip("this server has no room for prepared transactions")
    name = f"'{database.name}''s'"
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN; SELECT FROM weight; UPDATE dishes SET weight = 2")
        cursor.execute(f"PREPARE TRANSACTION {name}")
    try:
        yield name
    finally:
        if database.rows("SELECT FROM pg_prepared_xacts WHERE database = current_database()"):
            database.execute(f"ROLLBACK PREPARED {name}")


def told(name: str, owner: str) -> str:
    """What is said of a prepared transaction."""
    return (
        rf"the prepared transaction {name} of {owner}, prepared at \d{{4}}-.* UTC\.\n"
        rf"  Let {owner}, or a superuser, run one of these:\n"
        rf"    COMMIT PREPARED {name};\n    ROLLBACK PREPARED {name};\n"
    )


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_prepared_transaction_that_holds_a_lock_is_named(
    live: Database, run: Run, end: str
) -> None:
    """It has no process; after either of the statements the run succeeds."""
    live.execute("ALTER TABLE weight DROP weight")
    with forgotten(live) as name:
        result = run(LOCK_PATIENCE="1s")
        assert result.code == 6
        waited = r"a lock on public\.weight held by " + told(name, str(live.server["user"]))
        step = r"add column public\.weight\.weight"
        assert re.search(rf" WARNING {step} waits for {waited}", result.err)
        assert re.search(rf"\n  It waited for {waited}  Nothing was changed; ", result.err)
        live.execute(f"{end} PREPARED {name}")
        assert run().code == 0


def lines_until(process: "subprocess.Popen[str]", pattern: str) -> List[str]:
    """Read what a run says until a line matches."""
    lines: List[str] = []
    assert process.stderr is not None
    for line in iter(process.stderr.readline, ""):
        lines.append(line)
        if re.search(pattern, line):
            return lines
    raise AssertionError("".join(lines))


@pytest.mark.long
@pytest.mark.parametrize("door", ["direct", "pool of 3", "pool of 2"])
def test_a_prepared_transaction_that_a_build_waits_for_is_named(
    live: Database, spawn: Spawn, request: pytest.FixtureRequest, door: str
) -> None:
    """With the first line of the build's progress; the server gives it process id 0.

    In a pool of two, nothing is left to look from; the build ends all the same.
    """
    through = {}
    if door != "direct":
        pooler: Pooler = request.getfixturevalue("pooler")
        pooler.command(f"SET default_pool_size = {door[-1]}")
        through = pooler.environment
    live.execute(INDEX)
    with forgotten(live) as name:
        process = spawn(**through)
        lines = lines_until(process, " create index public.dishes.idx_dishes_name: ")
        seen = r"\d+ %, waiting for .*, waits for the prepared trans"
        unseen = "unseen, as there is no connection left to look from, for "
        assert re.search(f": {unseen if door == 'pool of 2' else seen}", lines[-1])
        assert "WARNING" not in "".join(lines)
        live.execute(f"COMMIT PREPARED {name}")
        err = process.communicate(timeout=60)[1]
    assert process.returncode == 0, err


def test_only_locks_that_conflict_are_named(live: Database, run: Run) -> None:
    """A writer is in nobody's way who vacuums or builds an index."""
    live.execute(INDEX)
    writer = holding(live, "LOCK dishes IN ROW EXCLUSIVE MODE", name="writer")
    other = holding(live, "LOCK dishes IN SHARE UPDATE EXCLUSIVE MODE", name="in the way")
    result = run(LOCK_PATIENCE="500ms")
    writer.close()
    other.close()
    assert result.code == 6
    assert "waits for a lock on public.dishes held by pid " in result.err
    assert set(re.findall(r"held by pid \d+ \(([^)]*)\)", result.err)) == {"in the way"}


def test_the_history_may_be_what_is_waited_for(live: Database, run: Run) -> None:
    """Each step counts itself there."""
    live.execute(COLUMN)
    other = holding(live, "LOCK eater_schema_history IN SHARE ROW EXCLUSIVE MODE")
    reader = holding(live, "SELECT FROM eater_schema_history", name="bystander")
    result = run(LOCK_PATIENCE="500ms")
    other.close()
    reader.close()
    assert result.code == 6
    assert re.search(
        r"\n  It waited for a lock on public\.eater_schema_history held by pid \d+ \(reader\), ",
        result.err,
    )
    assert "bystander" not in result.err


def test_a_row_may_be_what_is_waited_for(live: Database, observer: Connection) -> None:
    """Then no lock on a table conflicts: it is the end of a transaction that is waited for."""
    other = holding(live, "UPDATE weight SET weight = 1", name="writer")
    settings = load_settings(live.environment, "none")
    with closing(connect(settings)) as connection:
        watcher = Watcher(connection, lambda: nullcontext(observer), lambda _: None)
        update = ["UPDATE public.weight SET weight = 2"]
        with connection.watched(watcher, 0.1), pytest.raises(errors.LockNotAvailable):
            messages.transaction(connection, update, lock_timeout=1)
    other.close()
    [wait] = watcher.in_the_way()
    assert re.match(r"the transaction of pid \d+ \(writer\), idle in .*: BEGIN; UPDATE", str(wait))


@pytest.mark.long
@pytest.mark.parametrize("mode", ["--plan", ""])
def test_a_query_that_waits_says_so(live: Database, run: Run, mode: str) -> None:
    """After some seconds, while it waits; there is no end to LOCK_PATIENCE yet."""
    live.execute(NULLS)
    other = holding(live, "LOCK weight")
    ending = threading.Timer(5, other.close)
    ending.start()
    result = run(*mode.split(), LOCK_PATIENCE="1min")
    ending.join()
    assert result.code == 0
    line = r" WARNING a statement waits for a lock on public\.weight held by pid \d+ \(reader\), "
    assert len(re.findall(line, result.err)) == 1


MODES = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)


@pytest.fixture
def observer(live: Database, tmp_path: Path) -> Iterator[Connection]:
    settings = load_settings(live.environment, str(tmp_path / "none"))
    with closing(connect(settings)) as connection:
        yield connection


@pytest.mark.parametrize("held", MODES)
def test_the_table_of_conflicts_is_the_servers(
    live: Database, observer: Connection, held: str
) -> None:
    """Whoever is named is in the way, and whoever is in the way is named."""
    other = holding(live, f"LOCK weight IN {held} MODE")
    named, refused = set(), set()
    for mode in MODES:
        code = mode.title().replace(" ", "") + "Lock"
        if holders(observer, [Guess("public", "weight", code)]):
            named.add(mode)
        try:
            live.execute(f"BEGIN; LOCK weight IN {mode} MODE NOWAIT")
        except errors.LockNotAvailable:
            refused.add(mode)
        live.execute("ROLLBACK")
    other.close()
    assert named == refused != set()


@pytest.fixture
def lonely(own_server: Path) -> Iterator[Database]:
    """A database on a server of its own."""
    with fresh_database(embedded.start(str(own_server), options=FAST)._asdict()) as database:
        yield database
        database.execute(RESET)
        database.execute(RELOAD)


RESET, RELOAD = "ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()"


@pytest.mark.long
@pytest.mark.parametrize("state", ["live", "new"])
def test_a_synchronous_standby_that_is_gone_is_named(
    lonely: Database, run: Run, spawn: Spawn, state: str
) -> None:
    """Every COMMIT waits for it; the statements that are said end that."""
    own = lonely.environment
    if state == "live":
        assert run(**own).code == 0
        lonely.execute(f"{SAMPLE_ROWS}; {COLUMN}")
    lonely.execute(RESET.replace("''", "'ghost'"))
    lonely.execute(RELOAD)
    process = spawn(**own)
    lines = lines_until(process, " WARNING ")
    assert lines[-1].endswith(
        "record eater_schema_history waits for a synchronous standby to confirm its COMMIT, as "
        "every writer does: synchronous_standby_names is 'ghost'.\n"
    )
    assert process.stderr is not None
    advice = [process.stderr.readline() for _ in range(3)]
    assert advice[0] == "  Start such a standby, or let an administrator run:\n"
    for statement in advice[1:]:
        lonely.execute(statement)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 0, err


@pytest.mark.usefixtures("live")
def test_a_run_behind_a_pooler_says_what_it_waits_for(
    live: Database, run: Run, pooler: Pooler
) -> None:
    """The process id that libpq knows is not the server's there."""
    live.execute(NULLS)
    other = holding(live, "UPDATE weight SET weight = 1", name="writer")
    result = run(LOCK_PATIENCE="1s", **pooler.environment)
    other.close()
    assert result.code == 6
    assert re.search(r"\n  It waited for a lock on public\.weight held by pid \d+ \(w", result.err)
