"""What new constraints say of rows as they will be, asked before the first change."""

from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    column,
    literal,
    text,
)
from sqlalchemy.dialects.postgresql import INT4RANGE, ExcludeConstraint

from converge.errors import LockNotAcquired
from tests.support.database import Database
from tests.support.engine import Engine, engine_on
from tests.support.plans import rendered
from tests.support.waiting import holding

ROWS = """INSERT INTO parent SELECT g, 'p' || g FROM generate_series(1, 3) g;
INSERT INTO child SELECT g, 'c' || g, g, '2025-01-0' || g FROM generate_series(1, 3) g"""
MOOD = Enum("sad", "ok", name="mood")


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    """The engine on a database that has the plain models, and rows."""
    with engine_on(database) as engine:
        engine.converge(models())
        database.execute(ROWS)
        yield engine


def models(
    *child: Any,
    parent: Tuple[Any, ...] = (),
    new: Tuple[Any, ...] = (),
    day: Any = String,
    key: bool = True,
) -> MetaData:
    """Return a parent and its child, each with what is given besides, and maybe a new table."""
    metadata = MetaData()
    Table(
        "parent",
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("name", String),
        *parent,
    )
    Table(
        "child",
        metadata,
        Column("id", Integer, primary_key=key, autoincrement=False, nullable=False),
        Column("name", String),
        Column("number", Integer),
        Column("day", day),
        *child,
    )
    if new:
        Table("new", metadata, *new)
    return metadata


def says(condition: str) -> CheckConstraint:
    return CheckConstraint(condition, name="says")


def stars(default: str = "5", **options: Any) -> "Column[int]":
    return Column("stars", Integer, server_default=text(default), **options)


def new_key() -> Tuple[Any, ...]:
    return (Column("id", Integer, primary_key=True, autoincrement=False),)


