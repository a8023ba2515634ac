"""Types: which live type is good enough, and how rows get from one type to another.

Types are compared in the server's own words (`format_type`). Every rule is a row of a table: a new
conversion is a new row, with its proof.
"""

import re
from typing import NamedTuple, Optional, Tuple

# A live type that holds whatever the model's type can, and reads the same in the services.
HOLDS = {
    "smallint": ("integer", "bigint"),
    "integer": ("bigint",),
    "real": ("double precision",),
    "character varying": ("text",),
    "character varying[]": ("text[]",),
}

# A cast from text to a date reads by the server's DateStyle: '03-04-2025' is March 4 on one server
# and April 3 on another. So the two shapes that the platform has written, `YYYY-MM-DD` and before
# that `DD-MM-YYYY`, are taken apart by position and checked against the real calendar.
ISO_SHAPE = "{c} ~ '^[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$'"
FORMER_SHAPE = "{c} ~ '^(0[1-9]|[12][0-9]|3[01])-(0[1-9]|1[0-2])-[0-9]{{4}}$'"
ISO_PARTS = ("substr({c}, 1, 4)", "substr({c}, 6, 2)", "substr({c}, 9, 2)")
FORMER_PARTS = ("substr({c}, 7, 4)", "substr({c}, 4, 2)", "substr({c}, 1, 2)")


def _real_day(year: str, month: str, day: str) -> str:
    """Return SQL that is true where the day exists; year 0 does not, to `make_date` neither."""
    last = f"make_date({year}::integer, {month}::integer, 1) + interval '1 month - 1 day'"
    return (
        f"CASE WHEN {year} = '0000' THEN false ELSE {day}::integer <= extract(day FROM {last}) END"
    )


def _date(year: str, month: str, day: str) -> str:
    return f"make_date({year}::integer, {month}::integer, {day}::integer)"


TEXT_IS_A_DATE = (
    f"CASE WHEN {ISO_SHAPE} THEN {_real_day(*ISO_PARTS)} "
    f"WHEN {FORMER_SHAPE} THEN {_real_day(*FORMER_PARTS)} ELSE false END"
)
TEXT_TO_DATE = f"CASE WHEN {ISO_SHAPE} THEN {_date(*ISO_PARTS)} ELSE {_date(*FORMER_PARTS)} END"

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
    Conversion(TEXT, "date", TEXT_TO_DATE, TEXT_IS_A_DATE),
    Conversion("date", TEXT, "to_char({c}, 'YYYY-MM-DD')", "isfinite({c})"),
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


def conversion(live: str, desired: str) -> Optional[Tuple[str, str]]:
    """Return (using, fits) as templates in `{c}`, or None if no safe way is known."""
    if not rewrites(live, desired):
        return f"{{c}}::{desired}", ALWAYS
    length = _length(desired)
    for rule in CONVERSIONS + ((SHORTER_TEXT,) if length else ()):
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
