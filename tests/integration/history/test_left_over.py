"""What runs have made and the models do not say any more: named, with what drops it."""

import json
import re
from typing import Any, List

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Sequence,
    Text,
    UniqueConstraint,
)

from tests.support.changing import Changing, release
from tests.support.copies import load
from tests.support.database import Database
from tests.support.job import Run
from tests.support.program import ROOT

OF_1_0_0 = ROOT / "tests" / "support" / "histories" / "altered_by_hand-1.0.0.json"
LEFT_OVER = "{} is left over from version {}. Once nothing uses it: {};"


def key() -> Column[Any]:
    return Column("id", Integer, primary_key=True)


@pytest.fixture
def changing(database: Database) -> Changing:
    return Changing(database)


def dropped(changing: Changing, last: Any) -> List[str]:
    """Type what the plan of the last models prints; return the lines, of which none is left."""
    found = changing.left_over(last)
    for line in found:
        changing.database.execute(line.partition("Once nothing uses it: ")[2])
    assert changing.left_over(last) == []
    assert changing.planned(last).empty
    return found


def test_what_was_created_with_its_table(changing: Changing) -> None:
    """Its columns and constraints too; dropped in the order of the lines, nothing is in the way."""
    parent = ["Parent", key()]
    table = [
        "Some Table",
        key(),
        Column("b", Integer, ForeignKey("Parent.id", name="To Parent")),
        Column("c", Text),
        CheckConstraint("c <> ''", name="c said"),
        UniqueConstraint("b", name="only b"),
        Index("By C", "c"),
    ]
    changing.apply(release(parent, table))
    last = release(["Some Table", key()])
    some = 'public."Some Table"'
    assert dropped(changing, last) == [
        LEFT_OVER.format(f"{what} {name}", 1, drop)
        for what, name, drop in (
            ("index", f'{some}."By C"', 'DROP INDEX CONCURRENTLY public."By C"'),
            ("constraint", f'{some}."only b"', f'ALTER TABLE {some} DROP CONSTRAINT "only b"'),
            ("constraint", f'{some}."c said"', f'ALTER TABLE {some} DROP CONSTRAINT "c said"'),
            (
                "constraint",
                f'{some}."To Parent"',
                f'ALTER TABLE {some} DROP CONSTRAINT "To Parent"',
            ),
            ("column", f"{some}.c", f"ALTER TABLE {some} DROP COLUMN c"),
            ("column", f"{some}.b", f"ALTER TABLE {some} DROP COLUMN b"),
            ("table", 'public."Parent"', 'DROP TABLE public."Parent"'),
        )
    ]


def test_tables_that_refer_to_each_other(changing: Changing) -> None:
    """The key of the one goes before the other, else neither could go."""
    circle = (
        ["p", key(), Column("t", Integer, ForeignKey("t.id", name="to_t"))],
        ["t", key(), Column("p", Integer, ForeignKey("p.id", name="to_p"))],
    )
    changing.apply(release(["kept", key()], *circle))
    first, last = dropped(changing, release(["kept", key()]))
    assert re.findall("DROP CONSTRAINT to_.; DROP TABLE public", first + last) != []


def test_what_a_later_version_has_added(changing: Changing) -> None:
    """Each with its version, the last first: what was made later may need what was there."""
    changing.apply(release(["a", key()], ["b", key()]))
    mood = Enum("good", "bad", name="mood")
    numbers: Any = Sequence("numbers")
    changing.apply(
        release(
            ["a", key(), Column("x", Integer), Column("m", mood), Index("i", "x")],
            ["b", key(), Column("n", Integer, numbers, server_default=numbers.next_value())],
        )
    )
    changing.apply(
        release(
            [
                "a",
                key(),
                Column("x", Integer, ForeignKey("b.id", name="to_b")),
                Column("m", mood),
                Index("i", "x"),
                UniqueConstraint("x", name="once"),
                CheckConstraint("x > 0", name="above"),
            ],
            ["b", key(), Column("n", Integer, numbers, server_default=numbers.next_value())],
        )
    )
    found = dropped(changing, release(["a", key()]))
    assert [re.sub(" is left over from| Once .*|version ", "", line) for line in found] == [
        "constraint public.a.to_b 3.",
        "constraint public.a.once 3.",
        "constraint public.a.above 3.",
        "index public.a.i 2.",
        "column public.a.m 2.",
        "column public.a.x 2.",
        "table public.b 1.",
        "sequence public.numbers 2.",
        "type public.mood 2.",
    ]


def test_a_renamed_thing_goes_by_its_newest_name(changing: Changing) -> None:
    """Whichever of its names it was made under; also by the name that the next run gives it."""

    def named(table: str, column: str, **options: Any) -> MetaData:
        renamed = {"renamed_from": options["was"]} if "was" in options else {}
        metadata = release(
            [
                table,
                key(),
                Column(column, Integer, info=renamed.copy()),
                Index(f"i_{column}", column, info={k: f"i_{v}" for k, v in renamed.items()}),
                CheckConstraint(
                    f"{column} > 0",
                    name=f"c_{column}",
                    info={k: f"c_{v}" for k, v in renamed.items()},
                ),
            ]
        )
        if "table_was" in options:
            metadata.tables[table].info["renamed_from"] = options["table_was"]
        return metadata

    changing.apply(named("a", "x"))
    changing.apply(named("a2", "y", was="x", table_was="a"))
    last = release(["a3", key(), {"info": {"renamed_from": "a2"}}])
    found = changing.left_over(last)
    changing.apply(last)
    assert dropped(changing, last) == found
    assert found == [
        LEFT_OVER.format("index public.a3.i_y", 1, "DROP INDEX CONCURRENTLY public.i_y"),
        LEFT_OVER.format(
            "constraint public.a3.c_y", 1, "ALTER TABLE public.a3 DROP CONSTRAINT c_y"
        ),
        LEFT_OVER.format("column public.a3.y", 1, "ALTER TABLE public.a3 DROP COLUMN y"),
    ]


