"""All that may be given as a backfill, in a column that is new and in one that was nullable."""

import datetime
import enum
import uuid
from decimal import Decimal
from typing import Any, List

import pytest
from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    TypeDecorator,
    Uuid,
    bindparam,
    cast,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import INET, JSONB

import models as platform
from converge.errors import Refused
from tests.support.catalogs import everything
from tests.support.database import Database
from tests.support.job import Run
from tests.support.models import converged


class Mood(enum.Enum):
    good = "fine"
    bad = "poor"


class Epoch(TypeDecorator[datetime.datetime]):
    """A time, stored as a number."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: Any, _: object) -> int:
        return int(value.timestamp())


class Words(TypeDecorator[List[str]]):
    """A list of words, stored as a text."""

    impl = String(3)
    cache_ok = True

    def process_bind_param(self, value: Any, _: object) -> str:
        return " ".join(value)


NOON = datetime.datetime(2024, 1, 2, 12, tzinfo=datetime.timezone.utc)
GIVEN = {  # type, backfill, what the row of person 7 with word `w` gets
    "str": (String(), "a'\\%:x\n", "a'\\%:x\n"),
    "int": (Integer(), -5, -5),
    "float": (Float(), 1.0, 1.0),
    "nan": (Float(), float("inf"), float("inf")),
    "bool": (Boolean(), False, False),
    "decimal": (Numeric(10, 2), Decimal("1.5"), Decimal("1.50")),
    "date": (Date(), datetime.date(2024, 1, 2), datetime.date(2024, 1, 2)),
    "iso date": (Date(), "2024-01-02", datetime.date(2024, 1, 2)),
    "iso time": (DateTime(timezone=True), str(NOON), NOON),
    "cast": (Date(), cast("2024-01-02", Date), datetime.date(2024, 1, 2)),
    "cast address": (INET(), cast("10.0.0.1", INET), "10.0.0.1"),
    "decorated": (Epoch(), NOON, int(NOON.timestamp())),
    "decorated text": (Words(), ["a", "b"], "a b"),
    "time": (DateTime(timezone=True), NOON, NOON),
    "list": (ARRAY(String()), ["a%", None, "b'"], ["a%", None, "b'"]),
    "empty list": (ARRAY(Integer()), [], []),
    "jsonb": (JSONB(), {"a": ["\\ % : '"]}, {"a": ["\\ % : '"]}),
    "json": (JSON(), [], []),
    "a literal": (JSONB(), literal({"a": 1}, JSONB()), {"a": 1}),
    "bytes": (LargeBinary(), b"\x00\xff\\", b"\x00\xff\\"),
    "uuid": (Uuid(), uuid.UUID(int=5), str(uuid.UUID(int=5))),
    "enum": (Enum(Mood, name="mood"), Mood.bad, "bad"),
    "setting": (String(), bindparam("owner"), "it's 100%"),
    "column": (String(), lambda _, v: v.c.word, "w"),
    "function": (String(), lambda _, v: func.upper(v.c.word), "W"),
    "text": (String(), lambda *_: text("visit.word || '\\:' || :owner"), "w:it's 100%"),
    "subquery": (String(), lambda p, v: email(p, v).scalar_subquery(), "ann@example.org"),
    "in a function": (
        String(),
        lambda p, v: func.upper(email(p, v).scalar_subquery()) + v.c.word,
        "ANN@EXAMPLE.ORGw",
    ),
    "select": (Integer(), lambda _, v: select(func.max(v.c.id)), 2),
    "of the same table": (Integer(), lambda _, v: later(v, v.alias("other")), 1),
}


def email(person: Table, visit: Table) -> Any:
    return select(person.c.email).where(person.c.id == visit.c.id)


def later(visit: Table, other: Any) -> Any:
    return select(func.count()).select_from(other).where(other.c.id > visit.c.id)


def models(kind: Any = None, given: Any = None, **options: Any) -> MetaData:
    """Two tables, one of which may have a column more."""
    metadata = MetaData()
    columns = (Column("id", Integer, primary_key=True), Column("email", String))
    person = Table("person", metadata, *columns)
    visit = Table(
        "visit", metadata, Column("id", Integer, primary_key=True), Column("word", String)
    )
    if kind is not None:
        info = {"backfill": given(person, visit) if callable(given) else given}
        visit.append_column(Column("new", kind, nullable=False, info=info, **options))
    return metadata


@pytest.fixture
def visits(database: Database) -> Database:
    """Two visits, and the persons of the same numbers."""
    converged(database, models())
    database.execute(
        "INSERT INTO person VALUES (1, 'ann@example.org'), (2, 'bob@example.org'); "
        "INSERT INTO visit VALUES (1, 'w'), (2, 'v')"
    )
    return database


@pytest.mark.parametrize("name", list(GIVEN))
def test_rows_get_it(visits: Database, name: str) -> None:
    """In a new column, and where a nullable one has no value; the second run is empty."""
    kind, given, stored = GIVEN[name]
    converged(visits, models(kind, given), "2")
    query = "SELECT new FROM visit WHERE id = 1"
    assert visits.value(query) == stored or bytes(visits.value(query)) == stored
    visits.execute("ALTER TABLE visit ALTER new DROP NOT NULL; UPDATE visit SET new = NULL")
    converged(visits, models(kind, given), "3")
    assert visits.value(query) == stored or bytes(visits.value(query)) == stored


@pytest.mark.parametrize("name", ["int", "column"])
def test_a_server_default_is_for_new_rows_only(visits: Database, name: str) -> None:
    """Existing rows get the backfill."""
    kind, given, stored = GIVEN[name]
    converged(visits, models(kind, given, server_default="9"), "2")
    visits.execute("INSERT INTO visit (id) VALUES (3)")
    found = visits.rows("SELECT new::text FROM visit WHERE id <> 2 ORDER BY id")
    assert found == [(str(stored),), ("9",)]


def test_what_the_server_does_not_take_is_refused(visits: Database) -> None:
    """Nobody but the server reads a text."""
    with pytest.raises(Refused) as caught:
        converged(visits, models(String(), text("nowhere")), "2")
    assert str(caught.value) == (
        "refused: public.visit.new is missing; the model requires NOT NULL and fills it with "
        'nowhere.\n  The server says: column "nowhere" does not exist.\n  Nothing was changed. '
        "Correct the backfill; or leave the column out for a run that makes what it reads."
    )
    assert visits.value("SELECT count(*) FROM visit") == 2


def test_a_wrong_one_is_an_error_of_the_models(
    initialised: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By every mode, before anything is sent."""
    info = platform.Weight.__table__.c.date.info
    initialised.execute("ALTER TABLE weight DROP date")
    before = everything(initialised)
    monkeypatch.setitem(info, "backfill", 3)
    for mode in ((), ("--plan",), ("--verify",)):
        result = run(*mode)
        assert result.code == 2
        assert result.err.endswith(
            " ERROR the models can't be brought about:\n"
            "  weight.date: its backfill can't be used: 3 can't be written as String().\n"
            "  Nothing was changed. Correct the models, then run again.\n"
        )
    assert everything(initialised) == before
    monkeypatch.setitem(info, "backfill", "2024-01-01")
    assert run().code == 0
