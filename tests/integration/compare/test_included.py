"""A column that the index of a key includes, where something relies on that index."""

from typing import Any, Dict, NamedTuple, Tuple

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
)

from converge.compare.generated import SETS_EXPRESSIONS
from tests.support.database import Database
from tests.support.things import converged


class Included(NamedTuple):
    type: Any
    computed: str = ""


# What relies on it, as the plan names it; what makes that, and what drops it.
USERS = {
    "foreign key": (
        "table constraint page_book on public.page",
        "ALTER TABLE page ADD CONSTRAINT page_book FOREIGN KEY (book) REFERENCES book",
        "ALTER TABLE page DROP CONSTRAINT page_book",
    ),
    "view": (
        "view public.numbers",
        "CREATE VIEW numbers AS SELECT id, number FROM book GROUP BY id",
        "DROP VIEW numbers",
    ),
}

# How the included column is, and is to be.
CHANGES: Dict[str, Tuple[Included, Included]] = {
    "written anew": (Included(Integer()), Included(BigInteger())),
    "as it is": (Included(String(5)), Included(String(9))),
    "computed": (Included(Integer(), "id"), Included(Integer(), "id + 1")),
}


def book(included: Included) -> MetaData:
    computed = [Computed(included.computed, persisted=True)] if included.computed else []
    metadata = MetaData()
    Table(
        "book",
        metadata,
        Column("id", Integer),
        Column("number", Integer),
        Column("c", included.type, *computed),
        PrimaryKeyConstraint("id", name="book_key", postgresql_include=["c"]),
    )
    return metadata


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("user", USERS)
def test_what_relies_on_the_index_is_in_the_way(database: Database, user: str, change: str) -> None:
    """The server builds the index anew, for which it would have to drop what relies on it."""
    (name, create, drop), (old, new) = USERS[user], CHANGES[change]
    converged(database, book(old))
    database.execute("INSERT INTO book (id) VALUES (1); CREATE TABLE page (book integer)")
    database.execute(create)
    (refusal,) = converged(database, book(new)).refusals
    assert refusal.subject == "public.book.c"
    assert f"It is used by {name} (with a key that includes it)." in str(refusal)
    database.execute(drop)
    plan = converged(database, book(new))
    if change == "computed" and int(database.value("SHOW server_version_num")) < SETS_EXPRESSIONS:
        (refusal,) = plan.refusals
        assert "The server can't change that in place" in str(refusal)
        return
    assert plan.refusals == ()
    assert [step.name for step in plan.steps] == ["c"]
    database.execute(create)
    assert converged(database, book(new)).steps == ()
