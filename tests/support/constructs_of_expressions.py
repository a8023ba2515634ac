"""Conditions whose wording the server changes: each as a check and as an index's predicate."""

from typing import Any, List, Sequence

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Float,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Text,
    and_,
    between,
    case,
    cast,
    column,
    func,
    not_,
    or_,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INET, INTERVAL, JSONB, UUID

from tests.support.construct import Construct, table

TOGETHER = 6  # conditions of one table: each takes less time then
TEXTS = (
    "s IN ('abc1', 'abc2', 'abc3')",
    "s NOT IN ('x', 'y')",
    "x IN ('abc1', 'abc2', 'abc3')",
    "x NOT IN ('x')",
    "c IN ('1', '2', '3')",
    "i IN (1, 2, 3)",
    "i NOT IN (7)",
    "i NOT IN (7, 8)",
    "i = ANY (ARRAY[1, 2, 3])",
    "s = ANY (ARRAY['abc1', 'abc2', 'abc3']::varchar[])",
    "s = ANY ('{abc1,abc2,abc3}')",
    "k IN (1, 2, 3) AND n IN (1.5, 2, 1, 3)",
    "i BETWEEN 1 AND 5",
    "i NOT BETWEEN 7 AND 9",
    "i BETWEEN SYMMETRIC 5 AND 1",
    "d BETWEEN '2024-01-01' AND '2024-12-31'",
    "d > DATE '2000-01-01'",
    "d > '2000-01-01'::date - 5",
    "z > '2000-01-01'",
    "ts > TIMESTAMP '2000-01-01 10:00'",
    "ts - INTERVAL '1 day' > '2000-01-01'",
    "extract(year FROM d) >= 2000",
    "date_trunc('day', ts) < '2100-01-01'",
    "CASE WHEN s = 'x' THEN i > 100 ELSE i > 0 END",
    "CASE s WHEN 'a' THEN 1 WHEN 'b' THEN 2 ELSE 3 END = 3",
    "CAST(i AS text) <> 'x'",
    "i::text || s <> ''",
    "(i + k) * 2 - 1 > 0",
    "-i < 0",
    "i % 7 <> 0",
    "f > 0.5 AND f < 1e10",
    "n >= 0 AND n <= 100.00",
    "length(s) > 0",
    "char_length(trim(both FROM s)) > 0",
    "lower(s) = s",
    "substring(s FROM 1 FOR 3) = 'abc'",
    "position('z' IN s) = 0",
    "coalesce(s, 'none') <> ''",
    "nullif(s, '') IS NOT NULL",
    "greatest(i, k) < 100 AND least(i, k) > 0",
    "s ~ '^[a-z]+[0-9]$'",
    "s !~* 'Z'",
    "s LIKE 'abc%'",
    "s NOT LIKE '%\\_%'",
    "s ILIKE 'ABC_'",
    "s SIMILAR TO 'abc(1|2|3)'",
    "s LIKE 'a:b%' OR s NOT LIKE '50%%'",
    "s || '' COLLATE \"C\" >= 'a'",
    "array_length(a, 1) > 0",
    "a @> ARRAY[]::text[]",
    "'x' <> ALL (a)",
    "a[1] IS NOT NULL",
    "cardinality(a) = 1",
    "a && ARRAY['abc1', 'abc2', 'abc3']",
    "j ? 'n'",
    "j ->> 'n' IN ('1', '2', '3')",
    "(j ->> 'n')::integer > 0",
    "j @> '{}'",
    "j #>> '{n}' <> ''",
    "jsonb_typeof(j -> 'n') = 'number'",
    "b",
    "NOT b OR b IS NOT NULL",
    "b IS NOT FALSE",
    "b = true",
    "(s IS NULL) <> (i IS NOT NULL)",
    "s IS DISTINCT FROM x OR i IS NOT DISTINCT FROM 5 OR true",
    "num_nonnulls(s, i, d) >= 1",
    "(i, k) <> (9, 9)",
    "(i, s) IN ((1, 'abc1'), (2, 'abc2'), (3, 'abc3'))",
    "u <> '00000000-0000-0000-0000-000000000000'",
    "h << '10.0.0.0/8'",
    "v > '1 hour'",
    "i > 0 AND (k > 0 OR n > 0) AND NOT (s = 'x' AND x = 'y')",
    "s <> 'it''s' AND s <> E'a\\nb' AND s <> $$q$$",
    "i & 255 = i AND i | 0 = i",
    "i = 1 OR i = 2 OR i = 3",
    "md5(s) <> 'x'",
    "s = 'abc1'::varchar(4) OR s::varchar(2) = 'ab'",
)
# In SQLAlchemy's words: its columns, and values that are written into the text.
S, N, B = column("s", String), column("i", Integer), column("b", Boolean)
BUILT = (
    S.in_(["abc1", "abc2", "abc3"]),
    S.notin_(["x"]),
    between(N, 1, 5),
    and_(N > 0, or_(S != "x", B.is_(True))),
    not_(S.like("50%")),
    S.regexp_match("^abc"),
    case((S == "x", N > 100), else_=N > 0),
    cast(N, String) != "x",
    func.length(S) > 0,
    column("j", JSONB)["n"].astext != "",
    column("j", JSONB).has_key("n"),
    column("a", ARRAY(Text))[1] != "x",
    B,
    S.startswith("abc"),
    S.is_not(None),
)


def columns() -> List[Any]:
    return [
        Column("s", String(20)),
        Column("x", Text),
        Column("c", String(1)),
        Column("i", Integer),
        Column("k", SmallInteger),
        Column("n", Numeric(8, 2)),
        Column("f", Float),
        Column("d", Date),
        Column("ts", DateTime),
        Column("z", DateTime(timezone=True)),
        Column("b", Boolean),
        Column("a", ARRAY(Text)),
        Column("j", JSONB),
        Column("u", UUID),
        Column("h", INET),
        Column("v", INTERVAL),
    ]


ROWS = """INSERT INTO t (s, x, c, i, k, n, f, d, ts, z, b, a, j, u, h, v)
SELECT 'abc' || g, 'abc' || g, g::text, g, g, g, g, date '2024-01-01' + g,
  timestamp '2024-01-01 10:00' + g * interval '1 day', '2024-01-01 10:00+00', true,
  ARRAY['abc' || g], jsonb_build_object('n', g), gen_random_uuid(), '10.0.0.1', '5 hours'
FROM generate_series(1, 3) g"""


def conditioned(conditions: Sequence[Any]) -> Construct:
    """Return them as checks and as predicates, which are also brought to a live table."""
    said = [text(c.replace(":", "\\:")) if isinstance(c, str) else c for c in conditions]

    def models(m: MetaData) -> None:
        checks = [CheckConstraint(c, name=f"k{number}") for number, c in enumerate(said)]
        indexes = [Index(f"p{n}", "i", postgresql_where=c) for n, c in enumerate(said)]
        table(m, *columns(), *checks, *indexes)

    return Construct(f"conditions: {conditions[0]}, ...", models, rows=ROWS, since=130000)


CONDITIONS = (*TEXTS, *BUILT)
EXPRESSIONS = tuple(
    conditioned(CONDITIONS[n : n + TOGETHER]) for n in range(0, len(CONDITIONS), TOGETHER)
)
