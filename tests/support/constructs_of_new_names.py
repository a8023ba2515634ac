"""Names of constraints and indexes that change: of one, of several, along with what they say."""

from typing import Any, Callable, Dict, List, Sequence, Tuple

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import INT4RANGE, ExcludeConstraint

from tests.support.construct import Construct, table
from tests.support.constructs_of_names import CONVENTION


def _exclusion(of: str, name: str) -> Any:
    return ExcludeConstraint((of, "&&"), name=name)


Named = Tuple[str, str]  # what it is of, and its name
KINDS: Dict[str, Callable[[str, str], Any]] = {
    "check": lambda of, name: CheckConstraint(f"{of} > 0", name=name),
    "unique constraint": lambda of, name: UniqueConstraint(of, name=name),
    "foreign key": lambda of, name: ForeignKeyConstraint([of], ["o.id"], name=name),
    "exclusion constraint": lambda of, name: _exclusion(f"r{of}", name),
    "index": lambda of, name: Index(name, of),
}
# As they are, and as they are to be.
CHANGES = {
    "renamed, and another gets its name": ([("a", "k")], [("a", "l"), ("b", "k")]),
    "of the next one's name": ([("a", "k"), ("b", "l")], [("a", "l"), ("b", "m")]),
    "that change their names": ([("a", "k"), ("b", "l")], [("a", "l"), ("b", "k")]),
}


def of_kind(kind: str, named: Sequence[Named]) -> Callable[[MetaData], Table]:
    """Return models with two columns of each type, and with what is said of these."""

    def made(m: MetaData) -> Table:
        table(m, name="o")
        columns: List[Column[Any]] = [Column(name, Integer) for name in ("a", "b")]
        columns += [Column(name, INT4RANGE) for name in ("ra", "rb")]
        return table(m, *columns, *(KINDS[kind](*one) for one in named))

    return made


def with_two(*items: Callable[[], Any], name: str = "t") -> Callable[[MetaData], Table]:
    """Return models with two columns, and with what is made of these."""
    return lambda m: table(
        m, Column("a", Integer), Column("b", Integer), *(make() for make in items), name=name
    )


def check(condition: str, name: str) -> Callable[[], CheckConstraint]:
    return lambda: CheckConstraint(condition, name=name)


def unique(name: str, *columns: str) -> Callable[[], UniqueConstraint]:
    return lambda: UniqueConstraint(*columns or ("a",), name=name)


def index(name: str, *columns: str, **options: Any) -> Callable[[], Index]:
    return lambda: Index(name, *columns or ("a",), **options)


def was(name: str) -> Any:
    return {"renamed_from": name}


def referring(target: str, name: str, **options: Any) -> Callable[[MetaData], Table]:
    """Return models of two tables of which the second refers to the first."""
    former: Dict[str, Any] = {"o": {}, "p": was("o"), "t": {}, "u": was("t")}

    def made(m: MetaData) -> Table:
        table(m, name=target, info=former[target])
        owner: Column[Any] = Column("v", ForeignKey(f"{target}.id", **options))
        return table(m, owner, name=name, info=former[name])

    return made


def two_tables(first: Callable[[], Any], second: Callable[[], Any]) -> Callable[[MetaData], Table]:
    def made(m: MetaData) -> Table:
        with_two(first, name="s")(m)
        return with_two(second)(m)

    return made


