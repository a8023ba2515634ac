"""The tables, against the contract with the services that are already deployed."""

from typing import List, Tuple

import pytest
from sqlalchemy import create_mock_engine
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ColumnClause

from models import DEFAULT_USER_EMAIL, Base

# Written out by hand: deriving it from the models would make it agree with every mistake in them.
# FLOAT is PostgreSQL's double precision.
CONTRACT = {
    "user": """
        email VARCHAR NOT NULL
        register_date VARCHAR
        last_activity VARCHAR
        language VARCHAR DEFAULT 'en'
        PRIMARY KEY (email)
    """,
    "dishes": """
        id SERIAL NOT NULL
        name VARCHAR NOT NULL
        calories INTEGER NOT NULL
        weight INTEGER NOT NULL
        ingredients VARCHAR[] NOT NULL
        contains JSON NOT NULL
        user_email VARCHAR NOT NULL
        PRIMARY KEY (id)
    """,
    "dishes_day": """
        time INTEGER NOT NULL
        date DATE NOT NULL
        dish_name VARCHAR NOT NULL
        estimated_avg_calories INTEGER NOT NULL
        ingredients VARCHAR[] NOT NULL
        total_avg_weight INTEGER NOT NULL
        contains JSON NOT NULL
        user_email VARCHAR NOT NULL
        PRIMARY KEY (time)
    """,
    "total_for_day": """
        date DATE NOT NULL
        user_email VARCHAR NOT NULL
        total_calories INTEGER NOT NULL
        ingredients VARCHAR[] NOT NULL
        dishes_of_day VARCHAR[] NOT NULL
        total_avg_weight INTEGER NOT NULL
        contains JSON NOT NULL
        today DATE NOT NULL
        PRIMARY KEY (date, user_email)
    """,
    "weight": """
        time INTEGER NOT NULL
        date VARCHAR NOT NULL
        weight FLOAT NOT NULL
        user_email VARCHAR NOT NULL
        PRIMARY KEY (time)
    """,
    "alcohol_consumption": """
        time INTEGER NOT NULL
        date DATE NOT NULL
        drink_name VARCHAR NOT NULL
        calories INTEGER NOT NULL
        quantity INTEGER NOT NULL
        user_email VARCHAR NOT NULL
        PRIMARY KEY (time)
    """,
    "alcohol_for_day": """
        date DATE NOT NULL
        user_email VARCHAR NOT NULL
        total_drinks INTEGER NOT NULL
        total_calories INTEGER NOT NULL
        drinks_of_day VARCHAR[] NOT NULL
        PRIMARY KEY (date, user_email)
    """,
}
# A missing value of these cannot be made up.
WITHOUT_BACKFILL = {
    ("user", "email"),
    ("dishes", "id"),
    ("dishes_day", "time"),
    ("weight", "time"),
    ("alcohol_consumption", "time"),
    ("alcohol_for_day", "date"),
}
COMPUTED = {
    ("dishes_day", "date"): {"time"},
    ("alcohol_consumption", "date"): {"time"},
    ("weight", "date"): {"time"},
    ("total_for_day", "date"): {"today"},
    ("total_for_day", "today"): {"date"},
}

UNITS = {
    "time": "epoch seconds, UTC",
    "calories": "kcal",
    "estimated_avg_calories": "kcal",
    "total_calories": "kcal",
    "total_avg_weight": "grams",
}

TABLES = Base.metadata.tables
BACKFILLS = {
    (table.name, column.name): column.info["backfill"]
    for table in TABLES.values()
    for column in table.columns
    if "backfill" in column.info
}
DIALECT = create_mock_engine("postgresql+psycopg2://", lambda *_: None).dialect


def lines_of(text: str) -> List[str]:
    return [line.strip().rstrip(", ") for line in text.strip().splitlines()]


def test_there_are_exactly_the_tables_of_the_contract() -> None:
    """A table that no deployed service knows, or misses, is a mistake."""
    assert set(TABLES) == set(CONTRACT)


@pytest.mark.parametrize("name", CONTRACT)
def test_a_table_is_created_as_the_contract_says(name: str) -> None:
    """Columns, their order, types, nullability, defaults and keys are those that are deployed."""
    created = lines_of(str(CreateTable(TABLES[name]).compile(dialect=DIALECT)))

    assert created[1:-1] == lines_of(CONTRACT[name])


def test_tables_belong_to_no_schema() -> None:
    """The models are created in every schema of POSTGRES_SCHEMAS, so they name none."""
    assert {table.schema for table in TABLES.values()} == {None}


def test_every_required_column_says_what_older_rows_get() -> None:
    """A NOT NULL column without a backfill can be added to no table that has rows."""
    required = {(t.name, c.name) for t in TABLES.values() for c in t.columns if not c.nullable}

    assert required - set(BACKFILLS) == WITHOUT_BACKFILL
    assert set(BACKFILLS) <= required


@pytest.mark.parametrize("column", BACKFILLS, ids=".".join)
def test_a_backfill_is_constant_unless_it_is_known_to_be_computed(column: Tuple[str, str]) -> None:
    """A constant is added without touching a row, a computed one has to be filled in batches."""
    elements = visitors.iterate(BACKFILLS[column])
    sources = {element.name for element in elements if isinstance(element, ColumnClause)}

    assert sources == COMPUTED.get(column, set())
    assert sources <= set(TABLES[column[0]].columns.keys()) - {column[1]}


@pytest.mark.parametrize("column", BACKFILLS, ids=".".join)
def test_a_backfill_can_be_written_without_parameters(column: Tuple[str, str]) -> None:
    """DDL takes no parameters; only the owner's e-mail is still open, it is a setting."""
    backfill = BACKFILLS[column]
    if backfill is DEFAULT_USER_EMAIL:
        assert column[1] == "user_email"
    else:
        assert str(backfill.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))


def test_an_owner_is_always_the_configured_one() -> None:
    """Rows that predate `user_email` get the setting DEFAULT_USER_EMAIL, in every table."""
    owners = {name for name, table in TABLES.items() if "user_email" in table.columns}

    assert {name for (name, _), value in BACKFILLS.items() if value is DEFAULT_USER_EMAIL} == owners


@pytest.mark.parametrize("name", CONTRACT)
def test_a_table_says_what_it_holds(name: str) -> None:
    """A newcomer with psql finds the meaning of every table, and the unit of every number."""
    table = TABLES[name]
    numbers = [c for c in table.columns if c.name in UNITS]

    assert table.comment
    assert {c.name: c.comment for c in numbers} == {c.name: UNITS[c.name] for c in numbers}
