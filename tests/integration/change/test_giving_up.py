"""When a run gives up, clients can do all that they could do before."""

import pytest

from tests.support.catalogs import SAMPLE_ROWS, all_rows, described
from tests.support.database import Database
from tests.support.job import Run

NULLS = """ALTER TABLE weight ALTER user_email DROP NOT NULL;
INSERT INTO weight SELECT 1 + g, '2025-01-01', g, NULL FROM generate_series(1, 20) g;"""
# An UPDATE that says it was done, and was not; {0} says of which rows.
SWALLOWED = """CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {0}; END $$;
CREATE TRIGGER swallow BEFORE UPDATE ON weight FOR EACH ROW {1} EXECUTE FUNCTION swallow()"""
DEFERRED = SWALLOWED.replace(
    "CREATE TRIGGER swallow BEFORE", "CREATE CONSTRAINT TRIGGER swallow AFTER"
)
DEFERRED = DEFERRED.replace("weight FOR", "weight DEFERRABLE INITIALLY DEFERRED FOR")
HELPERS = """SELECT (SELECT count(*) FROM pg_constraint WHERE conname LIKE 'eater\\_new\\_%')
  + (SELECT count(*) FROM pg_class WHERE relname LIKE 'eater\\_new\\_%')"""
DISABLE = "ALTER TABLE public.weight DISABLE TRIGGER swallow;\n"


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize(
    ("trigger", "does", "says"),
    [
        (SWALLOWED, "RETURN OLD", "an UPDATE does not store its value"),
        (SWALLOWED, "RETURN NULL", "an UPDATE does not store its value"),
        (
            SWALLOWED,
            "RAISE 'diary rows are immutable'",
            "diary rows are immutable (PL/pgSQL function swallow() line 1 at RAISE)",
        ),
        (
            DEFERRED,
            "RAISE 'diary rows are immutable'",
            "diary rows are immutable (PL/pgSQL function swallow() line 1 at RAISE)",
        ),
    ],
    ids=["keeps the old row", "skips it", "raises", "raises at the end"],
)
def test_a_trigger_that_keeps_a_backfill_from_its_work_is_named_before_the_first_change(
    database: Database, run: Run, trigger: str, does: str, says: str
) -> None:
    """It is tried on a row that is rolled back; with the trigger disabled, the run goes through."""
    drift = NULLS + trigger.format(does, "") + "; DROP INDEX idx_dishes_name"
    database.execute(SAMPLE_ROWS + drift)
    before = described(database), all_rows(database)
    result = run()
    assert result.code == 4
    assert result.err.endswith(
        " ERROR refused: backfill public.weight.user_email is refused.\n"
        f"  The server says: {says}.\n"
        "  An UPDATE fires the trigger swallow.\n"
        "  Nothing was changed. Disable what keeps it from its work, run again, enable it again:\n"
        f"    {DISABLE}"
    )
    assert (described(database), all_rows(database)) == before
    database.execute(DISABLE)
    assert run().code == 0


@pytest.mark.usefixtures("initialised")
def test_a_check_of_ours_does_not_outlive_a_run_that_gives_up(database: Database, run: Run) -> None:
    """It was on the way to NOT NULL; without the steps behind it, it only forbids."""
    some = SWALLOWED.format("RETURN OLD", "WHEN (OLD.time = 9)")
    database.execute(SAMPLE_ROWS + NULLS + some)
    result = run()
    assert result.code == 4
    assert "dropped the helper constraint eater_new_user_email_not_null" in result.err
    assert "refused: " in result.err
    assert result.err.endswith(DISABLE)
    assert "attempt 2" not in result.err
    assert database.value(HELPERS) == 0
    database.execute("INSERT INTO weight VALUES (500, '2025-01-01', 1, NULL)")


@pytest.mark.usefixtures("initialised")
def test_an_index_of_ours_does_not_outlive_a_run_that_gives_up(
    database: Database, run: Run
) -> None:
    """Built for a key, it forbids duplicates; its key was refused by a trigger of an event."""
    database.execute(
        "ALTER TABLE weight DROP CONSTRAINT weight_pkey;"
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF to_regclass('public.eater_new_weight_pkey') IS NOT NULL "
        "THEN RAISE 'not on a Friday'; END IF; END $$;"
        "CREATE EVENT TRIGGER friday ON ddl_command_start WHEN TAG IN ('ALTER TABLE') "
        "EXECUTE FUNCTION refuse()"
    )
    result = run()
    assert result.code == 4
    assert "refused: add key public.weight.weight_pkey is refused.\n" in result.err
    assert "The server says: not on a Friday (PL/pgSQL function refuse()" in result.err
    assert database.value(HELPERS) == 0
    database.execute("INSERT INTO weight VALUES (5, 'x', 1, 'u'), (5, 'x', 1, 'u')")
