"""Renames beside what else has the names: sequences, own types, parents, other renames."""

from typing import Any

import pytest
from sqlalchemy import ARRAY, BigInteger, Column, Enum, Identity, Index, Integer

from tests.support.changing import Changing, release
from tests.support.database import Database
from tests.support.structure import structure

WAS_T = {"renamed_from": "t"}


@pytest.fixture
def changing(database: Database) -> Changing:
    return Changing(database)


def keyed(name: str, key: Any = Integer, column: str = "id", was: Any = None, **info: Any) -> Any:
    """Return a table with a key that is numbered."""
    found: Column[Any] = Column(column, key, primary_key=True, info=was or {})
    return (name, found, Column("v", Integer), {"info": info})


def test_a_sequence_beyond_its_former_end_is_not_narrowed(changing: Changing) -> None:
    """Whatever it is called by the time that somebody asks."""
    changing.apply(release(keyed("t")))
    changing.apply(release(keyed("u", BigInteger, **WAS_T)))
    changing.database.execute("INSERT INTO u VALUES (1); SELECT setval('u_id_seq', 3000000000)")
    [refusal] = changing.rolled_back(1).refusals
    assert refusal.what == (
        "undoing 'widen sequence public.u.id' is not possible: the values of 1 row would not fit."
    )
    changing.database.execute("SELECT setval('u_id_seq', 5)")
    assert changing.rolled_back(1).refusals == ()
    assert changing.database.rows("INSERT INTO t DEFAULT VALUES RETURNING id") == [(6,)]


SEQUENCE = "SELECT pg_get_serial_sequence('u', 'id')"


@pytest.mark.parametrize("steps", [2, 3])
def test_what_follows_a_rename_does_so_after_an_interruption(
    changing: Changing, steps: int
) -> None:
    """The next run knows from the models what the table was called."""
    changing.apply(release(keyed("t")))
    later = release(keyed("u", **WAS_T))
    changing.apply(later, steps=steps)
    assert changing.database.value(SEQUENCE) == "public.t_id_seq"
    changing.apply(later)
    assert changing.database.value(SEQUENCE) == "public.u_id_seq"
    assert changing.rolled_back(1).refusals == ()
    assert changing.database.value("SELECT pg_get_serial_sequence('t', 'id')") == "public.t_id_seq"
    assert changing.planned(release(keyed("t"))).empty


def test_what_follows_a_rename_does_so_when_that_was_typed(changing: Changing) -> None:
    """So that a new table may have the names that were its."""
    changing.apply(release(keyed("t")))
    changing.database.execute("ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME id TO number")
    was = {"renamed_from": "id"}
    changing.apply(release(keyed("u", column="number", was=was, **WAS_T)))
    changing.apply(release(keyed("u", column="number", was=was, **WAS_T), keyed("t")))
    found = changing.database.rows(
        "SELECT pg_get_serial_sequence('u', 'number'), pg_get_serial_sequence('t', 'id')"
    )
    assert found == [("public.u_number_seq", "public.t_id_seq")]


def test_what_follows_a_rename_does_so_beside_other_options(changing: Changing) -> None:
    """These keep the sequence that there is."""
    key, other = (Column("id", Integer, Identity(cycle=c), primary_key=True) for c in (False, True))
    first, then = release(("t", key)), release(("u", other, {"info": WAS_T}))
    changing.apply(first)
    changing.apply(then)
    assert changing.database.value(SEQUENCE) == "public.u_id_seq"
    assert changing.rolled_back(1).refusals == ()
    assert changing.planned(first).empty


def test_a_sequence_with_a_name_of_its_own_keeps_it(changing: Changing) -> None:
    """Whoever named it relies on that."""
    changing.apply(release(keyed("t")))
    changing.database.execute("ALTER SEQUENCE t_id_seq RENAME TO numbers")
    changing.apply(release(keyed("u", **WAS_T)))
    assert changing.database.value(SEQUENCE) == "public.numbers"


@pytest.mark.parametrize("renamed", ["the table", "the column", "both"])
def test_an_enum_keeps_a_value_that_rows_have(changing: Changing, renamed: str) -> None:
    """They are asked for by the names that there are, and proven by those that are back by then."""

    def felt(*labels: str, was: str = "") -> Any:
        kind = Enum(*labels, name="kind")
        mood: Column[Any] = Column("a", kind)
        if was in ("the column", "both"):
            mood = Column("b", kind, info={"renamed_from": "a"})
        moods: Column[Any] = Column("many", ARRAY(kind))
        named = ("u", {"info": WAS_T}) if was in ("the table", "both") else ("t", {})
        key, other = (Column("id", Integer, primary_key=True) for _ in range(2))
        return release((named[0], key, mood, named[1]), ("other", other, moods))

    changing.apply(felt("x", "y"))
    changing.apply(felt("x", "y", "z", was=renamed))
    table, column = "t" if renamed == "the column" else "u", "a" if renamed == "the table" else "b"
    rows = {table: f"INSERT INTO {table} ({column}) VALUES ('x'), ('z')"}
    rows["other"] = "INSERT INTO other (many) VALUES ('{x,z}'), ('{y}')"
    for name, sql in rows.items():
        changing.database.execute(sql)
        [refusal] = changing.rolled_back(1).refusals
        assert refusal.what == (
            "undoing 'add value public.kind' is not possible: the values of 1 row would not fit."
        )
        [query] = refusal.way_out.statements
        assert len(changing.database.rows(query)) == 1
        changing.database.execute(f"DELETE FROM {name}")
    changing.database.execute(f"INSERT INTO {table} ({column}) VALUES ('x')")
    assert changing.rolled_back(1).refusals == ()
    assert changing.planned(felt("x", "y")).empty


