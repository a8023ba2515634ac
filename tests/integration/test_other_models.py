"""The engine on somebody else's models: a library's, which have nothing to do with food."""

from contextlib import closing
from pathlib import Path
from typing import Iterator

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    literal,
)

from converge.change.apply import Applier
from converge.compare.compare import make_plan
from converge.compare.desired import Desired
from converge.errors import LockNotAcquired
from converge.history.journal import Journal
from converge.history.look import Fingerprints, look
from converge.plan import Plan
from converge.server.connection import Connection
from converge.server.inspect import inspect
from converge.server.locks import run_lock
from converge.server.retries import connect
from converge.settings.extension import Extension
from converge.settings.loading import load_settings
from converge.settings.variables import Settings
from tests.support.database import Database
from tests.support.waiting import holding

EXTENSIONS = (Extension("btree_gin"),)
FINGERPRINTS = Fingerprints("the library's models", "any rules")
LIBRARY = MetaData()
Table(
    "reader",
    LIBRARY,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False, info={"backfill": literal("unknown")}),
)
Table("book", LIBRARY, Column("isbn", String(13), primary_key=True), Column("title", String))
LOAN = Table(
    "loan",
    LIBRARY,
    Column("isbn", ForeignKey("book.isbn", name="loan_book"), primary_key=True),
    Column("reader", ForeignKey("reader.id", name="loan_reader"), primary_key=True),
    Column("since", Date, nullable=False),
    Column("until", Date),
    CheckConstraint("until > since", name="loan_ends"),
)
INDEXES = [Index("loan_since", LOAN.c.since), Index("loan_until", LOAN.c.until)]


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    return load_settings(database.environment, str(tmp_path / "none"))


@pytest.fixture
def control(settings: Settings) -> Iterator[Connection]:
    with closing(connect(settings)) as connection:
        yield connection


def converged(control: Connection, settings: Settings) -> Plan:
    """Bring the database to the library's models, and return the plan that did it."""
    desired = Desired(LIBRARY, extensions=EXTENSIONS, indexes=INDEXES)
    facts = inspect(control, settings, EXTENSIONS)
    with run_lock(control, settings) as work:
        assert work is not None
        plan = make_plan(work, facts, settings=settings, desired=desired)
        assert plan.refusals == ()
        journal = Journal(plan, work, FINGERPRINTS)
        list(Applier(settings, work, control, journal).apply(journal.opening()))
        after = facts.after_run(settings)
        proof = make_plan(work, after, settings=settings, desired=desired)
        assert proof.differences() == []
        journal.verified(proof)
    return plan


def test_an_empty_database_gets_them(
    database: Database, settings: Settings, control: Connection
) -> None:
    """Tables, keys, checks and indexes; the next look finds nothing to do."""
    converged(control, settings)
    found = database.rows("SELECT conname FROM pg_constraint WHERE contype IN ('f', 'c')")
    assert {name for (name,) in found} >= {"loan_book", "loan_reader", "loan_ends"}
    assert look(control, settings.schemas, FINGERPRINTS).current


def test_a_live_database_is_changed(
    database: Database, settings: Settings, control: Connection
) -> None:
    """A column, a constraint, an index and a default go, and come back with all rows."""
    converged(control, settings)
    database.execute(
        "INSERT INTO reader (id, name) VALUES (7, 'Ann'); INSERT INTO book VALUES ('1', 'One'); "
        "INSERT INTO loan VALUES ('1', 7, '2025-01-01', NULL); "
        "ALTER TABLE reader DROP name; ALTER TABLE loan DROP CONSTRAINT loan_reader; "
        "ALTER TABLE loan DROP CONSTRAINT loan_ends; DROP INDEX loan_until; "
        "ALTER TABLE book ALTER title TYPE varchar(50)"
    )
    kinds = [step.kind.value for step in converged(control, settings).steps]
    assert {"add_column", "add_constraint", "create_index", "change_type"} <= set(kinds)
    assert database.rows("SELECT id, name FROM reader") == [(7, "unknown")]
    assert database.value("SELECT count(*) FROM loan") == 1
    assert converged(control, settings).empty


def test_the_table_of_a_foreign_key_may_be_what_is_waited_for(
    database: Database, control: Connection, settings: Settings
) -> None:
    """Adding one locks both tables; whoever only reads that table is not named."""
    converged(control, settings)
    database.execute("ALTER TABLE loan DROP CONSTRAINT loan_book")
    writer = holding(database, "LOCK book IN ROW EXCLUSIVE MODE", name="writer")
    reader = holding(database, "SELECT FROM book, loan")
    with pytest.raises(LockNotAcquired) as caught:
        converged(control, settings._replace(lock_patience=0.5))
    writer.close()
    reader.close()
    lines = str(caught.value).splitlines()
    assert lines[1].startswith("  It waited for a lock on public.book held by pid ")
    assert " (writer), idle in transaction, " in lines[1]
    assert len(lines) == 3
