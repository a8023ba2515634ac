"""What is said against an index, and against which it is not."""

from typing import Any, Dict, List

import pytest

from converge.report.findings import (
    AGAIN,
    DAY,
    ENOUGH_DAYS,
    MANY_ROWS,
    Counting,
    Facts,
    findings,
    packed_bytes,
)

LONG = Counting(100 * DAY)
MEGABYTE = 1024 * 1024


def index(name: str = "by_mail", **other: Any) -> Facts:
    """An index that nothing is wrong with, but by `other`."""
    usual: Dict[str, Any] = {
        "schema": "public",
        "table": "weight",
        "definition": "",
        "bytes": 8192,
        "scans": 3,
        "last_scan": None,
        "method": "btree",
        "guard": "",
        "owned": False,
        "relied_on": False,
        "partitioned": False,
        "valid": True,
        "building": False,
        "keys": ["4 1 100 0"],
        "included": [],
        "predicate": "",
        "table_rows": MANY_ROWS,
        "changed": 0,
        "rows": None,
        "width": None,
        "nulls": False,
        "fill_factor": 90,
        "block": 8192,
    }
    return Facts(name=name, **{**usual, **other})


def kinds(one: Facts, *others: Facts, counting: Counting = LONG) -> List[str]:
    return [finding.kind for finding in findings(one, [one, *others], counting)]


def test_an_index_that_no_query_has_used_is_named() -> None:
    """With for how long, as the statistics may be young."""
    (finding,) = findings(index(scans=0), [], LONG)
    assert finding == (
        "never_used",
        "no query has used it in 100 days, as long as scans are counted",
        "If nobody needs it at the end of a month or year:",
        "DROP INDEX CONCURRENTLY public.by_mail",
    )
    (managed,) = findings(index(scans=0, managed=True), [], LONG._replace(elsewhere=True))
    assert managed.advice == f"{AGAIN} Ask the standbys too: each counts its own scans."


@pytest.mark.parametrize(
    "kept",
    [
        {"guard": "unique"},
        {"owned": True},
        {"relied_on": True},
        {"partitioned": True},
        {"scans": 1},
        {"scans": None},
        {"table_rows": MANY_ROWS - 1},
        {"table_rows": None},
    ],
)
def test_what_queries_are_not_all_about_is_never_called_unused(kept: Dict[str, Any]) -> None:
    """A key proves, a replica identity identifies, a small table needs no index."""
    assert kinds(index(**{"scans": 0, **kept})) == []


@pytest.mark.parametrize(
    "counting", [Counting(None), Counting(ENOUGH_DAYS * DAY - 1), Counting(100 * DAY, on=False)]
)
def test_without_statistics_nothing_is_called_unused(counting: Counting) -> None:
    """After a reset, or with track_counts off."""
    assert kinds(index(scans=0), counting=counting) == []


LONGER = ["4 1 100 0", "1 2 0 0"]


@pytest.mark.parametrize(
    ("one", "other", "redundant"),
    [
        ({}, {"keys": LONGER}, True),
        ({}, {"name": "a"}, True),
        ({}, {"name": "z"}, False),  # that one is, then
        ({}, {"name": "z", "managed": True}, True),
        ({}, {"name": "z", "owned": True, "guard": "unique"}, True),
        ({}, {"name": "z", "guard": "unique"}, True),
        ({"managed": True}, {"name": "a"}, False),
        ({"guard": "unique"}, {"keys": LONGER}, False),
        ({"guard": "unique"}, {"name": "a"}, False),
        ({"guard": "unique"}, {"name": "a", "guard": "unique"}, True),
        ({"guard": "unique"}, {"name": "z", "guard": "unique"}, False),
        ({"guard": "unique"}, {"name": "z", "guard": "unique", "owned": True}, True),
        ({"guard": "unique"}, {"guard": "unique", "keys": LONGER, "owned": True}, False),
        ({"guard": "unique"}, {"name": "a", "guard": "unique deferrable", "owned": True}, False),
        ({"guard": "unique nulls too"}, {"name": "a", "guard": "unique"}, False),
        ({"guard": "unique", "relied_on": True}, {"name": "a", "guard": "unique"}, False),
        ({"keys": ["4 1 100 3"]}, {"keys": LONGER}, False),
        ({"keys": ["4 1 950 0"]}, {"keys": LONGER}, False),
        ({"keys": ["4 7 100 0"]}, {"keys": LONGER}, False),
        ({"keys": ["1 2 0 0"]}, {"keys": LONGER}, False),
        ({"predicate": "(weight > 60)"}, {"keys": LONGER}, False),
        ({}, {"keys": LONGER, "predicate": "(weight > 60)"}, False),
        ({}, {"keys": LONGER, "valid": False}, False),
        ({}, {"keys": LONGER, "method": "gist"}, False),
        ({"method": "gist"}, {"keys": LONGER, "method": "gist"}, False),
        ({"method": "gin"}, {"name": "a", "method": "gin"}, True),
        ({"included": ["3"]}, {"keys": LONGER}, False),
        ({"included": ["1"]}, {"keys": LONGER}, True),
        ({}, {"name": "z", "included": ["3"]}, True),
    ],
)
def test_an_index_is_redundant_where_another_answers_the_same(
    one: Dict[str, Any], other: Dict[str, Any], redundant: bool
) -> None:
    """Of two that are alike one is, and what the models have is not to what they have not."""
    found = kinds(index(**one), index(**{"name": "other", **other}))
    assert found == (["redundant"] if redundant else [])


def test_of_two_indexes_that_are_alike_one_stays() -> None:
    """Who types all that is said has an index for each query left."""
    several = [index(name) for name in ("a", "b", "c")]
    assert [kinds(one, *several) for one in several] == [[], ["redundant"], ["redundant"]]


def test_an_invalid_index_of_a_constraint_or_in_the_making_is_left_alone() -> None:
    """It can't be dropped, or will be valid in a moment."""
    assert kinds(index(valid=False)) == ["invalid"]
    assert kinds(index(valid=False, building=True)) == []
    assert kinds(index(valid=False, owned=True)) == []


def test_the_size_of_a_fresh_index_is_estimated() -> None:
    """As PostgreSQL 18 builds one on a million integers: 22,487,040 bytes."""
    estimate = packed_bytes(index(rows=1_000_000, width=4.0))
    assert estimate is not None
    assert abs(estimate - 22_487_040) < 22_487_040 / 50


@pytest.mark.parametrize(
    "unknown", [{"width": None}, {"rows": None}, {"method": "gin"}, {"changed": 1_000_000}]
)
def test_without_figures_there_is_no_estimate(unknown: Dict[str, Any]) -> None:
    """A table that was never analyzed, or that has changed since, says nothing."""
    sized: Dict[str, Any] = {"rows": 1000, "width": 4.0, "bytes": 100 * MEGABYTE}
    assert kinds(index(**sized)) == ["bloated"]
    assert kinds(index(**{**sized, **unknown})) == []


def test_a_small_index_is_not_called_bloated() -> None:
    """There is nothing to win."""
    assert kinds(index(rows=10, width=4.0, bytes=MEGABYTE)) == []
