"""SQL files: long queries that can be run in psql as they are, with variables set by `\\set`."""

import os
import re
from functools import lru_cache
from typing import Sequence, Union

from converge.quoting import literal

ENGINE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# psql's: `:name` is a variable, unlike the `::` of a cast; `\ir file` puts a file in its place.
VARIABLE = re.compile(r"(?<!:):([a-z_]+)")
INCLUDE = re.compile(r"^\\ir (\S+)$", re.MULTILINE)


def statement(file: str, **values: Union[str, Sequence[str]]) -> str:
    """Return the query of a file, named by its path in the engine, with the values as literals."""
    return VARIABLE.sub(lambda found: _literal(values[found.group(1)]), _text(file))


def _literal(value: Union[str, Sequence[str]]) -> str:
    if isinstance(value, str):
        return literal(value)
    return f"ARRAY[{', '.join(map(literal, value))}]::text[]"


@lru_cache(maxsize=None)
def _text(file: str) -> str:
    path = os.path.join(ENGINE, file)
    with open(path, encoding="utf-8") as opened:
        text = re.sub(r"^\s*--.*\n|;\s*\Z", "", opened.read(), flags=re.MULTILINE)
    directory = os.path.dirname(file)
    return INCLUDE.sub(lambda found: _text(os.path.join(directory, found.group(1))), text)
