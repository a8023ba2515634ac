"""Types: which live type is good enough, and how rows get from one type to another.

Types are compared in the server's own words (`format_type`). Every rule is a row of a table: a new
conversion is a new row, with its proof. A type that the server changes without writing a row anew
needs none: the values are the same, byte by byte (`types.py` asks it).
"""

import re
from typing import Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple

from converge.compare import limits, written
from converge.compare.limits import TEXT
from converge.quoting import literal

# A live type that holds whatever the model's type can, and reads the same in the services.
HOLDS = {
    "smallint": ("integer", "bigint"),
    "integer": ("bigint",),
    "real": ("double precision",),
    "character varying": ("text",),
}
WHOLE = "smallint|integer|bigint"
BITS = {"smallint": 15, "integer": 31, "bigint": 63}  # without the sign
FLOAT = "real|double precision"
NUMERIC = r"numeric(\(\d+,-?\d+\))?"
FRACTION = f"{FLOAT}|{NUMERIC}"
TIMESTAMP = r"timestamp(\(\d\))? without time zone"
MOMENT = r"timestamp(\(\d\))? with time zone"
INTERVAL = r"interval[^[]*"
TIME = r"time(\(\d\))? without time zone"
NO_NUMBER = "IN ('NaN', 'Infinity', '-Infinity')"
ALWAYS = "true"
CAST = "{c}::{type}"


class Conversion(NamedTuple):
    """From any type that `live` matches to the one that `desired` matches.

    `using` gives the new value and `fits` is true where it is the same value; `{c}` is the column,
    `{type}` the desired type; whole ones begin at `{low}` and end at `{high}`, before `{beyond}`.
    Neither ever raises an error, whatever the row holds, while `fits` guards `using`. What a type
    of limited length, digits or precision does not hold is found besides (`limits.py`).
    """

    live: str
    desired: str
    using: str
    fits: str


class Told(NamedTuple):
    """What else is known of the values: said by the models, or by the server."""

    date_shapes: Sequence[str] = (written.ISO,)  # in which texts may hold dates, preferred first
    utc: bool = False  # timestamps without a time zone are in UTC
    labels: Mapping[str, Sequence[str]] = {}  # of the types that are enums
    bases: Mapping[str, str] = {}  # of the types that are domains, what no domain is


