"""What a report tells of databases that are not as they should be, or not its role's."""

import errno
import json
import os
import re
from pathlib import Path
from typing import Any, Dict, List

import pytest

from converge.report import gather
from tests.support.database import Database
from tests.support.job import Run
from tests.support.reporting import reported

ODD = "50% \"of\" 'it' :x %(y)s {z} \\n <script>|`Ü"
QUOTED = '"' + ODD.replace('"', '""') + '"'


def named(document: Dict[str, Any], what: str) -> List[str]:
    return [one["name"] for one in document[what]]


def test_a_report_by_itself_only_looks(database: Database, run: Run, tmp_path: Path) -> None:
    """Of an empty database it says what a run would do, and ends as --verify does."""
    document = reported(run, tmp_path / "a.json", ENABLE_PERFORMANCE_TEST="true")
    outcome = document["outcome"]
    assert (outcome["exit_code"], outcome["ran"]) == (5, False)
    assert outcome["message"].startswith("33 differences between database and models")
    assert len(document["differences"]) == 33
    assert document["differences"][0]["title"] == "create extension pg_trgm"
    assert document["tables"] == document["queries"] == document["warnings"] == []
    assert document["server"]["database"] == database.name
    assert database.value("SELECT count(*) FROM pg_class WHERE relname = 'weight'") == 0


def test_the_facts_of_a_sound_database(initialised: Database, run: Run, tmp_path: Path) -> None:
    """Each table, index and run is told, and what the models do not know as such."""
    initialised.execute(
        "ALTER TABLE weight ADD COLUMN mood text; CREATE TABLE of_others (number integer);"
        "CREATE INDEX by_mood ON weight (mood); CREATE INDEX by_number ON of_others (number);"
        "ALTER TABLE of_others ADD CONSTRAINT of_weight FOREIGN KEY (number) REFERENCES weight"
    )
    document = reported(run, tmp_path / "a.json", ENABLE_PERFORMANCE_TEST="true")
    assert [one["name"] for one in document["tables"] if not one["managed"]] == ["of_others"]
    (weight,) = (one for one in document["tables"] if one["name"] == "weight")
    assert weight["rows"] == 0
    assert weight["bytes"] > 0
    assert [c["name"] for c in weight["columns"] if not c["managed"]] == ["mood"]
    assert [c["name"] for c in weight["columns"] if c["in_key"]] == ["time"]
    strange = [one["name"] for one in document["indexes"] if not one["managed"]]
    assert strange == ["by_number", "by_mood"]
    assert document["references"] == [
        {
            "schema": "public",
            "name": "of_weight",
            "table": "of_others",
            "columns": ["number"],
            "to_schema": "public",
            "to_table": "weight",
            "to_columns": ["time"],
        }
    ]
    (once,) = document["runs"]
    assert (once["steps"], once["finished"], once["action"]) == (33, 33, "migrate")
    assert document["version"] == 1
    gin = next(one for one in document["indexes"] if one["name"] == "idx_users_email_gin")
    assert gin["queries"] == ["e-mail autocomplete"]
    assert gin["since"] >= once["started"]


def test_the_previous_medians_stand_beside_the_new(
    initialised: Database, run: Run, tmp_path: Path
) -> None:
    """They are those of the file that is written anew."""
    file = tmp_path / "a.json"
    first = reported(run, file, ENABLE_PERFORMANCE_TEST="true")
    again = reported(run, file, ENABLE_PERFORMANCE_TEST="true")
    assert [query["before"] for query in first["queries"]] == 9 * [None]
    medians = [query["milliseconds"] for query in first["queries"]]
    assert [query["before"] for query in again["queries"]] == medians
    (node,) = again["queries"][1]["plan"]
    assert node["text"].endswith("user")


