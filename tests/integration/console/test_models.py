"""Models that can't be imported are a mistake in them, not a bug of this program."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, NamedTuple

import pytest

from tests.support.database import Database
from tests.support.program import copy_program

KEYLESS = """
class Keyless(Base):
    __tablename__ = "keyless"
    name: Mapped[str] = mapped_column()
"""
URL = "from sqlalchemy import make_url\nmake_url('postgresql//u:hidden@h/d and u://u:hidden@h:x/')"


class Mistake(NamedTuple):
    """What is written below the models, or in a module of theirs, and what is said of it."""

    text: str
    says: str
    line: int  # below the others'
    file: str = "models.py"


MISTAKES = {
    "twice": Mistake(
        "Table('user', Base.metadata, Column('a'))",
        "InvalidRequestError: Table 'user' is already defined for this MetaData instance.",
        1,
    ),
    "without a key": Mistake(KEYLESS, "ArgumentError: Mapper ", 2),
    "a module that is missing": Mistake(
        "import nowhere", "ModuleNotFoundError: No module named 'nowhere'", 1
    ),
    "syntax": Mistake("a b", "SyntaxError: ", 1),
    "in another file": Mistake("1 / 0", "ZeroDivisionError: division by zero.", 1, "more.py"),
    "a URL": Mistake(URL, "ArgumentError: ", 2),
    "the password": Mistake("raise ValueError('it is hidden')", "ValueError.\n", 1),
    "an exit": Mistake("raise SystemExit(0)", "SystemExit: 0.", 1),
    "an exit with a reason": Mistake("raise SystemExit('bye')", "SystemExit: bye.", 1),
    "no message": Mistake("raise AssertionError", "AssertionError.\n", 1),
}


@pytest.mark.parametrize("name", list(MISTAKES))
def test_models_that_raise_are_a_mistake_in_them(
    database: Database, tmp_path: Path, name: str
) -> None:
    """It names the innermost line of theirs, is not tried again, and holds no secret."""
    mistake = MISTAKES[name]
    copy_program(tmp_path)
    models = (tmp_path / "models.py").read_text("utf-8") + "from sqlalchemy import Column, Table\n"
    if mistake.file == "models.py":
        models += mistake.text
    else:
        (tmp_path / mistake.file).write_text(mistake.text, "utf-8")
        models += f"import {mistake.file[:-3]}"
    (tmp_path / "models.py").write_text(models, "utf-8")
    before = models[: max(models.rfind(mistake.text), 0)].count("\n")
    code, said = run(tmp_path, {**database.environment, "POSTGRES_PASSWORD": "hidden"})
    assert code == 2, said
    assert said.count(f"the models can't be imported: {mistake.says}") == 1
    assert f"\n  At {mistake.file}:{before + mistake.line}.\n  Nothing was changed." in said
    assert "Traceback" not in said
    assert "hidden" not in said


def test_what_models_print_is_no_result(database: Database, tmp_path: Path) -> None:
    """It is a line of the log: stdout may be on its way into a file, as a plan for --apply."""
    copy_program(tmp_path)
    with (tmp_path / "models.py").open("a", encoding="utf-8") as models:
        models.write("print('hello\\nthere')\n")
    result = subprocess.run(
        [sys.executable, str(tmp_path / "create_tables.py"), "--plan", "--format", "json"],
        env={**os.environ, **database.environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(result.stdout)["summary"]["steps"] == 33
    assert [line.split(" ", 1)[1] for line in result.stderr.splitlines()[1:]] == [
        "INFO  hello",
        "INFO  there",
    ]


def test_a_mistake_in_the_key_queries_ends_a_run_before_it_begins(
    database: Database, tmp_path: Path
) -> None:
    """It is said as whoever reads the log wants it, and no table is made by then."""
    copy_program(tmp_path)
    queries = tmp_path / "queries.py"
    lines = queries.read_text("utf-8").count("\n")
    with queries.open("a", encoding="utf-8") as file:
        file.write("1 / 0\n")
    code, said = run(tmp_path, {**database.environment, "LOG_FORMAT": "json"})
    found = [json.loads(line) for line in said.splitlines()]
    assert (code, found[-1]["event"], found[-1]["exit_code"]) == (2, "finished", 2)
    assert found[-2]["message"] == (
        "the key queries can't be imported: ZeroDivisionError: division by zero.\n"
        f"  At queries.py:{lines + 1}.\n"
        "  Nothing was changed. Correct the key queries, then run again."
    )


def run(directory: Path, variables: Dict[str, str]) -> "tuple[int, str]":
    """Run the program that is in a directory; return its exit code and what it says."""
    result = subprocess.run(
        [sys.executable, str(directory / "create_tables.py"), "--verify"],
        env={**os.environ, **variables},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout + result.stderr
