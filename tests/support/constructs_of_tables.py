"""Tables: their schemas, storage, parents and partitions, DDL events."""

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    event,
)
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.orm import declarative_base, mapped_column

from tests.support.construct import Construct, Models, table


def v(**options: Any) -> Any:
    return lambda m: table(m, Column("v", Integer), **options)


def in_schema(m: MetaData) -> None:
    table(m, Column("v", Integer, index=True), name="owner", schema="app")
    table(m, Column("o", ForeignKey("app.owner.id")), schema="app")


def inherits(m: MetaData, *columns: "Column[Any]") -> None:
    table(m, Column("v", Integer), *columns, name="parent")
    table(m, Column("own", String(5)), name="t", postgresql_inherits="parent")


def checked(condition: str = "", below: str = "v < 9") -> Models:
    """Return a child with an unnamed check, and its parent with a named one."""

    def made(m: MetaData) -> None:
        checks = [CheckConstraint(condition, name="k")] if condition else []
        table(m, Column("v", Integer), *checks, name="parent")
        table(m, CheckConstraint(below), name="t", postgresql_inherits="parent")

    return made


def partitioned(m: MetaData, *columns: "Column[Any]", by: str = "RANGE (day)") -> Table:
    return Table(
        "t",
        m,
        Column("id", Integer, autoincrement=False),
        Column("day", Date),
        *columns,
        PrimaryKeyConstraint("id", "day"),
        postgresql_partition_by=by,
    )


def with_event(m: MetaData) -> None:
    found = table(m, Column("v", Integer))
    more: Any = DDL  # which has no types
    event.listen(found, "after_create", more("CREATE INDEX of_an_event ON t (v)"))


def of_classes(m: MetaData, *, more: bool = False) -> None:
    base: Any = declarative_base(metadata=m)
    owner = {"__tablename__": "owner", "id": mapped_column(Integer, primary_key=True)}
    owned = {
        "__tablename__": "owned",
        "id": mapped_column(Integer, primary_key=True),
        "of": mapped_column(ForeignKey("owner.id", ondelete="CASCADE"), index=True),
        "kind": mapped_column(String(20)),
        "__mapper_args__": {"polymorphic_on": "kind"},
    }
    if more:
        owned["note"] = mapped_column("a note", String(40), unique=True)
    type("Owner", (base,), owner)
    parent = type("Owned", (base,), owned)
    child = {"extra": mapped_column(Integer), "__mapper_args__": {"polymorphic_identity": "x"}}
    type("Child", (parent,), child)