def test_what_is_refused_is_told_with_its_way_out(
    initialised: Database, run: Run, tmp_path: Path
) -> None:
    """A plan that is refused has a report all the same."""
    initialised.execute("DROP TABLE weight; CREATE VIEW weight AS SELECT 1 AS time")
    variables = {"POSTGRES_PASSWORD": "hunter2"}
    document = reported(run, tmp_path / "a.json", "--plan", **variables)
    assert document["outcome"]["exit_code"] == 4
    (refusal,) = document["refusals"]
    assert refusal["subject"] == "public.weight"
    assert refusal["statements"]
    assert refusal["schemas"] == ["public"]
    for ending in ("json", "md", "html"):
        run("--plan", "--report", str(tmp_path / f"a.{ending}"), **variables)
        text = (tmp_path / f"a.{ending}").read_text("utf-8")
        assert refusal["what"] in text
        assert "hunter2" not in text


def test_what_is_strange_is_so_in_each_schema(database: Database, run: Run, tmp_path: Path) -> None:
    """Also where schemas are alike, and compared once."""
    variables = {"POSTGRES_SCHEMAS": "one,two"}
    assert run(**variables).code == 0
    for schema in ("one", "two"):
        database.execute(f"ALTER TABLE {schema}.weight ADD COLUMN mood text")
    document = reported(run, tmp_path / "a.json", **variables)
    strange = [
        (table["schema"], column["name"])
        for table in document["tables"]
        for column in table["columns"]
        if not column["managed"]
    ]
    assert strange == [("one", "mood"), ("two", "mood")]


def test_odd_names_are_told_as_they_are(database: Database, run: Run, tmp_path: Path) -> None:
    """JSON has them to the letter; Markdown as text that means nothing."""
    variables = {"POSTGRES_SCHEMAS": QUOTED}
    assert run(**variables).code == 0
    key = QUOTED[:-1] + ' key"'
    database.execute(
        f"CREATE TABLE {QUOTED}.{QUOTED} ({QUOTED} integer CONSTRAINT {key} PRIMARY KEY);"
        f'CREATE INDEX "<b>" ON {QUOTED}.weight (time)'
    )
    document = reported(run, tmp_path / "a.json", **variables)
    assert document["schemas"] == [ODD]
    assert ODD in named(document, "tables")
    assert f"{ODD} key" in named(document, "indexes")
    (finding,) = next(one for one in document["indexes"] if one["name"] == "<b>")["findings"]
    database.execute(finding["statement"])
    assert run("--report", str(tmp_path / "a.md"), **variables).code == 0
    text = re.sub("```sql.*?```", "", (tmp_path / "a.md").read_text("utf-8"), flags=re.DOTALL)
    assert "<script>" not in text
    assert "\\<script\\>\\|\\`Ü" in text


def test_a_role_without_rights_gets_what_it_may_see(
    initialised: Database, run: Run, tmp_path: Path, role: str
) -> None:
    """What the role may not read is said, and the rest is there."""
    document = reported(run, tmp_path / "a.json", POSTGRES_USER=role)
    assert document["runs"] == []
    assert (
        "the history public.eater_schema_history cannot be read by this role, or is none"
        in (document["warnings"])
    )
    assert len(document["tables"]) == 7
    assert len(document["indexes"]) == 32


def test_a_schema_that_may_not_be_used_is_refused_and_reported(
    initialised: Database, run: Run, tmp_path: Path, role: str
) -> None:
    """The comparison is impossible; the report has its refusal, and what the catalog tells."""
    initialised.execute("CREATE SCHEMA closed; CREATE TABLE closed.secret (number integer)")
    variables = {"POSTGRES_USER": role, "POSTGRES_SCHEMAS": "closed"}
    document = reported(run, tmp_path / "a.json", **variables)
    assert document["outcome"]["exit_code"] == 4
    assert f"GRANT USAGE ON SCHEMA closed TO {role}" in document["outcome"]["message"]
    assert not document["compared"]
    assert named(document, "tables") == ["secret"]


def test_what_could_not_be_compared_is_not_said_to_go(
    initialised: Database, run: Run, tmp_path: Path, role: str
) -> None:
    """An index of the models is theirs without a comparison, too: dropped, it would come back."""
    initialised.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    document = reported(run, tmp_path / "a.json", POSTGRES_USER=role)
    assert not document["compared"]
    assert all(table["managed"] for table in document["tables"])
    advice = {one["advice"] for index in document["indexes"] for one in index["findings"]}
    assert advice == {
        "Take it out of the models first, as the next run would build it again. Then:"
    }


