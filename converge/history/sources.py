"""The files that say what should be: the named ones, and the modules and packages they import.

They are found by their import statements and read as files: importing them would import SQLAlchemy,
ten times the whole look.
"""

import os
import re
import sys
from typing import Iterator, List, Sequence

IMPORTS = re.compile(r"^[ \t]*(?:from[ \t]+(\w+)|import[ \t]+([\w., \t]+))", re.MULTILINE)
# The engine has a fingerprint of its own. What SQLAlchemy's words mean, the server decides.
NOT_MODELS = ("converge", "sqlalchemy")
STANDARD_LIBRARY = os.path.dirname(os.__file__)


def sources(files: Sequence[str]) -> List[str]:
    """Return the files, and whatever they import from beside the first one or from site-packages.

    A package counts with all of its modules: it may import them by other means than a statement.
    What an installed one imports from others does not count. Raises `OSError` for a file that
    cannot be read.
    """
    root = os.path.dirname(files[0])
    found, asked, installed = list(files), set(NOT_MODELS), []
    for file in found:  # which grows
        for name in _imported(file):
            if name not in asked:
                asked.add(name)
                ours = _modules(root, name)
                found += [module for module in ours if module not in found]
                installed += [] if ours else _installed(name)
    return found + installed


def _imported(file: str) -> Iterator[str]:
    """Yield the top-level names that a file's import statements begin with."""
    with open(file, encoding="utf-8", errors="replace") as opened:
        text = opened.read()
    for of_from, of_import in IMPORTS.findall(text):
        for part in (of_from or of_import).split(","):
            yield part.strip().partition(" ")[0].partition(".")[0]


def _installed(name: str) -> List[str]:
    """Return the files of an installed module or package; none if it is Python's own."""
    elsewhere = (directory for directory in sys.path if directory != STANDARD_LIBRARY)
    return next(filter(None, (_modules(directory, name) for directory in elsewhere)), [])


def _modules(directory: str, name: str) -> List[str]:
    """Return the files of a module or package of a directory, sorted."""
    path = os.path.join(directory, name)
    if not os.path.isdir(path):
        return [path + ".py"] if os.path.isfile(path + ".py") else []
    files = ((folder, entry) for folder, _, entries in os.walk(path) for entry in entries)
    return sorted(os.path.join(*file) for file in files if file[1].endswith(".py"))
