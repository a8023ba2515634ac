"""Behind a PgBouncer that pools transactions, with two connections, all is as without it.

It refuses a start-up parameter such as `options`, and knows no prepared statement of another
session: so every run here proves as well that neither is used.
"""

import re
import signal
import subprocess
from typing import List, Tuple

import pytest

from tests.support.catalogs import SAMPLE_ROWS, all_rows, described, everything
from tests.support.database import Database
from tests.support.drift import DRIFT, INDEX, TERMINATE
from tests.support.earlier import STATES, State
from tests.support.job import Run, Spawn
from tests.support.pooler import Pooler
from tests.support.waiting import FREE, RUN_LOCK, holding, until

ONLINE = "SELECT {} FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%%'"
BUILDS = ONLINE.format("count(*) = 1") + " AND state = 'active' AND wait_event_type = 'Lock'"
BUILT = ONLINE.format("count(*) = 0") + " AND state = 'active'"


def test_the_whole_flow_goes_through_a_pooler(database: Database, run: Run, pooler: Pooler) -> None:
    """From empty, with nothing to do, from a drift, looked at and undone: as on the server."""
    through = pooler.environment
    assert run(**through).code == 0
    assert " INFO  schema is current: version 1, " in run(**through).err
    catalog = described(database)
    database.execute(SAMPLE_ROWS + "DROP TABLE eater_schema_history;" + DRIFT)
    drifted = described(database), all_rows(database)
    plan = run("--plan", **through)
    # There, what a build names without a schema could not be found: it is in the server's words.
    direct = run("--plan").out.replace(" USING btree", "")
    assert (plan.code, plan.out.replace(" USING btree", "")) == (0, direct)
    assert run("--verify", **through).code == 5
    assert run(**through, ENABLE_PERFORMANCE_TEST="true").code == 0
    assert (described(database), run("--verify", **through).code) == (catalog, 0)
    assert "public    1        1  migrate" in run("--history", **through).out
    assert run("--rollback", **through).code == 0
    assert (described(database), all_rows(database)["weight"]) == (drifted[0], drifted[1]["weight"])
    assert run(**through).code == 0
    assert described(database) == catalog


@pytest.mark.long
@pytest.mark.parametrize("state", STATES, ids=[state.name for state in STATES])
def test_earlier_states_reach_the_models_through_a_pooler(
    database: Database, run: Run, pooler: Pooler, state: State
) -> None:
    """Whatever a database of the platform has been through."""
    state.load(database)
    assert run(**pooler.environment, POSTGRES_SCHEMAS=state.setting).code == 0
    assert run("--verify", POSTGRES_SCHEMAS=state.setting).code == 0


@pytest.mark.parametrize("mode", ["first", "", "--plan", "--verify", "--history", "--rollback"])
def test_no_setting_stays_behind_for_other_clients(
    database: Database, run: Run, pooler: Pooler, mode: str
) -> None:
    """What SHOW ALL says in every session of the pool is what it said before."""
    if mode != "first":
        run()
        database.execute(INDEX)
    database.execute(f"ALTER DATABASE {database.name} SET DateStyle = 'German'")
    before = pooler.sessions(database.name, database.environment["POSTGRES_USER"])
    run(*mode.replace("first", "").split(), **pooler.environment)
    after = pooler.sessions(database.name, database.environment["POSTGRES_USER"])
    assert len(before) == len(after) == 2
    assert before.keys() & after.keys()  # a session that a run has used is among them
    expected = next(iter(before.values()))
    for settings in [*before.values(), *after.values()]:
        assert {name: settings[name] for name in expected} == expected


def finished(runs: "List[subprocess.Popen[str]]") -> List[Tuple[int, str]]:
    """Wait for the runs; return exit code and log of each."""
    logs = [run.communicate(timeout=120)[1] for run in runs]
    return [(run.returncode, log) for run, log in zip(runs, logs)]


