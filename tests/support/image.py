"""The context from which the image is built."""

from fnmatch import fnmatch
from typing import Set

from tests.support.program import ROOT


def context() -> Set[str]:
    """Return the files that .dockerignore lets into the build."""
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    admitted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    names = {path.name for path in ROOT.iterdir()}
    return {name for name in names if any(fnmatch(name, pattern) for pattern in admitted)}
