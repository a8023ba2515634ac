"""What is wrong with indexes, made for real; and what a report says to type, typed."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import psycopg2
import pytest

from converge.report import findings
from converge.report.model import Finding
from tests.support.database import Database
from tests.support.job import Run
from tests.support.program import copy_program
from tests.support.reporting import reported
from tests.support.waiting import until

MANY = findings.MANY_ROWS
FILLED = f"""INSERT INTO weight SELECT n, '2025-01-01', 60, 'someone@example.org'
FROM generate_series(1, {MANY}) AS n"""
INVALID = "CREATE UNIQUE INDEX CONCURRENTLY by_mail_once ON weight (user_email)"
MADE = (
    "CREATE INDEX by_key ON weight (time)",
    "CREATE INDEX by_mail ON weight (user_email)",
    "CREATE INDEX by_mail_backwards ON weight (user_email DESC)",
    "CREATE INDEX by_mail_some ON weight (user_email) WHERE weight > 60",
    "CREATE UNIQUE INDEX by_time_once ON weight (time)",
    'CREATE INDEX "Nobody\'s ""index""" ON weight (weight)',
    "CREATE TABLE of_others (number integer)",
    "CREATE TABLE referred (a integer UNIQUE, b integer)",
    "CREATE UNIQUE INDEX by_b ON referred (b)",
    "CREATE UNIQUE INDEX by_b_too ON referred (b)",
    "CREATE UNIQUE INDEX referred_to ON referred (b, a)",
    "CREATE UNIQUE INDEX referred_to_too ON referred (b, a)",
    "CREATE TABLE referring (a integer, b integer, FOREIGN KEY (b, a) REFERENCES referred (b, a))",
    "CREATE INDEX by_number ON of_others (number)",
)

# What the server counts comes late in 14 and older; and while it analyzes by itself, rows stay.
VACUUMED = """SELECT n_tup_del > 0 AND n_mod_since_analyze = 0 AND n_dead_tup = 0
FROM pg_stat_user_tables WHERE relname = 'of_others'"""


def found(report: Dict[str, Any]) -> Dict[str, List[Finding]]:
    """Return what is wrong, by the index's name."""
    return {
        index["name"]: [Finding(**finding) for finding in index["findings"]]
        for index in report["indexes"]
        if index["findings"] and not index["name"].startswith("idx_")
    }


def kinds(report: Dict[str, Any]) -> Dict[str, List[str]]:
    return {name: [one.kind for one in several] for name, several in found(report).items()}


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let statistics be old enough at once."""
    monkeypatch.setattr(findings, "ENOUGH_DAYS", 0)


@pytest.fixture
def neglected(initialised: Database) -> Database:
    """A database with an index of each fault, and beside each one that is none."""
    initialised.execute(FILLED)
    for statement in MADE:
        initialised.execute(statement)
    with pytest.raises(psycopg2.errors.UniqueViolation):
        initialised.execute(INVALID)
    initialised.execute("INSERT INTO of_others SELECT generate_series(1, 200000)")
    initialised.execute("DELETE FROM of_others WHERE number % 50 > 0")
    until(initialised, VACUUMED, doing="VACUUM ANALYZE weight, of_others")
    return initialised


def test_each_fault_is_found_and_what_is_said_against_it_helps(
    neglected: Database, run: Run, tmp_path: Path, old: None
) -> None:
    """Every statement can be typed; afterwards nothing is found, and no run is needed."""
    report = reported(run, tmp_path / "report.json")
    assert kinds(report) == {
        "by_key": ["never_used", "redundant"],
        "by_mail": ["never_used", "redundant"],
        "by_mail_backwards": ["never_used"],
        "by_mail_once": ["invalid"],
        "by_mail_some": ["never_used"],
        "by_b_too": ["redundant"],
        "referred_to_too": ["redundant"],  # the foreign key relies on the first
        "by_time_once": ["redundant"],
        'Nobody\'s "index"': ["never_used"],
        "by_number": ["bloated"],
    }
    for several in found(report).values():
        neglected.execute(several[-1].statement)
    again = reported(run, tmp_path / "report.json")
    assert kinds(again) == {}
    assert "of_others" in " ".join(again["left_alone"])
    assert again["outcome"]["exit_code"] == 0


def test_a_managed_index_that_is_dropped_comes_back(
    initialised: Database, run: Run, tmp_path: Path
) -> None:
    """So it has to leave the models first, which is said."""
    report = reported(run, tmp_path / "report.json")
    (index,) = (one for one in report["indexes"] if one["name"] == "idx_weight_time")
    (finding,) = (Finding(**one) for one in index["findings"])
    assert finding.why == (
        "it has the same columns as the key's index weight_pkey, which answers the same queries"
    )
    assert finding.advice == findings.AGAIN
    initialised.execute(finding.statement)
    assert run().code == 0
    assert initialised.value("SELECT to_regclass('idx_weight_time') IS NOT NULL")


WITHOUT = """
_gone = next(one for one in INDEXES if one.name == "idx_weight_time")
INDEXES.remove(_gone)
_gone.table.indexes.remove(_gone)
"""


@pytest.mark.long
def test_a_managed_index_that_has_left_the_models_does_not(
    initialised: Database, run: Run, tmp_path: Path
) -> None:
    """As the report says: out of the models first, then the statement; then the run is content."""
    report = reported(run, tmp_path / "report.json")
    (index,) = (one for one in report["indexes"] if one["name"] == "idx_weight_time")
    (tmp_path / "program").mkdir()
    copy_program(tmp_path / "program")
    with open(tmp_path / "program" / "indexes.py", "a", encoding="utf-8") as file:
        file.write(WITHOUT)
    command = [sys.executable, str(tmp_path / "program" / "create_tables.py")]
    environment = {**os.environ, **initialised.environment}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert initialised.value("SELECT to_regclass('idx_weight_time') IS NOT NULL")
    initialised.execute(index["findings"][0]["statement"])
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert initialised.value("SELECT to_regclass('idx_weight_time') IS NULL")


def test_an_invalid_managed_index_is_left_to_the_next_run(
    initialised: Database, run: Run, tmp_path: Path
) -> None:
    """It drops the index and builds it anew, so there is nothing to type."""
    initialised.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_weight_date'::regclass"
    )
    report = reported(run, tmp_path / "report.json")
    (index,) = (one for one in report["indexes"] if one["name"] == "idx_weight_date")
    assert [one["kind"] for one in index["findings"]] == ["invalid"]
    assert index["findings"][0]["statement"] == ""
    assert report["outcome"]["exit_code"] == 5
    assert run().code == 0
    assert run("--verify").code == 0


def test_young_statistics_call_nothing_unused(
    neglected: Database, run: Run, tmp_path: Path
) -> None:
    """A week without a query says nothing about the month's end; that is said instead."""
    report = reported(run, tmp_path / "report.json")
    assert not [name for name, of_it in kinds(report).items() if "never_used" in of_it]
    assert any("not called unused" in warning for warning in report["warnings"])
