"""With LOG_FORMAT=json every line is one object, from the first to the last, however a run ends."""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

import pytest

from tests.support.database import Database
from tests.support.job import Spawn
from tests.support.log_lines import lines
from tests.support.program import ROOT, copy_program

JSON = {"LOG_FORMAT": "json"}


class Said(NamedTuple):
    """What a process has said: the results, and the log."""

    code: int
    results: List[Dict[str, Any]]
    log: List[Dict[str, Any]]

    @property
    def events(self) -> List[str]:
        return [line["event"] for line in self.log]

    @property
    def finished(self) -> Dict[str, Any]:
        return self.log[-1]


def ended(process: "subprocess.Popen[str]") -> Said:
    """Wait for a process, every line of which has to be as the schema says."""
    out, err = process.communicate(timeout=60)
    said = Said(process.returncode, lines(out), lines(err))
    assert said.finished["event"] == "finished"
    assert said.finished["exit_code"] == said.code
    return said


@pytest.mark.long
def test_a_first_run_a_second_and_what_is_asked_for(database: Database, spawn: Spawn) -> None:
    """The last line says all in numbers; what finds nothing to do is four lines."""
    first = ended(spawn(**JSON, ENABLE_PERFORMANCE_TEST="true"))
    assert first.code == 0
    assert [line["event"] for line in first.results] == ["query_report", "summary"]
    report, summary = first.results
    assert {"query", "median_ms", "indexes", "access", "rows", "schema"} == set(
        report["queries"][0]
    )
    [public] = summary["summary"]
    assert (public["schemas"], public["created"], public["indexed"]) == (["public"], 7, 25)
    done = first.finished["done"]
    assert (done["create_table"], done["create_index"]) == (7, 25)
    assert first.finished["versions"] == [1]
    assert {"connect", "plan", "apply", "verify"} < set(first.finished["seconds"])

    second = ended(spawn(**JSON, ENABLE_PERFORMANCE_TEST="true"))
    assert (second.code, second.results) == (0, [])
    assert second.events == ["connected", "schema_current", "analyzed", "finished"]
    assert second.finished["message"] == "done: there was nothing to do"
    assert (second.finished["done"], second.finished["versions"]) == ({}, [1])

    quiet = ended(spawn(**JSON, LOG_LEVEL="ERROR"))
    assert quiet.events == ["finished"]
    for option, event in {"--plan": "plan", "--verify": "result", "--history": "history"}.items():
        asked = ended(spawn(option, **JSON, LOG_LEVEL="CRITICAL"))
        assert ([line["event"] for line in asked.results], asked.events) == ([event], ["finished"])
    undone = ended(spawn("--rollback", "--yes", "--to=0", **JSON))
    assert (undone.code, undone.finished["versions"]) == (0, [0])


def test_a_refusal_and_a_difference_have_their_facts(initialised: Database, spawn: Spawn) -> None:
    """What, why and what to type are fields, for whoever opens a ticket with them."""
    initialised.execute("ALTER TABLE weight ALTER weight TYPE text")
    initialised.execute("INSERT INTO weight VALUES (1, 'x', 'heavy', 'a@b')")
    refused = ended(spawn(**JSON))
    assert (refused.code, refused.events[-2:]) == (4, ["refused", "finished"])
    [refusal] = refused.log[-2]["refusals"]
    assert (refusal["schema"], refusal["subject"]) == ("public", "public.weight.weight")
    assert refusal["why"]
    assert refusal["way_out"]["statements"]
    assert refused.finished["done"] == {}

    differs = ended(spawn("--verify", **JSON))
    assert (differs.code, differs.events[-2:]) == (5, ["differs", "finished"])
    [result] = differs.results
    assert result["differences"] == [result["message"]]


@pytest.mark.parametrize("where", ["environment", ".env"])
@pytest.mark.parametrize(
    ("arguments", "code", "event"),
    [
        ("--no-such", 2, "bad_command_line"),
        ("--plan --verify", 2, "bad_command_line"),
        ("", 2, "misconfigured"),
        ("--help", 0, "help"),
        ("--version", 0, "help"),
    ],
)
def test_what_never_reaches_a_server_is_json_too(
    tmp_path: Path, where: str, arguments: str, code: int, event: str
) -> None:
    """Also where it is the file of settings that asks for JSON, and that is broken."""
    environment = {name: v for name, v in os.environ.items() if not name.startswith("POSTGRES_")}
    if where == ".env":
        (tmp_path / ".env").write_text("LOG_FORMAT=json\nnot a line\n")
    else:
        environment.update(JSON)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "create_tables.py"), *arguments.split()],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = ended(process)
    assert said.code == code
    assert [line["event"] for line in said.results + said.log] == [event, "finished"]
    if event == "misconfigured" and where == "environment":
        mistakes = said.log[0]["mistakes"]
        assert "POSTGRES_HOST is missing: server: name, address or socket directory" in mistakes


def test_a_signal_is_the_last_but_one_line(database: Database, spawn: Spawn) -> None:
    """Who runs it sees what was done until then."""
    with closing(database.connect()) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; CREATE SCHEMA held; LOCK TABLE pg_namespace IN EXCLUSIVE MODE")
        process = spawn(**JSON, POSTGRES_SCHEMAS="a")
        assert process.stderr is not None
        begun = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        said = ended(process)
    assert json.loads(begun)["event"] == "connected"
    assert (said.code, said.events[-2:]) == (143, ["terminated", "finished"])
    assert said.log[-2]["signal"] == signal.SIGTERM


def test_a_bug_is_one_line_with_its_traceback(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And in text it is what Python would have shown."""
    copy_program(tmp_path)
    with (tmp_path / "rollback.py").open("a") as file:
        file.write(
            "\n\ndef roll_back(job: Job) -> None:\n    raise ZeroDivisionError('by\\nzero')\n"
        )
    command = [sys.executable, "create_tables.py", "--rollback", "--yes"]
    environment = {**os.environ, **database.environment}
    shared: Dict[str, Any] = {"cwd": tmp_path, "text": True, "stderr": subprocess.PIPE}

    said = ended(
        subprocess.Popen(command, **shared, stdout=subprocess.PIPE, env={**environment, **JSON})
    )
    assert (said.code, said.events) == (1, ["connected", "bug", "finished"])
    bug = said.log[1]
    assert (bug["severity"], bug["exit_code"]) == ("CRITICAL", 1)
    assert bug["exception"].endswith("ZeroDivisionError: by\nzero")

    text = subprocess.run(command, **shared, env=environment, check=False)
    assert text.returncode == 1
    assert text.stderr.endswith("ZeroDivisionError: by\nzero\n")
    assert "\nTraceback (most recent call last):\n" in text.stderr


def test_many_schemas_each_say_what_is_refused(initialised: Database, spawn: Spawn) -> None:
    """A refusal names its schema; the last line counts what was done in the others."""
    initialised.execute("CREATE SCHEMA a; CREATE VIEW a.weight AS SELECT 1")
    said = ended(spawn(**JSON, POSTGRES_SCHEMAS="b,a", ON_REFUSAL="skip"))
    assert said.code == 4
    [failed] = [line for line in said.log if line["event"] == "schema_failed"]
    assert (failed["schema"], failed["error"]) == ("a", "refused")
    assert failed["refusals"][0]["schema"] == "a"
    assert said.log[-2]["event"] == "schemas_failed"
    assert said.log[-2]["schemas"] == ["a"]
    assert said.finished["done"]["create_table"] == 7
