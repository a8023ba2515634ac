"""Each conversion of types holds what it claims, for the values at the ends of every type."""

import re
import struct
from decimal import Decimal
from functools import lru_cache
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2 import errors

from converge.compare import conversions
from converge.compare.limits import TEXT
from converge.quoting import literal
from converge.server.messages import WORDING
from tests.support.database import Database, fresh_database
from tests.support.job import Run

MOODS = ("low", "hi{gh}", "it's", "")
CREATE_MOODS = (
    f"CREATE TYPE mood AS ENUM ({', '.join(map(literal, MOODS))}); CREATE TYPE none AS ENUM ()"
)
TOLD = conversions.Told(
    ("YYYY-MM-DD", "DD-MM-YYYY"), utc=True, labels={"public.mood": MOODS, "public.none": ()}
)
# On both sides of each end of the whole types, and of where a double or a real has no more of them.
WHOLE = [
    str(sign * (2**bits) + more)
    for bits in (0, 15, 24, 31, 53, 63)
    for sign in (-1, 1)
    for more in (-1, 0, 1)
]
FRACTIONS = [
    *WHOLE,
    *("-0", "0.5", "-0.5", "0.1", "12.75", "1e5", "16777217.5", "2147483647.5", "9e18", "9.3e18"),
    # Digits that a double does not keep, and those that it does.
    *("0.1234567890123456789", "0.12345678901234568", "12345678901234567890.123"),
    # On both sides of the smallest and the largest real, and double.
    *("1e-46", "7e-46", "1e-45", "1.1754944e-38", "3.4028235e38", "3.4028236e38", "1e39"),
    *("2e-324", "4.9e-324", "5e-324", "2.2250738585072014e-308", "1e-400", "-1e-400"),
    *("1.7976931348623157e308", "1.7976931348623158e308", "1.797693134862316e308", "1e400"),
    *("NaN", "Infinity", "-Infinity", "-1e400", "-3.4028236e38", "-1.797693134862316e308"),
]
DAYS = [
    *("4714-11-24 BC", "0044-03-15 BC", "0001-12-31 BC", "0001-01-01", "2024-02-29"),
    *("9999-12-31", "10000-01-01", "infinity", "-infinity"),
]
MOMENTS = [
    *DAYS,
    *("2024-02-29 12:30:00.5", "2024-02-29 12:30:00.000001", "1999-12-31 23:59:59.9999"),
    *("2024-02-29 12:30:10", "294276-12-31 23:59:59.999999", "294276-12-31 00:00:00"),
]
TIMES = ["00:00:00", "12:30:10", "23:59:59.999999", "24:00:00", "12:30:00.5", "12:30:00.50"]
SPANS = ["1 mon", "30 days", "24:00:00", "1 day", "00:00:00.125", "00:00:00.12", "-1 year 00:01"]
UUIDS = ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000"]
BYTES = [
    *("", "a", r"\xc3a9", r"\xe282ac", r"\xf09f9880", r"\xf48fbfbf", r"\x7f", r"\xefbfbf"),
    *(r"\x00", r"\x80", r"\xc080", r"\xc3", r"\xe08080", r"\xeda080", r"\xf4908080", r"\xff"),
]
ADDRESSES = ["10.0.0.1", "10.0.0.1/8", "10.0.0.0/8", "255.255.255.255", "::1", "2001:db8::/32"]
ARRAYS = ["{}", "{a}", "{abc,NULL}", "{abcd}", '{"a b","é"}', "{{a,b},{c,d}}"]
VALUES = {
    "smallint": WHOLE,
    "integer": WHOLE,
    "bigint": WHOLE,
    "real": FRACTIONS,
    "double precision": FRACTIONS,
    "numeric": FRACTIONS,
    "numeric(12,2)": FRACTIONS,
    "numeric(5,4)": FRACTIONS,
    "date": [*DAYS, "294276-12-31", "294277-01-01", "5874897-12-31"],
    "timestamp without time zone": [
        *DAYS,
        *("4714-11-24 00:00:00.000001 BC", "2024-02-29 23:59:59.999999", "2024-02-29 00:00:01"),
        *("294276-12-31", "294276-12-31 23:59:59.999999"),
    ],
    "json": [
        *("{}", '{"a": 1}', '{"a":1}', '{"b": 1, "a": 1}', '{"a": 1, "a": 2}', "1e5", "1e131072"),
        *("1e9999999999", r'"\u0000"', r'"\ud800"', r'"\\u"', "1" * 254, "1" * 140000, '"é"'),
        *('""', "null", "[1, 2]", "[1,2]", "1.50", "-0", "0e-16384", "0." + "1" * 17000),
    ],
    "boolean": ["true", "false"],
    "timestamp(3) without time zone": MOMENTS,
    "timestamp with time zone": [f"{value} UTC" for value in MOMENTS],
    "time without time zone": TIMES,
    "time(0) without time zone": TIMES,
    "interval": SPANS,
    "interval(2)": SPANS,
    "interval hour to minute": SPANS,
    "bit varying": ["", "1", "010", "0101"],
    "bit varying(3)": ["", "1", "010"],
    "bit(3)": ["010"],
    "uuid": UUIDS,
    "bytea": BYTES,
    "inet": ADDRESSES,
    "cidr": ADDRESSES,
    "public.mood": MOODS,
    "character varying(4)[]": ARRAYS,
    "text[]": ARRAYS,
    "integer[]": ["{}", "{1,NULL,-2}", "{40000}", "{{1,2},{3,4}}"],
    "bigint[]": ["{}", "{1,NULL}", "{3000000000}"],
    "jsonb": ["{}", '{"b": 1, "a": 1}', "1e5", "1.50", "null"],
}
TEXTS = [
    *FRACTIONS,
    *("", " ", "a", "007", "+1", "1.", ".5", "1e", "1e999", "-1e-999", "0e999", "1E5", "0x1F"),
    *(
        "1_000",
        " 1",
        "1 ",
        "1\n",
        "1\n2",
        "--1",
        "nan",
        "inf",
        "\u0661",
        "9" * 300,
        "1." + "1" * 300,
    ),
    *("0" * 19 + "1", "0" * 18 + "1", "99999999999999999999", "ab ", "abc", "abcd", "abc ", "éèê"),
    *("2024-02-29", "29-02-2024", "31-02-2024", "2023-02-29", "0000-01-01", "01-01-0000"),
    *("9999-12-31", "10000-01-01", "2024-13-01", "2024-00-10", "2024-2-9", "2024-02-29 ", "1-1-1"),
    *("2024-02-29 00:00:00", "2024-02-29 24:00:00", "2023-02-29 00:00:00", "2024-02-29T00:00:00"),
    *("2024-02-29 12:30:00.5", "2024-02-29 12:30:00.1234567", "0000-01-01 00:00:00", *TIMES),
    *("true", "false", "t", "TRUE", *MOODS, *UUIDS, *ADDRESSES, "010.0.0.1", "256.0.0.1"),
    *("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc99"),
]
VALUES.update(dict.fromkeys(("text", "character varying", "character varying(20)"), TEXTS))
VALUES["character(20)"] = VALUES["public.citext"] = TEXTS
VALUES["character varying(32)"] = TEXTS
NARROW = [
    *("character varying(3)", "character(3)", "character(20)", "numeric(30,1)", "bit varying(2)"),
    *("character varying(2)[]", "smallint[]", "public.none", "timestamp(0) with time zone"),
]
# Where the rules refuse texts that the server would cast to the same value, such as `+1`; a date
# as text has four digits for the year and no BC.
CAREFUL = r"text|character.*|json|date|bytea|real|double precision|timestamp.*"


