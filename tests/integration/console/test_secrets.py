"""The password is where libpq needs it, and nowhere else."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Set
from urllib.parse import quote, quote_plus

import pytest

from tests.support.catalogs import SAMPLE_ROWS
from tests.support.database import Database
from tests.support.job import Run, Spawn
from tests.support.program import copy_program

# Of everything that a URL, a connection string, SQL, JSON or Python would write in another way.
PASSWORD = "hun'ter\"2\\n &%/?#@:=;$(x)`ü"


def forms(password: str) -> Set[str]:
    """Return the ways in which a password may be written."""
    sql = password.replace("'", "''")
    conninfo = password.replace("\\", "\\\\").replace("'", "\\'")
    return {
        password,
        quote(password),
        quote(password, safe=""),
        quote_plus(password),
        repr(password)[1:-1],
        ascii(password)[1:-1],
        json.dumps(password)[1:-1],
        json.dumps(password, ensure_ascii=False)[1:-1],
        sql,
        conninfo,
    }


def assert_hidden(text: str) -> None:
    assert [form for form in forms(PASSWORD) if form in text] == []
    assert "hun'ter" not in text
    assert "hun%27ter" not in text


@pytest.fixture(params=["text", "json"])
def loud(request: pytest.FixtureRequest) -> Dict[str, str]:
    """The variables of a run that says all it can, with the password."""
    return {
        "POSTGRES_PASSWORD": PASSWORD,
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": request.param,
        "MAX_RETRIES": "2",
        "RETRY_DELAY": "0",
        "LOCK_PATIENCE": "1s",
    }


BOOM = """
CREATE FUNCTION boom() RETURNS event_trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'boom'; END $$;
CREATE EVENT TRIGGER boom ON ddl_command_start WHEN tag IN ('CREATE INDEX')
  EXECUTE FUNCTION boom();
"""
REFUSED = "ALTER TABLE weight ALTER weight TYPE text; UPDATE weight SET weight = 'heavy'"
CASES = [
    ("", "", 0, {}),
    ("", "--plan", 0, {}),
    ("", "--verify", 0, {}),
    ("", "--history", 0, {}),
    ("", "--rollback --plan", 4, {}),  # there are rows
    ("DROP INDEX idx_weight_date;" + BOOM, "", 4, {}),
    ("DROP EVENT TRIGGER boom", "--verify", 5, {}),
    (REFUSED, "", 4, {}),
    ("", "", 2, {"POSTGRES_PORT": "abc"}),
    ("", "", 3, {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": "1"}),
    ("", "", 3, {"POSTGRES_DB": "no such database"}),
    ("", "", 3, {"POSTGRES_USER": "nobody"}),
]


def test_no_output_holds_the_password(database: Database, run: Run, loud: Dict[str, str]) -> None:
    """Not at DEBUG, whatever goes wrong, nor in what a run leaves in the database."""
    assert run(**loud).code == 0
    database.execute(SAMPLE_ROWS)
    said: List[str] = []
    for drift, arguments, code, variables in CASES:
        database.execute(drift or "SELECT")
        result = run(*arguments.split(), **{**loud, **variables})
        said += result.out, result.err
        assert result.code == code, result.err
    for text in said:
        assert_hidden(text)
    for row in database.rows("SELECT to_jsonb(h)::text FROM eater_schema_history h"):
        assert_hidden(row[0])
    comment = "SELECT obj_description('eater_schema_history'::regclass)"
    assert_hidden(database.value(comment))


def test_a_crash_shows_no_password(
    database: Database, loud: Dict[str, str], tmp_path: Path
) -> None:
    """A bug's traceback shows the code's lines, not their values."""
    copy_program(tmp_path)
    with (tmp_path / "converge" / "text.py").open("a") as text:
        text.write("\ndef counted(*_: object) -> str:\n    raise RuntimeError('a bug')\n")
    result = subprocess.run(
        [sys.executable, str(tmp_path / "create_tables.py")],
        env={**os.environ, **database.environment, **loud},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "RuntimeError: a bug" in result.stderr
    assert_hidden(result.stdout + result.stderr)


def command_line(pid: int) -> str:
    """Return a process's arguments, as everybody on its machine sees them."""
    arguments = Path(f"/proc/{pid}/cmdline")
    if arguments.exists():
        return arguments.read_text("utf-8").replace("\0", " ")
    return subprocess.check_output(["ps", "-ww", "-o", "args=", "-p", str(pid)], text=True)


@pytest.mark.long
def test_nobody_sees_the_password_in_a_process(
    database: Database, spawn: Spawn, loud: Dict[str, str]
) -> None:
    """Neither in its command line nor in what the server calls it; nor when it is stopped."""
    first = spawn(**loud)
    first.communicate(timeout=60)  # all statements at DEBUG are more than a pipe holds
    assert first.returncode == 0
    database.execute("DROP INDEX idx_weight_date; ALTER TABLE weight DROP weight")
    reader = database.connect()
    reader.cursor().execute("BEGIN; SELECT FROM weight")
    process = spawn(**{**loud, "LOCK_PATIENCE": "1min"})
    assert process.stderr is not None
    line = process.stderr.readline()
    while "waits for a lock on public.weight held by" not in line:
        assert line, "it did not wait"
        assert_hidden(line)
        line = process.stderr.readline()
    shown = command_line(process.pid)
    assert "create_tables.py" in shown
    assert_hidden(shown)
    sessions = database.rows("SELECT application_name, query FROM pg_stat_activity")
    assert "eater-init" in {name for name, _ in sessions}
    assert_hidden(repr(sessions))
    process.terminate()
    assert_hidden("".join(process.communicate(timeout=30)))
    assert process.returncode == 143
    reader.close()


def test_statements_at_debug_have_no_row_and_no_secret(
    database: Database, run: Run, loud: Dict[str, str]
) -> None:
    """Every one is there, as it can be typed; a parameter may be of a row, and is not."""
    database.execute("CREATE TABLE tenants AS SELECT 'public' AS name, 'hush' AS licence")
    query = "SELECT name FROM tenants WHERE licence = 'hush'"
    timed = {"ENABLE_PERFORMANCE_TEST": "true", "POSTGRES_SCHEMAS_QUERY": query}
    first = run(**loud, **timed)
    database.execute(SAMPLE_ROWS)
    said = first.err + run(**loud, **timed).err
    assert run(**{**loud, "LOG_LEVEL": "INFO"}).err.count("SELECT") == 0
    for sent in ("CREATE TABLE public.weight", "-- POSTGRES_SCHEMAS_QUERY, which is not shown"):
        assert sent in said
    assert "EXPLAIN (ANALYZE" in said
    for hidden in ("hush", "ann@example.org"):
        assert hidden not in said
