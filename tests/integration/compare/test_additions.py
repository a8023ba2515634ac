"""Columns that are added to a table with rows: what these get, and what it does to the table."""

from typing import Any, Dict, List

import pytest
from sqlalchemy import (
    CHAR,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    Numeric,
    String,
    func,
    literal,
    text,
)
from sqlalchemy import column as other
from sqlalchemy.dialects import postgresql

from converge.plan import Plan
from converge.steps import Kind, Lock
from tests.support.database import Database
from tests.support.job import Run
from tests.support.things import converged, thing_with

ROWS = "CREATE TABLE thing (id serial PRIMARY KEY); INSERT INTO thing VALUES (1), (2), (3); "
ROWS += "SELECT setval('thing_id_seq', 3)"
FILE = "SELECT pg_relation_filenode('thing')"
RANDOM: Dict[str, Any] = {"server_default": text("(random() * 1000000000)::integer")}


def added(plan: Plan) -> List[Lock]:
    return [step.lock for step in plan.steps if step.kind is Kind.ADD_COLUMN]


@pytest.mark.parametrize(
    ("column", "lock"),
    [
        (Column("c", DateTime, server_default=text("clock_timestamp()")), Lock.REWRITE),
        (Column("c", Integer, **RANDOM), Lock.REWRITE),
        (Column("c", String, server_default=text("'n' || nextval('numbers')")), Lock.REWRITE),
        (Column("c", DateTime, server_default=func.now(), nullable=False), Lock.INSTANT),
        (Column("c", String(9), server_default=text("upper('a')")), Lock.INSTANT),
        (Column("c", String(9), server_default="a (b)"), Lock.INSTANT),
        (Column("c", Integer, server_default="7", nullable=False), Lock.INSTANT),
    ],
    ids=lambda of: of.name if isinstance(of, Lock) else of.server_default.arg,
)
def test_a_default_that_differs_in_each_row_is_announced(
    database: Database, column: Any, lock: Lock
) -> None:
    """It rewrites the table; a constant does not, nor what is the same for all rows, as now()."""
    database.execute(f"{ROWS}; CREATE SEQUENCE numbers")
    before = database.value(FILE)
    plan = converged(database, thing_with(column._copy()))
    assert added(plan) == [lock]
    assert (database.value(FILE) != before) == (lock is Lock.REWRITE)
    assert database.value("SELECT count(c) FROM thing") == 3


def test_a_large_table_is_not_rewritten_for_a_default(database: Database) -> None:
    """What is typed instead fills the rows while others read; the next run proves NOT NULL."""
    database.execute(ROWS)
    before = database.value(FILE)
    models = thing_with(Column("c", Integer, nullable=False, **RANDOM))
    (refusal,) = converged(database, models, REWRITE_MAX_ROWS="2").refusals
    assert "That rewrites the table while everybody waits: 3 rows" in str(refusal)
    for statement in refusal.way_out.statements:
        database.execute(statement)
    assert converged(database, models, REWRITE_MAX_ROWS="2").refusals == ()
    assert database.value(FILE) == before
    assert database.value("SELECT count(DISTINCT c) FROM thing") == 3


def test_a_checked_type_is_written_into_each_row(database: Database) -> None:
    """The server asks the checks of a domain for each row, even if nothing is stored there."""
    database.execute(f"{ROWS}; CREATE DOMAIN short AS varchar CHECK (length(VALUE) < 9)")
    short = postgresql.DOMAIN("short", String, check="length(VALUE) < 9")
    models = thing_with(Column("c", short))
    refusals = converged(database, models, REWRITE_MAX_ROWS="2").refusals
    if database.value("SHOW server_version_num") < "190000":
        assert "the server writes a value into each row." in str(refusals[0])
    before = database.value(FILE)
    (lock,) = added(converged(database, models))
    assert (database.value(FILE) != before) == (lock is Lock.REWRITE)


@pytest.mark.parametrize("nullable", [False, True], ids=["NOT NULL", "nullable"])
def test_existing_rows_get_the_backfill_and_new_ones_the_default(
    database: Database, *, nullable: bool
) -> None:
    """The models say both."""
    database.execute(ROWS)
    told: Dict[str, Any] = {"info": {"backfill": literal("old")}, "server_default": "new"}
    converged(database, thing_with(Column("c", String, nullable=nullable, **told)))
    database.execute("INSERT INTO thing DEFAULT VALUES")
    assert database.rows("SELECT c FROM thing ORDER BY id") == [("old",)] * 3 + [("new",)]


