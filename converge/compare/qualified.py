"""What the models' text names with its schema, as it is named in the trial.

`'a'::app.kind`, `nextval('app.s')` and `app.t.v` are in `pg_temp` there.
"""

import re
from typing import Iterable

from converge.plan import Managed
from converge.quoting import PLAIN

BEGIN = r'(?<![\w$".])'  # of a name
TEXT = "'(?:[^']|'')*'"
NUMBERS = r"\b(?i:nextval|currval|setval)\s*\(\s*"  # whose argument is the name of a sequence
REGCLASS = r"\s*::\s*(?i:regclass)\b|\s+(?i:AS\s+regclass)\b"


def in_trial(statement: str, schema: str, managed: Managed) -> str:
    """Return a statement that names what is `managed` in `pg_temp` instead of in a schema."""
    types = _name(schema, [*managed.types, *managed.tables])
    row, anything = _name(schema, managed.tables), _name(schema, {n for ns in managed for n in ns})
    # A type, behind a cast or before a literal; the table of a column; a text; a quoted name.
    pattern = re.compile(
        rf"(?:::\s*|\b(?i:AS)\s+){types}|{types}(?=\s*')|{row}(?=\s*\.)"
        rf'|(?P<call>{NUMBERS})?(?P<text>{TEXT})(?P<cast>{REGCLASS})?|"(?:[^"]|"")*"'
    )
    schema_of = re.compile(rf"{BEGIN}{_spelled(schema)}(?=\s*\.)")

    def replaced(found: "re.Match[str]") -> str:
        call, text, cast = found.group("call", "text", "cast")
        names = text is None or call or cast
        if not names or not re.search(anything, found.group()):
            return found.group()
        return schema_of.sub("pg_temp", found.group(), count=1)

    return pattern.sub(replaced, statement)


def _name(schema: str, names: Iterable[str]) -> str:
    """Return a pattern for these names with their schema."""
    any_of = "|".join(map(_spelled, names)) or "(?!)"
    return rf"{BEGIN}{_spelled(schema)}\s*\.\s*(?:{any_of})(?![\w$])"


def _spelled(name: str) -> str:
    """Return a pattern for a name, as it may stand in SQL."""
    quoted = '"' + re.escape(name.replace('"', '""')) + '"'
    bare = rf"|(?i:{name})" if PLAIN.match(name) else ""
    return f"(?:{quoted}{bare})"