CONVERSIONS = (
    Conversion("smallint", WHOLE, CAST, ALWAYS),
    Conversion("integer", "bigint", CAST, ALWAYS),
    Conversion("integer|bigint", WHOLE, CAST, "{c} BETWEEN {low} AND {high}"),
    Conversion(  # not BETWEEN: as a double, the highest bigint is 1 higher
        FRACTION,
        WHOLE,
        CAST,
        "CASE WHEN {c} >= {low} AND {c} < {beyond} THEN {c} = trunc({c}) ELSE false END",
    ),
    Conversion(f"{WHOLE}|{NUMERIC}", NUMERIC, CAST, ALWAYS),
    # Not by a cast, which keeps fewer digits than it takes to tell two numbers apart.
    Conversion(FLOAT, NUMERIC, "{c}::text::{type}", "{c}::text NOT IN ('Infinity', '-Infinity')"),
    Conversion("smallint|integer|real", "double precision", CAST, ALWAYS),
    Conversion(
        NUMERIC,
        "double precision",
        CAST,
        f"{{c}}::text {NO_NUMBER} OR {written.same_as_double('{c}')}",
    ),
    Conversion("bigint", "double precision", CAST, written.same_as_double("{c}::numeric")),
    Conversion(
        "double precision",
        "real",
        CAST,
        "CASE WHEN {c} = 0 THEN true "
        "WHEN abs({c}) BETWEEN 1.401298464324817e-45 AND 3.4028234663852886e38 "
        "THEN {c}::real::double precision = {c} "
        f"ELSE {{c}}::text {NO_NUMBER} END",
    ),
    Conversion(
        NUMERIC,
        "real",
        CAST,
        f"CASE WHEN {{c}}::text {NO_NUMBER} OR {{c}} = 0 THEN true "
        "WHEN abs({c}) BETWEEN 1e-45 AND 3.4028235e38 "
        "THEN {c}::real::text::numeric = {c} ELSE false END",
    ),
    Conversion("smallint", "real", CAST, ALWAYS),
    Conversion("integer|bigint", "real", CAST, "{c}::real::text::numeric = {c}"),
    Conversion(
        TEXT,
        WHOLE,
        CAST,
        "CASE WHEN {c} ~ '^-?[0-9]{{1,19}}$' "
        "THEN {c}::numeric BETWEEN {low} AND {high} ELSE false END",
    ),
    Conversion(
        TEXT,
        "double precision",
        CAST,
        f"CASE WHEN {written.IS_NUMBER} "
        f"THEN {written.same_as_double('{c}::numeric')} ELSE {{c}} {NO_NUMBER} END",
    ),
    Conversion(TEXT, NUMERIC, CAST, f"{written.IS_NUMBER} OR {{c}} = 'NaN'"),
    Conversion(f"{WHOLE}|{FRACTION}|boolean|jsonb?|macaddr|{TIME}", TEXT, CAST, ALWAYS),
    Conversion(TEXT, TEXT, CAST, ALWAYS),
    Conversion(r".+\.citext", TEXT, "{c}::text::{type}", ALWAYS),
    Conversion(WHOLE, "boolean", "{c} = 1", "{c} IN (0, 1)"),
    Conversion("boolean", WHOLE, "{c}::integer::{type}", ALWAYS),
    Conversion(TEXT, "boolean", "{c} = 'true'", "{c} IN ('true', 'false')"),
    Conversion(
        TIMESTAMP,
        "date",
        "{c}::date",
        "CASE WHEN isfinite({c}) AND {c} > '294276-12-31' THEN false "
        "ELSE {c} = date_trunc('day', {c}) END",
    ),
    Conversion("date", TIMESTAMP, CAST, "NOT isfinite({c}) OR {c} < '294277-01-01'"),
    Conversion(TEXT, TIMESTAMP, CAST, written.IS_TIMESTAMP),
    Conversion(  # not by a cast, which writes by the server's DateStyle
        TIMESTAMP,
        TEXT,
        "rtrim(rtrim(to_char({c}, 'YYYY-MM-DD HH24:MI:SS.US'), '0'), '.')",
        "{c} >= '0001-01-01' AND {c} < '10000-01-01'",
    ),
    Conversion(TEXT, TIME, CAST, written.IS_TIME),
    Conversion(TIMESTAMP, TIMESTAMP, CAST, ALWAYS),
    Conversion(MOMENT, MOMENT, CAST, ALWAYS),
    Conversion(TIME, TIME, CAST, ALWAYS),
    Conversion(INTERVAL, INTERVAL, CAST, "{c}::{type} = {c}"),
    Conversion(r"bit( varying)?(\(\d+\))?", r"bit varying(\(\d+\))?", CAST, ALWAYS),
    Conversion("jsonb", "json", CAST, ALWAYS),
    Conversion("json", "jsonb", CAST, written.JSON_IS_JSONB),
    # As SQLAlchemy has stored a Uuid in a text: CHAR(32), without dashes.
    Conversion(r"character( varying)?\(32\)", "uuid", CAST, written.IS_UUID_WITHOUT_DASHES),
    Conversion("uuid", r"character( varying)?\(32\)", "replace({c}::text, '-', '')", ALWAYS),
    Conversion(TEXT, "uuid", CAST, written.IS_UUID),
    Conversion("uuid", TEXT, CAST, ALWAYS),
    Conversion(TEXT, "bytea", "convert_to({c}, 'UTF8')", "getdatabaseencoding() = 'UTF8'"),
    Conversion("bytea", TEXT, "convert_from({c}, 'UTF8')", written.IS_UTF8),
    Conversion("inet", "cidr", CAST, "{c} = network({c})"),
    Conversion("inet", TEXT, "abbrev({c})", ALWAYS),  # a cast would add /32
    Conversion(TEXT, "inet", CAST, written.IS_ADDRESS),
    Conversion("cidr", TEXT, CAST, ALWAYS),
)
# Neither too early nor, when it is rounded, too late.
IN_RANGE = "NOT isfinite({c}) OR {c} >= '4713-01-01 BC' AND {c} < '294276-12-31'"
# The time zone is always said, as a cast would take the session's.
IN_UTC = (
    Conversion(TIMESTAMP, MOMENT, "{c} AT TIME ZONE 'UTC'", IN_RANGE),
    Conversion(MOMENT, TIMESTAMP, "{c} AT TIME ZONE 'UTC'", IN_RANGE),
    Conversion(
        "date",
        MOMENT,
        "{c}::timestamp AT TIME ZONE 'UTC'",
        "NOT isfinite({c}) OR {c} < '294277-01-01'",
    ),
    Conversion(
        MOMENT,
        "date",
        "({c} AT TIME ZONE 'UTC')::date",
        f"CASE WHEN {IN_RANGE} "
        "THEN {c} AT TIME ZONE 'UTC' = date_trunc('day', {c} AT TIME ZONE 'UTC') ELSE false END",
    ),
)


