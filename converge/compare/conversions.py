"""Types: which live type is good enough, and how rows get from one type to another.

Types are compared in the server's own words (`format_type`). Every rule is a row of a table: a new
conversion is a new row, with its proof.
"""

import re
from typing import NamedTuple, Optional, Sequence, Tuple

# A live type that holds whatever the model's type can, and reads the same in the services.
HOLDS = {
    "smallint": ("integer", "bigint"),
    "integer": ("bigint",),
    "real": ("double precision",),
    "character varying": ("text",),
    "character varying[]": ("text[]",),
}

# A cast from text to a date reads by the server's DateStyle: '03-04-2025' is March 4 on one server
# and April 3 on another. So the shapes in which dates were written are handed in (`YYYY-MM-DD`),
# taken apart by position, and checked against the real calendar.
PARTS = {"YYYY": "[0-9]{{4}}", "MM": "(0[1-9]|1[0-2])", "DD": "(0[1-9]|[12][0-9]|3[01])"}


def has_shape(shape: str) -> str:
    """Return SQL, a template in `{c}`, that is true where a text looks like a date of the shape."""
    pattern = re.escape(shape).replace("\\-", "-")
    for part, digits in PARTS.items():
        pattern = pattern.replace(part, digits)
    return f"{{c}} ~ '^{pattern}$'"


def _part(shape: str, part: str) -> str:
    return f"substr({{c}}, {shape.index(part) + 1}, {len(part)})::integer"


def _is_real_day(shape: str) -> str:
    """Return SQL that is true where the day exists; year 0 does not, to `make_date` neither."""
    year, month, day = (_part(shape, part) for part in PARTS)
    last = f"make_date({year}, {month}, 1) + interval '1 month - 1 day'"
    return f"CASE WHEN {year} = 0 THEN false ELSE {day} <= extract(day FROM {last}) END"


def _date(shape: str) -> str:
    return f"make_date({', '.join(_part(shape, part) for part in PARTS)})"


def _text_to_date(shapes: Sequence[str]) -> "Conversion":
    cases = " ".join(f"WHEN {has_shape(shape)} THEN {_date(shape)}" for shape in shapes)
    real = " ".join(f"WHEN {has_shape(shape)} THEN {_is_real_day(shape)}" for shape in shapes)
    return Conversion(TEXT, "date", f"CASE {cases} END", f"CASE {real} ELSE false END")


def _date_to_text(shapes: Sequence[str]) -> "Conversion":
    return Conversion(
        "date", TEXT, f"to_char({{c}}, '{shapes[0]}')", "{c} BETWEEN '0001-01-01' AND '9999-12-31'"
    )


TEXT = r"text|character varying(\(\d+\))?|character\(\d+\)"
WHOLE = "smallint|integer|bigint"
FRACTION = r"real|double precision|numeric(\(\d+,-?\d+\))?"
ALWAYS = "true"

# jsonb keeps neither the order of keys nor blanks, and does not take all that json does: escaped
# characters, and numbers beyond its range. What jsonb has written itself is the same in both.
JSON_IS_JSONB = (
    r"CASE WHEN {c}::text ~ '\\u|[0-9][eE][-+]?[0-9]{{4}}|[0-9.]{{255}}' THEN false "
    "ELSE {c}::jsonb::text = {c}::text END"
)


class Conversion(NamedTuple):
    """From any type that `live` matches to the one that `desired` matches.

    `using` gives the new value and `fits` is true where there is one; `{c}` is the column and
    `{type}` the desired type. Neither ever raises an error, whatever the row holds, while `fits`
    guards `using`.
    """

    live: str
    desired: str
    using: str
    fits: str


