"""Text for people: counts, durations, tables, and nothing in it that a terminal would obey."""

import re
from typing import Iterable, Sequence

NUMBER = re.compile(r"-?(\d[\d,]*(\.\d+)?)?")  # or nothing, or `-` for none


def counted(number: int, noun: str) -> str:
    """Return `1 row`, `25 indexes` or `120,418 rows`."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Return `rows`, `indexes` or `queries`."""
    return noun[:-1] + "ies" if noun.endswith("y") else noun + ("es" if noun[-1] == "x" else "s")


def some(names: Sequence[str], noun: str = "schema", one: str = "", most: int = 3) -> str:
    """Return `tenant_1`, or `9,997 schemas: tenant_0001, tenant_0002, tenant_0003 …`.

    A single one is said with the noun `one`, if that is given.
    """
    if len(names) == 1:
        return f"{one} {names[0]}".strip()
    more = " …" if len(names) > most else ""
    return f"{counted(len(names), noun)}: {', '.join(names[:most])}{more}"


def rows_of(count: int, total: int) -> str:
    """Return `3 of 120,418 rows`."""
    return f"{count:,} of {counted(total, 'row')}"


def duration(seconds: float) -> str:
    """Return `4 ms`, `1.2 s`, `3 min 20 s` or `2 h 5 min`."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: float) -> str:
    """Return `812 B`, `48 kB`, `3.4 MB` or `120 GB`, each 1,024 of the one before, as psql does."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return (
                f"{count:.1f} {unit}" if 0 < count < 10 and unit != "B" else f"{count:.0f} {unit}"
            )
        count /= 1024
    return f"{count:,.1f} TB"


def roughly(seconds: float) -> str:
    """Return an estimate: `less than 1 s`, `some 40 s`, `some 4 min` or `some 2.5 h`."""
    if seconds < 1:
        return "less than 1 s"
    if seconds < 60:
        return f"some {seconds:.0f} s"
    minutes = seconds / 60
    return f"some {minutes:.0f} min" if minutes < 60 else f"some {minutes / 60:,.1f} h"


def whole_duration(seconds: float) -> str:
    """Return a duration that is told while it lasts: `4 s`, `3 min 20 s` or `2 h 5 min`."""
    return f"{seconds:.0f} s" if seconds < 59.5 else duration(seconds)


def table(head: Sequence[str], body: Iterable[Sequence[object]]) -> str:
    """Return an aligned table. A column of numbers, or `-` for none, is to the right."""
    rows = [head, *([str(cell) for cell in row] for row in body)]
    columns = list(zip(*rows))
    widths = [max(map(len, column)) for column in columns]
    sides = [
        str.rjust if all(map(NUMBER.fullmatch, column[1:])) else str.ljust for column in columns
    ]
    lines = [
        "  ".join(side(cell, width) for side, cell, width in zip(sides, row, widths)).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def visible(text: str) -> str:
    """Return a text with all that a terminal would obey as escapes, but line breaks and tabs.

    Names, defaults and queries are other people's, and may mean harm.
    """
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)
