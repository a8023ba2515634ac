"""Names: naming conventions, odd and long ones, in everything that has a name."""

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Sequence,
    String,
    Table,
    UniqueConstraint,
    text,
)

from tests.support.construct import Construct, table

CONVENTION = {
    "naming_convention": {
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
}
LONG = "a_name_that_is_longer_than_the_server_keeps_namely_sixty_three_bytes_of_it"
LONG_IN_BYTES = "ein_schöner_name_für_eine_tabelle_mit_übermäßig_vielen_Umlauten_ä"
ODD = (
    "50%",
    "%s",
    "%(x)s",
    "MixedCase",
    "values",
    "user",
    "position",
    "a b",
    'a"b',
    "it's",
    "a:b",
    ":a",
    "a\\b",
    "a.b",
    "a;b",
    "{a}",
    "größe",
    "日本",
    "$1",
    "1st",
)


def convention(m: MetaData, *, more: bool = False) -> None:
    table(m, Column("code", String(9), unique=True), name="owner")
    table(
        m,
        Column("a", Integer, index=True),
        Column("owner", ForeignKey("owner.id")),
        CheckConstraint("a > 0", name="positive"),
        UniqueConstraint("a", "owner"),
        *([Column("b", Integer, index=True), CheckConstraint("b > 0", name="b")] if more else []),
    )


def named(name: str, *, more: bool = False) -> Any:
    """Return models in which all has a name."""

    def made(m: MetaData) -> None:
        key = Column(f"{name}k", Integer, primary_key=True)
        Table(f"{name}o", m, key, comment=f"of {name}")
        owner = ForeignKey(key, name=f"{name}f")
        Table(
            f"{name}t",
            m,
            Column("id", Integer, primary_key=True),
            Column(f"{name}c", Integer, owner, comment=name),
            Column("d", String, server_default=f"{name}d"),
            Column("e", Enum(f"{name}v", f"{name}w", name=f"{name}e")),
            Index(f"{name}i", f"{name}c"),
            UniqueConstraint("d", "id", name=f"{name}u"),
            CheckConstraint(text("id > 0"), name=f"{name}h"),
            *([Column(f"{name}n", Integer, index=True, server_default="1")] if more else []),
        )
        Sequence(f"{name}s", metadata=m)

    return made


def of_a_table(name: str) -> Any:
    return lambda m: Table(
        name,
        m,
        Column("id", Integer, primary_key=True),
        Column("v", Integer, CheckConstraint("v > 0"), index=True, unique=True),
        Column("s", String(5), Sequence("a_sequence"), unique=True, nullable=False),
    )


def alike(*, changed: bool = False) -> Any:
    """Return what has long names that differ in nothing but their ends; all of it changes."""
    of_a, of_b = (["a", "b"], ["b", "a"]) if changed else (["a"], ["b"])
    least = "-1" if changed else "-2"
    ends = {"1": of_a, "2": of_b}
    return lambda m: table(
        m,
        Column("a", Integer),
        Column("b", Integer),
        *(Column(f"{LONG[:62]}{end}", Integer, nullable=not changed) for end in ends),
        *(Index(f"i{LONG[:61]}{end}", *columns) for end, columns in ends.items()),
        *(UniqueConstraint(*columns, name=f"u{LONG[:61]}{e}") for e, columns in ends.items()),
        *(CheckConstraint(f"a > {least}", name=f"c{LONG[:61]}{end}") for end in ends),
    )


NAMES = (
    Construct(
        "long names that differ in nothing but their ends",
        alike(),
        alike(changed=True),
        rows="INSERT INTO t SELECT g, g, g, g, g FROM generate_series(1, 3) g",
    ),
    Construct(
        "a naming convention",
        convention,
        lambda m: convention(m, more=True),
        options=CONVENTION,
    ),
    *(Construct(f"names with {n}", named(n), named(n, more=True)) for n in ODD),
    Construct(
        "an index's name that SQLAlchemy cuts",
        lambda m: table(m, Column("v", Integer), name=LONG[:50]),
        lambda m: table(
            m, Column("v", Integer), Column(LONG[:60], Integer, index=True), name=LONG[:50]
        ),
    ),
    Construct("a table's name of 63 bytes", of_a_table(LONG[:63]), or_refused="63"),
    Construct("a table's name that is too long", of_a_table(LONG), or_refused="63"),
    Construct("a table's name of too many bytes", of_a_table(LONG_IN_BYTES), or_refused="63"),
    Construct(
        "a column's name that is too long",
        lambda m: table(m, Column(LONG, Integer, index=True)),
        or_refused="63",
    ),
    Construct(
        "two names that are cut to the same",
        lambda m: table(m, Column(LONG + "a", Integer), Column(LONG + "b", Integer)),
        refused="63",
    ),
    Construct(
        "an enum's name and value that are too long",
        lambda m: table(m, Column("v", Enum(LONG, name="kind"))),
        refused="63",
    ),
    Construct(
        "a constraint's name by convention that is cut",
        lambda m: table(m, Column(LONG[:55], Integer), name=LONG[:40]),
        lambda m: table(
            m,
            Column(LONG[:55], Integer, unique=True),
            Column("o", ForeignKey(f"{LONG[:40]}.id")),
            name=LONG[:40],
        ),
        options=CONVENTION,
    ),
    Construct(
        "a column whose key is another than its name",
        lambda m: table(m, Column("v", Integer, key="value", index=True)),
        lambda m: table(
            m,
            Column("v", Integer, key="value", index=True, nullable=False),
            Column("w", Integer, key="other"),
            CheckConstraint("w > 0", name="k"),
            UniqueConstraint("value", "other", name="u"),
        ),
    ),
    Construct(
        "an index of the name that the server gives a key",
        lambda m: table(m, Index("t_pkey", "id")),
        refused='relation "t_pkey" already exists',
    ),
)
