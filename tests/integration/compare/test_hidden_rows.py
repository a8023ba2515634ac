"""Every look at rows sees all of them, or the run says that it does not."""

import pytest

from tests.support.catalogs import all_rows
from tests.support.database import Database
from tests.support.job import Run

HIDE = "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY; ALTER TABLE {0} FORCE ROW LEVEL SECURITY; "
DRIFTS = {
    "nulls that would be filled": (
        "weight",
        "ALTER TABLE weight ALTER user_email DROP NOT NULL; UPDATE weight SET user_email = NULL",
    ),
    "texts that are no dates": (
        "dishes_day",
        "ALTER TABLE dishes_day ALTER date TYPE varchar; UPDATE dishes_day SET date = '31-02-2024'",
    ),
    "duplicates": (
        "total_for_day",
        "ALTER TABLE total_for_day DROP CONSTRAINT total_for_day_pkey; "
        "INSERT INTO total_for_day SELECT * FROM total_for_day",
    ),
    "a column that wants an empty table": ("weight", "ALTER TABLE weight DROP time"),
}


@pytest.mark.parametrize("setting", ["on", "off"])
@pytest.mark.parametrize("drift", list(DRIFTS))
def test_rows_that_are_hidden_are_not_taken_for_none(
    database: Database, run: Run, owner: str, drift: str, setting: str
) -> None:
    """Refused before the first change, whatever `row_security` is for the role; typed, it helps."""
    table, change = DRIFTS[drift]
    database.execute(change)
    database.execute(HIDE.format(table) + f"CREATE POLICY p ON {table} USING (false)")
    database.execute(f"ALTER ROLE {owner} SET row_security = {setting}")
    before = all_rows(database)
    result = run(POSTGRES_USER=owner)
    assert result.code == 4, result.err
    assert result.err.endswith(
        f"refused: public.{table} differs from the models.\n"
        f"  Row security hides rows of public.{table} from {owner}, so it cannot be proven that no "
        "value is lost.\n"
        f"  Nothing was changed. Let an administrator run:\n    ALTER ROLE {owner} BYPASSRLS;\n"
    )
    assert all_rows(database) == before
    database.execute(f"ALTER ROLE {owner} BYPASSRLS")
    assert "Row security" not in run(POSTGRES_USER=owner).err


@pytest.mark.parametrize("setting", ["on", "off"])
def test_a_rollback_drops_no_table_whose_rows_it_cannot_see(
    database: Database, run: Run, owner: str, setting: str
) -> None:
    """Row security hid all rows, and version 1.0.0 dropped seven full tables."""
    tables = list(all_rows(database))
    for table in tables:
        database.execute(HIDE.format(f'"{table}"') + f'CREATE POLICY p ON "{table}" USING (false)')
    database.execute(f"ALTER ROLE {owner} SET row_security = {setting}")
    before = all_rows(database)
    result = run("--rollback", POSTGRES_USER=owner)
    assert result.code == 4, result.err
    assert result.err.count("Row security hides rows of public.") == len(tables)
    assert run("--rollback", "--plan", POSTGRES_USER=owner).code == 4
    assert all_rows(database) == before
    database.execute(f"ALTER ROLE {owner} BYPASSRLS")
    assert "would lose the values of 1 row" in run("--rollback", POSTGRES_USER=owner).err
