"""How values are written as text: SQL that is true where a text is one that a type writes itself.

All are templates in `{c}`, the column, and never raise an error.
"""

import re
from typing import Sequence

# A cast from text to a date reads by the server's DateStyle: '03-04-2025' is March 4 on one server
# and April 3 on another. So the shapes in which dates were written are handed in (`YYYY-MM-DD`),
# taken apart by position, and checked against the real calendar.
PARTS = {"YYYY": "[0-9]{{4}}", "MM": "(0[1-9]|1[0-2])", "DD": "(0[1-9]|[12][0-9]|3[01])"}
ISO = "YYYY-MM-DD"
CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{{0,5}}[1-9])?"
BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
HEX = "[0-9a-f]"
# https://www.rfc-editor.org/rfc/rfc3629#section-4, without the zero, which no text has.
UTF8 = "|".join(
    [
        f"0[1-9a-f]|[1-7]{HEX}",
        f"(c[2-9a-f]|d{HEX})[89ab]{HEX}",
        f"(e0[ab]|ed[89]){HEX}[89ab]{HEX}",
        f"e[1-9a-cef]([89ab]{HEX}){{{{2}}}}",
        f"(f0[9ab]|f48){HEX}([89ab]{HEX}){{{{2}}}}",
        f"f[1-3]([89ab]{HEX}){{{{3}}}}",
    ]
)

# jsonb keeps neither the order of keys nor blanks, and does not take all that json does: escaped
# characters, and numbers beyond its range. What jsonb has written itself is the same in both.
JSON_IS_JSONB = (
    r"CASE WHEN {c}::text ~ '\\u|[0-9][eE][-+]?[0-9]{{4}}|[0-9.]{{255}}' THEN false "
    "ELSE {c}::jsonb::text = {c}::text END"
)
IS_NUMBER = "{c} ~ '^-?[0-9]{{1,255}}([.][0-9]{{1,255}})?([eE][-+]?[0-9]{{1,3}})?$'"
IS_TIME = f"{{c}} ~ '^{CLOCK}$'"
IS_UUID = f"{{c}} ~ '^{HEX}{{{{8}}}}-({HEX}{{{{4}}}}-){{{{3}}}}{HEX}{{{{12}}}}$'"
IS_UUID_WITHOUT_DASHES = f"{{c}} ~ '^{HEX}{{{{32}}}}$'"
IS_ADDRESS = f"{{c}} ~ '^({BYTE}[.]){{{{3}}}}{BYTE}$'"
# A regular expression reads characters, so the bytes are read as hexadecimal digits. The encoding
# of the database decides what texts there are.
IS_UTF8 = (
    "getdatabaseencoding() = 'UTF8' AND octet_length({c}) < 100000000 "
    f"AND encode({{c}}, 'hex') ~ '^({UTF8})*$'"
)


def has_shape(shape: str) -> str:
    """Return SQL that is true where a text looks like a date of the shape."""
    return f"{{c}} ~ '^{_pattern(shape)}$'"


def _pattern(shape: str) -> str:
    pattern = re.escape(shape).replace("\\-", "-")
    for part, digits in PARTS.items():
        pattern = pattern.replace(part, digits)
    return pattern


def _part(shape: str, part: str) -> str:
    return f"substr({{c}}, {shape.index(part) + 1}, {len(part)})::integer"


def _is_real_day(shape: str) -> str:
    """Return SQL that is true where the day exists; year 0 does not, to `make_date` neither."""
    year, month, day = (_part(shape, part) for part in PARTS)
    last = f"make_date({year}, {month}, 1) + interval '1 month - 1 day'"
    return f"CASE WHEN {year} = 0 THEN false ELSE {day} <= extract(day FROM {last}) END"


def _date(shape: str) -> str:
    return f"make_date({', '.join(_part(shape, part) for part in PARTS)})"


def date_of(shapes: Sequence[str]) -> str:
    """Return SQL for the date that a text of one of the shapes stands for."""
    return (
        f"CASE {' '.join(f'WHEN {has_shape(shape)} THEN {_date(shape)}' for shape in shapes)} END"
    )


def is_date(shapes: Sequence[str]) -> str:
    """Return SQL that is true where a text is a date of one of the shapes."""
    real = " ".join(f"WHEN {has_shape(shape)} THEN {_is_real_day(shape)}" for shape in shapes)
    return f"CASE {real} ELSE false END"


IS_TIMESTAMP = (
    f"CASE WHEN {{c}} ~ '^{_pattern(ISO)} {CLOCK}$' THEN {_is_real_day(ISO)} ELSE false END"
)


def same_as_double(number: str) -> str:
    """Return SQL that is true where a numeric comes back from double precision as it was.

    Between these the server has a double for each number, though maybe not the same one, and
    writes the shortest text that tells it from others (extra_float_digits is 1 from 12 on).
    """
    return (
        f"CASE WHEN {number} = 0 THEN true "
        f"WHEN abs({number}) BETWEEN 5e-324 AND 1.7976931348623157e308 "
        f"THEN {number}::double precision::text::numeric = {number} ELSE false END"
    )
