"""Which schemas a run is for, as the settings say it: by names and patterns, a file or a query.

Every check raises ValueError with a message that continues `NAME='value': `.
"""

import re
from typing import Dict, NamedTuple, Optional, Tuple

from converge.names import NAME_BYTES
from converge.settings.checks import content, shortened, text

LARGEST_FILE = 16 * 1024 * 1024  # bytes; a hundred thousand of the longest names take 6.4 million
TOO_LARGE = "the file is larger than 16 MiB, which no list of schemas is"

LISTED = re.compile(r"""[ \t]*(?:"((?:[^"]|"")*)"|([^", \t]*))[ \t]*,""")
WILD = re.compile(r"[*?]")
BLANKS = " \t\r\ufeff"  # the last one is a mark that editors put at the beginning of a file


class Entry(NamedTuple):
    """A name, or a pattern of names: `*` in it stands for any text, `?` for one character."""

    text: str
    pattern: bool = False


class Source(NamedTuple):
    """What says which schemas a run is for: entries, in their order, or a query."""

    entries: Tuple[Entry, ...] = ()
    query: str = ""

    @property
    def names(self) -> Tuple[str, ...]:
        """Those that were said."""
        return tuple(entry.text for entry in self.entries if not entry.pattern)

    @property
    def known(self) -> bool:
        """Whether the names are all that there are, without a server."""
        return not self.query and not self.patterns

    @property
    def patterns(self) -> Tuple[str, ...]:
        return tuple(entry.text for entry in self.entries if entry.pattern)

    def creates(self, name: str) -> bool:
        """Whether a schema that is missing is made: a pattern makes none."""
        return not self.patterns or name in self.names


def schema_list(value: str) -> Source:
    """Names separated by commas, each taken literally: `Sales` is not `sales`, unlike in SQL.

    A name with commas, quotes or blanks is put in double quotes as in SQL: `a,"b ""c"", d"`.
    Without them, `*` and `?` make it a pattern.
    """
    entries: Dict[Entry, None] = {}
    rest, position = text(value) + ",", 0
    while position < len(rest):
        match = LISTED.match(rest, position)
        if match is None:
            raise ValueError(
                "must be names separated by commas; "
                "one that holds commas, quotes or blanks goes in double quotes, as in SQL"
            )
        entry = _entry(*match.groups())
        if entry in entries:
            raise ValueError(f"the name {shortened(entry.text)} is listed twice")
        entries[entry] = None
        position = match.end()
    return Source(tuple(entries))


def schema_file(path: str) -> Source:
    """One name a line, taken literally but for blanks around it; a line may be a `#` comment."""
    named: Dict[Entry, None] = {}
    lines = content(path, LARGEST_FILE, TOO_LARGE).split("\n")
    for number, line in enumerate(lines, 1):
        name = line.strip(BLANKS)
        if name and not name.startswith("#"):
            try:
                named[Entry(schema_name(name))] = None
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    if not named:
        raise ValueError("the file names no schema")
    return Source(tuple(named))


def schema_query(value: str) -> Source:
    """Return one query, as DECLARE takes it: without a `;` nothing else can be sent along."""
    query = value.strip().rstrip("; \t\r\n")
    if not query:
        raise ValueError("must not be blank")
    if ";" in query:
        raise ValueError("must be one SELECT, so no `;` may be in it; in a literal it is chr(59)")
    return Source(query=query)


def _entry(quoted: Optional[str], plain: str) -> Entry:
    name = plain if quoted is None else quoted.replace('""', '"')
    if not name:
        raise ValueError("an empty name is not allowed; check for an extra comma")
    pattern = quoted is None and WILD.search(name) is not None
    return Entry(_no_system_schema(name) if pattern else schema_name(name), pattern)


def schema_name(name: str) -> str:
    """Return a name, if a schema may have it."""
    if not name:
        raise ValueError("a name is empty")
    if "\0" in name:
        raise ValueError(f"the name {shortened(name)} holds a NUL byte, which no name can")
    if len(name.encode("utf-8")) > NAME_BYTES:
        raise ValueError(f"the name {shortened(name)} is longer than {NAME_BYTES} bytes")
    return _no_system_schema(name)


def _no_system_schema(name: str) -> str:
    if name.startswith("pg_") or name == "information_schema":
        raise ValueError(f"the name {shortened(name)} is reserved by PostgreSQL")
    return name
