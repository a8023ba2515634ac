"""Each kind of table with each kind of difference: brought to the models, or left as it is."""

import os
from typing import Dict, List

import psycopg2
import pytest

from tests.support.catalogs import SAMPLE_ROWS, all_rows, everything
from tests.support.copies import copy_of
from tests.support.database import Database
from tests.support.job import Run
from tests.support.shapes import DIFFERENCES, SHAPES, SINCE

# Each shape meets each difference with EATER_EVERY_PAIR; else every fifth, beginning with another.
STEP = 1 if "EATER_EVERY_PAIR" in os.environ else 5
MORE = """INSERT INTO weight SELECT time + 1, date, weight, user_email FROM weight"""


@pytest.mark.long
@pytest.mark.parametrize("shape", list(SHAPES))
def test_a_difference_of_any_kind_of_table_is_closed_or_refused(
    initialised: Database, run: Run, shape: str
) -> None:
    """A plan that is not refused runs to its end; what is refused changes nothing, and says so."""
    if int(initialised.value("SHOW server_version_num")) < SINCE.get(shape, 0):
        pytest.skip(f"this server does not know it: {shape}")
    initialised.execute(f"{SAMPLE_ROWS} {MORE}; {SHAPES[shape]}")
    initialised.close()
    ends: Dict[str, int] = {}
    for difference in list(DIFFERENCES)[list(SHAPES).index(shape) % STEP :: STEP]:
        with copy_of(initialised) as database:
            if _taken(database, DIFFERENCES[difference]):
                ends[difference] = _ended(database, run, f"{shape}, {difference}")
    assert ends, "the server takes none of the differences"


@pytest.mark.long
def test_each_difference_is_one(initialised: Database, run: Run) -> None:
    """In a table of which the models say all, each leads to a step, and the run to its end."""
    initialised.execute(f"{SAMPLE_ROWS} {MORE}")
    initialised.close()
    for difference, sql in DIFFERENCES.items():
        with copy_of(initialised) as database:
            database.execute(sql)
            assert run("--verify", POSTGRES_DB=database.name).code == 5, difference
            assert _ended(database, run, difference) == 0, difference


def _taken(database: Database, difference: str) -> bool:
    """Drift, if the server takes that in this shape."""
    try:
        database.execute(f"BEGIN; {difference}; COMMIT")
    except psycopg2.Error:
        database.execute("ROLLBACK")
        return False
    return True


def _ended(database: Database, run: Run, what: str) -> int:
    """Return the exit code of a run: 0 if it ended at the models, 4 if nothing was changed."""
    before, counts = (everything(database), all_rows(database)), _counts(database)
    result = run(POSTGRES_DB=database.name)
    assert "planning again" not in result.err, what
    if result.code == 4:
        assert (everything(database), all_rows(database)) == before, what
        assert "Nothing was changed." in result.err, what
        return 4
    assert result.code == 0, f"{what}\n{result.err}"
    assert "schema is current" in run(POSTGRES_DB=database.name).err, what
    after = _counts(database)
    assert all(after[table] >= count for table, count in counts.items()), what
    return 0


def _counts(database: Database) -> Dict[str, int]:
    names: List[str] = [name for (name,) in database.rows(TABLES)]
    return {name: int(database.value(f"SELECT count(*) FROM {name}")) for name in names}


TABLES = """SELECT format('%I', relname) FROM pg_class WHERE relkind IN ('r', 'p')
AND relnamespace = 'public'::regnamespace AND relname <> 'eater_schema_history'"""
