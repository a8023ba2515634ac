"""The seven tables that every database of the platform should have.

A new table is a new class; its indexes go into `indexes.py`. A new column goes at the end of its
class, because `ALTER TABLE` can only append: new and migrated databases then agree on the order.

* Existing rows stay NULL: `Mapped[Optional[str]] = mapped_column(String)`.
* They get a value: `Mapped[int] = required(Integer, backfill=ZERO)`. The backfill is what they
  get: a plain value, or a SQL expression: other columns, a function, a subquery, `text()`.
* They keep it under a new name: `info={"renamed_from": "old_name"}`, of a column or a table.

The services that are already deployed rely on these names and types, so the contract is stated a
second time in `tests/unit/test_table_creation.py`; a change is made in both.
"""

import datetime
from typing import Any, Dict, List, Optional, Type, Union

from sqlalchemy import (
    ARRAY,
    JSON,
    Date,
    Float,
    Integer,
    String,
    bindparam,
    cast,
    column,
    func,
    literal,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, mapped_column
from sqlalchemy.types import TypeEngine

# Constants, so that a missing column is added without rewriting the table. A diary entry with an
# unknown amount or name is kept: its owner would miss the entry more than the number.
ZERO = literal(0)
EMPTY_TEXT = literal("")
EMPTY_ARRAY = cast(literal("{}", String()), ARRAY(String))
EMPTY_JSON = cast(literal("{}", String()), JSON)
# Filled in from the setting DEFAULT_USER_EMAIL when a plan is made.
DEFAULT_USER_EMAIL = bindparam("default_user_email", type_=String())

# Computed from the row's own `time`. In UTC, so that the session's time zone changes no date.
_UTC_TIME = func.timezone(literal("UTC"), func.to_timestamp(column("time")))
UTC_DATE = cast(_UTC_TIME, Date)
UTC_DATE_TEXT = func.to_char(_UTC_TIME, literal("YYYY-MM-DD"))

EPOCH = "epoch seconds, UTC"
OWNER = "e-mail of the user that the row belongs to"
NUTRIENTS = "nutrients: name to amount"


class Base(DeclarativeBase):
    """Its metadata is the desired state of the tables, without a schema: each gets the full set."""


def required(
    type_: Union[TypeEngine[Any], Type[TypeEngine[Any]]],
    *,
    backfill: Any,
    info: Optional[Dict[str, Any]] = None,
    **options: Any,
) -> MappedColumn[Any]:
    """A NOT NULL column; `column.info["backfill"]` is the value for rows that have none."""
    known = {**(info or {}), "backfill": backfill}
    return mapped_column(type_, nullable=False, info=known, **options)


class User(Base):
    __tablename__ = "user"
    __table_args__ = {"comment": "who has an account"}

    email: Mapped[str] = mapped_column(String, primary_key=True)
    register_date: Mapped[Optional[str]] = mapped_column(String, comment="as text")
    last_activity: Mapped[Optional[str]] = mapped_column(String, comment="as text")
    language: Mapped[Optional[str]] = mapped_column(
        String, server_default="en", comment="language code that the user reads the platform in"
    )


class Dish(Base):
    __tablename__ = "dishes"
    __table_args__ = {"comment": "dishes that users keep for later"}

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = required(String, backfill=EMPTY_TEXT)
    calories: Mapped[int] = required(Integer, backfill=ZERO, comment="kcal")
    weight: Mapped[int] = required(Integer, backfill=ZERO, comment="grams")
    ingredients: Mapped[List[str]] = required(ARRAY(String), backfill=EMPTY_ARRAY)
    contains: Mapped[Dict[str, Any]] = required(JSON, backfill=EMPTY_JSON, comment=NUTRIENTS)
    user_email: Mapped[str] = required(String, backfill=DEFAULT_USER_EMAIL, comment=OWNER)


class DishDay(Base):
    __tablename__ = "dishes_day"
    __table_args__ = {"comment": "the food diary: one row for each dish eaten"}

    time: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False, comment=EPOCH)
    date: Mapped[datetime.date] = required(Date, backfill=UTC_DATE)
    dish_name: Mapped[str] = required(String, backfill=EMPTY_TEXT)
    estimated_avg_calories: Mapped[int] = required(Integer, backfill=ZERO, comment="kcal")
    ingredients: Mapped[List[str]] = required(ARRAY(String), backfill=EMPTY_ARRAY)
    total_avg_weight: Mapped[int] = required(Integer, backfill=ZERO, comment="grams")
    contains: Mapped[Dict[str, Any]] = required(JSON, backfill=EMPTY_JSON, comment=NUTRIENTS)
    user_email: Mapped[str] = required(String, backfill=DEFAULT_USER_EMAIL, comment=OWNER)