def refers(column: str, target: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint([column], [target], name="refers")


FINE: Dict[str, Any] = {
    "check of a new column": lambda: models(stars(), says("stars > 0")),
    "check of a new column without a value": lambda: models(
        Column("stars", Integer), says("stars > 0 OR stars IS NULL AND number > 0")
    ),
    "check of a filled column": lambda: models(
        Column("stars", Integer, nullable=False, info={"backfill": literal(4)}),
        says("stars < number + 4"),
    ),
    "check of a new type": lambda: models(says("day > DATE '2024-12-31'"), day=Date),
    "check of a new enum": lambda: models(
        Column("mood", MOOD, server_default="sad"), says("mood >= 'sad' AND number > 0")
    ),
    "reference to a new table without values": lambda: models(
        Column("other", Integer), refers("other", "new.id"), new=new_key()
    ),
    "reference to a new column": lambda: models(
        Column("other", Integer, server_default=text("8")),
        refers("other", "parent.code"),
        parent=(
            Column("code", Integer, nullable=False, info={"backfill": column("id") + 7}),
            UniqueConstraint("code", name="parent_code"),
        ),
    ),
    "reference to a new key": lambda: models(
        Column("other", String, server_default="p1"),
        refers("other", "parent.name"),
        parent=(UniqueConstraint("name", name="parent_name"),),
    ),
    "reference to a new unique index": lambda: models(
        Column("other", String, server_default="p1"),
        refers("other", "parent.name"),
        parent=(Index("parent_name", "name", unique=True),),
    ),
    "reference to itself": lambda: models(
        Column("above", ForeignKey("child.id", name="refers"), server_default=text("1"))
    ),
    "unique index of a new column": lambda: models(
        Column("code", Integer), Index("says", "code", unique=True)
    ),
    "unique index of some rows": lambda: models(
        stars(), Index("says", "stars", unique=True, postgresql_where=text("stars > 5"))
    ),
    "exclusion": lambda: models(
        ExcludeConstraint(("number", "="), name="says", using="btree", where=text("number > 1"))
    ),
    "exclusion over a new type": lambda: models(
        Column("span", INT4RANGE),
        ExcludeConstraint(("number", "="), ("span", "&&"), name="says", using="gist"),
    ),
}
REFUSED: Dict[str, Tuple[Any, Optional[str], str, int]] = {
    "check of a new column": (
        lambda: models(stars(), says("stars > 5")),
        None,
        "says is missing: CHECK ((stars > 5)).\n"
        "  3 rows violate it, e.g. id=1 '5', id=2 '5', id=3 '5'.\n",
        3,
    ),
    "check of a new and an old column": (
        lambda: models(stars(), says("stars > number")),
        "UPDATE child SET number = 7 WHERE id = 2",
        "says is missing: CHECK ((stars > number)).\n  1 row violates it, e.g. id=2 '5'.\n",
        1,
    ),
    "check of a new type": (
        lambda: models(says("day > DATE '2025-01-02'"), day=Date),
        None,
        "says is missing: CHECK ((day > '2025-01-02'::date)).\n"
        "  2 rows violate it, e.g. id=1 '2025-01-01', id=2 '2025-01-02'.\n",
        2,
    ),
    "reference to a new table": (
        lambda: models(refers("number", "new.id"), new=new_key()),
        "UPDATE child SET number = NULL WHERE id = 2",
        "refers is missing: FOREIGN KEY (number) REFERENCES new(id).\n"
        "  2 rows violate it, e.g. id=1 '1', id=3 '3'.\n",
        2,
    ),
    "reference to a new column": (
        lambda: models(
            refers("number", "parent.code"),
            parent=(
                Column("code", Integer, nullable=False, info={"backfill": column("id") + 1}),
                UniqueConstraint("code", name="parent_code"),
            ),
        ),
        None,
        "refers is missing: FOREIGN KEY (number) REFERENCES parent(code).\n"
        "  1 row violates it, e.g. id=1 '1'.\n",
        1,
    ),
    "reference in full": (
        lambda: models(
            ForeignKeyConstraint(
                ["number", "name"], ["parent.id", "parent.name"], name="refers", match="FULL"
            ),
            parent=(UniqueConstraint("id", "name", name="parent_both"),),
        ),
        "UPDATE child SET name = 'p' || id; UPDATE child SET name = NULL WHERE id = 2",
        "refers is missing: FOREIGN KEY (number, name) REFERENCES parent(id, name) MATCH FULL.\n"
        "  1 row violates it, e.g. id=2 '2'.\n",
        1,
    ),
    "unique index of a new column": (
        lambda: models(stars(), Index("says", "stars", unique=True)),
        None,
        "says is missing: UNIQUE btree (stars).\n  1 value is duplicated, e.g. stars=5 (3 rows).\n",
        1,
    ),
    "unique index of some rows": (
        lambda: models(
            stars(),
            Index("says", "number", unique=True, postgresql_where=text("stars = 5 AND id > 1")),
        ),
        "UPDATE child SET number = 1",
        "says is missing: UNIQUE btree (number) WHERE ((stars = 5) AND (id > 1)).\n"
        "  1 value is duplicated, e.g. number=1 (2 rows).\n",
        1,
    ),
    "unique index of an expression": (
        lambda: models(Index("says", text("lower(name)"), "number", unique=True)),
        "UPDATE child SET number = 1, name = CASE id WHEN 1 THEN 'A' WHEN 2 THEN 'a' END",
        "says is missing: UNIQUE btree (lower((name)::text), number).\n"
        "  1 value is duplicated, e.g. lower((name)::text)=a, number=1 (2 rows).\n",
        1,
    ),
    "exclusion": (
        lambda: models(
            ExcludeConstraint(
                ("number", "="), (text("lower(name)"), "="), name="says", using="btree"
            )
        ),
        "UPDATE child SET number = 1, name = CASE id WHEN 1 THEN 'A' WHEN 2 THEN 'a' END",
        "says is missing: EXCLUDE USING btree (number WITH =, lower((name)::text) WITH =).\n"
        "  The server says: Key (number, lower(name::text))=(1, a) conflicts with key "
        "(number, lower(name::text))=(1, a).\n",
        1,
    ),
}


@pytest.mark.parametrize("case", FINE)
def test_what_all_rows_will_obey_is_brought_about(
    engine: Engine, database: Database, case: str
) -> None:
    """With what it needs first; and it is taken back."""
    engine.converge(FINE[case]())
    assert engine.converge(FINE[case]()).empty
    engine.roll_back()
    assert engine.plan(models()).empty
    assert database.value("SELECT count(*) FROM child") == 3


@pytest.mark.parametrize("case", REFUSED)
def test_what_rows_will_not_obey_is_refused(engine: Engine, database: Database, case: str) -> None:
    """Before the first change, and the query that is shown finds them."""
    wanted, drift, message, found = REFUSED[case]
    if drift is not None:
        database.execute(drift)
    [refusal] = engine.refused(wanted())
    assert refusal.startswith(f"refused: public.child.{message}  Nothing was changed. Find ")
    assert len(database.rows(refusal.splitlines()[-1])) == found


def test_what_no_row_can_have_yet_is_not_searched_for(engine: Engine) -> None:
    """A query about a type that a step brings could not be typed."""
    mood: Column[str] = Column("mood", MOOD, server_default="sad")
    unique = Index("unique_mood", "mood", unique=True)
    refusals = engine.refused(models(mood, says("mood > 'sad'"), unique))
    assert len(refusals) == 2
    for refusal in refusals:
        assert refusal.endswith(
            " Nothing was changed. Change what the models say: no row has such a value yet."
        )
        assert "e.g. id=1 'sad'" in refusal or "e.g. mood=sad (3 rows)" in refusal


def test_new_values_that_an_exclusion_would_keep_out_are_refused(
    engine: Engine, database: Database
) -> None:
    """As the server would, when it builds the constraint again with the new type."""
    database.execute(
        "UPDATE child SET day = '2025-01-01' WHERE id = 1;"
        "UPDATE child SET day = '01-01-2025' WHERE id = 2;"
        "ALTER TABLE child ADD CONSTRAINT own EXCLUDE USING btree (day WITH =)"
    )
    [refusal] = engine.refused(models(day=Date))
    assert "Key (day)=(2025-01-01) conflicts with key (day)=(2025-01-01)." in refusal
    assert len(database.rows(refusal.splitlines()[-1])) == 1


@pytest.mark.parametrize("kind", ["check", "foreign key"])
def test_what_is_not_enforced_is_enforced(engine: Engine, database: Database, kind: str) -> None:
    """In its place, when all rows are proven to obey it."""
    if int(database.value("SHOW server_version_num")) < 180000:
        pytest.skip("NOT ENFORCED came with PostgreSQL 18")
    made: Dict[str, Tuple[Callable[[], MetaData], str]] = {
        "check": (lambda: models(says("number > 0")), "says CHECK (number > 0)"),
        "foreign key": (
            lambda: models(refers("number", "parent.id")),
            "refers FOREIGN KEY (number) REFERENCES parent (id)",
        ),
    }
    wanted, said = made[kind]
    database.execute(f"ALTER TABLE child ADD CONSTRAINT {said} NOT ENFORCED")
    database.execute("UPDATE child SET number = -1 WHERE id = 2")
    [refusal] = engine.refused(wanted())
    assert "1 row violates it, e.g. id=2 '-1'." in refusal
    database.execute("UPDATE child SET number = 1")
    engine.converge(wanted())
    engine.roll_back()
    name = said.split()[0]
    definition = database.value(
        f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = '{name}'"
    )
    assert definition.endswith(" NOT ENFORCED")


def test_nulls_that_count_as_equal_are_refused(engine: Engine, database: Database) -> None:
    """A unique index or constraint of NULLS NOT DISTINCT takes one of them."""
    if int(database.value("SHOW server_version_num")) < 150000:
        pytest.skip("NULLS NOT DISTINCT came with PostgreSQL 15")
    database.execute("UPDATE child SET number = NULL WHERE id > 1")
    options: Dict[str, Any] = {"postgresql_nulls_not_distinct": True}
    kinds: List[Any] = [
        Index("says", "number", unique=True, **options),
        UniqueConstraint("number", name="says", **options),
    ]
    for kind in kinds:
        [refusal] = engine.refused(models(kind))
        assert "1 value is duplicated, e.g. number=NULL (2 rows)." in refusal
        assert database.rows(refusal.splitlines()[-1]) == [(None, 2)]


def test_an_error_of_a_check_is_the_rows(engine: Engine) -> None:
    """The server would say it of the first such row, when all else is done."""
    [refusal] = engine.refused(models(says("10 / (number - 2) > -100")))
    assert "1 of 3 rows fails; the server says: division by zero." in refusal


def test_a_key_that_foreign_keys_rely_on_is_refused(engine: Engine, database: Database) -> None:
    """With what drops them, and what creates again those that the models do not know."""
    database.execute(
        "ALTER TABLE child ADD CONSTRAINT theirs FOREIGN KEY (number) REFERENCES parent;"
        "ALTER TABLE parent DROP CONSTRAINT parent_pkey CASCADE;"
        "ALTER TABLE parent ADD CONSTRAINT parent_pkey PRIMARY KEY (id) INCLUDE (name);"
        "ALTER TABLE child ADD CONSTRAINT theirs FOREIGN KEY (number) REFERENCES parent (id)"
    )
    [refusal] = engine.refused(models())
    assert refusal == (
        "refused: public.parent.parent_pkey is PRIMARY KEY (id) INCLUDE (name); the model says "
        "PRIMARY KEY (id).\n  Foreign keys depend on it: theirs on public.child.\n"
        "  Nothing was changed. Drop them, run again, and create those again that the models do "
        "not know:\n    ALTER TABLE public.child DROP CONSTRAINT theirs;\n    ALTER TABLE "
        "public.child ADD CONSTRAINT theirs FOREIGN KEY (number) REFERENCES public.parent(id);"
    )
    *_, drop, add = refusal.splitlines()
    database.execute(drop)
    engine.converge(models())
    database.execute(add)
    assert engine.plan(models()).empty


def test_a_key_that_foreign_keys_do_not_rely_on_is_changed(
    engine: Engine, database: Database
) -> None:
    """They rely on one key of their table; another may go."""

    def named() -> MetaData:
        unique = UniqueConstraint("name", name="parent_name")
        return models(refers("number", "parent.id"), parent=(unique,))

    engine.converge(named())
    database.execute(
        "ALTER TABLE parent DROP CONSTRAINT parent_name;"
        "ALTER TABLE parent ADD CONSTRAINT parent_name UNIQUE (name, id)"
    )
    engine.converge(named())


def test_an_index_that_foreign_keys_rely_on_becomes_their_key(
    engine: Engine, database: Database
) -> None:
    """The index stays what it is; it can't become what may be violated for a moment."""
    child, there = refers("name", "parent.name"), Index("parent_name", "name", unique=True)
    database.execute("UPDATE child SET name = 'p1'")
    engine.converge(models(child, parent=(there,)))
    deferrable = UniqueConstraint("name", name="parent_name", deferrable=True)
    [refusal] = engine.refused(models(parent=(deferrable,)))
    assert "Foreign keys depend on it: refers on public.child." in refusal
    unique = UniqueConstraint("name", name="parent_name")
    engine.converge(models(refers("name", "parent.name"), parent=(unique,)))
    [refusal] = engine.refused(models(parent=(Index("parent_name", "name", unique=True),)))
    assert "Foreign keys depend on it: refers on public.child." in refusal


def test_a_comment_of_a_constraint_is_written(engine: Engine, database: Database) -> None:
    """Where it differs, be the constraint new, there under another name, or altered."""

    def commented(comment: Optional[str], **options: Any) -> MetaData:
        columns = (["number"], ["parent.id"])
        key = ForeignKeyConstraint(*columns, name="refers", comment=comment, **options)
        return models(key, CheckConstraint("number > 0", name="says", comment=comment))

    comments = (
        "SELECT DISTINCT obj_description(oid, 'pg_constraint') FROM pg_constraint "
        "WHERE conname IN ('refers', 'says', 'other')"
    )
    engine.converge(commented("it's"))
    assert database.rows(comments) == [("it's",)]
    database.execute("ALTER TABLE child RENAME CONSTRAINT says TO other")
    engine.converge(commented("100%"))
    assert database.rows(comments) == [("100%",)]
    engine.converge(commented("two", deferrable=True))
    assert database.rows(comments) == [("two",)]
    for before in ("100%", "it's"):
        engine.roll_back()
        assert database.rows(comments) == [(before,)]
    engine.converge(commented(None))  # which gives the constraint its name again
    gone = engine.plan(commented(None))
    assert gone.empty
    assert "comments of public.child, not in the models: refers, says" in gone.left_alone()


def test_a_primary_key_that_the_models_do_not_have_is_noted(engine: Engine) -> None:
    """It is left alone, as any constraint is."""
    plan = engine.plan(models(key=False))
    assert "constraints of public.child: child_pkey" in plan.left_alone()


def test_a_foreign_key_says_which_tables_it_locks(engine: Engine, database: Database) -> None:
    """The one that it refers to, too: who has that in the way is named, at any moment."""
    wanted = models(refers("number", "parent.id"))
    assert (
        "--    brief, SHARE ROW EXCLUSIVE on public.child for an instant: writers wait, readers go "
        "on\n--    and SHARE ROW EXCLUSIVE on public.parent for an instant: writers wait, readers "
        "go on\n" in rendered(engine.plan(wanted))
    )
    impatient = engine._replace(settings=engine.settings._replace(lock_patience=0.3))
    reader = holding(database, "SELECT FROM child, parent")
    writer = holding(database, "LOCK parent IN ROW EXCLUSIVE MODE", name="writer")
    with pytest.raises(LockNotAcquired, match=r"It waited for a lock on public.parent held by .*"):
        impatient.converge(wanted)
    writer.close()
    with engine_on(database) as patient:
        patient.converge(wanted)
    reader.close()
