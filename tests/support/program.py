"""Copies of the program, for runs with other models."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def copy_program(directory: Path) -> None:
    """Copy what the image holds into a directory that exists."""
    for path in ROOT.glob("*.py"):
        shutil.copy(path, directory)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "converge", directory / "converge", ignore=ignore)
