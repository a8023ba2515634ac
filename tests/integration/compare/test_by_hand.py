"""Types between which no conversion is known: what is printed fails for no row."""

import re
from typing import Any, List

import pytest
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import HSTORE, JSON, JSONB, MONEY

from converge.errors import Refused
from tests.support.converging import Converging
from tests.support.database import Database

A_UUID = "00112233-4455-6677-8899-aabbccddeeff"
POSSIBLE = {  # live, desired, value, and what it is then, as text
    "money to numeric": (MONEY, Numeric(10, 2), "1.50", "1.50"),
    "hstore to jsonb": (HSTORE, JSONB, "a=>b", '{"a": "b"}'),
    "boolean to numeric": (Boolean, Numeric(5, 1), "true", "1.0"),
    "boolean to float": (Boolean, Float, "true", "1"),
    "bytea to uuid": (LargeBinary, Uuid, "\\x" + A_UUID.replace("-", ""), A_UUID),
    "uuid to bytea": (Uuid, LargeBinary, A_UUID, "\\x" + A_UUID.replace("-", "")),
    "text to its array": (Text, ARRAY(Text), "x", "{x}"),
    "text that is an array": (Text, ARRAY(Text), "{x,y}", "{x,y}"),
    "integer to its array": (Integer, ARRAY(Integer), "1", "{1}"),
    "an array to jsonb": (ARRAY(Text), JSONB, "{a,b}", '["a", "b"]'),
    "text to json": (Text, JSON, '{"a": 1}', '{"a": 1}'),
    "text that is no json": (Text, JSONB, "a b", '"a b"'),
}
IMPOSSIBLE = {
    "integer to uuid": (Integer, Uuid, "1"),
    "interval to integer": (Interval, Integer, "1 hour"),
    "date to integer": (Date, Integer, "2024-01-01"),
    "timestamptz to bigint": (DateTime(timezone=True), BigInteger, "2024-01-01"),
    "bigint to timestamptz": (BigInteger, DateTime(timezone=True), "1704067200"),
    "a fraction to a whole number": (MONEY, Numeric(5, 0), "1.50"),
}


def models(kind: Any) -> MetaData:
    metadata = MetaData()
    Table("t", metadata, Column("id", Integer, primary_key=True), Column("v", kind))
    return metadata


def printed(job: Converging, database: Database, live: Any, desired: Any, value: str) -> List[str]:
    """Return the statements of the refusal to change the type of a value, and of NULL."""
    job.run(models(live), "1")
    database.execute("INSERT INTO t (v) VALUES (%s), (NULL)", (value,))
    with pytest.raises(Refused) as caught:
        job.run(models(desired), "2")
    return re.findall(r"^    (.+);$", str(caught.value), re.MULTILINE)


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_is_printed_keeps_the_values(database: Database, name: str) -> None:
    live, desired, value, then = POSSIBLE[name]
    job = Converging(database, ["hstore"])
    for statement in printed(job, database, live, desired, value):
        database.execute(statement)
    assert job.run(models(desired), "2") == ((), ())
    assert database.rows("SELECT v::text FROM t ORDER BY id") == [(then,), (None,)]


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_nothing_is_printed_that_fails(database: Database, name: str) -> None:
    live, desired, value = IMPOSSIBLE[name]
    assert printed(Converging(database), database, live, desired, value) == []
