"""The stock of cases, each tried: refused with a way out that works, or done with nothing lost.

Which number of the list is tried where:

    1, 10, 31            compare/test_hidden_rows.py
    3, 4                 change/test_proofs.py
    5                    compare/test_dates.py
    27, 28               test_cases_of_rollbacks.py
    30, 39, 41, 51       test_cases_with_others.py, and what 21 and 56 say of other modes
    44, 50, 52, 55       test_cases_of_servers.py
    36, 37, 38           unit/server/test_failures.py, server/test_connection.py
    2, 14, 40            do not exist
    all others           here; their SQL is in tests/support/cases_of_*.py
"""

import json
import re
from typing import Any, Dict, List

import pytest

from tests.support.cases import CASES, START, Case, End
from tests.support.catalogs import Rows, all_rows, everything
from tests.support.database import Database
from tests.support.job import Result, Run

LEFT = """
SELECT relname FROM pg_class WHERE relname ~ '^eater_(new|old)_'
UNION ALL SELECT conname FROM pg_constraint WHERE conname ~ '^eater_(new|old)_'
UNION ALL SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"""
ENDS = {End.DONE: [0], End.EITHER: [0, 4], End.REFUSED: [4], End.GIVEN_UP: [4]}
LOSES = re.compile(r"DELETE|TRUNCATE|DROP (TABLE|COLUMN)|CASCADE", re.IGNORECASE)


@pytest.fixture
def case(request: pytest.FixtureRequest, initialised: Database) -> Case:
    """A case whose SQL has been run; a client's statement goes through."""
    case: Case = request.param
    major = int(initialised.value("SHOW server_version_num")) // 10000
    if major < case.since:
        pytest.skip(f"case {case.name} is of PostgreSQL {case.since} and newer, this is {major}")
    initialised.execute(START)
    initialised.execute(case.sql)
    _works(initialised, case)
    return case


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES], indirect=True)
def test_a_case_is_refused_or_done_with_nothing_lost(
    case: Case, database: Database, run: Run
) -> None:
    """Looking changes nothing; what is refused changes nothing; what is printed can be typed."""
    before = everything(database), all_rows(database)
    plan, verify = run("--plan", **case.settings), run("--verify", **case.settings)
    assert (everything(database), all_rows(database)) == before
    result = run(**case.settings)
    assert result.code in ENDS[case.end], result.err
    # What only the server knows it is asked right before the first change, not for a plan.
    asked = case.end in (End.GIVEN_UP, End.EITHER)
    assert plan.code in ([0, result.code] if asked else [result.code]), result.err
    assert verify.code in ([0, 5] if case.end is End.DONE else [4, 5]), verify.err
    rows = before[1]
    if result.code == 4:
        if case.end is not End.GIVEN_UP:
            assert "Nothing was changed." in result.err
        if "Nothing was changed." in result.err:
            assert (everything(database), all_rows(database)) == before
        _refused(case, database, result, rows)
        rows = _way_out(case, database, run, result)
    else:
        if case.end is End.DONE:
            assert _lacks(case, result.err) == []
            noted = [said for said in _lacks(case, plan.out + plan.err) if "read_only" not in said]
            assert noted == []  # what only looks does not write either
        _works(database, case)
    _ended_well(case, database, run, rows)


def _refused(case: Case, database: Database, result: Result, rows: Rows) -> None:
    """Once, with all that it should say; no row and nothing of ours is other than before."""
    assert _lacks(case, result.err[result.err.find("refused: ") :]) == [], result.err
    assert "planning again" not in result.err
    assert _lost(rows, all_rows(database)) == []
    assert case.end is not End.GIVEN_UP or database.rows(LEFT) == []
    _works(database, case)


def _way_out(case: Case, database: Database, run: Run, result: Result) -> Rows:
    """Type what is printed, then what is left to a person; return the rows before the last run."""
    printed = re.findall(r"^    (.*;)$", result.err, re.MULTILINE)
    counts = {table: len(rows) for table, rows in all_rows(database).items()}
    for statement in printed:
        if statement.startswith("SELECT"):
            assert database.value(f"SELECT count(*) FROM ({statement[:-1]}) AS found") > 0
        else:
            assert not LOSES.search(statement), statement
            database.execute(statement)
    rows = all_rows(database)
    assert {table: len(rows[table]) for table in counts if table in rows} == counts
    again = run(**case.settings)
    if again.code == 4 and case.by_hand:
        database.execute(case.by_hand)
        rows = all_rows(database)
        again = run(**case.settings)
    assert again.code == 0, f"{result.err}\n-- typed --\n{again.err}"
    return rows


def _ended_well(case: Case, database: Database, run: Run, rows: Rows) -> None:
    """The database is as the models describe, with every value of before, for clients too."""
    verify = run("--verify", **case.settings)
    assert verify.code == 0, verify.err
    assert "schema is current" in run(**case.settings).err
    assert _lost(rows, all_rows(database)) == []
    assert database.rows(LEFT) == []
    assert not case.after or database.value(case.after)


def _works(database: Database, case: Case) -> None:
    """A client can do what it could do before, where what it writes is what the models allow."""
    if case.works:
        database.execute(f"BEGIN; {case.works}; ROLLBACK")


def _lacks(case: Case, text: str) -> List[str]:
    """Return what a message does not say."""
    return [pattern for pattern in case.says if not re.search(pattern, text)]


def _lost(before: Rows, after: Rows) -> List[Any]:
    """Return the rows that no row of afterwards agrees with in every value that they had."""
    lost = []
    for table, rows in before.items():
        left = [_read(text) for (text,) in after[table]]
        for row in (_read(text) for (text,) in rows):
            same = (n for n, other in enumerate(left) if row.items() <= other.items())
            found = next(same, None)
            if found is None:
                lost.append((table, row))
            else:
                left.pop(found)
    return lost


def _read(text: str) -> Dict[str, str]:
    """Return the values of a row; a day is the same as a timestamp."""
    row = json.loads(text.replace("T00:00:00", "")).items()
    return {name: json.dumps(value) for name, value in row if value is not None}
