"""A date becomes text only where the text tells the whole date."""

import pytest

from tests.support.database import Database
from tests.support.job import Run


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize(
    ("day", "text"),
    [
        ("0001-01-01 BC", None),
        ("0001-01-01", "0001-01-01"),
        ("9999-12-31", "9999-12-31"),
        ("10000-01-01", None),
        ("infinity", None),
    ],
)
def test_a_date_becomes_text_or_is_refused(
    database: Database, run: Run, day: str, text: str
) -> None:
    """The first that fits and the first that does not, on both ends: BC would become AD."""
    database.execute(
        "ALTER TABLE weight ALTER date TYPE date USING date::date; "
        "INSERT INTO weight VALUES (1, %s, 61.5, 'ann@example.org')",
        (day,),
    )
    result = run()
    assert result.code == (4 if text is None else 0), result.err
    if text is None:
        assert f"1 of 1 row does not convert, e.g. time=1 '{day}'." in result.err
    assert database.value("SELECT date::text FROM weight") == (text or day)