# What the shortest text of a binary number stands for.
EXACT: Dict[str, Callable[[str], Decimal]] = {
    "real": lambda text: Decimal(struct.unpack("f", struct.pack("f", float(text)))[0]),
    "double precision": lambda text: Decimal(float(text)),
}


NUMBER = re.compile(f"{conversions.WHOLE}|{conversions.FRACTION}")


class Pair(NamedTuple):
    live: str
    desired: str
    using: str
    fits: str


def pair_of(live: str, desired: str) -> Optional[Pair]:
    known = conversions.conversion(live, desired, TOLD)
    if live == desired or known is None:
        return None
    return Pair(live, desired, *(part.format(c="c") for part in known))


PAIRS = [
    pair for live in VALUES for new in [*VALUES, *NARROW] for pair in [pair_of(live, new)] if pair
]


@pytest.fixture(scope="module")
def session(server: Dict[str, Any]) -> Iterator[Database]:
    """A session that has the settings in which a run asks and converts."""
    with fresh_database(server) as database:
        database.execute(f"{CREATE_MOODS}; CREATE EXTENSION citext")
        for name, value in WORDING.items():
            database.execute(f"SET {name} = {value}")
        yield database


def day_of(text: str) -> str:
    """Return a day or a moment in UTC as the types of PostgreSQL and the platform's write it."""
    found = re.fullmatch(r"(\d\d)-(\d\d)-(\d{4})", text)
    day = "-".join(reversed(found.groups())) if found else text
    return day.replace("+00", "").replace(" 00:00:00", "")


