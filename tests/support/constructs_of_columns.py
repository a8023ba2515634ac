"""Columns: defaults, sequences, identity, generated ones."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    FetchedValue,
    Identity,
    Integer,
    MetaData,
    Sequence,
    SmallInteger,
    String,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR, UUID

from tests.support.construct import Construct, column, table
from tests.support.constructs_of_generated import FROM_NEW


def with_sequence(metadata: MetaData, **options: Any) -> Table:
    sequence = Sequence("numbers", metadata=metadata, **options)
    return table(metadata, Column("v", Integer, sequence, server_default=sequence.next_value()))


def keyed(metadata: MetaData, *key: "Column[Any]") -> Table:
    return Table("t", metadata, *key, Column("v", Integer))


DEFAULTS = (
    column(
        "a default of a constant",
        lambda: Column("v", Integer),
        lambda: Column("v", Integer, server_default="5"),
    ),
    column(
        "a default changes",
        lambda: Column("v", String, server_default="it's"),
        lambda: Column("v", String, server_default="50% \\ :x \"'é"),
    ),
    column(
        "a default of a function",
        lambda: Column("v", DateTime(timezone=True)),
        lambda: Column("v", DateTime(timezone=True), server_default=func.now()),
    ),
    column(
        "a default of text()",
        lambda: Column("v", JSONB, server_default=text("'{}'::jsonb")),
        lambda: Column("v", JSONB, server_default=text("'{\"a\": [1]}'::jsonb")),
    ),
    column(
        "a default of a boolean",
        lambda: Column("v", Boolean, server_default=text("false"), nullable=False),
        lambda: Column("v", Boolean, server_default=text("true"), nullable=False),
    ),
    column(
        "a default goes, and is left",
        lambda: Column("v", Integer, server_default="5"),
        lambda: Column("v", Integer),
        ends_as=lambda m: table(m, Column("v", Integer, server_default="5")),
    ),
    Construct(
        "a new column with a volatile default",
        table,
        lambda m: table(m, Column("v", UUID, server_default=func.gen_random_uuid())),
        since=130000,
    ),
    column(
        "uuid-ossp",
        lambda: Column("v", UUID),
        lambda: Column("v", UUID, server_default=text("uuid_generate_v4()")),
        extensions=("uuid-ossp",),
    ),
    column(
        "pgcrypto",
        lambda: Column("v", Text),
        lambda: Column("v", Text, server_default=text("encode(gen_random_bytes(8), 'hex')")),
        extensions=("pgcrypto",),
    ),
    column(
        "a default that is fetched",
        lambda: Column("v", Integer),
        lambda: Column("v", Integer, FetchedValue()),
    ),
    column(
        "a default with nextval in it",
        lambda: Column("v", String),
        lambda: Column("v", String, server_default=text("'no ' || nextval('numbers')")),
        before="CREATE SEQUENCE numbers",
    ),
    column(
        "nullable to required",
        lambda: Column("v", Integer),
        lambda: Column("v", Integer, nullable=False),
    ),
    column(
        "required to nullable",
        lambda: Column("v", Integer, nullable=False),
        lambda: Column("v", Integer),
    ),
    column(
        "required, with rows that have none",
        lambda: Column("v", Integer),
        lambda: Column("v", Integer, nullable=False),
        rows="INSERT INTO t (v) VALUES (NULL), (1)",
        refused="NULL",
    ),
    column(
        "a comment with odd letters",
        lambda: Column("v", Integer, comment="50% of it's \\ :x"),
        lambda: Column("v", Integer, comment='"é" {now}'),
    ),
    column(
        "a required column goes: new rows would fail",
        lambda: Column("v", Integer, nullable=False),
        lambda: Column("w", Integer),
        leaves=True,
        or_refused="DROP NOT NULL",
    ),
)
NUMBERED = (
    Construct(
        "a sequence with a start",
        lambda m: with_sequence(m, start=100),
        lambda m: with_sequence(m, start=100, increment=10),
    ),
    Construct(
        "a sequence that nobody draws from",
        lambda m: (table(m), Sequence("numbers", metadata=m)),
        lambda m: (table(m), Sequence("numbers", metadata=m, maxvalue=500, cycle=True, cache=5)),
    ),
    Construct(
        "a key with a sequence",
        lambda m: keyed(m, Column("id", Integer, Sequence("ids"), primary_key=True)),
        lambda m: keyed(
            m, Column("id", Integer, Sequence("ids", start=1, increment=2), primary_key=True)
        ),
        rows="INSERT INTO t VALUES (1, 1), (2, 2)",
    ),
    Construct(
        "a new column with a sequence",
        table,
        lambda m: table(
            m, Column("n", BigInteger, Sequence("s"), server_default=Sequence("s").next_value())
        ),
    ),
    Construct(
        "identity, by default to always",
        lambda m: keyed(m, Column("id", Integer, Identity(), primary_key=True)),
        lambda m: keyed(m, Column("id", Integer, Identity(always=True), primary_key=True)),
    ),
    Construct(
        "identity with options",
        lambda m: keyed(m, Column("id", Integer, Identity(start=10, cache=3), primary_key=True)),
        lambda m: keyed(
            m, Column("id", Integer, Identity(start=10, increment=5, cycle=True), primary_key=True)
        ),
    ),
    Construct(
        "serial to identity",
        lambda m: keyed(m, Column("id", Integer, primary_key=True)),
        lambda m: keyed(m, Column("id", Integer, Identity(), primary_key=True)),
        or_refused="identity",
    ),
    Construct(
        "serial to a plain number",
        lambda m: keyed(m, Column("id", Integer, primary_key=True)),
        lambda m: keyed(m, Column("id", Integer, primary_key=True, autoincrement=False)),
        ends_as=lambda m: keyed(m, Column("id", Integer, primary_key=True)),
    ),
    Construct(
        "a plain number to serial",
        lambda m: keyed(m, Column("id", Integer, primary_key=True, autoincrement=False)),
        lambda m: keyed(m, Column("id", Integer, primary_key=True)),
    ),
    Construct(
        "a serial key of bigint",
        lambda m: keyed(m, Column("id", Integer, primary_key=True)),
        lambda m: keyed(m, Column("id", BigInteger, primary_key=True)),
    ),
    Construct(
        "a serial key of smallint to integer",
        lambda m: keyed(m, Column("id", SmallInteger, primary_key=True)),
        lambda m: keyed(m, Column("id", Integer, primary_key=True)),
    ),
    Construct(
        "an identity key of bigint",
        lambda m: keyed(m, Column("id", Integer, Identity(), primary_key=True)),
        lambda m: keyed(m, Column("id", BigInteger, Identity(), primary_key=True)),
    ),
    Construct(
        "an identity key of bigint, with an end",
        lambda m: keyed(m, Column("id", Integer, Identity(), primary_key=True)),
        lambda m: keyed(m, Column("id", BigInteger, Identity(maxvalue=10**12), primary_key=True)),
    ),
    Construct(
        "an identity key of bigint, without its end",
        lambda m: keyed(m, Column("id", Integer, Identity(maxvalue=99), primary_key=True)),
        lambda m: keyed(m, Column("id", BigInteger, Identity(), primary_key=True)),
    ),
    Construct(
        "a new identity column",
        table,
        lambda m: table(m, Column("n", Integer, Identity(start=7))),
    ),
    Construct(
        "serial to an explicit sequence",
        lambda m: keyed(m, Column("id", Integer, primary_key=True)),
        lambda m: keyed(
            m,
            Column(
                "id",
                Integer,
                Sequence("ids"),
                server_default=Sequence("ids").next_value(),
                primary_key=True,
            ),
        ),
        leaves=True,
        or_refused="sequence",
    ),
)
GENERATED = (
    Construct(
        "generated, on a live table",
        lambda m: table(m, Column("a", Integer)),
        lambda m: table(m, Column("a", Integer), Column("g", Integer, Computed("a * 2", True))),
    ),
    Construct(
        "generated, its expression changes",
        lambda m: table(m, Column("a", Integer), Column("g", Integer, Computed("a * 2", True))),
        lambda m: table(m, Column("a", Integer), Column("g", Integer, Computed("a * 3", True))),
        since=170000,  # SET EXPRESSION; it is refused before
    ),
    Construct(
        "generated, in words that the server rewords",
        lambda m: table(
            m,
            Column("a", String(5)),
            Column("g", Boolean, Computed("a IN ('x', 'y') AND NOT a = 'z'", True)),
        ),
    ),
    Construct(
        "a plain column becomes generated",
        lambda m: table(m, Column("a", Integer), Column("g", Integer)),
        lambda m: table(m, Column("a", Integer), Column("g", Integer, Computed("a * 2", True))),
        or_refused="computed",
    ),
    Construct(
        "a generated column becomes plain",
        lambda m: table(m, Column("a", Integer), Column("g", Integer, Computed("a * 2", True))),
        lambda m: table(m, Column("a", Integer), Column("g", Integer)),
        or_refused="generated",
    ),
    Construct(
        "generated, of a text search",
        lambda m: table(m, Column("a", Text)),
        lambda m: table(
            m, Column("a", Text), Column("g", TSVECTOR, Computed("to_tsvector('simple', a)", True))
        ),
    ),
    Construct(
        "generated, from a column whose type changes",
        lambda m: table(m, Column("a", Integer), Column("g", Integer, Computed("a * 2", True))),
        lambda m: table(m, Column("a", BigInteger), Column("g", Integer, Computed("a * 2", True))),
        or_refused="generated",
    ),
    Construct(
        "generated, required and checked",
        lambda m: table(m, Column("a", Integer)),
        lambda m: table(
            m,
            Column("a", Integer),
            Column("g", Integer, Computed("a * 2", True), nullable=False),
            CheckConstraint("g > 0", name="positive"),
        ),
    ),
    Construct(
        "virtual, on a live table",
        lambda m: table(m, Column("a", Integer)),
        lambda m: table(m, Column("a", Integer), Column("g", Integer, Computed("a * 2", False))),
        since=180000,
    ),
    Construct(
        "virtual, its expression changes",
        lambda m: table(m, Column("a", Integer), Column("g", Integer, Computed("a * 2", False))),
        lambda m: table(m, Column("a", Integer), Column("g", Integer, Computed("a * 3", False))),
        since=180000,
    ),
    Construct(
        "virtual to stored",
        lambda m: table(m, Column("a", Integer), Column("g", Integer, Computed("a * 2", False))),
        lambda m: table(m, Column("a", Integer), Column("g", Integer, Computed("a * 2", True))),
        or_refused="STORED",
        since=180000,
    ),
)
COLUMNS = (*DEFAULTS, *NUMBERED, *GENERATED, *FROM_NEW)
