"""The files that the image gets are enough for every kind of run."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest

from tests.support.database import Database
from tests.support.image import context
from tests.support.program import ROOT


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A directory with just what the Dockerfile copies into /app."""
    directory = tmp_path / "app"
    directory.mkdir()
    for name in context():
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, directory / name)
    return directory


@pytest.mark.long
@pytest.mark.parametrize(
    "arguments", ["--version", "--plan", "", "--verify", "--history", "--rollback --plan"]
)
def test_a_run_needs_no_file_that_is_not_in_the_image(
    image: Path, database: Database, tmp_path: Path, arguments: str
) -> None:
    """Each mode, with LOG_FORMAT=json as in the manifests, from a directory that isn't ours."""
    environment = {**database.environment, "LOG_FORMAT": "json", "ENABLE_PERFORMANCE_TEST": "true"}
    if arguments in ("--verify", "--rollback --plan"):
        _run(image, environment)
    done = _run(image, environment, *arguments.split())
    assert "Traceback" not in done.stderr
    assert done.returncode == 0


def _run(
    image: Path, environment: Dict[str, str], *arguments: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(image / "create_tables.py"), *arguments],
        cwd=image.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
