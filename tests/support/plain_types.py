"""The types of plain models: each with a value for a row, and what may be said of its values."""

from typing import Any, Callable, Dict, NamedTuple, Tuple

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Text,
    Time,
    Uuid,
)
from sqlalchemy.dialects import postgresql

Strings = Tuple[str, ...]


class Kind(NamedTuple):
    """What the types of a family have in common; `{0}` is a column.

    `true` holds for every value that `Type.value` gives, `false` not for all of them; the first
    `immutable` of `true` may stand in the predicate of an index.
    """

    true: Strings = ("{0} IS NOT NULL OR {0} IS NULL",)
    false: Strings = ("{0} IS NULL",)
    immutable: int = 1
    computed: Strings = ()  # expressions of the same type
    expressions: Strings = ()  # to be indexed
    methods: Strings = ("btree", "hash", "brin")
    classes: Strings = ()  # operator classes for B-tree, or for the last of the methods


NUMBER = Kind(
    true=(
        "{0} > 0",
        "{0} IN (1, 2, 3, 1.5, 2.5, 3.5)",
        "{0} BETWEEN -5 AND 1000",
        "{0} <> ALL (ARRAY[77, 78])",
        "{0} NOT IN (8, 9) OR {0} IS NULL",
        "CASE WHEN {0} > 50 THEN false ELSE true END",
        "abs({0}) < 1e3 AND NOT {0} = -1",
    ),
    false=("{0} > 1.5", "{0} IN (1, 2)", "{0} < 0"),
    immutable=7,
    computed=("{0} + 1", "CASE WHEN {0} > 2 THEN 0 ELSE {0} END"),
    expressions=("({0} + 1)", "abs({0})"),
)
TEXT = Kind(
    true=(
        "{0} <> ''",
        "{0} IN ('v1', 'v2', 'v3')",
        "{0} ~ '^v\\d'",
        "{0} LIKE 'v%'",
        "{0} NOT LIKE '%\\_' AND {0} <> 'it''s'",
        "length({0}) BETWEEN 1 AND 30",
        "lower({0}) = {0} OR {0} = ANY (ARRAY['V', 'W'])",
    ),
    false=("{0} <> 'v1'", "length({0}) > 9", "{0} IN ('v1')"),
    immutable=7,
    computed=("upper({0})", "coalesce({0}, '50%')"),
    expressions=("lower({0})", "({0} || ':x')", "coalesce({0}, '')"),
    classes=("text_pattern_ops",),
)
DAY = Kind(
    true=(
        "{0} > '2000-01-01'",
        "{0} IN ('2024-01-02', '2024-01-03', '2024-01-04')",
        "extract(year FROM {0}) > 1999",
        "{0} < now() + interval '1 year'",
    ),
    false=("{0} > '2024-01-02'",),
    immutable=2,
)
PLAIN = Kind()
FEW = Kind(methods=("btree", "hash"))  # values, or operator classes
UNORDERED = Kind(methods=())
JSONB = Kind(
    true=("{0} ? 'n'", "jsonb_typeof({0}) = 'object'", "({0} ->> 'n') IN ('1', '2', '3')"),
    false=("({0} ->> 'n')::integer > 1",),
    immutable=3,
    expressions=("({0} ->> 'n')",),
    methods=("btree", "gin"),
    classes=("jsonb_path_ops",),
)
LIST = Kind(
    true=("cardinality({0}) > 0", "array_length({0}, 1) IN (1, 2)"),
    false=("cardinality({0}) > 1",),
    immutable=2,
    methods=("btree", "gin"),
)
RANGE = Kind(true=("NOT isempty({0})",), false=("isempty({0})",), methods=("btree", "gist"))
WORDS = Kind(methods=("gin", "gist"))


class Type(NamedTuple):
    """A type; `value` is its value in row `{n}`, which is another in each row if `distinct`."""

    make: Callable[[], Any]
    value: str
    kind: Kind = PLAIN
    distinct: bool = True
    defaults: Strings = ()
    since: int = 0  # the version of PostgreSQL, as `server_version_num`


def _moment(make: Callable[[], Any], *defaults: str) -> Type:
    """Return a type of the days from 2024-01-02 on."""
    return Type(make, "timestamp '2024-01-01' + {n} * interval '1 day'", DAY, defaults=defaults)