CONVERSIONS = (
    Conversion("timestamp without time zone", "date", "{c}::date", "{c} = date_trunc('day', {c})"),
    Conversion("smallint", WHOLE, "{c}::{type}", ALWAYS),
    Conversion("integer", "bigint", "{c}::{type}", ALWAYS),
    Conversion("bigint", "integer", "{c}::{type}", "{c} BETWEEN -2147483648 AND 2147483647"),
    Conversion("integer|bigint", "smallint", "{c}::{type}", "{c} BETWEEN -32768 AND 32767"),
    Conversion(
        FRACTION,
        "integer",
        "{c}::{type}",
        "CASE WHEN {c} BETWEEN -2147483648 AND 2147483647 THEN {c} = trunc({c}) ELSE false END",
    ),
    Conversion("smallint|integer|real|numeric.*", "double precision", "{c}::{type}", ALWAYS),
    Conversion(
        "double precision",
        "real",
        "{c}::{type}",
        "CASE WHEN {c} = 0 THEN true WHEN abs({c}) BETWEEN 1e-37 AND 3.4e38 "
        "THEN {c}::real::double precision = {c} ELSE false END",
    ),
    Conversion(
        TEXT,
        "integer",
        "{c}::{type}",
        "CASE WHEN {c} ~ '^-?[0-9]{{1,10}}$' "
        "THEN {c}::bigint BETWEEN -2147483648 AND 2147483647 ELSE false END",
    ),
    Conversion(TEXT, "double precision", "{c}::{type}", "{c} ~ '^-?[0-9]{{1,9}}([.][0-9]+)?$'"),
    Conversion(WHOLE + "|" + FRACTION, TEXT, "{c}::{type}", ALWAYS),
    Conversion(TEXT, "text|character varying", "{c}::{type}", ALWAYS),
    Conversion("smallint|integer", "real", "{c}::{type}", "{c} BETWEEN -16777216 AND 16777216"),
    Conversion(
        "date",
        "timestamp without time zone",
        "{c}::{type}",
        "NOT isfinite({c}) OR {c} < '294277-01-01'",
    ),
    Conversion("jsonb", "json", "{c}::{type}", ALWAYS),
    Conversion("json", "jsonb", "{c}::{type}", JSON_IS_JSONB),
)
SHORTER_TEXT = Conversion(TEXT, TEXT, "{c}::{type}", "char_length({c}) <= {length}")


def holds(live: str, desired: str) -> bool:
    """True if `live` holds all that `desired` can, so that nothing has to be done."""
    return live in HOLDS.get(desired, ())


def rewrites(live: str, desired: str) -> bool:
    """True if `ALTER TYPE` rewrites the table or checks every row under its lock.

    https://www.postgresql.org/docs/current/sql-altertable.html: binary coercible types don't.
    """
    unlimited = {"character varying", "text"}
    if desired in unlimited and (live in unlimited or live.startswith("character varying(")):
        return False
    if desired.endswith("[]") and live.endswith("[]"):
        return rewrites(live[:-2], desired[:-2])
    old, new = _length(live), _length(desired)
    return not (live.startswith("character varying") and old and new and old <= new)


def conversion(live: str, desired: str, date_shapes: Sequence[str]) -> Optional[Tuple[str, str]]:
    """Return (using, fits) as templates in `{c}`, or None if no safe way is known.

    `date_shapes` are those in which texts may hold dates; into text, dates go in the first.
    """
    if not rewrites(live, desired):
        return f"{{c}}::{desired}", ALWAYS
    length = _length(desired)
    dates = (_text_to_date(date_shapes), _date_to_text(date_shapes))
    for rule in dates + CONVERSIONS + ((SHORTER_TEXT,) if length else ()):
        if re.fullmatch(rule.live, live) and re.fullmatch(rule.desired, desired):
            fits = rule.fits.replace("{length}", str(length))
            return rule.using.replace("{type}", desired), fits
    return None


def casts_defaults(live: str, desired: str) -> bool:
    """True if the server casts a default along with the type, as it does except out of text."""
    return not re.fullmatch(TEXT, live) or bool(re.fullmatch(TEXT, desired))


def _length(type_name: str) -> Optional[int]:
    found = re.fullmatch(r"character varying\((\d+)\)", type_name)
    return int(found.group(1)) if found else None