def test_a_refused_run_is_reported_with_its_own_way_out(
    initialised: Database, run: Run, tmp_path: Path, role: str
) -> None:
    """A run needs more than a look does: what stands beside it is what the run has said, once."""
    initialised.execute("CREATE SCHEMA closed")
    file = tmp_path / "a.json"
    variables = {"POSTGRES_USER": role, "POSTGRES_SCHEMAS": "closed", "EATER_REPORT": str(file)}
    assert run(**variables).code == 4
    document = json.loads(file.read_text("utf-8"))
    (refused,) = document["refusals"]
    assert refused["statements"] == [f"GRANT USAGE, CREATE ON SCHEMA closed TO {role}"]
    assert not [text for text in document["warnings"] if "not compared" in text]


def test_of_very_many_schemas_the_largest_are_shown(
    database: Database, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report says so; what differs is told of all."""
    monkeypatch.setattr(gather, "SHOWN", 1)
    database.execute("CREATE SCHEMA large; CREATE TABLE large.filled AS SELECT 1; ANALYZE")
    document = reported(run, tmp_path / "a.json", POSTGRES_SCHEMAS="small,large")
    assert (document["schemas"], document["shown"]) == (["small", "large"], ["large"])
    assert named(document, "tables") == ["filled"]
    assert document["warnings"] == ["of 2 schemas, the 1 largest are shown"]
    assert {name for one in document["differences"] for name in one["schemas"]} == {
        *("small", "large")
    }


def test_a_table_that_is_locked_keeps_no_report_waiting(
    initialised: Database, run: Run, tmp_path: Path
) -> None:
    """There is no comparison then; sizes are those that were last counted."""
    other = initialised.connect()
    other.autocommit = False
    with other.cursor() as cursor:
        cursor.execute("LOCK TABLE weight IN ACCESS EXCLUSIVE MODE")
    document = reported(run, tmp_path / "a.json", LOCK_PATIENCE="500ms")
    other.close()
    assert (document["outcome"]["exit_code"], document["compared"]) == (6, False)
    assert len(document["tables"]) == 7
    assert len(document["indexes"]) == 32
    (warning,) = document["warnings"]
    assert warning.startswith("not compared: the server refused: canceling statement due to lock")


def test_what_was_done_is_told(initialised: Database, run: Run, tmp_path: Path) -> None:
    """A report that comes with a run says so."""
    document = reported(run, tmp_path / "a.json", "--rollback", "--yes")
    outcome = document["outcome"]
    assert (outcome["exit_code"], outcome["ran"]) == (0, True)
    assert dict(outcome["done"])["undo"] == 7
    assert "undo" in dict(outcome["seconds"])
    assert document["tables"] == []


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is found to be full when what was written goes there."""

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)


def test_a_report_that_cannot_be_written(
    initialised: Database, run: Run, tmp_path: Path, full: None
) -> None:
    """For who only looks it is an error; a run that has ended well stays one. Nothing is left."""
    file = tmp_path / "a.json"
    file.touch()
    message = f"the report {file} can't be written: No space left on device"
    looked = run("--report", str(file))
    assert (looked.code, message in looked.err) == (1, True)
    ran = run(EATER_REPORT=str(file))
    assert (ran.code, f"WARNING no report: {message}" in ran.err) == (0, True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_run_that_fails_has_a_report(initialised: Database, run: Run, tmp_path: Path) -> None:
    """It says with what, and what is still to be done."""
    initialised.execute("DROP INDEX idx_weight_date; CREATE VIEW idx_weight_date AS SELECT 1")
    file = tmp_path / "a.html"
    assert run(EATER_REPORT=str(file)).code == 4
    page = file.read_text("utf-8")
    assert "idx_weight_date" in page
    assert run("--report", str(file), "--history").code == 0