def test_a_parent_of_which_a_child_has_the_same_column(changing: Changing) -> None:
    """From 18 on each has a NOT NULL of another name, and the server renames neither."""

    def family(parent: str, **info: str) -> Any:
        keys = (Column("id", Integer, primary_key=True) for _ in range(2))
        inherits = {"postgresql_inherits": parent}
        return release((parent, next(keys), {"info": info}), ("child", next(keys), inherits))

    changing.apply(family("parent"))
    plan = changing.apply(family("elder", renamed_from="parent"))
    assert [str(step) for step in plan.steps][:1] == ["rename table public.elder"]
    assert changing.database.value("SELECT pg_get_serial_sequence('elder', 'id')") == (
        "public.elder_id_seq"
    )
    assert changing.rolled_back(1).refusals == ()
    assert changing.planned(family("parent")).empty


def test_a_not_null_that_goes_with_a_rename_comes_back_by_its_name(changing: Changing) -> None:
    """From 18 on it has one, and the server would choose that of the new names."""
    before = release(("t", Column("old", Integer, nullable=False)))
    new = Column("new", Integer, info={"renamed_from": "old"})
    changing.apply(before)
    was = structure(changing.database, "public")
    changing.apply(release(("u", new, {"info": WAS_T})))
    assert changing.rolled_back(1).refusals == ()
    assert structure(changing.database, "public") == was


def test_a_renamed_parent_is_inherited_from_by_its_live_name(changing: Changing) -> None:
    """As that is typed before the run."""
    changing.apply(release(keyed("t"), keyed("child", column="key")))
    child = ("child", Column("key", Integer, primary_key=True), {"postgresql_inherits": "u"})
    later = release(keyed("u", **WAS_T), child)
    [refusal] = changing.planned(later).refusals
    assert refusal.way_out.statements == ("ALTER TABLE public.child INHERIT public.t",)
    changing.database.execute("ALTER TABLE child ADD COLUMN id integer NOT NULL")
    changing.database.execute(*refusal.way_out.statements)
    changing.apply(later)


CHAIN = "INSERT INTO a (v) VALUES (1); INSERT INTO b (v) VALUES (2), (3)"


@pytest.mark.parametrize("steps", range(2, 9))
def test_a_chain_of_renames_is_completed(changing: Changing, steps: int) -> None:
    """Wherever it was interrupted, and taken back from there."""

    def chained(*names: str, **was: str) -> Any:
        return release(*(keyed(name, renamed_from=was.get(name, [])) for name in names))

    first, later = chained("a", "b", "x"), chained("b", "c", "x", b="a", c="b")
    changing.apply(first)
    changing.database.execute(CHAIN)
    changing.apply(later, steps=steps)
    changing.apply(later)
    rows = "SELECT (SELECT array_agg(v ORDER BY v) FROM b), (SELECT array_agg(v ORDER BY v) FROM c)"
    assert changing.database.rows(rows) == [([1], [2, 3])]
    assert changing.database.value("SELECT pg_get_serial_sequence('b', 'id')") == "public.b_id_seq"
    assert changing.rolled_back(1).refusals == ()
    assert changing.planned(first).empty
    assert changing.database.value("SELECT pg_get_serial_sequence('b', 'id')") == "public.b_id_seq"
    assert changing.database.rows("SELECT v FROM a") == [(1,)]


def test_the_end_of_a_chain_alone_is_no_rename(changing: Changing) -> None:
    """Where nothing takes the place of what the models have as well, that is for a person."""
    changing.apply(release(keyed("b")))
    later = release(keyed("b", renamed_from="a"), keyed("c", renamed_from="b"))
    [refusal] = changing.planned(later).refusals
    assert refusal.what == "is missing; the models say that it was b, and have that as well."
    changing.database.execute(*refusal.way_out.statements)
    changing.apply(later)


def test_indexes_change_places(changing: Changing) -> None:
    """None is built but that which has no other's definition."""
    parts = [Column("v", Integer), Column("w", Integer)]
    first, second = (
        release(("t", *(part._copy() for part in parts), Index(one, "v"), Index(two, "w")))
        for one, two in (("i1", "i2"), ("i2", "i3"))
    )
    changing.apply(first)
    plan = changing.apply(second)
    assert [str(step) for step in plan.steps] == [
        "rename index public.t.i3",
        "rename index public.t.i2",
    ]
    assert changing.rolled_back(1).refusals == ()
    assert changing.planned(first).empty
