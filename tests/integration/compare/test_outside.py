"""Enums for which the models say no schema, beside tables of which they say one."""

from typing import Any, List

import pytest
from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Enum,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    cast,
    column,
    text,
)

from tests.support.changing import Changing
from tests.support.converging import create_all
from tests.support.database import Database
from tests.support.structure import structure

APP = {"POSTGRES_SCHEMAS": "app"}
NOTE = "type public.kind is not in schema app: the models say none for it"


def kind(*labels: str) -> Enum:
    return Enum(*labels, name="kind")


def models(enum: Enum, *more: Any) -> MetaData:
    metadata = MetaData()
    parts: List[Any] = [Column("id", Integer, primary_key=True), Column("k", enum)]
    Table("t", metadata, *parts, *more, schema="app")
    return metadata


def used(enum: Enum) -> MetaData:
    """Return models in which all sorts of things are of the type."""
    metadata = models(
        enum,
        Column("more", ARRAY(enum), server_default="{a}"),
        Column("w", enum, server_default=text("'b'::kind")),
        CheckConstraint("k IN ('a', 'b') OR w = 'a'::kind", name="c"),
        Index("i", "id", postgresql_where=text("k = 'a'")),
        Index("e", text("(k = 'b'::kind)")),
    )
    filled: Any = Column("k", enum, nullable=False, info={"backfill": cast(column("v"), enum)})
    parts = (Column("id", Integer, primary_key=True), Column("v", Text), filled)
    Table("u", metadata, *parts, schema="app")
    return metadata


@pytest.fixture
def made(database: Database) -> Database:
    """A database that SQLAlchemy alone has made."""
    database.execute("CREATE SCHEMA app")
    plain = models(kind("a", "b"))
    Table("u", plain, Column("id", Integer, primary_key=True), Column("v", Text), schema="app")
    create_all(database, plain)
    database.execute(
        "INSERT INTO app.t VALUES (1, 'a'), (2, 'b'); INSERT INTO app.u VALUES (1, 'b')"
    )
    return database


def test_a_type_is_right_where_create_all_has_put_it(made: Database) -> None:
    """What comes to its tables later is of that type, and a rollback takes it back."""
    releases, before = Changing(made, **APP), structure(made, "app")
    plan = releases.planned(models(kind("a", "b")))
    assert (plan.steps, plan.refusals, plan.notes) == ((), (), (NOTE,))
    releases.apply(models(kind("a", "b")))
    releases.apply(used(kind("a", "b")))
    assert made.rows("SELECT k, w, more::text FROM app.t ORDER BY id") == [
        ("a", "b", "{a}"),
        ("b", "b", "{a}"),
    ]
    assert made.rows("SELECT k FROM app.u") == [("b",)]
    assert made.value("SELECT count(*) FROM pg_type WHERE typname = 'kind'") == 1
    assert releases.rolled_back(1).refusals == ()
    now = [one for one in structure(made, "app") if "dropped" not in str(one)]
    assert now == before


def test_a_new_table_has_the_type_that_is_there(made: Database) -> None:
    """A second one of its name would be another type."""
    releases, wider = Changing(made, **APP), used(kind("a", "b"))
    new = Table("n", wider, Column("k", kind("a", "b"), server_default="a"), schema="app")
    releases.apply(wider)
    made.execute(f"INSERT INTO {new} SELECT k FROM app.t")
    assert releases.planned(wider).steps == ()


def test_a_type_that_lacks_a_value_is_moved_by_hand(made: Database) -> None:
    """A run changes nothing outside of its schema."""
    releases, grown = Changing(made, **APP), models(kind("a", "b", "c"))
    [refusal] = releases.refused(grown)
    move = "ALTER TYPE public.kind SET SCHEMA app"
    assert refusal.startswith("refused: app.kind is missing; columns have the type public.kind.\n")
    assert refusal.splitlines()[-1].strip(" ;") == move
    made.execute(move)
    releases.apply(grown)
    made.execute("INSERT INTO app.t VALUES (3, 'c')")


def test_a_type_of_which_the_models_say_the_schema_is_not_left_elsewhere(made: Database) -> None:
    """There it is not what the models say."""
    [refusal] = Changing(made, **APP).refused(models(Enum("a", "b", name="kind", schema="app")))
    what, advice, *_ = refusal.splitlines()
    assert what == "refused: app.kind is missing; columns have the type public.kind."
    assert advice.startswith("  Nothing was changed. Move it, in an instant; ")