def test_what_is_undone_was_not_made(changing: Changing) -> None:
    """By a rollback, in part as well; what somebody puts there by hand later is theirs."""
    first, last = release(["a", key(), Column("x", Integer)]), release(["a", key()])
    changing.apply(first)
    changing.apply(release(["a", key(), Column("x", Integer), Column("y", Integer)], ["b", key()]))
    assert changing.rolled_back(1).refusals == ()
    changing.database.execute(
        "ALTER TABLE a ADD y integer, ADD z integer; CREATE TABLE b (id integer); "
        "CREATE TYPE t AS ENUM ('a'); CREATE SEQUENCE s"
    )
    left = LEFT_OVER.format("column public.a.x", 1, "ALTER TABLE public.a DROP COLUMN x")
    assert changing.left_over(last) == [left]
    assert changing.text(last).splitlines()[:2] == [
        "-- left alone: columns of public.a: x, y, z",
        "-- left alone: tables of public: b",
    ]


def test_what_a_repair_has_made_again(changing: Changing) -> None:
    """It is of the version that was in force then."""
    first = release(["a", key(), Column("x", Integer)])
    changing.apply(release(["a", key()]))
    changing.apply(first)
    changing.database.execute("ALTER TABLE a DROP x")
    changing.apply(first)
    left = LEFT_OVER.format("column public.a.x", 2, "ALTER TABLE public.a DROP COLUMN x")
    assert dropped(changing, release(["a", key()])) == [left]


PARTED = {"postgresql_partition_by": "RANGE (id)"}


def test_an_index_of_a_partitioned_table(changing: Changing) -> None:
    """The server does not drop it concurrently."""
    changing.apply(release(["a", key(), Column("x", Integer), Index("i", "x"), PARTED]))
    changing.database.execute("CREATE TABLE part PARTITION OF a DEFAULT")
    found = dropped(changing, release(["a", key(), PARTED]))
    assert found[0] == LEFT_OVER.format("index public.a.i", 1, "DROP INDEX public.i")


def test_what_a_parent_hands_down(changing: Changing) -> None:
    """It can be dropped there first; then a column that the child has declared too is its own."""

    def inheriting(*columns: str) -> MetaData:
        names = "id", *columns
        return release(
            ["a", *(Column(name, Integer) for name in names)],
            ["b", *(Column(name, Integer) for name in names), {"postgresql_inherits": "a"}],
        )

    changing.apply(inheriting("x"))
    last = inheriting()
    of_parent, of_child = (
        LEFT_OVER.format(f"column public.{table}.x", 1, f"ALTER TABLE public.{table} DROP COLUMN x")
        for table in "ab"
    )
    assert changing.left_over(last) == [of_parent]
    assert "-- left alone: columns of public.b: x\n" in changing.text(last)
    changing.database.execute("ALTER TABLE a DROP COLUMN x")
    assert dropped(changing, last) == [of_child]


NOTED = "left alone: " + LEFT_OVER.format(
    "index public.weight.idx_old", 1, "DROP INDEX CONCURRENTLY public.idx_old"
)


@pytest.fixture
def left(initialised: Database) -> Database:
    """A database in which an index of the first run is not in the models."""
    initialised.execute(
        "CREATE INDEX idx_old ON weight (weight); UPDATE eater_schema_history SET steps = "
        "replace(steps::text, 'idx_weight_date', 'idx_old')::json"
    )
    return initialised


def test_every_mode_names_it(left: Database, run: Run) -> None:
    """It is no difference: a comparison succeeds all the same, and a run touches it never."""
    assert f"-- {NOTED}\n" in run("--plan").out
    assert run().err.count(f" INFO  {NOTED}\n") == 1
    verified = run("--verify")
    assert (verified.code, verified.err.count(f" INFO  {NOTED}\n")) == (0, 1)
    assert "idx_old" not in verified.out
    left.execute(NOTED.partition("it: ")[2])
    assert "left alone" not in run("--plan").out + run("--verify").err


def test_a_history_that_may_not_be_read_is_no_error(left: Database, run: Run, role: str) -> None:
    """Then it is left alone like anything that others have made."""
    left.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
    planned = run("--plan", POSTGRES_USER=role)
    assert planned.code == 0, planned.err
    assert "-- left alone: indexes of public.weight: idx_old\n" in planned.out
    left.execute(f"GRANT SELECT ON eater_schema_history TO {role}")
    assert f"-- {NOTED}\n" in run("--plan", POSTGRES_USER=role).out


def test_histories_of_1_0_0(database: Database, run: Run) -> None:
    """They tell of columns and indexes that were added to tables, and of tables."""
    load(database, "altered_by_hand")
    assert run().code == 0
    steps = json.loads(OF_1_0_0.read_text("utf-8"))
    text = json.dumps(steps).replace("alcohol_for_day", "old").replace("weight_time", "old")
    database.execute(
        "UPDATE eater_schema_history SET steps = %s, finished = %s; "
        "CREATE TABLE old (id integer); CREATE INDEX idx_old ON weight (weight)",
        (text, len(steps)),
    )
    planned = run("--plan").out
    assert f"-- {NOTED}\n" in planned
    drop = "DROP TABLE public.old"
    assert f"-- left alone: {LEFT_OVER.format('table public.old', 1, drop)}\n" in planned
