"""What is printed to be typed says the same as what is sent."""

import pytest

from converge.quoting import identifier, literal, typed
from converge.steps import Kind
from converge.text import visible
from tests.support.database import Database
from tests.support.plans import plan, rendered, step

LETTERS = ["1\u00a0000", "\U0001f469\u200d\U0001f467", "it's\r\x1b[31m", '"\\\u202e', "\U000e0041'"]


@pytest.mark.parametrize("text", LETTERS)
def test_sql_to_be_typed_has_no_letter_that_cannot_be_seen(database: Database, text: str) -> None:
    """A terminal is shown something else in place of it, and that would become the value."""
    nested = f"DO {literal(f'BEGIN PERFORM {literal(text)}; END')}"
    for sql in (f"SELECT {literal(text)} AS {identifier(text)}", nested):
        assert visible(typed(sql)) == typed(sql)
    database.execute(typed(nested))
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(typed(f"SELECT {literal(text)} AS {identifier(text)}"))
        assert cursor.description is not None
        assert (cursor.description[0].name, cursor.fetchone()) == (text, (text,))
    connection.close()


def test_a_plan_prints_it_so() -> None:
    sql = "ALTER TABLE weight ALTER unit SET DEFAULT '1\u00a0kg'"
    change = step(Kind.SET_DEFAULT, "unit", statements=(sql,))
    shown = "ALTER TABLE weight ALTER unit SET DEFAULT U&'1\\+0000A0kg';"
    assert shown in rendered(plan(change)).splitlines()