def test_a_computed_backfill_leaves_new_rows_the_default(database: Database) -> None:
    """In batches; a row that a client inserts meanwhile has the default already."""
    database.execute(ROWS)
    told: Dict[str, Any] = {"info": {"backfill": other("id") * 10}, "server_default": "7"}
    converged(database, thing_with(Column("c", Integer, nullable=False, **told)))
    database.execute("INSERT INTO thing DEFAULT VALUES")
    assert database.rows("SELECT c FROM thing ORDER BY id") == [(10,), (20,), (30,), (7,)]


def test_a_backfill_that_differs_in_each_row_is_done_in_batches(database: Database) -> None:
    """However large the table is: it is not rewritten."""
    database.execute(ROWS)
    before = database.value(FILE)
    number = func.floor(func.random() * 1000000000)
    models = thing_with(Column("c", Integer, nullable=False, info={"backfill": number}))
    plan = converged(database, models, REWRITE_MAX_ROWS="0")
    assert added(plan) == [Lock.INSTANT]
    assert Kind.BACKFILL in {step.kind for step in plan.steps}
    assert database.value(FILE) == before
    assert database.value("SELECT count(DISTINCT c) FROM thing") == 3


def test_a_computed_backfill_of_a_nullable_column_is_refused(database: Database) -> None:
    """An interrupted run could not tell which rows are still to be filled."""
    database.execute(ROWS)
    models = thing_with(Column("c", Integer, info={"backfill": other("id") * 10}))
    (refusal,) = converged(database, models).refusals
    assert "is missing and nullable; the models fill it with id * 10." in str(refusal)
    for statement in refusal.way_out.statements:
        database.execute(statement)
    assert converged(database, models).refusals == ()
    assert database.rows("SELECT c FROM thing ORDER BY id") == [(10,), (20,), (30,)]


def test_what_now_was_is_no_value_to_lose(database: Database, run: Run) -> None:
    """Each row has the time of the addition, which a rollback drops; a later row has another."""
    database.execute(ROWS)
    models = thing_with(Column("c", DateTime, nullable=False, server_default=func.now()))
    converged(database, models)
    database.execute("INSERT INTO thing DEFAULT VALUES")
    result = run("--rollback", "--to", "0")
    assert result.code == 4
    assert "would lose the values of 1 row." in result.err
    database.execute("DELETE FROM thing WHERE id = 4")
    result = run("--rollback", "--to", "0")
    assert result.code == 0, result.err
    assert database.rows(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'thing'::regclass "
        "AND attnum > 0 AND NOT attisdropped"
    ) == [("id",)]


def test_a_number_drawn_for_each_row_is_a_value_to_lose(database: Database, run: Run) -> None:
    """Nobody could draw it again."""
    database.execute(ROWS)
    converged(database, thing_with(Column("c", Integer, **RANDOM)))
    result = run("--rollback", "--to", "0")
    assert result.code == 4
    assert "would lose the values of 3 rows." in result.err


@pytest.mark.parametrize(
    "column",
    [
        Column("c", Numeric(8, 2), server_default="5", nullable=False),
        Column("c", LargeBinary, server_default=text("'a'")),
        Column("c", postgresql.JSONB, server_default=text("""'{"a":  1}'""")),
        Column("c", CHAR(5), server_default="ab"),
        Column("c", String(5, collation="C"), nullable=False, info={"backfill": literal("ab")}),
    ],
    ids=lambda column: repr(column.type),
)
def test_what_the_addition_stored_is_no_value_to_lose(
    database: Database, run: Run, column: Any
) -> None:
    """Whatever the type makes of it: 5 is 5.00 there."""
    database.execute(ROWS)
    converged(database, thing_with(column._copy()))
    assert database.value("SELECT count(c) FROM thing") == 3
    result = run("--rollback", "--to", "0")
    assert result.code == 0, result.err
    assert database.rows("SELECT * FROM thing") == [(1,), (2,), (3,)]
