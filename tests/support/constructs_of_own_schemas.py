"""Types and sequences that the models' text names with their schema."""

from typing import Any, Callable

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Computed,
    Enum,
    Index,
    Integer,
    MetaData,
    Sequence,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import DOMAIN

from tests.support.construct import Construct, Models, table

IN_APP: Any = {"schema": "app", "options": {"schema": "app"}, "before": "CREATE SCHEMA app"}


def kind(metadata: MetaData, *labels: str, **options: Any) -> "Column[Any]":
    """Return a column of the enum; SQLAlchemy 2.0 would not give that the schema of `metadata`."""
    return Column("v", Enum(*labels, name="kind", schema=metadata.schema), **options)


def with_kind(*labels: str, **options: Any) -> Callable[..., Models]:
    """Return what makes the models of a table that has it, and what else is given."""

    def made(*items: Callable[[], Any], more: Any = None) -> Models:
        given = {**options, "server_default": text(more)} if more else options
        return lambda m: table(m, kind(m, *labels, **given), *(item() for item in items))

    return made


def numbered(metadata: MetaData, start: int) -> None:
    Sequence("s", metadata=metadata, start=start)
    table(metadata, Column("v", Integer, server_default=text("nextval('public.s')")))


AB, ABC = with_kind("a", "b"), with_kind("a", "b", "c")
OWN_SCHEMAS = (
    Construct(
        "schema in a text: nextval() of a sequence",
        lambda m: numbered(m, 1),
        lambda m: numbered(m, 7),
    ),
    Construct(
        "schema in a text: an enum in a default",
        AB(more="'a'::public.kind"),
        ABC(more="""'c'::"public"."kind\""""),
    ),
    Construct(
        "schema in a text: an enum in a check",
        AB(lambda: CheckConstraint("v <> 'a'::app.kind OR id < 99", name="k")),
        AB(lambda: CheckConstraint("v <> CAST('b' AS app.kind) OR id < 99", name="k")),
        **IN_APP,
    ),
    Construct(
        "schema in a text: an enum in an index",
        AB(lambda: Index("i", "id", postgresql_where=text("v = 'a'::app.kind"))),
        AB(lambda: Index("i", "id", postgresql_where=text("v = app.kind 'b'"))),
        **IN_APP,
    ),
    Construct(
        "schema in a text: an enum in a generated column",
        lambda m: table(m, Column("w", Text), kind(m, "a", "b")),
        AB(
            lambda: Column("w", Text),
            lambda: Column(
                "c",
                Integer,
                Computed("CASE v WHEN 'a'::app.kind THEN 1 ELSE 2 END", persisted=True),
            ),
        ),
        **IN_APP,
    ),
    Construct(
        "schema in a text: an array of an enum",
        # SQLAlchemy 2.0 gives an enum in an array no schema of the metadata.
        lambda m: table(
            m,
            Column(
                "v",
                ARRAY(Enum("a", "b", name="kind", schema="app")),
                server_default="{a}",
            ),
        ),
        lambda m: table(
            m,
            Column(
                "v",
                ARRAY(Enum("a", "b", "c", name="kind", schema="app")),
                server_default=text("'{c}'::app.kind[]"),
            ),
        ),
        rows="INSERT INTO app.t (v) VALUES ('{a,b}'), (NULL)",
        **IN_APP,
    ),
    Construct(
        "schema in a text: a domain, and a table",
        lambda m: table(m, Column("v", DOMAIN("some", Integer, check="VALUE > 0"))),
        lambda m: table(
            m,
            Column(
                "v",
                DOMAIN("some", Integer, check="VALUE > 0"),
                server_default=text("5::public.some"),
            ),
            CheckConstraint("public.t.v < 9", name="k"),
            Index("i", text("(id::public.some)")),
        ),
        rows="INSERT INTO t (v) VALUES (1), (NULL)",
    ),
    Construct(
        "schema in a text: where it is a text",
        lambda m: table(
            m,
            kind(m, "a", "public.kind", server_default="public.kind"),
            Column("w", Text, server_default="app.kind, public.kind", comment="'public.kind'"),
        ),
    ),
    Construct(
        "a text that names no sequence",
        table,
        lambda m: table(m, Column("v", Integer, server_default=text("nextval('public.s')"))),
        refused="Correct the models, or create what they name",
    ),
    Construct(
        "a default that its type does not take",
        table,
        lambda m: table(m, Column("v", Integer, server_default="one")),
        refused="Correct the models, or create what they name",
    ),
)
