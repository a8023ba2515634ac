"""Foreign keys: in circles, to themselves, to what the same change brings; and their actions."""

from typing import Any, List

from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

from tests.support.construct import Construct, table


def two() -> List[Any]:
    return [Column("a", Integer), Column("b", Integer)]


def pair(first: Any = None, then: Any = None) -> Any:
    """Return an owner, and what is owned by it."""

    def made(m: MetaData) -> None:
        table(m, *(first() if first else ()), name="owner")
        table(m, *(then() if then else ()))

    return made


def owned(**options: Any) -> Any:
    return lambda: [Column("owner", Integer, ForeignKey("owner.id", name="f", **options))]


def circle(m: MetaData, **options: Any) -> None:
    table(m, Column("u", Integer, ForeignKey("u.id", name="to_u", **options)))
    table(m, Column("t", Integer, ForeignKey("t.id", name="to_t")), name="u")


def with_child(of_table: Any = None, of_parent: Any = None) -> Any:
    """Return a table and a parent with these columns, and a child that inherits from the parent."""

    def made(m: MetaData) -> None:
        table(m, *(of_table() if of_table else ()))
        parent = table(m, *(of_parent() if of_parent else ()), name="parent")
        Table("young", m, postgresql_inherits="parent").add_is_dependent_on(parent)

    return made


FOREIGN_KEYS = (
    Construct(
        "foreign key, new", pair(None, lambda: [Column("owner", Integer)]), pair(None, owned())
    ),
    Construct("foreign key of a new column", pair(), pair(None, owned())),
    Construct(
        "foreign key to a new table",
        lambda m: table(m, Column("owner", Integer)),
        pair(None, owned()),
        rows="INSERT INTO t (owner) VALUES (NULL)",
    ),
    Construct(
        "foreign key to a table called position",
        lambda m: (table(m, name="position"), table(m)),
        lambda m: (table(m, name="position"), table(m, Column("p", ForeignKey("position.id")))),
    ),
    Construct(
        "foreign key, its ON DELETE", pair(None, owned()), pair(None, owned(ondelete="CASCADE"))
    ),
    Construct(
        "foreign key, its ON UPDATE",
        pair(None, owned(ondelete="SET NULL")),
        pair(None, owned(ondelete="SET NULL", onupdate="CASCADE")),
    ),
    Construct(
        "foreign key becomes deferrable",
        pair(None, owned()),
        pair(None, owned(deferrable=True, initially="DEFERRED")),
    ),
    Construct(
        "foreign key, no longer deferrable", pair(None, owned(deferrable=True)), pair(None, owned())
    ),
    Construct("foreign key, MATCH FULL", pair(None, owned()), pair(None, owned(match="FULL"))),
    Construct(
        "foreign key, some columns set to null",
        pair(None, owned()),
        pair(None, owned(ondelete="SET NULL (owner)")),
        since=150000,
    ),
    Construct(
        "foreign key, NOT VALID",
        pair(None, lambda: [Column("owner", Integer)]),
        pair(None, owned(postgresql_not_valid=True)),
    ),
    Construct(
        "foreign key, NOT VALID, that rows break",
        pair(None, lambda: [Column("owner", Integer)]),
        pair(None, owned(postgresql_not_valid=True)),
        rows="INSERT INTO owner DEFAULT VALUES; INSERT INTO t (owner) VALUES (1), (77)",
        ends_as=pair(None, owned(postgresql_not_valid=True, use_alter=True)),
    ),
    Construct(
        "foreign key and an index of its name",
        pair(None, lambda: [Column("owner", Integer)]),
        pair(None, lambda: [*owned()(), Index("f", "owner")]),
    ),
    Construct(
        "foreign key that rows break",
        pair(None, lambda: [Column("owner", Integer)]),
        pair(None, owned()),
        rows="INSERT INTO owner DEFAULT VALUES; INSERT INTO t (owner) VALUES (1), (77)",
        refused="77",
    ),
    Construct(
        "foreign key to a row that only a child has",
        with_child(lambda: [Column("p", Integer)]),
        with_child(lambda: [Column("p", Integer, ForeignKey("parent.id", name="f"))]),
        rows="INSERT INTO young (id) VALUES (77); INSERT INTO t (p) VALUES (77)",
        refused="1 row violates it, e.g. id=1 '77'",
    ),
    Construct(
        "foreign key that a child's row need not obey",
        with_child(None, lambda: [Column("p", Integer)]),
        with_child(None, lambda: [Column("p", Integer, ForeignKey("t.id", name="f"))]),
        rows="INSERT INTO t DEFAULT VALUES; INSERT INTO parent (p) VALUES (1); "
        "INSERT INTO young (id, p) VALUES (2, 77)",
    ),
    Construct("foreign keys in a circle", circle),
    Construct("foreign keys in a circle, with use_alter", lambda m: circle(m, use_alter=True)),
    Construct(
        "foreign keys in a circle, between live tables",
        lambda m: (table(m, Column("u", Integer)), table(m, Column("t", Integer), name="u")),
        circle,
    ),
    Construct(
        "foreign keys in a circle, deferrable",
        lambda m: circle(m, deferrable=True, initially="DEFERRED"),
    ),
    Construct(
        "foreign key to itself",
        table,
        lambda m: table(m, Column("parent", Integer, ForeignKey("t.id"))),
    ),
    Construct(
        "foreign key to a new unique key",
        lambda m: (table(m, *two(), name="owner"), table(m, *two())),
        lambda m: (
            table(m, *two(), UniqueConstraint("a", "b", name="u"), name="owner"),
            table(m, *two(), ForeignKeyConstraint(["a", "b"], ["owner.a", "owner.b"], name="f")),
        ),
    ),
    Construct(
        "foreign key to a new column with a unique index",
        lambda m: (table(m, name="owner"), table(m)),
        lambda m: (
            table(m, Column("code", String(9), unique=True), name="owner"),
            table(m, Column("code", String(9), ForeignKey("owner.code"))),
        ),
    ),
    Construct(
        "foreign key to another table than before",
        lambda m: (
            table(m, name="one"),
            table(m, name="two"),
            table(m, Column("o", Integer, ForeignKey("one.id", name="f"))),
        ),
        lambda m: (
            table(m, name="one"),
            table(m, name="two"),
            table(m, Column("o", Integer, ForeignKey("two.id", name="f"))),
        ),
    ),
)