@pytest.mark.long
@pytest.mark.parametrize("drift", ["", DRIFT])
def test_four_runs_at_once_share_a_pool_of_two(
    database: Database, run: Run, spawn: Spawn, pooler: Pooler, drift: str
) -> None:
    """One works with both connections, the others wait without keeping any; all succeed."""
    if drift:
        run()
        database.execute(SAMPLE_ROWS + drift)
    other = holding(database, RUN_LOCK)
    runs = [spawn(**pooler.environment) for _ in range(4)]
    for one in runs:
        assert one.stderr is not None
        assert any("waiting for another run to finish" in line for line in one.stderr)
    other.close()
    ended = finished(runs)
    assert [code for code, _ in ended] == [0] * 4, ended
    assert sum(" INFO  schema is current: version 1, verified " in log for _, log in ended) == 3
    assert not any("WARNING" in log for _, log in ended)
    assert run("--verify").code == 0


@pytest.mark.long
def test_runs_of_different_schemas_take_turns_behind_a_pooler(
    database: Database, spawn: Spawn, pooler: Pooler
) -> None:
    """If each held one connection of the pool, each would wait for a second for ever."""
    database.execute("CREATE EXTENSION pg_trgm")
    runs = [spawn(**pooler.environment, POSTGRES_SCHEMAS=schema) for schema in "abcd"]
    ended = finished(runs)
    assert [code for code, _ in ended] == [0] * 4, ended
    lines = [line for _, log in ended for line in log.splitlines() if "WARNING" in line]
    assert [line for line in lines if " is new; there is " not in line] == []


@pytest.mark.long
@pytest.mark.usefixtures("initialised")
def test_a_signal_reaches_the_server_through_a_pooler(
    database: Database, run: Run, spawn: Spawn, pooler: Pooler
) -> None:
    """The build that runs is cancelled there, no lock stays, and the next run finishes."""
    database.execute(INDEX)
    other = holding(database, "LOCK dishes IN ROW EXCLUSIVE MODE")
    process = spawn(**pooler.environment)
    until(database, BUILDS)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    until(database, BUILT)
    until(database, FREE)
    other.close()
    assert run(**pooler.environment).code == 0
    assert run("--verify").code == 0


@pytest.mark.usefixtures("initialised")
def test_a_session_that_ends_behind_the_pooler_costs_an_attempt(
    database: Database, run: Run, pooler: Pooler
) -> None:
    """The pooler says so in words of its own; the run plans again."""
    database.execute("DROP INDEX idx_users_email, idx_weight_date" + TERMINATE.format("= 2"))
    result = run(**pooler.environment)
    assert result.code == 0, result.err
    assert result.err.count(" WARNING attempt 1 of 2 was interrupted, planning again: ") == 1


def test_a_pool_that_others_use_up_is_said(database: Database, run: Run, pooler: Pooler) -> None:
    """Exit code 3, with how many connections a run takes."""
    pooler.command("SET query_wait_timeout = 1")
    others = [database.connect(**pooler.address) for _ in range(2)]
    for other in others:
        other.cursor().execute("BEGIN")
    result = run(**pooler.environment, MAX_RETRIES="1")
    for other in others:
        other.close()
    assert result.code == 3
    assert re.search(
        r" ERROR the connection was lost: .*query_wait_timeout\n(.*\n)*"
        r"  The pooler had no server connection free in time\. Check that the server is running, "
        r"and default_pool_size: a run takes two\.\n"
        r"  Finished steps stay; safe to run again\.\n\Z",
        result.err,
    )


@pytest.mark.parametrize("auth_type", ["md5", "scram-sha-256"])
def test_a_wrong_password_is_not_tried_again_at_a_pooler(
    database: Database, run: Run, auth_type: str
) -> None:
    """It names no user, and has words of its own."""
    pooler = Pooler(database.environment, auth_type=auth_type)
    assert run(**pooler.environment).code == 0
    result = run(**pooler.environment, POSTGRES_PASSWORD="wrong")
    pooler.close()
    assert result.code == 3
    assert re.search(
        r" after 1 attempt\.\n  FATAL:  (password|SASL) authentication failed\n"
        r"  Check POSTGRES_USER and POSTGRES_PASSWORD, and that the password has not expired\.\n"
        r"  It is not tried again, because that may lock the account\.\n  Safe to run again\.\n\Z",
        result.err,
    )