class TotalForDay(Base):
    __tablename__ = "total_for_day"
    __table_args__ = {"comment": "the sums of a user's food diary, one row a day"}

    date: Mapped[datetime.date] = required(Date, primary_key=True, backfill=column("today"))
    user_email: Mapped[str] = required(
        String, primary_key=True, backfill=DEFAULT_USER_EMAIL, comment=OWNER
    )
    total_calories: Mapped[int] = required(Integer, backfill=ZERO, comment="kcal")
    ingredients: Mapped[List[str]] = required(ARRAY(String), backfill=EMPTY_ARRAY)
    dishes_of_day: Mapped[List[str]] = required(
        ARRAY(String), backfill=EMPTY_ARRAY, comment="names of the dishes"
    )
    total_avg_weight: Mapped[int] = required(Integer, backfill=ZERO, comment="grams")
    contains: Mapped[Dict[str, Any]] = required(JSON, backfill=EMPTY_JSON, comment=NUTRIENTS)
    today: Mapped[datetime.date] = required(
        Date, backfill=column("date"), comment="the day of the sums, like date"
    )


class Weight(Base):
    __tablename__ = "weight"
    __table_args__ = {"comment": "what the users' scales showed"}

    time: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False, comment=EPOCH)
    date: Mapped[str] = required(String, backfill=UTC_DATE_TEXT, comment="as text")
    weight: Mapped[float] = required(
        Float, backfill=ZERO, comment="kilograms of body weight; 0 is unknown"
    )
    user_email: Mapped[str] = required(String, backfill=DEFAULT_USER_EMAIL, comment=OWNER)


class AlcoholConsumption(Base):
    __tablename__ = "alcohol_consumption"
    __table_args__ = {"comment": "one row for each alcoholic drink"}

    time: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False, comment=EPOCH)
    date: Mapped[datetime.date] = required(Date, backfill=UTC_DATE)
    drink_name: Mapped[str] = required(String, backfill=EMPTY_TEXT)
    calories: Mapped[int] = required(Integer, backfill=ZERO, comment="kcal")
    quantity: Mapped[int] = required(Integer, backfill=ZERO)
    user_email: Mapped[str] = required(String, backfill=DEFAULT_USER_EMAIL, comment=OWNER)


class AlcoholForDay(Base):
    __tablename__ = "alcohol_for_day"
    __table_args__ = {"comment": "the sums of a user's alcoholic drinks, one row a day"}

    date: Mapped[datetime.date] = mapped_column(Date, primary_key=True)
    user_email: Mapped[str] = required(
        String, primary_key=True, backfill=DEFAULT_USER_EMAIL, comment=OWNER
    )
    total_drinks: Mapped[int] = required(Integer, backfill=ZERO, comment="number of drinks")
    total_calories: Mapped[int] = required(Integer, backfill=ZERO, comment="kcal")
    drinks_of_day: Mapped[List[str]] = required(
        ARRAY(String), backfill=EMPTY_ARRAY, comment="names of the drinks"
    )
