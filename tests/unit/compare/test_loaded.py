"""What is checked when the models are loaded: all that is wrong is said at once, exit code 2."""

from typing import Any, Callable, Dict, List

import pytest
from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Sequence,
    Table,
    UniqueConstraint,
    bindparam,
    cast,
    column,
    event,
    select,
)
from sqlalchemy import DDL as _DDL
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects.postgresql import DOMAIN, ENUM
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from converge.compare.desired import Desired
from converge.errors import UnusableModels

LONG = "x" * 64
TWO = "two tables, indexes, types or sequences are called"
CUT = "its name has 64 bytes; PostgreSQL would cut it after 63"

DDL: Any = _DDL  # it has no types


def table(metadata: MetaData, *items: Any, name: str = "t", **options: Any) -> Table:
    return Table(name, metadata, Column("i", Integer, primary_key=True), *items, **options)


def problems(metadata: MetaData) -> List[str]:
    with pytest.raises(UnusableModels) as caught:
        Desired(metadata)
    assert caught.value.exit_code == 2
    first, *found, last = str(caught.value).splitlines()
    assert first == "the models can't be brought about:"
    assert last == "  Nothing was changed. Correct the models, then run again."
    return [line[2:-1] for line in found]


def filled(given: Any) -> Callable[[MetaData], Any]:
    return lambda m: table(m, Column("c", Integer, info={"backfill": given}))


WRONG: Dict[str, Callable[[MetaData], Any]] = {
    f"table {LONG}: {CUT}": lambda m: table(m, name=LONG),
    f"t.{'ü' * 32}: {CUT}": lambda m: table(m, Column("ü" * 32, Integer)),
    f"table t: index {LONG}: {CUT}": lambda m: table(m, Index(LONG, "i")),
    f"table t: constraint {LONG}: {CUT}": lambda m: table(m, CheckConstraint("i > 0", name=LONG)),
    f"schema {LONG}: {CUT}": lambda m: table(m, schema=LONG),
    f"type kind: value {LONG}: {CUT}": lambda m: table(m, Column("k", Enum(LONG, name="kind"))),
    "table t: it has a character that PostgreSQL can't hold": lambda m: table(m, comment="a\0b"),
    f"{TWO} t": lambda m: table(m, Index("t", "i")),
    f"{TWO} mood": lambda m: table(m, Column("k", Enum("a", name="mood")), name="mood"),
    f"{TWO} moods": lambda m: table(m, Column("k", ARRAY(DOMAIN("moods", Integer))), name="moods"),
    f"{TWO} s": lambda m: (Sequence("s", metadata=m), table(m, name="s")),
    f"{TWO} r": lambda m: (Sequence("r", metadata=m), table(m, Index("r", "i"))),
    f"{TWO} q": lambda m: (Sequence("q", metadata=m), table(m, Column("k", Enum("a", name="q")))),
    f"{TWO} p": lambda m: table(m, Column("k", Enum("a", name="p")), Index("p", "i")),
    "two types are called kind": lambda m: table(
        m,
        Column("j", Enum("a", "b", name="kind")),
        Column("k", ENUM(name="kind", create_type=False)),
        Column("l", Enum("b", "a", name="kind")),
    ),
    "two types are called some": lambda m: table(
        m, Column("j", DOMAIN("some", Integer)), Column("k", DOMAIN("some", Integer, default="1"))
    ),
    f"{TWO} u": lambda m: table(
        m, Column("j", Integer), Index("u", "j"), UniqueConstraint("j", name="u")
    ),
    "table t: two constraints are called c": lambda m: table(
        m, CheckConstraint("i > 0", name="c"), CheckConstraint("i > 1", name="c")
    ),
    "table t: CREATE TEMPORARY TABLE is not supported": lambda m: table(m, prefixes=["TEMPORARY"]),
    "t.c: renamed_from is 3; it takes the old name, or a list of them": lambda m: table(
        m, Column("c", Integer, info={"renamed_from": 3})
    ),
    "table t: columns a, b: their renamed_from lead in a circle": lambda m: table(
        m,
        Column("a", Integer, info={"renamed_from": "b"}),
        Column("b", Integer, info={"renamed_from": ["old", "a"]}),
        Column("c", Integer, info={"renamed_from": "a"}),
    ),
    "tables a, b, c: their renamed_from lead in a circle": lambda m: [
        table(m, name=name, info={"renamed_from": old})
        for name, old in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "old"))
    ],
    "table t: (in table 't', column 'c'): SQLAlchemy can't render element of type TINYTEXT": (
        lambda m: table(m, Column("c", mysql.TINYTEXT()))
    ),
    "table t: Foreign key associated with column 't.c' could not find table 'nowhere' with which "
    "to generate a foreign key to target column 'id'": lambda m: table(
        m, Column("c", ForeignKey("nowhere.id"))
    ),
    "t.c: its backfill can't be used: a function of Python is no value: the server fills the "
    "rows": filled(lambda: 1),
    "t.c: its backfill can't be used: 'a' can't be written as Integer()": filled("a"),
    "t.c: its backfill can't be used: 1.5 can't be written as Integer()": filled(1.5),
    "t.c: its backfill can't be used: 'soon' can't be written as Date()": filled(
        cast("soon", Date)
    ),
    "t.c: its backfill can't be used: Could not render literal value \"'x'\" with datatype "
    "INTEGER": filled(cast("x", Integer)),
    "t.c: its backfill can't be used: the table has no column k": filled(column("k")),
    "t.c: its backfill can't be used: no setting gives its parameter p a value": filled(
        bindparam("p")
    ),
    "t.c: its backfill can't be used: o.i is of another table: it takes a subquery to read it": (
        lambda m: filled(table(m, name="o").c.i)(m)
    ),
}