# What two texts have in common that mean the same, where either type is one of these.
MEANING: Dict[str, Callable[[str], str]] = {
    "boolean": lambda text: {"0": "false", "1": "true"}.get(text, text),
    "bytea": lambda text: text if text.startswith(r"\x") else rf"\x{text.encode().hex()}",
    "uuid": lambda text: text.replace("-", ""),
    "(date|timestamp).*": day_of,
    "inet": lambda text: re.sub("/(32|128)$", "", text),
}


def is_same(pair: Pair, before: str, after: str) -> bool:
    """Return whether two texts are the same number, day or text, in the types of a pair."""
    for known, meaning in MEANING.items():
        if re.fullmatch(known, pair.live) or re.fullmatch(known, pair.desired):
            return meaning(before) == meaning(after)
    if {before, after} & {"NaN", "Infinity", "-Infinity"} or not NUMBER.fullmatch(pair.desired):
        return before == after
    if pair.live in EXACT and not pair.desired.startswith("numeric"):
        # Its text is not its value, but the shortest that tells which it is.
        return EXACT[pair.live](before) == EXACT.get(pair.desired, Decimal)(after)
    return Decimal(before) == Decimal(after)


def converted(database: Database, pair: Pair, values: Sequence[str]) -> Set[bool]:
    """Check values that the live type has; return whether some fit, and some do not."""
    database.execute("BEGIN; CREATE TEMP TABLE t (id serial, c text) ON COMMIT DROP")
    try:
        for value in values:
            database.execute("INSERT INTO t (c) VALUES (%s)", (value,))
        database.execute(f"ALTER TABLE t ALTER c TYPE {pair.live} USING c::{pair.live}")
        asked = database.rows(f"SELECT id, c::text, {pair.fits} FROM t")
        database.execute(f"DELETE FROM t WHERE NOT ({pair.fits})")
        database.execute(f"ALTER TABLE t ALTER c TYPE {pair.desired} USING {pair.using}")
        after = dict(database.rows("SELECT id, c::text FROM t"))
        for number, value, fits in asked:
            if fits:
                assert is_same(pair, value, after[number]), (pair, value)
            elif not re.fullmatch(CAREFUL, pair.live):
                cast = cast_of(database, f"{literal(value)}::{pair.live}::{pair.desired}")
                assert cast is None or not is_same(pair, value, cast), (pair, value)
        return {fits for _, _, fits in asked}
    finally:
        database.execute("ROLLBACK")


def cast_of(database: Database, expression: str) -> Optional[str]:
    """Return what the server's own cast gives; None: it raises an error."""
    database.execute("SAVEPOINT before")
    try:
        found: str = database.value(f"SELECT ({expression})::text")
        return found
    except (psycopg2.DataError, psycopg2.NotSupportedError, errors.CannotCoerce):
        database.execute("ROLLBACK TO before")
        return None


@lru_cache(maxsize=None)
def values_of(database: Database, type_name: str) -> Sequence[str]:
    """Return the values to try, without those that the type does not have."""
    database.execute("BEGIN")
    casts = [(value, f"{literal(value)}::{type_name}") for value in VALUES[type_name]]
    known = [value for value, cast in casts if cast_of(database, cast) is not None]
    database.execute("ROLLBACK")
    return known