INT = ("7", "1 + 1", "abs(-3)")
STRING = ("'v1'", "'it''s 50% of a:b \\ \"'", "lower('V1')")
TYPES: Dict[str, Type] = {
    "integer": Type(Integer, "{n}", NUMBER, defaults=INT),
    "text": Type(Text, "'v' || {n}", TEXT, defaults=STRING),
    "smallint": Type(SmallInteger, "{n}", NUMBER, defaults=INT),
    "bigint": Type(BigInteger, "{n}", NUMBER, defaults=INT),
    "numeric": Type(Numeric, "{n} + 0.5", NUMBER, defaults=INT),
    "numeric(8,2)": Type(lambda: Numeric(8, 2), "{n} + 0.5", NUMBER, defaults=("1.50",)),
    "numeric(12,4)": Type(lambda: Numeric(12, 4), "{n} + 0.5", NUMBER, defaults=("1.5",)),
    "double": Type(lambda: Float(53), "{n} + 0.5", NUMBER, defaults=("0.1",)),
    "real": Type(postgresql.REAL, "{n} + 0.5", NUMBER, defaults=("0.5",)),
    "varchar": Type(String, "'v' || {n}", TEXT, defaults=STRING),
    "varchar(20)": Type(lambda: String(20), "'v' || {n}", TEXT, defaults=("'v1'",)),
    "varchar(40)": Type(lambda: String(40), "'v' || {n}", TEXT, defaults=("'v2'",)),
    "text C": Type(lambda: Text(collation="C"), "'v' || {n}", TEXT, defaults=STRING),
    "char(6)": Type(lambda: postgresql.CHAR(6), "'v' || {n}", TEXT._replace(classes=())),
    "boolean": Type(Boolean, "{n} % 2 = 0", FEW, distinct=False, defaults=("false", "(NOT false)")),
    "date": Type(Date, "date '2024-01-01' + {n}", DAY, defaults=("CURRENT_DATE", "'2024-02-29'")),
    "timestamp": _moment(DateTime, "now()", "CURRENT_TIMESTAMP", "'2024-02-29 12:00'"),
    "timestamp(3)": _moment(lambda: postgresql.TIMESTAMP(precision=3), "now()"),
    "timestamptz": _moment(lambda: DateTime(timezone=True), "now()", "clock_timestamp()"),
    "time": Type(Time, "time '12:00' + {n} * interval '1 minute'", defaults=("'08:30'",)),
    "interval": Type(
        postgresql.INTERVAL, "{n} * interval '1 hour'", defaults=("'1 day'::interval",)
    ),
    "uuid": Type(Uuid, "md5({n}::text)::uuid", defaults=("md5('x')::uuid",)),
    "uuid of 13": Type(Uuid, "md5({n}::text)::uuid", defaults=("gen_random_uuid()",), since=130000),
    "json": Type(JSON, "json_build_object('n', {n})", UNORDERED, distinct=False),
    "jsonb": Type(
        postgresql.JSONB,
        "jsonb_build_object('n', {n})",
        JSONB,
        defaults=("'{}'::jsonb", "'[\"50%\"]'"),
    ),
    "bytea": Type(LargeBinary, "decode(md5({n}::text), 'hex')", defaults=("'\\x00ff'::bytea",)),
    "inet": Type(postgresql.INET, "('10.0.0.' || {n})::inet", defaults=("'::1'",)),
    "text[]": Type(lambda: ARRAY(Text), "ARRAY['v' || {n}]", LIST, defaults=("'{}'",)),
    "varchar[]": Type(lambda: ARRAY(String), "ARRAY['v' || {n}]", LIST),
    "integer[]": Type(
        lambda: ARRAY(Integer), "ARRAY[{n}, 0]", LIST, defaults=("ARRAY[1, 2]", "'{1}'")
    ),
    "int4range": Type(postgresql.INT4RANGE, "int4range({n}, {n} + 1)", RANGE),
    "tstzrange": Type(
        postgresql.TSTZRANGE,
        "tstzrange('2024-01-01', timestamptz '2025-01-01' + {n} * interval '1 day')",
        RANGE,
    ),
    "int4multirange": Type(
        postgresql.INT4MULTIRANGE, "int4multirange(int4range({n}, {n} + 1))", FEW, since=140000
    ),
    "tsvector": Type(postgresql.TSVECTOR, "to_tsvector('simple', 'v' || {n})", WORDS, False),
}
