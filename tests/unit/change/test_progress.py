"""How much of an index build is done, over all its phases."""

from typing import List, Optional, Tuple

import pytest

from converge.change.progress import Counted, share_done

# What servers have told of a real build: phase, blocks, of how many, tuples, of how many.
Row = Tuple[str, int, int, int, int]
LATER: List[Row] = [
    ("waiting for writers before validation", 0, 0, 0, 0),
    ("index validation: scanning index", 0, 200, 0, 0),
    ("index validation: scanning index", 200, 200, 0, 0),
    ("index validation: sorting tuples", 0, 0, 0, 0),
    ("index validation: scanning table", 0, 500, 0, 0),
    ("index validation: scanning table", 500, 500, 0, 0),
    ("waiting for old snapshots", 500, 500, 0, 0),
]
EARLIER: List[Row] = [
    ("initializing", 0, 0, 0, 0),
    ("waiting for writers before build", 0, 0, 0, 0),
]
BTREE: List[Row] = [
    *EARLIER,
    ("building index: scanning table", 0, 500, 0, 0),
    ("building index: scanning table", 250, 500, 0, 0),
    ("building index: scanning table", 500, 500, 0, 0),
    ("building index: sorting live tuples", 0, 0, 0, 9000),
    ("building index: loading tuples in tree", 0, 0, 0, 9000),
    ("building index: loading tuples in tree", 0, 0, 9000, 9000),
    *LATER,
]
GIN: List[Row] = [
    *EARLIER,
    ("building index: scanning table", 100, 500, 0, 0),
    ("building index: sorting tuples (workers)", 500, 500, 0, 0),
    ("building index: merging tuples (workers)", 500, 500, 0, 0),
    ("building index: sorting tuples", 500, 500, 0, 0),
    ("building index: merging tuples", 0, 0, 9625, 9270),
    *LATER,
]
PLAIN: List[Row] = [
    *EARLIER,
    ("building index", 0, 500, 0, 0),
    ("building index", 500, 500, 0, 9000),
    *LATER,
]


def shares(method: str, version: int, rows: List[Row]) -> List[Optional[float]]:
    return [share_done(Counted(phase, method, *counts), version) for phase, *counts in rows]


@pytest.mark.parametrize(
    ("method", "version", "rows"),
    [
        ("btree", 120000, BTREE),
        ("btree", 180000, BTREE),
        ("gin", 180000, GIN),
        ("gin", 170000, PLAIN),
        ("hash", 180000, PLAIN),
        ("brin", 120000, PLAIN),
    ],
)
def test_a_build_goes_on_from_0_to_100(method: str, version: int, rows: List[Row]) -> None:
    """No phase is unknown, none goes back, and none is 99 % for a third of the time."""
    found = shares(method, version, rows)
    known = [share for share in found if share is not None]
    assert len(known) == len(rows)
    assert known == sorted(known)
    assert (known[0], known[-1]) == (0, 1)
    assert known[: len(EARLIER)] == [0, 0]


def test_the_share_of_a_phase_grows_with_what_is_counted() -> None:
    """Half of a B-tree's table is about a quarter of the build."""
    half, whole, sorting, loading = shares("btree", 180000, BTREE)[3:7]
    assert half == pytest.approx(0.26)
    assert whole == sorting == pytest.approx(0.52)
    assert loading == pytest.approx(0.61)


def test_a_phase_that_is_new_tells_nothing() -> None:
    """The bar stays where it was."""
    assert share_done(Counted("building index: dreaming", "btree", 1, 2, 3, 4), 190000) is None