SEVERAL = tuple(
    Construct(f"{kind} {how}", of_kind(kind, first), of_kind(kind, then))
    for how, (first, then) in CHANGES.items()
    for kind in KINDS
)
ACROSS_TABLES = (
    Construct(
        "index of the name of another table's",
        two_tables(index("k"), index("l")),
        two_tables(index("l"), index("m")),
    ),
    Construct(
        "unique constraint of the name of another table's",
        two_tables(index("x"), unique("k")),
        two_tables(unique("k"), unique("l")),
        leaves=True,
    ),
    Construct(
        "index and another table's change their names",
        two_tables(index("k"), index("l")),
        two_tables(index("l"), index("k")),
        refused="RENAME TO l_old",
    ),
    Construct(
        "unique constraint in a new table, of a renamed one's name",
        with_two(unique("k")),
        two_tables(unique("k"), unique("l")),
        refused="needs an index named k, but something else has that name until it is renamed",
    ),
    Construct(
        "unique constraint in a new table, of a view's name",
        with_two(unique("k")),
        before="CREATE VIEW k AS SELECT 1",
        refused="needs an index named k, but something else has that name",
    ),
)
WITH_THEIR_TABLES = (
    Construct(
        "foreign key of a renamed table, with other actions",
        referring("o", "t"),
        referring("p", "u", ondelete="CASCADE"),
        rows_kept=False,
    ),
    Construct(
        "foreign key by convention, with other actions",
        referring("o", "t"),
        referring("p", "u", ondelete="CASCADE"),
        options=CONVENTION,
        rows_kept=False,
    ),
    Construct(
        "check of a renamed table, changed",
        lambda m: table(m, Column("a", Integer), CheckConstraint("a > 0")),
        lambda m: table(
            m, Column("a", Integer), CheckConstraint("a >= 0"), name="u", info=was("t")
        ),
        rows_kept=False,
    ),
    Construct(
        "unique constraint of renamed columns, of more",
        with_two(lambda: UniqueConstraint("a")),
        lambda m: table(
            m,
            Column("c", Integer, info=was("a")),
            Column("b", Integer),
            UniqueConstraint("c", "b"),
            name="u",
            info=was("t"),
        ),
        options={"naming_convention": {"uq": "uq_%(table_name)s_%(column_0_name)s"}},
        rows_kept=False,
    ),
    Construct(
        "index of a renamed column becomes unique",
        lambda m: table(m, Column("a", Integer, index=True)),
        lambda m: table(
            m,
            Column("c", Integer, index=True, unique=True, info=was("a")),
            name="u",
            info=was("t"),
        ),
        rows_kept=False,
    ),
)
SIDE_BY_SIDE = (
    Construct(
        "check, unnamed, and a named one that says the same",
        with_two(lambda: CheckConstraint("a > 0")),
        with_two(lambda: CheckConstraint("a > 0"), check("a > 0", "l")),
    ),
    Construct(
        "checks, unnamed, a new one before an old one",
        with_two(lambda: CheckConstraint("a <= b")),
        with_two(lambda: CheckConstraint("a >= b"), lambda: CheckConstraint("a <= b")),
    ),
    Construct(
        "check and index of one name, both renamed",
        with_two(index("k"), check("a > 0", "k")),
        with_two(index("l"), check("a > 0", "m")),
    ),
    Construct(
        "unique constraint renamed, and an index of its name",
        with_two(unique("k")),
        with_two(unique("l"), index("k", unique=True)),
    ),
    Construct(
        "unique index renamed, and a constraint of its name",
        with_two(index("k", unique=True)),
        with_two(unique("k"), index("l", unique=True)),
    ),
    Construct(
        "key and unique constraint change their names",
        with_two(lambda: PrimaryKeyConstraint("id", name="k"), unique("l")),
        with_two(lambda: PrimaryKeyConstraint("id", name="l"), unique("k")),
    ),
    Construct(
        "check renamed, and inherited",
        lambda m: [with_two(check("a > 0", "k"))(m), Table("c", m, postgresql_inherits="t")],
        lambda m: [with_two(check("a > 0", "l"))(m), Table("c", m, postgresql_inherits="t")],
    ),
    Construct(
        "index renamed, with a condition that the server words",
        lambda m: table(
            m, Column("s", String), Index("k", "s", postgresql_where=text("s IN ('')"))
        ),
        lambda m: table(
            m, Column("s", String), Index("l", "s", postgresql_where=text("s IN ('')"))
        ),
    ),
)
NEW_NAMES = (*SEVERAL, *ACROSS_TABLES, *WITH_THEIR_TABLES, *SIDE_BY_SIDE)