RULES = [
    *conversions.CONVERSIONS,
    *conversions.IN_UTC,
    conversions.Conversion(TEXT, "public[.].*", "", ""),
    conversions.Conversion("public[.]mood", TEXT, "", ""),
    conversions.Conversion(r".*\[]", r".*\[]", "", ""),
    conversions.Conversion("date", TEXT, "", ""),  # these have the platform's shapes
    conversions.Conversion(TEXT, "date", "", ""),
]
# All of them are as long as the type; and the database of the test is in UTF-8.
IN_FACT_ALWAYS = r"uuid to character.*32.*|text.* to bytea"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.live} to {rule.desired}")
def test_a_value_fits_only_if_it_stays_the_same(
    session: Database, rule: conversions.Conversion
) -> None:
    """Neither question nor conversion raises; at the ends, what fits is told from what does not."""
    pairs = [
        pair
        for pair in PAIRS
        if re.fullmatch(rule.live, pair.live) and re.fullmatch(rule.desired, pair.desired)
    ]
    found = {pair: converted(session, pair, values_of(session, pair.live)) for pair in pairs}
    assert all(False not in found[pair] for pair in pairs if pair.fits == conversions.ALWAYS)
    may_not_fit = any(pair.fits != conversions.ALWAYS for pair in pairs)
    if re.fullmatch(IN_FACT_ALWAYS, f"{rule.live} to {rule.desired}"):
        may_not_fit = False
    assert set().union(*found.values()) == {True, not may_not_fit}


def any_of(characters: str) -> "st.SearchStrategy[str]":
    return st.text(alphabet=characters, max_size=25)


NUMBERS = (
    st.integers(-(2**64), 2**64).map(str)
    | st.floats().map(repr)
    | st.floats(width=32).map(repr)
    | st.decimals(allow_nan=False, allow_infinity=False).map(str)
)
ANYTHING: Dict[str, "st.SearchStrategy[str]"] = {
    "date": st.dates().map(str),
    "timestamp without time zone": st.datetimes().map(str),
    "text": NUMBERS | st.dates().map(str) | any_of("0123456789+-.eE ") | any_of("0123-"),
}
ANYTHING["character(20)"] = ANYTHING["character varying(20)"] = ANYTHING["text"]


@pytest.mark.parametrize("live", [live for live in VALUES if "json" not in live])
def test_any_value_is_kept_or_does_not_fit(session: Database, live: str) -> None:
    """The same of values that nobody has thought of."""
    pairs: List[Pair] = [pair for pair in PAIRS if pair.live == live]

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(pairs), ANYTHING.get(live, NUMBERS))
    def check(pair: Pair, value: str) -> None:
        database = session
        database.execute("BEGIN")
        has_it = cast_of(database, f"{literal(value)}::{live}") is not None
        database.execute("ROLLBACK")
        if has_it:
            converted(database, pair, [value])

    check()


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize(
    ("live", "value"),
    [
        ("numeric", "1" + "0" * 400),
        ("numeric", "0." + "0" * 399 + "1"),
        ("numeric", "12345678901234567890.123"),
        ("bigint", "9007199254740993"),
        ("text", "0.1234567890123456789"),
    ],
)
def test_a_number_that_a_double_does_not_keep_is_refused(
    database: Database, run: Run, live: str, value: str
) -> None:
    """Before any change, and with the row; once it is rounded by hand, the run finishes."""
    database.execute(f"ALTER TABLE weight ALTER weight TYPE {live}")
    database.execute("INSERT INTO weight VALUES (1, 'x', %s, 'u'), (2, 'x', '80', 'u')", (value,))
    result = run()
    assert result.code == 4
    assert f"1 of 2 rows does not convert, e.g. time=1 '{value}'." in result.err
    find = result.err.splitlines()[-1]
    assert [number for number, _ in database.rows(find)] == [1]
    assert database.value("SELECT weight::text FROM weight WHERE time = 1") == value
    database.execute("UPDATE weight SET weight = '12' WHERE time = 1")
    assert run().code == 0
    assert database.rows("SELECT weight FROM weight ORDER BY 1") == [(12.0,), (80.0,)]
