"""What `make` installs: for a first try little, and nothing to stop or clean."""

import shutil
import subprocess
from pathlib import Path
from typing import List

import pytest

from tests.support.program import ROOT

FILES = (
    "Makefile",
    *(f"requirements{end}.txt" for end in ("", "-embedded", "-test", "-dev")),
)
JOB = "-r requirements-embedded.txt"
TESTS = "-r requirements-dev.txt"
INSTALLS = {
    "run": [JOB],
    "plan": [JOB],
    "verify": [JOB],
    "history": [JOB],
    "psql": [JOB],
    "test": [JOB, TESTS],
    "lint": [JOB, TESTS],
    "stop": [],
    "clean": [],
}


@pytest.mark.parametrize("target", INSTALLS)
def test_a_target_installs_what_it_takes(target: str, tmp_path: Path) -> None:
    """In a clone where nothing was installed yet."""
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    command = ["make", "--dry-run", target]
    done = subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True)
    assert installed(done.stdout) == INSTALLS[target]


def installed(commands: str) -> List[str]:
    return [
        line.split(" --disable-pip-version-check ")[1]
        for line in commands.splitlines()
        if " -m pip install " in line
    ]
