"""Each change of a type, with rows, and back."""

from typing import Any, Tuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy import JSON as JSON_OF_ANY
from sqlalchemy.dialects.postgresql import (
    BIT,
    CIDR,
    DATERANGE,
    INET,
    INTERVAL,
    JSON,
    JSONB,
    MACADDR,
    MONEY,
    OID,
    TIMESTAMP,
    TSQUERY,
)

from tests.support.construct import Construct, column, table


def changed(name: str, first: Any, then: Any, **options: Any) -> Construct:
    """Return a change of a type with rows; backwards too where nothing is said of it."""
    return column(f"type {name}", lambda: Column("v", first), lambda: Column("v", then), **options)


def both_ways(
    name: str, first: Any, then: Any, *, holds_more: bool = False, **options: Any
) -> Tuple[Construct, Construct]:
    """Return a change and the one back, which does nothing where the live type `holds_more`."""
    kept = {"ends_as": lambda m: table(m, Column("v", then))} if holds_more else {}
    return (
        changed(name, first, then, **options),
        changed(f"{name}, and back", then, first, **{**options, **kept}),
    )


def checked(name: str, first: str, then: str, **options: Any) -> Construct:
    """Return a change of a text to a date, which a check compares."""
    return column(
        f"type {name}",
        lambda: Column("v", Text, CheckConstraint(first, name="k", comment="of it")),
        lambda: Column("v", Date, CheckConstraint(then, name="k", comment="of it")),
        rows="INSERT INTO t (v) VALUES ('2024-01-31'), ('2025-01-31'), (NULL)",
        **options,
    )


EVERY: Tuple[Any, ...] = (
    *(Boolean, SmallInteger, BigInteger, Numeric(5, 1), Float(20), Double, String(5), Text, Date),
    *(Time, DateTime, INTERVAL(fields="DAY TO SECOND", precision=2), LargeBinary, Uuid, MACADDR),
    *(TIMESTAMP(timezone=True, precision=3), JSON_OF_ANY, JSONB, INET, CIDR, MONEY, OID, TSQUERY),
    *(BIT(3), BIT(8, varying=True), DATERANGE, ARRAY(Integer, dimensions=2)),
)
TYPES = (
    *both_ways("integer to bigint", Integer, BigInteger, holds_more=True),
    *both_ways("smallint to integer", SmallInteger, Integer, holds_more=True),
    *both_ways("varchar(20) to varchar(50)", String(20), String(50)),
    *both_ways("varchar to text", String, Text, holds_more=True),
    *both_ways("varchar(20) to varchar", String(20), String),
    *both_ways("numeric(8,2) to numeric(10,2)", Numeric(8, 2), Numeric(10, 2)),
    *both_ways("numeric(8,2) to numeric(8,4)", Numeric(8, 2), Numeric(8, 4)),
    *both_ways("numeric(8,2) to numeric", Numeric(8, 2), Numeric),
    *both_ways("integer to numeric(8,2)", Integer, Numeric(8, 2)),
    *both_ways("real to double", Float(24), Double, holds_more=True),
    *both_ways("json to jsonb", JSON, JSONB),
    *both_ways(
        "varchar to integer", String, Integer, rows="INSERT INTO t (v) VALUES ('1'), ('22')"
    ),
    *both_ways("date to timestamp", Date, TIMESTAMP, or_refused="convert"),
    *both_ways("varchar to date", String, Date, rows="INSERT INTO t (v) VALUES ('2024-01-31')"),
    *both_ways("timestamp to timestamptz", DateTime, DateTime(timezone=True), or_refused="zone"),
    *both_ways("varchar[] to text[]", ARRAY(String), ARRAY(Text), holds_more=True),
    *both_ways("integer[] to bigint[]", ARRAY(Integer), ARRAY(BigInteger), holds_more=True),
    *both_ways("boolean to integer", Boolean, Integer, or_refused="integer"),
    *both_ways("timestamp(6) to timestamp(0)", TIMESTAMP(precision=6), TIMESTAMP(precision=0)),
    *both_ways(
        "varchar to uuid",
        String,
        Uuid,
        rows="INSERT INTO t (v) VALUES (gen_random_uuid())",
        since=130000,
        or_refused="uuid",
    ),
    *both_ways("varchar to bytea", String, LargeBinary, or_refused="bytea"),
    *both_ways("inet to cidr", INET, CIDR, or_refused="inet"),
    *both_ways(
        "varchar to json", String, JSON, rows="INSERT INTO t (v) VALUES ('[1]')", or_refused="json"
    ),
    changed("varchar(20), narrowed too much", String(20), String(3), refused="convert"),
    changed("integer to boolean, with a 2 and a 3", Integer, Boolean, refused="v"),
    changed("a collation", String(20), String(20, collation="C")),
    changed("another collation", String(20, collation="C"), String(20, collation="POSIX")),
    changed("varchar to integer, with words", String, Integer, refused="convert"),
    column(
        "type of a column with an index, a check and a default",
        lambda: Column(
            "v", Integer, CheckConstraint("v > 0", name="k"), index=True, server_default="5"
        ),
        lambda: Column(
            "v", BigInteger, CheckConstraint("v > 0", name="k"), index=True, server_default="5"
        ),
    ),
    column(
        "type with a new check on it",
        lambda: Column("v", String(9)),
        lambda: Column("v", Integer, CheckConstraint("v > 0", name="k")),
        rows="INSERT INTO t (v) VALUES ('1'), ('2')",
    ),
    column(
        "type with a default that does not convert",
        lambda: Column("v", String(9), server_default="1"),
        lambda: Column("v", Integer, server_default="2"),
        rows="INSERT INTO t (v) VALUES ('1'), ('2')",
    ),
    checked("that is compared", "v > '2024'", "v > '2024-01-01'"),
    checked("that is compared as before", "v > '2023-12-31'", "v > '2023-12-31'"),
    checked(
        "that is compared, of which a row fails then",
        "v > '2024'",
        "v > '2024-02-01'",
        refused="1 row would violate it",
    ),
    Construct(
        "type that a check compared, of whose name a key is now",
        lambda m: table(m, Column("v", Text), CheckConstraint("v > '1'", name="k")),
        lambda m: table(m, Column("v", Integer), UniqueConstraint("v", name="k")),
        rows="INSERT INTO t (v) VALUES ('2')",
        refused="operator does not exist",
    ),
    Construct(
        "type of both ends of a foreign key",
        lambda m: (
            table(m, name="owner"),
            table(m, Column("owner", Integer, ForeignKey("owner.id"))),
        ),
        lambda m: (
            Table("owner", m, Column("id", BigInteger, primary_key=True)),
            table(m, Column("owner", BigInteger, ForeignKey("owner.id"))),
        ),
    ),
    Construct(
        "all plain types at once",
        lambda m: table(m, *(Column(f"c{n}", made) for n, made in enumerate(EVERY))),
        rows="INSERT INTO t DEFAULT VALUES",
    ),
)
