"""Which files make a version of the schema, found without importing any."""

from pathlib import Path
from typing import List

import pytest

from converge.history.sources import sources


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of models.py alone, beside an engine's and a test's module."""
    root = tmp_path / "project"
    for name in "models", "queries", "converge/plan", "company/base":
        write(root, name, "")
    return root


def write(root: Path, module: str, text: str) -> None:
    file = root / f"{module}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


def found(root: Path) -> List[str]:
    files = sources([str(root / "models.py")])
    return [str(Path(file).relative_to(root).with_suffix("")) for file in files]


@pytest.mark.parametrize(
    "text",
    [
        "import company",
        "import datetime, company.base as base",
        "from company.base import Base",
        "from company import (\n    base,\n)",
        "if True:\n    from company import *",
        "\tfrom company import base  # \udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
    ],
)
def test_a_package_counts_whole(project: Path, text: str) -> None:
    """It may find its modules by itself; how it is imported makes no difference."""
    write(project, "company/orders/lines", "")
    write(project, "models", text)
    assert found(project) == ["models", "company/base", "company/orders/lines"]


def test_what_they_import_is_followed(project: Path) -> None:
    """Also in a circle; each file counts once."""
    write(project, "models", "import company")
    write(project, "company/base", "from kinds import KINDS")
    write(project, "kinds", "import models, company")
    assert found(project) == ["models", "company/base", "kinds"]


@pytest.mark.parametrize(
    "text", ["", "import sqlalchemy, json", "import converge", "import nothing"]
)
def test_what_says_nothing_of_a_schema_does_not_count(project: Path, text: str) -> None:
    """Nor does what nobody imports."""
    write(project, "models", text)
    assert found(project) == ["models"]


def test_an_installed_package_counts(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own modules, but nothing of what it needs itself."""
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    write(tmp_path / "installed", "shared/models", "import helpers")
    write(tmp_path / "installed", "helpers", "")
    write(project, "models", "from shared.models import Base")
    expected = [project / "models.py", tmp_path / "installed" / "shared" / "models.py"]
    assert sources([str(project / "models.py")]) == [str(file) for file in expected]
