"""A backfill that is computed from other columns gives each row a value that is right, or none."""

import pytest
from sqlalchemy import Integer, String, cast, column, func, literal

import models
from tests.support.catalogs import everything
from tests.support.database import Database
from tests.support.job import Run

WIDE = "CREATE TABLE weight (time bigint PRIMARY KEY, weight float NOT NULL, user_email varchar)"
FILLS = """is missing; the model requires NOT NULL and fills it with \
to_char(timezone('UTC', to_timestamp("time")), 'YYYY-MM-DD')."""
BEYOND = 'NOT ("time" BETWEEN -2147483648 AND 2147483647)'


@pytest.mark.parametrize(
    ("seconds", "day"),
    [
        ("-2147483649", None),
        ("-2147483648", "1901-12-13"),
        ("2147483647", "2038-01-19"),
        ("2147483648", None),
        ("1731000000000", None),
        ("1731000000000000", None),
        ("9223372036854775807", None),
    ],
)
def test_nothing_is_computed_from_a_value_that_the_models_type_does_not_hold(
    database: Database, run: Run, seconds: str, day: str
) -> None:
    """The live type may be wider; milliseconds in it would give dates in the year 56823."""
    database.execute(f"{WIDE}; INSERT INTO weight VALUES ({seconds}, 80, 'u'), (1, 80, 'u')")
    before = everything(database)
    result = run()
    if day:
        assert result.code == 0, result.err
        date = database.value("SELECT date FROM weight WHERE time = %s", (seconds,))
        assert date == day
        return
    assert result.code == 4
    assert result.err.endswith(
        f" ERROR refused: public.weight.date {FILLS}\n"
        f"  1 of 2 rows has a time that integer does not hold, e.g. '{seconds}'.\n"
        "  Nothing was changed. Find them with:\n"
        f'    SELECT "time" FROM public.weight WHERE true AND "time" IS NOT NULL AND {BEYOND};\n'
    )
    assert everything(database) == before
    assert database.rows(result.err.splitlines()[-1]) == [(int(seconds),)]
    database.execute(f"UPDATE weight SET time = 1731000000 WHERE {BEYOND}")
    assert run().code == 0
    assert database.value("SELECT max(date) FROM weight") == "2024-11-07"


def test_rows_that_need_no_value_may_hold_any(initialised: Database, run: Run) -> None:
    """Only those that the backfill is computed for are asked about."""
    initialised.execute(
        "ALTER TABLE weight ALTER time TYPE bigint, ALTER date DROP NOT NULL; "
        "INSERT INTO weight VALUES (1731000000000000, '2024-11-07', 1, 'u'), (0, NULL, 1, 'u')"
    )
    assert run().code == 0
    dates = initialised.rows("SELECT date FROM weight ORDER BY time")
    assert dates == [("1970-01-01",), ("2024-11-07",)]


def test_a_row_that_stays_without_a_value_is_refused(database: Database, run: Run) -> None:
    """The column is missing, and what it is computed from is NULL."""
    database.execute(
        "CREATE TABLE weight (time integer, weight float, user_email varchar); "
        "INSERT INTO weight VALUES (NULL, 80, 'u'), (1, 80, 'u')"
    )
    result = run()
    assert result.code == 4
    assert f"public.weight.date {FILLS}\n  1 of 2 rows stays NULL.\n" in result.err
    find = next(line for line in result.err.splitlines() if "SELECT" in line and "to_char" in line)
    assert database.rows(find) == [(None,)]


RAISING = {
    "division by zero": literal(1000) / column("estimated_avg_calories"),
    'invalid input syntax for type integer: "soup"': cast(column("dish_name"), Integer),
    "integer out of range": func.power(literal(10), column("estimated_avg_calories") + 10),
}


@pytest.mark.parametrize("error", list(RAISING))
def test_a_value_that_raises_an_error_is_refused(
    initialised: Database, run: Run, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    """While planning, by every mode, with the rows; those that need no value are passed over."""
    grams = models.DishDay.__table__.c.total_avg_weight
    monkeypatch.setitem(grams.info, "backfill", RAISING[error])
    initialised.execute(
        "ALTER TABLE dishes_day ALTER total_avg_weight DROP NOT NULL; INSERT INTO dishes_day "
        "SELECT time, '2025-01-01', dish, kcal, '{}', g, '{}', 'u' FROM (VALUES "
        "(1, 'soup', 0, NULL), (2, '7', -8, NULL), (3, 'soup', 0, 5)) AS v (time, dish, kcal, g)"
    )
    before = everything(initialised)
    result = run()
    assert result.code == 4, result.err
    assert "public.dishes_day.total_avg_weight is nullable; the model requires NOT" in result.err
    assert f"\n  1 of 3 rows fails; the server says: {error}.\n" in result.err
    assert run("--plan").code == 4
    assert run("--verify").code == 5
    assert everything(initialised) == before
    way_out = [line for line in result.err.splitlines() if line.endswith(";")]
    assert initialised.rows("".join(way_out))[0][0] == 1
    initialised.execute("UPDATE dishes_day SET estimated_avg_calories = -8, dish_name = '9'")
    assert run().code == 0


def test_a_text_that_is_too_long_is_refused(
    initialised: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cast would cut it, so the UPDATE would have been the first to say so."""
    dish = models.DishDay.__table__.c.dish_name
    monkeypatch.setattr(dish, "type", String(3))
    monkeypatch.setitem(dish.info, "backfill", column("user_email"))
    initialised.execute(
        "ALTER TABLE dishes_day ALTER dish_name TYPE varchar(3), ALTER dish_name DROP NOT NULL; "
        "INSERT INTO dishes_day VALUES (1, '2025-01-01', NULL, 1, '{}', 1, '{}', 'anna'), "
        "(2, '2025-01-01', NULL, 1, '{}', 1, '{}', 'bob')"
    )
    result = run()
    assert result.code == 4, result.err
    assert "  1 of 2 rows gets a text that is too long, e.g. time=1 'anna'.\n" in result.err
    assert initialised.rows(result.err.splitlines()[-1]) == [(1, "anna")]
    initialised.execute("UPDATE dishes_day SET user_email = 'ann' WHERE time = 1")
    assert run().code == 0
    assert initialised.rows("SELECT dish_name FROM dishes_day ORDER BY 1") == [("ann",), ("bob",)]


def test_a_column_that_is_refused_is_not_read(database: Database, run: Run) -> None:
    """Its refusal is the only one: what cannot be computed from it is not the cause."""
    database.execute(
        "CREATE TABLE weight (time varchar PRIMARY KEY, weight float, user_email varchar); "
        "INSERT INTO weight VALUES ('now', 80, 'u')"
    )
    result = run()
    assert result.code == 4
    assert result.err.count(" ERROR refused: ") == 1
    assert "1 of 1 row does not convert, e.g. 'now'." in result.err