# Of a table, they are known from SQLAlchemy 2.1 on.
ARGUMENTS: Any = PGDialect.construct_arguments
STORAGE_PARAMETERS = (
    (
        Construct(
            "storage parameters of a table",
            v(postgresql_with={"fillfactor": 70}),
            v(postgresql_with={"fillfactor": 80, "autovacuum_enabled": "false"}),
        ),
        Construct(
            "storage parameters, gone",
            v(postgresql_with={"fillfactor": 70}),
            v(),
            ends_as=v(postgresql_with={"fillfactor": 70}),
        ),
    )
    if any(kind is Table and "with" in known for kind, known in ARGUMENTS)
    else ()
)
TABLES = (
    Construct("a table more", v(), lambda m: (v()(m), v(name="u")(m))),
    Construct("a table goes, and is left", lambda m: (v()(m), v(name="u")(m)), v(), leaves=True),
    Construct("a table with a comment", v(comment="it's 50%"), v(comment='now: \\ "é"')),
    Construct("schema= of the tables", in_schema, schema="app", before="CREATE SCHEMA app"),
    Construct(
        "schema= of one table, which is not ours",
        v(schema="app"),
        refused="app",
        before="CREATE SCHEMA app",
    ),
    Construct(
        "MetaData(schema=…)",
        v(),
        lambda m: table(m, Column("v", Integer, index=True)),
        schema="app",
        before="CREATE SCHEMA app",
        options={"schema": "app"},
    ),
    Construct(
        "MetaData(schema=…) with an enum and a foreign key",
        of_classes,
        lambda m: of_classes(m, more=True),
        schema="app",
        before="CREATE SCHEMA app",
        options={"schema": "app"},
    ),
    Construct(
        "postgresql_inherits",
        inherits,
        lambda m: inherits(m, Column("w", Integer)),
        or_refused="inherit",
    ),
    Construct("postgresql_inherits, and a check of the parent", checked(), checked("v > 0")),
    Construct(
        "postgresql_inherits, and the parent's check changes",
        checked("v > 0"),
        checked("v >= 0", below="v < 8"),
        rows="INSERT INTO t (v) VALUES (1)",
        leaves=True,
    ),
    Construct(
        "postgresql_inherits, and rows of the child violate a check",
        checked(),
        checked("v > 1"),
        rows="INSERT INTO t (v) VALUES (1)",
        refused="violate",
    ),
    Construct(
        "postgresql_inherits, later",
        lambda m: (v(name="parent")(m), v()(m)),
        lambda m: (v(name="parent")(m), v(postgresql_inherits="parent")(m)),
        refused="inherit",
    ),
    Construct(
        "partition by range",
        partitioned,
        lambda m: partitioned(m, Column("v", Integer, index=True)),
        rows="CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2024-01-01') TO ('2025-01-01'); "
        "INSERT INTO t VALUES (1, '2024-01-02')",
        or_refused="partitioned",
    ),
    Construct(
        "partition by list and hash, of nothing",
        lambda m: partitioned(m, by="HASH (id)"),
        lambda m: partitioned(m, by="LIST (day)"),
        refused="PARTITION BY",
        rows="SELECT",
    ),
    Construct(
        "a plain table becomes partitioned",
        lambda m: Table(
            "t",
            m,
            Column("id", Integer, autoincrement=False),
            Column("day", Date),
            PrimaryKeyConstraint("id", "day"),
        ),
        partitioned,
        refused="PARTITION BY",
    ),
    Construct("UNLOGGED", v(prefixes=["UNLOGGED"]), v(), ends_as=v(prefixes=["UNLOGGED"])),
    Construct("a logged table becomes UNLOGGED", v(), v(prefixes=["UNLOGGED"]), refused="UNLOGGED"),
    *STORAGE_PARAMETERS,
    Construct("the default tablespace", v(postgresql_tablespace="pg_default")),
    Construct("a tablespace that is not there", v(postgresql_tablespace="fast"), refused="fast"),
    Construct("an access method", v(postgresql_using="heap")),
    Construct("ON COMMIT", v(postgresql_on_commit="DROP"), or_refused="COMMIT"),
    Construct("TEMPORARY", v(prefixes=["TEMPORARY"]), or_refused="TEMPORARY"),
    Construct(
        "without a key",
        lambda m: Table("t", m, Column("a", Integer), Column("b", Integer)),
        lambda m: Table(
            "t", m, Column("a", Integer, nullable=False), Column("b", BigInteger, index=True)
        ),
    ),
    Construct(
        "without a column", lambda m: Table("t", m), lambda m: Table("t", m, Column("a", Integer))
    ),
    Construct("of classes, one inheriting", of_classes, lambda m: of_classes(m, more=True)),
    Construct("an event that runs DDL", with_event, or_refused="listener"),
    Construct(
        "thirty tables in a chain",
        lambda m: [
            table(m, *([Column("n", ForeignKey(f"t{n - 1}.id"))] if n else []), name=f"t{n}")
            for n in range(30)
        ],
    ),
    Construct(
        "everything new on a live table at once",
        v(),
        lambda m: (
            table(m, name="u"),
            table(
                m,
                Column("v", BigInteger, nullable=False, index=True, server_default="4"),
                Column("w", String(9), unique=True),
                Column("u", ForeignKey("u.id", ondelete="CASCADE")),
                CheckConstraint("v > 0 OR w IN ('a', 'b')", name="k"),
                Index("i", "v", "w", unique=True),
            ),
        ),
    ),
)
