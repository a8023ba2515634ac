"""A plan as text: what a reviewer sees of it, and what psql gets."""

from typing import Dict, Tuple

from converge.console.changes import by_table
from converge.console.plan_text import render_all
from converge.console.review import reviewed
from converge.plan import Alike, Thing, Unmanaged
from converge.server.sizes import Size
from converge.steps import Kind, Lock, Run
from tests.support.plans import BUILD, FILL, MISFITS, REWRITE, plan, step

KNOWN: Dict[Tuple[str, str], Size] = {
    ("public", "weight"): Size(12_034_000, 3_435_973_837),
    ("b", "weight"): Size(None, 6 * 3_435_973_837),
}
WHOLE = """\
-- left alone: columns of public.weight: mood

-- brief: alone in a transaction, under LOCK_TIMEOUT, until LOCK_PATIENCE is over
-- batches: some 10,000 rows at a time, each batch in a transaction of its own

-- 1. change type public.weight.weight: real -> double precision
-- ! changes rows that are there
-- ! cannot be undone once a row has a value that would be lost
--    brief, ACCESS EXCLUSIVE on public.weight while it is rewritten: readers and writers wait
--    some 12,034,000 rows, 3.2 GB; some 2 min, estimated from its size
ALTER TABLE public.weight ALTER COLUMN weight TYPE double precision;

-- 2. backfill public.weight.owner: rows that have none
-- ! changes rows that are there
-- ! cannot be undone: a rollback leaves what it writes
--    NULL -> 'me'
--    batches, ROW EXCLUSIVE on public.weight, and each batch's rows: others write other rows
--    some 12,034,000 rows, 3.2 GB; some 14 min, estimated from its size
UPDATE public.weight SET owner = 'me' WHERE owner IS NULL;

-- public.weight  ~ columns weight (type), owner (rows)
--                = column mood (left alone)

-- Everybody waits while a table is rewritten: step 1.
-- In all some 17 min, estimated from sizes: the order of magnitude.
-- 2 steps; the schema's history records them."""


def test_the_whole_text_of_steps_that_stand_out() -> None:
    """Rows that change, what a rollback would not take back, and for how long."""
    left = Unmanaged(Thing("column", "public", "weight", "mood"))
    found = reviewed([Alike(plan(REWRITE, FILL, unmanaged=(left,)), ("public",))], KNOWN)
    assert render_all(found) == WHOLE


def test_of_several_schemas_the_largest_is_named() -> None:
    """The plan stands for all of them; the time of its lock is that of the largest."""
    text = render_all(reviewed([Alike(plan(REWRITE), ("public", "b"))], KNOWN))
    assert text.startswith("-- The same 1 step in 2 schemas: public, b\n\n-- brief: ")
    assert (
        "\n--    the largest of 2 is in b: rows unknown before an ANALYZE, 19 GB; "
        "some 14 min (some 16 min in all schemas), estimated from its size\n"
    ) in text


def test_an_empty_table_takes_no_time() -> None:
    found = reviewed([Alike(plan(REWRITE), ("public",))], {("public", "weight"): Size(0, 8192)})
    assert "\n--    no rows, 8.0 kB\nALTER" in render_all(found)
    assert "estimated" not in render_all(found)


def test_what_is_new_needs_no_warning_of_what_a_rollback_drops() -> None:
    """It has no value yet: else nothing would stand out."""
    new = step(Kind.ADD_COLUMN, "mood", undo=REWRITE.undo)
    assert "!" not in render_all(reviewed([Alike(plan(new), ("public",))], {}))


def test_a_refused_schema_says_what_becomes_of_the_others() -> None:
    """ON_REFUSAL decides whether they are done, and each plan says so for itself."""
    fine = Alike(plan(BUILD), ("a", "c"))
    found = reviewed([fine, Alike(plan(refusals=(MISFITS,)), ("b",))], {})
    ends = [part.splitlines()[-1] for part in render_all(found).split("\n\n-- In b\n\n")]
    assert ends == [
        "-- 1 step possible: nothing at all would be done, exit code 4, as another schema is "
        "refused.",
        "-- 1 refused, 0 possible: nothing at all would be done, exit code 4.",
    ]
    ends = [p.splitlines()[-1] for p in render_all(found, skips=True).split("\n\n-- In b\n\n")]
    assert ends == [
        "-- 1 step; the schema's history records them.",
        "-- 1 refused, 0 possible: nothing would be done here, the other schemas would be; exit "
        "code 4.",
    ]


def test_a_plan_comes_to_what_becomes_of_each_table() -> None:
    """What only serves another step, or bears a temporary name, is not shown."""
    new = step(Kind.CREATE_TABLE, "new", table="new", run=Run.NEW, lock=Lock.NONE)
    steps = [
        step(Kind.CREATE_TYPE, "mood", table=""),
        step(Kind.ADD_VALUE, "size"),  # its table is the one that has rows with it
        step(Kind.SET_DEFAULT, "email", table="", before="a", after="b"),  # a domain's
        new,
        *(step(Kind.CREATE_INDEX, name, table="new", run=Run.NEW) for name in "ab"),
        step(Kind.RENAME_TABLE, "mass", table="mass", before="Weight"),
        step(Kind.ADD_COLUMN, "owner"),
        FILL,
        step(Kind.CHANGE_TYPE, "weight", before="a", after="b"),
        step(Kind.SET_DEFAULT, "weight", after="b"),
        step(Kind.BUILD_INDEX, "eater_new_i", on_the_way=True),
        step(Kind.SWAP_INDEX, "i", before="a", after="b"),
        step(Kind.DROP_INDEX, "eater_old_i", on_the_way=True),
        step(Kind.DROP_INDEX, "invalid"),
        step(Kind.CREATE_INDEX, "invalid", on_the_way=True),
        step(Kind.DROP_INDEX, "eater_old_j"),
        step(Kind.ADD_CONSTRAINT, "positive"),
        step(Kind.VALIDATE_CONSTRAINT, "eater_new_positive", on_the_way=True),
        step(Kind.ADD_CONSTRAINT, "positive", on_the_way=True, before="a", after="b"),
        step(Kind.SET_OPTIONS, "weight", after="fillfactor = 70"),
    ]
    things = [Thing("column", "public", "weight", f"c{number}") for number in range(7)]
    things += [Thing("table", "public", "other", "other"), Thing("type", "public", "", "t")]
    found = by_table(plan(*steps, unmanaged=tuple(map(Unmanaged, things))))
    assert found == [
        (
            "public",
            ("type mood",),
            ("types size (values), email (default)",),
            (),
            ("table other",),
        ),
        ("public.new", ("table", "2 indexes"), (), (), ()),
        ("public.mass", (), ('table (was "Weight")',), (), ()),
        (
            "public.weight",
            ("column owner",),
            (
                "column weight (type, default)",
                "indexes i (definition), invalid (built again)",
                "constraint positive (definition)",
                "table (options)",
            ),
            ("index eater_old_j",),
            ("columns c0, c1, c2, c3, c4", "2 more"),
        ),
    ]