@pytest.mark.parametrize("problem", list(WRONG))
def test_it_is_an_error_of_the_models(problem: str) -> None:
    """It names the table and what is in it."""
    metadata = MetaData()
    WRONG[problem](metadata)
    assert problems(metadata) == [problem]


def test_all_are_listed_at_once() -> None:
    """Whoever mends one should not meet the next in the next run."""
    metadata = MetaData()
    table(metadata, name=LONG, prefixes=["TEMPORARY"])
    assert len(problems(metadata)) == 2


def test_a_listener_would_be_called_by_nobody() -> None:
    """Neither DDL nor a function, of a table or of the metadata; those for SQLite need not be."""
    metadata = MetaData()
    made = table(
        metadata, Column("k", Enum("a", name="kind")), Column("b", Boolean(True, name="b"))
    )
    event.listen(made, "after_create", DDL("VACUUM").execute_if(dialect="sqlite"))
    Desired(metadata)
    event.listen(made, "after_create", DDL("CREATE TRIGGER x"))
    event.listen(metadata, "before_create", problems)
    ends = "let the models say what it does, or run that by hand and remove it"
    assert problems(metadata) == [
        f"the metadata: nobody calls its before_create listener, problems: {ends}",
        f"table t: nobody calls its after_create listener, CREATE TRIGGER x: {ends}",
    ]


def test_what_is_listed_as_an_index_is_one() -> None:
    """Nobody would miss one that is of no table: it would never be built."""
    metadata = MetaData()
    own = table(metadata, Column("c", Integer))
    wrong: Any = [Index("good", own.c.c), ("idx_x", "t", ["c"]), Index("loose", "c"), None]
    with pytest.raises(UnusableModels) as caught:
        Desired(metadata, indexes=wrong)
    assert caught.value.exit_code == 2
    assert str(caught.value).splitlines()[1:-1] == [
        "  index 2 of the list is ('idx_x', 't', ['c']); it takes an Index.",
        "  index loose: it is of no table; it takes columns of the models, not names of columns.",
        "  index 4 of the list is None; it takes an Index.",
    ]


def test_names_that_sqlalchemy_makes_up_may_be_long() -> None:
    """It cuts them, and they stay different by a hash."""
    convention = {"ix": "ix_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"}
    metadata = MetaData(naming_convention=convention)
    table(metadata, Column("c" * 60, Integer, index=True), name="t" * 63)
    Desired(metadata)


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column()
    name2: Mapped[str] = mapped_column(info={"backfill": name})


def test_a_backfill_may_name_an_attribute() -> None:
    """Of the class that is just being made, or afterwards; in a subquery, of another schema."""
    person = Person.__table__
    assert Desired(Base.metadata).backfill("person", "name2", "s").columns == ["name"]  # type: ignore[union-attr]
    other = person.alias("other")
    given = select(other.c.name).where(other.c.id == Person.id)
    person.c.name2.info["backfill"] = given
    backfill = Desired(Base.metadata).backfill("person", "name2", "My schema")
    assert backfill is not None
    assert backfill.columns == ["id"]
    assert " ".join(backfill.sql({"id": "1 + 1"}).split()) == (
        '(SELECT (SELECT other.name FROM "My schema".person AS other '
        "WHERE other.id = eater_row.id) FROM (SELECT 1 + 1 AS id) AS eater_row)"
    )
