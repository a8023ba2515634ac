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
LIMITED = r"character( varying)?\((\d+)\)"
WHOLE = "smallint|integer|bigint"
BITS = {"smallint": 15, "integer": 31, "bigint": 63}  # without the sign
FRACTION = r"real|double precision|numeric(\(\d+,-?\d+\))?"
NO_NUMBER = "IN ('NaN', 'Infinity', '-Infinity')"
ALWAYS = "true"

# jsonb keeps neither the order of keys nor blanks, and does not take all that json does: escaped
# characters, and numbers beyond its range. What jsonb has written itself is the same in both.
JSON_IS_JSONB = (
    r"CASE WHEN {c}::text ~ '\\u|[0-9][eE][-+]?[0-9]{{4}}|[0-9.]{{255}}' THEN false "
    "ELSE {c}::jsonb::text = {c}::text END"
)


class Conversion(NamedTuple):
    """From any type that `live` matches to the one that `desired` matches.

    `using` gives the new value and `fits` is true where it is the same value; `{c}` is the column,
    `{type}` the desired type; whole ones begin at `{low}` and end at `{high}`, before `{beyond}`.
    Neither ever raises an error, whatever the row holds, while `fits` guards `using`.
    """

    live: str
    desired: str
    using: str
    fits: str


def _same_as_double(number: str) -> str:
    """Return SQL that is true where a numeric comes back from double precision as it was.

    Between these the server has a double for each number, though maybe not the same one, and
    writes the shortest text that tells it from others (extra_float_digits is 1 from 12 on).
    """
    return (
        f"CASE WHEN {number} = 0 THEN true "
        f"WHEN abs({number}) BETWEEN 5e-324 AND 1.7976931348623157e308 "
        f"THEN {number}::double precision::text::numeric = {number} ELSE false END"
    )


CONVERSIONS = (
    Conversion("timestamp without time zone", "date", "{c}::date", "{c} = date_trunc('day', {c})"),
    Conversion("smallint", WHOLE, "{c}::{type}", ALWAYS),
    Conversion("integer", "bigint", "{c}::{type}", ALWAYS),
    Conversion("integer|bigint", WHOLE, "{c}::{type}", "{c} BETWEEN {low} AND {high}"),
    Conversion(  # not BETWEEN: as a double, the highest bigint is 1 higher
        FRACTION,
        WHOLE,
        "{c}::{type}",
        "CASE WHEN {c} >= {low} AND {c} < {beyond} THEN {c} = trunc({c}) ELSE false END",
    ),
    Conversion("smallint|integer|real", "double precision", "{c}::{type}", ALWAYS),
    Conversion(
        "numeric.*",
        "double precision",
        "{c}::{type}",
        f"{{c}}::text {NO_NUMBER} OR {_same_as_double('{c}')}",
    ),
    Conversion("bigint", "double precision", "{c}::{type}", _same_as_double("{c}::numeric")),
    Conversion(
        "double precision",
        "real",
        "{c}::{type}",
        "CASE WHEN {c} = 0 THEN true "
        "WHEN abs({c}) BETWEEN 1.401298464324817e-45 AND 3.4028234663852886e38 "
        "THEN {c}::real::double precision = {c} "
        f"ELSE {{c}}::text {NO_NUMBER} END",
    ),
    Conversion("smallint", "real", "{c}::{type}", ALWAYS),
    Conversion("integer", "real", "{c}::{type}", "{c}::real::text::numeric = {c}"),
    Conversion(
        TEXT,
        WHOLE,
        "{c}::{type}",
        "CASE WHEN {c} ~ '^-?[0-9]{{1,19}}$' "
        "THEN {c}::numeric BETWEEN {low} AND {high} ELSE false END",
    ),
    Conversion(
        TEXT,
        "double precision",
        "{c}::{type}",
        "CASE WHEN {c} ~ '^-?[0-9]{{1,255}}([.][0-9]{{1,255}})?([eE][-+]?[0-9]{{1,3}})?$' "
        f"THEN {_same_as_double('{c}::numeric')} ELSE {{c}} {NO_NUMBER} END",
    ),
    Conversion(WHOLE + "|" + FRACTION, TEXT, "{c}::{type}", ALWAYS),
    Conversion(TEXT, TEXT, "{c}::{type}", ALWAYS),
    Conversion(
        "date",
        "timestamp without time zone",
        "{c}::{type}",
        "NOT isfinite({c}) OR {c} < '294277-01-01'",
    ),
    Conversion("jsonb", "json", "{c}::{type}", ALWAYS),
    Conversion("json", "jsonb", "{c}::{type}", JSON_IS_JSONB),
)


def holds(live: str, desired: str) -> bool:
    """True if `live` holds all that `desired` can, so that nothing has to be done."""
    return live in HOLDS.get(desired, ())


def rewrites(live: str, desired: str) -> bool:
    """True if `ALTER TYPE` rewrites the table or checks every row under its lock.

    https://www.postgresql.org/docs/current/sql-altertable.html: binary coercible types don't.
    """
    unlimited = {"character varying", "text"}
    if desired in unlimited and (live in unlimited or _length(live) is not None):
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
    dates = (_text_to_date(date_shapes), _date_to_text(date_shapes))
    for rule in dates + CONVERSIONS:
        if re.fullmatch(rule.live, live) and re.fullmatch(rule.desired, desired):
            using, fits = rule.using.replace("{type}", desired), _fits(rule, live, desired)
            if not live.startswith("character("):
                return using, fits
            # Its padding is no part of a value, and only a cast to text takes it off.
            return using.replace("{c}", "{c}::text"), fits.replace("{c}", "{c}::text")
    return None


def _fits(rule: Conversion, live: str, desired: str) -> str:
    """Return what is true where the rule gives the same value, in the length that a text has."""
    beyond, fits = 1 << BITS.get(desired, 0), rule.fits
    for name, number in (("{low}", -beyond), ("{high}", beyond - 1), ("{beyond}", beyond)):
        fits = fits.replace(name, str(number))
    # A cast cuts off what is too long, without a word.
    text = "{c}" if re.fullmatch(TEXT, live) else rule.using.replace("{type}", "text")
    short = short_enough(text, desired)
    if short is None or fits == ALWAYS:
        return short or fits
    return f"CASE WHEN {fits} THEN {short} ELSE false END"


def short_enough(text: str, type_name: str) -> Optional[str]:
    """Return SQL that is true where a type holds a text; None: its length is not limited."""
    limit = re.fullmatch(LIMITED, type_name)
    if limit is None:
        return None
    short = f"char_length({text}) <= {limit.group(2)}"
    # In character(n), blanks at the end are padding.
    return short if limit.group(1) else f"{short} AND {text} = rtrim({text})"


def casts_defaults(live: str, desired: str) -> bool:
    """True if the server casts a default along with the type, as it does except out of text."""
    return not re.fullmatch(TEXT, live) or bool(re.fullmatch(TEXT, desired))


def _length(type_name: str) -> Optional[int]:
    found = re.fullmatch(r"character varying\((\d+)\)", type_name)
    return int(found.group(1)) if found else None