def test_a_pooler_without_room_for_clients_is_said(run: Run, pooler: Pooler) -> None:
    """Exit code 3, with the pooler's own setting."""
    pooler.command("SET max_client_conn = 0")
    result = run(**pooler.environment)
    assert result.code == 3
    assert result.err.endswith(
        "\n  FATAL:  no more connections allowed (max_client_conn)\n"
        "  Close other connections, or raise the pooler's max_client_conn.\n  Safe to run again.\n"
    )


LIMITS = {
    "statement_timeout": ("5s", "0"),
    "lock_timeout": ("5s", "0"),
    "default_transaction_read_only": ("on", "off"),
    "transaction_timeout": ("5s", "0"),
}


@pytest.mark.parametrize("limit", list(LIMITS))
def test_a_limit_that_a_pooled_build_would_meet_is_refused(
    database: Database, run: Run, pooler: Pooler, limit: str
) -> None:
    """Nothing is changed; after the statement, or on the server itself, the run succeeds."""
    limited(database, limit)
    run()
    database.execute(f"ALTER TABLE weight DROP date; {INDEX}")
    before = everything(database)
    user = database.environment["POSTGRES_USER"]
    statement = f"ALTER ROLE {user} IN DATABASE {database.name} SET {limit} = {LIMITS[limit][1]};"
    result = run(**pooler.environment)
    assert result.code == 4
    assert result.err.endswith(
        f" ERROR refused: {limit} is {LIMITS[limit][0]} for {user}, which cannot be lifted "
        "behind a pooler for create index public.dishes.idx_dishes_name.\n"
        "  Nothing was changed. Name the server itself in POSTGRES_HOST, or run this and let the "
        f"pooler reconnect:\n    {statement}\n"
    )
    plan = run("--plan", **pooler.environment)
    assert plan.code == 0
    assert f"-- left alone: this role could not run it: {limit} is " in plan.out
    assert everything(database) == before
    database.execute(f"SET default_transaction_read_only = off; {statement}")
    pooler.command("RECONNECT")
    assert run(**pooler.environment).code == 0


@pytest.mark.parametrize("limit", list(LIMITS))
def test_a_limit_is_in_nobodys_way_where_no_index_is_built(
    database: Database, run: Run, pooler: Pooler, limit: str
) -> None:
    """In a transaction it is lifted for that transaction, pooler or not."""
    limited(database, limit)
    assert run(**pooler.environment).code == 0
    database.execute("SET default_transaction_read_only = off; ALTER TABLE weight DROP weight")
    assert run(**pooler.environment).code == 0


def limited(database: Database, limit: str) -> None:
    """Set a limit for a database, if its server knows it."""
    if not database.rows("SELECT 1 FROM pg_settings WHERE name = %s", (limit,)):
        pytest.skip(f"{limit} came with PostgreSQL 17")
    database.execute(f"ALTER DATABASE {database.name} SET {limit} = '{LIMITS[limit][0]}'")


@pytest.mark.usefixtures("initialised")
def test_a_limited_rollback_is_refused_as_well(
    database: Database, run: Run, pooler: Pooler
) -> None:
    """Undoing drops and builds indexes too."""
    database.execute(f"DROP TABLE eater_schema_history; {INDEX}")
    run()
    limited(database, "statement_timeout")
    for arguments in ["--rollback"], ["--rollback", "--plan"]:
        result = run(*arguments, **pooler.environment)
        assert result.code == 4
        assert (
            "which cannot be lifted behind a pooler for undo create index"
            in result.err + result.out
        )
    assert run("--rollback").code == 0


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize(
    "setting",
    [
        "default_transaction_isolation = 'serializable'",
        "idle_in_transaction_session_timeout = '1ms'",
        "search_path = 'nowhere'",
        "standard_conforming_strings = off",
    ],
)
def test_other_settings_change_nothing_behind_a_pooler(
    database: Database, run: Run, pooler: Pooler, setting: str
) -> None:
    """They are set for each transaction, or do not matter."""
    catalog = described(database)
    database.execute(SAMPLE_ROWS + DRIFT + f"; ALTER DATABASE {database.name} SET {setting}")
    result = run(**pooler.environment)
    assert result.code == 0, result.err
    assert "WARNING" not in result.err
    assert described(database) == catalog
