"""Other people's words in Markdown as GitHub reads it, where they are nothing but text.

https://github.github.com/gfm/
"""

import re
from typing import Iterable, Sequence

# What is markup wherever it stands, or within a line's first characters; an underscore is none
# within a word.
SPECIAL = re.compile(
    r"[\\`*\[\]<>#|~&$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
    r"|^[-+=]|((?<=^\d)|(?<=^\d\d))[.)](?= |$)"
)
MENTION = re.compile(r"(?<!\w)@(?=\w)")  # of a person, who would get an e-mail
NO_WIDTH = "&#8203;"
# What ends a code span, or a cell of a table that it is in.
NOT_IN_CODE = re.compile(r"[`|\\\s]*\Z|.*[`|\\\r\n\v\f\x1c-\x1e\x85\u2028\u2029]", re.DOTALL)
BACKTICKS = re.compile("`+")


def prose(text: str) -> str:
    """Return a text as one line; it may stand in a table."""
    escaped = SPECIAL.sub(r"\\\g<0>", " ".join(text.split()))
    return MENTION.sub(f"@{NO_WIDTH}", escaped)


def code(text: str) -> str:
    """Return names or SQL within a line, as code unless that can't be said; also in a table."""
    return prose(text) if NOT_IN_CODE.match(text) else f"`{text}`"


def fenced(lines: Iterable[str], language: str = "sql") -> str:
    """Return a block of code, whatever stands in it."""
    text = "\n".join(lines)
    longest = max(map(len, BACKTICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def row(cells: Sequence[str]) -> str:
    """Return a line of a table, of cells that are Markdown."""
    return f"| {' | '.join(cells)} |"


def head(cells: Sequence[str]) -> str:
    """Return the first two lines of a table."""
    return f"{row(cells)}\n{row(['---'] * len(cells))}"


def folded(title: str, *parts: str) -> str:
    """Return what is seen once its title, plain words of ours, is clicked on."""
    return "\n\n".join([f"<details><summary>{title}</summary>", *parts, "</details>"])