def holds(live: str, desired: str) -> bool:
    """True if `live` holds all that `desired` can, so that nothing has to be done."""
    if live.endswith("[]") and desired.endswith("[]"):
        return holds(live[:-2], desired[:-2])
    return live in HOLDS.get(desired, ())


def conversion(live: str, desired: str, told: Told) -> Optional[Tuple[str, str]]:
    """Return (using, fits) as templates in `{c}`, or None if no safe way is known.

    Where the desired type is a domain, `using` raises what that says of a value.
    """
    live, desired = (re.sub(" COLLATE .*", "", name) for name in (live, desired))
    if live.endswith("[]") and desired.endswith("[]"):
        return _of_elements(desired, conversion(live[:-2], desired[:-2], told))
    if live in told.bases or desired in told.bases:
        return _of_domains(live, desired, told)
    for rule in _rules(told):
        if re.fullmatch(rule.live, live) and re.fullmatch(rule.desired, desired):
            using = rule.using.replace("{type}", _as_template(desired))
            fits = _fits(rule, live, desired)
            if not live.startswith("character("):
                return using, fits
            # Its padding is no part of a value, and only a cast to text takes it off.
            return using.replace("{c}", "{c}::text"), fits.replace("{c}", "{c}::text")
    return None


def _rules(told: Told) -> Iterator[Conversion]:
    shapes = told.date_shapes
    yield Conversion(TEXT, "date", written.date_of(shapes), written.is_date(shapes))
    year_9999 = "{c} BETWEEN '0001-01-01' AND '9999-12-31'"
    yield Conversion("date", TEXT, f"to_char({{c}}, '{shapes[0]}')", year_9999)
    enums = "|".join(map(re.escape, told.labels))
    for name, labels in told.labels.items():
        listed = ", ".join(map(literal, labels)) or "NULL"
        known = f"COALESCE({{c}}::text IN ({_as_template(listed)}), false)"
        yield Conversion(f"{TEXT}|{enums}", re.escape(name), "{c}::text::{type}", known)
        yield Conversion(re.escape(name), TEXT, "{c}::text::{type}", ALWAYS)
    yield from IN_UTC if told.utc else ()
    yield from CONVERSIONS


def _as_template(sql: str) -> str:
    return sql.replace("{", "{{").replace("}", "}}")


def _of_domains(live: str, desired: str, told: Told) -> Optional[Tuple[str, str]]:
    """Return the conversion of what they are over; a domain may refuse the value all the same."""
    has, wants = (told.bases.get(name, name) for name in (live, desired))
    known = ("{c}", ALWAYS) if has == wants else conversion(has, wants, told)
    return known and (f"({known[0]})::{_as_template(desired)}", known[1])


def _of_elements(desired: str, of_one: Optional[Tuple[str, str]]) -> Optional[Tuple[str, str]]:
    """Return the conversion of an array, if a cast is that of its elements."""
    casts = {f"{{c}}{by}::{_as_template(desired[:-2])}": by for by in ("", "::text")}
    if of_one is None or of_one[0] not in casts:
        return None
    by, fits = casts[of_one[0]], of_one[1]
    using = f"{{c}}{by and by + '[]'}::{_as_template(desired)}"
    if fits == ALWAYS:
        return using, fits
    misfits = f"element IS NOT NULL AND NOT ({fits.replace('{c}', 'element')})"
    return using, f"NOT EXISTS (SELECT FROM unnest({{c}}) AS e (element) WHERE {misfits})"


def _fits(rule: Conversion, live: str, desired: str) -> str:
    """Return what is true where the rule gives the same value, within the limit of the type."""
    beyond = 1 << BITS.get(desired, 0)
    fits = rule.fits.replace("{type}", desired)
    for name, number in (("{low}", -beyond), ("{high}", beyond - 1), ("{beyond}", beyond)):
        fits = fits.replace(name, str(number))
    if re.fullmatch(TEXT, live) and re.fullmatch(TEXT, desired):
        value = "{c}"
    else:
        value = f"({rule.using.replace('{type}', limits.without(desired))})"
    within = limits.within(value, desired)
    if within is None or fits == ALWAYS:
        return within or fits
    return f"CASE WHEN {fits} THEN {within} ELSE false END"
