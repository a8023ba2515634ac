"""The house: what the engine may know, and what a run that finds nothing to do may import."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import List, Set

import pytest

from tests.support.program import ROOT

ENGINE = sorted(path for path in (ROOT / "converge").rglob("*") if path.suffix in (".py", ".sql"))
PLATFORM = re.compile(r"chater|eater|dish|alcohol", re.IGNORECASE)
ROOT_MODULES = sorted(ROOT.glob("*.py"))


def imported(path: Path) -> Set[str]:
    """Return the top packages that a file imports at any place."""
    found: List[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(node.module or "")
    return {name.split(".")[0] for name in found}


def test_the_engine_knows_nothing_of_food() -> None:
    """It could serve any models; names that are a contract stand in one file."""
    assert len(ENGINE) > 40
    found = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in ENGINE
        if path.name != "names.py"
        for line in path.read_text("utf-8").splitlines()
        if PLATFORM.search(line)
    ]
    assert found == []


def test_sqlalchemy_stands_in_three_places() -> None:
    """The models, their indexes, and the room that compares."""
    users = {path for path in [*ROOT_MODULES, *ENGINE] if path.suffix == ".py"}
    found = {
        str(path.relative_to(ROOT).parent if path.parent != ROOT else path.name)
        for path in users
        if "sqlalchemy" in imported(path)
    }
    assert found == {"models.py", "indexes.py", "converge/compare"}


@pytest.mark.parametrize(
    "heavy", ["sqlalchemy", "tenacity", "tqdm", "dotenv", "statistics", "jinja2"]
)
def test_the_light_path_imports_nothing_heavy(heavy: str) -> None:
    """What a run that finds nothing to do has no use for is imported where it is needed."""
    code = f"import sys, create_tables; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_sql_files_are_as_psql_takes_them() -> None:
    """Each says its variables, so that it can be run by hand; a part says what it is part of."""
    for path in ENGINE:
        if path.suffix == ".sql":
            lines = path.read_text("utf-8").splitlines()
            head = " ".join(line for line in lines if line[:2] == "--")
            assert "\\set" in head or "a part of" in head, path
