"""The index list, against the contract with the services that are already deployed."""

from typing import Dict, List, Tuple

import pytest
from sqlalchemy import Column, Index, Integer, MetaData, String, Table, column, create_mock_engine
from sqlalchemy.schema import CreateIndex

from indexes import INDEXES, index
from models import ZERO, Base, required

# Written out by hand: deriving it from the list would make it agree with every mistake in it.
CONTRACT: Dict[str, Tuple[str, List[str]]] = {
    "idx_users_email_gin": ("user", ["email"]),
    "idx_users_email": ("user", ["email"]),
    "idx_users_last_activity": ("user", ["last_activity"]),
    "idx_users_register_date": ("user", ["register_date"]),
    "idx_dishes_user_email": ("dishes", ["user_email"]),
    "idx_dishes_name": ("dishes", ["name"]),
    "idx_dishes_day_user_email": ("dishes_day", ["user_email"]),
    "idx_dishes_day_date": ("dishes_day", ["date"]),
    "idx_dishes_day_time": ("dishes_day", ["time"]),
    "idx_dishes_day_user_date": ("dishes_day", ["user_email", "date"]),
    "idx_dishes_day_user_time": ("dishes_day", ["user_email", "time"]),
    "idx_total_for_day_user_email": ("total_for_day", ["user_email"]),
    "idx_total_for_day_today": ("total_for_day", ["today"]),
    "idx_total_for_day_user_today": ("total_for_day", ["user_email", "today"]),
    "idx_weight_user_email": ("weight", ["user_email"]),
    "idx_weight_time": ("weight", ["time"]),
    "idx_weight_date": ("weight", ["date"]),
    "idx_weight_user_time": ("weight", ["user_email", "time"]),
    "idx_alcohol_consumption_user_email": ("alcohol_consumption", ["user_email"]),
    "idx_alcohol_consumption_date": ("alcohol_consumption", ["date"]),
    "idx_alcohol_consumption_time": ("alcohol_consumption", ["time"]),
    "idx_alcohol_consumption_user_time": ("alcohol_consumption", ["user_email", "time"]),
    "idx_alcohol_for_day_user_email": ("alcohol_for_day", ["user_email"]),
    "idx_alcohol_for_day_date": ("alcohol_for_day", ["date"]),
    "idx_alcohol_for_day_user_date": ("alcohol_for_day", ["user_email", "date"]),
}
GIN = "idx_users_email_gin"

BY_NAME = {str(index.name): index for index in INDEXES}
DIALECT = create_mock_engine("postgresql+psycopg2://", lambda *_: None).dialect


def sql(index: Index) -> str:
    return str(CreateIndex(index).compile(dialect=DIALECT))


def test_there_are_exactly_the_indexes_of_the_contract() -> None:
    """The names are known to deployed services and runbooks; two of one name would hide one."""
    assert sorted(str(index.name) for index in INDEXES) == sorted(CONTRACT)
    assert len(CONTRACT) == 25


@pytest.mark.parametrize("name", sorted(set(CONTRACT) - {GIN}))
def test_an_index_is_a_plain_btree_on_its_columns(name: str) -> None:
    """Table, columns and their order are those of the contract, and nothing else is said."""
    table, columns = CONTRACT[name]
    table = '"user"' if table == "user" else table

    assert sql(BY_NAME[name]) == f"CREATE INDEX {name} ON {table} ({', '.join(columns)})"


def test_autocomplete_has_a_trigram_index() -> None:
    """Only GIN over trigrams finds a part in the middle of an e-mail."""
    assert sql(BY_NAME[GIN]) == f'CREATE INDEX {GIN} ON "user" USING gin (email gin_trgm_ops)'


@pytest.mark.parametrize("name", CONTRACT)
def test_an_index_says_what_it_is_for(name: str) -> None:
    """Nobody can judge later whether an index is still needed if it does not say for what."""
    info = BY_NAME[name].info

    assert info["purpose"]
    assert info["use_case"]


def test_the_list_is_all_there_is() -> None:
    """An index that a model declares beside the list would be built without a purpose."""
    attached = {index for table in Base.metadata.tables.values() for index in table.indexes}

    assert attached == set(INDEXES)


@pytest.fixture
def meals() -> Table:
    """A table of our own, so that no index of a test ends up on the models."""
    return Table("meals", MetaData(), Column("owner", String), Column("kcal", Integer))


def test_a_partial_index_can_be_said(meals: Table) -> None:
    """An index can be limited to the rows that its query wants."""
    heavy = index(
        "idx_meals_heavy",
        meals.c.owner,
        purpose="heavy meals",
        use_case="warnings",
        postgresql_where=meals.c.kcal >= 1000,
    )

    assert sql(heavy) == "CREATE INDEX idx_meals_heavy ON meals (owner) WHERE kcal >= 1000"


def test_a_unique_composite_index_can_be_said(meals: Table) -> None:
    """Every option of SQLAlchemy's Index reaches it."""
    columns = (meals.c.owner, meals.c.kcal)
    both = index("idx_meals_both", *columns, purpose="no twins", use_case="import", unique=True)

    assert sql(both) == "CREATE UNIQUE INDEX idx_meals_both ON meals (owner, kcal)"


def test_an_index_may_say_what_its_name_was() -> None:
    """Besides what it is for; so may a column besides its backfill."""
    was = {"renamed_from": "idx_of_old"}
    renamed = index("idx_of_new", column("any"), purpose="one", use_case="another", info=was)
    assert renamed.info == {**was, "purpose": "one", "use_case": "another"}
    assert required(Integer, backfill=ZERO, info=was).column.info == {**was, "backfill": ZERO}
