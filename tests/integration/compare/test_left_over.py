"""What the models do not know any more, and what that does to those who write."""

import psycopg2
import pytest
from psycopg2 import errors

from tests.support.database import Database
from tests.support.job import Run

INSERT = "INSERT INTO weight (time, date, weight, user_email) VALUES (1, '2024-11-08', 61.5, 'ann')"
WARNING = "{} is NOT NULL without a default, and not in the models: "
ADVICE = (
    "an INSERT that leaves it out fails, unless a trigger or its domain gives it a value."
    " This lets it be left out:"
)


def test_a_column_without_which_no_insert_succeeds_is_warned_of(
    initialised: Database, run: Run
) -> None:
    """It is no difference, and nothing of it is touched; the statement lets services write."""
    initialised.execute('ALTER TABLE weight ADD "50% Old" integer NOT NULL')
    with pytest.raises(errors.NotNullViolation):
        initialised.execute(INSERT)
    words = WARNING.format('public.weight."50% Old"') + ADVICE
    statement = 'ALTER TABLE public.weight ALTER COLUMN "50% Old" DROP NOT NULL;'
    for mode in "--verify", "":
        result = run(*mode.split())
        assert result.code == 0, result.err
        assert f" WARNING {words}\n    {statement}\n" in result.err
    assert f"-- warning: {words}\n--     {statement}\n" in run("--plan").out
    initialised.execute(statement + INSERT)
    assert "WARNING" not in run("--verify").err


@pytest.mark.parametrize(
    "definition",
    [
        "integer",
        "integer NOT NULL DEFAULT 7",
        "integer NOT NULL GENERATED ALWAYS AS IDENTITY",
        "integer NOT NULL GENERATED ALWAYS AS (time + 1) STORED",
        "serial",
    ],
)
def test_a_column_that_fills_itself_is_not(
    initialised: Database, run: Run, definition: str
) -> None:
    """Nor one that may be empty: whoever does not know it writes as before."""
    initialised.execute(f"ALTER TABLE weight ADD old {definition}; {INSERT}")
    assert "WARNING" not in run("--verify").err


INHERITED = """DROP TABLE weight; CREATE TABLE weighed (old integer NOT NULL);
CREATE TABLE weight (time integer PRIMARY KEY, date varchar NOT NULL, weight float NOT NULL,
  user_email varchar NOT NULL) INHERITS (weighed)"""
IDENTIFIES = """ALTER TABLE weight ADD old integer NOT NULL UNIQUE;
ALTER TABLE weight REPLICA IDENTITY USING INDEX weight_old_key"""


@pytest.mark.parametrize("keeps", [INHERITED, IDENTIFIES])
def test_no_statement_is_printed_that_the_server_would_refuse(
    initialised: Database, run: Run, keeps: str
) -> None:
    """What a parent has handed down it alone can change; a row has to be identified."""
    initialised.execute(keeps)
    error = run("--verify").err
    assert WARNING.format("public.weight.old") in error
    assert "DROP NOT NULL" not in error
    if keeps == IDENTIFIES or int(initialised.value("SHOW server_version_num")) >= 180000:
        with pytest.raises(psycopg2.Error):
            initialised.execute("ALTER TABLE weight ALTER old DROP NOT NULL")
