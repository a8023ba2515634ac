"""What the page shows, worked out of a report."""

from typing import Optional

import pytest

from converge.report import page
from converge.report.model import Node
from tests.support import reports


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (14.2, 3.1, "4.6 × as long"),
        (2.2, 9.4, "4.3 × as fast"),
        (0.4, 0.1, "about the same"),
        (101.0, 100.0, "about the same"),
        (1.0, None, None),
        (None, 1.0, None),
    ],
)
def test_a_change_that_is_noise_is_none(
    now: Optional[float], before: Optional[float], text: Optional[str]
) -> None:
    """Half a millisecond, or a fifth of the time, makes no difference."""
    query = reports.query("public", "q", 1.0, 1.0)._replace(milliseconds=now, before=before)
    found = page.change(query)
    assert (found.text if found else None) == text


def test_a_plan_is_a_tree() -> None:
    """A depth that is skipped is no trouble."""
    nodes = [Node(depth, text, 1, 1.0) for depth, text in enumerate("ab")]
    nodes += [Node(1, "c", 1, 1.0), Node(4, "d", 1, 1.0), Node(0, "e", 1, 1.0)]
    first, last = page.tree(nodes)
    assert [branch.node.text for branch in first.branches] == ["b", "c"]
    assert first.branches[1].branches[0].node.text == "d"
    assert last == (nodes[-1], ())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-27T12:40:07.315+01:00", "2026-11-27 11:40:07"),
        ("2026-11-27T11:40:07Z", "2026-11-27 11:40:07"),
        ("2026-11-27T11:40:07", "2026-11-27T11:40:07"),
        ("yesterday", "yesterday"),
        (None, "–"),
    ],
)
def test_times_are_in_utc(text: Optional[str], shown: str) -> None:
    """A time without a zone, and what is none, are shown as they are."""
    assert page.utc(text) == shown


def test_findings_of_many_schemas_are_one() -> None:
    """The gravest first, with each schema's statement."""
    found = page.findings(reports.large(3))
    assert [(one.first.name, len(one.schemas)) for one in found] == [
        ("idx_alcohol_consumption_time", 3),
        ("idx_dishes_day_time", 3),
        ("idx_weight_time", 3),
    ]
    assert found[0].statements[2] == (
        "DROP INDEX CONCURRENTLY tenant_0003.idx_alcohol_consumption_time"
    )
    kinds = [one.kind for one in page.findings(reports.broken())]
    assert kinds == ["invalid", "redundant", "bloated", "never_used", "never_used", "never_used"]


def test_schemas_of_one_shape_are_drawn_once() -> None:
    """Sizes and times make no difference; columns do."""
    shapes = page.shapes(reports.large(5))
    assert [shape.schemas for shape in shapes] == [
        ("tenant_0001", "tenant_0002", "tenant_0004", "tenant_0005"),
        ("tenant_0003",),
    ]


def test_histories_that_differ_in_times_only_are_one() -> None:
    report = reports.large(3)
    other = reports.run("tenant_0002", 4, role="somebody")
    found = page.histories(report._replace(runs=(*report.runs, other)))
    assert [history.schemas for history in found] == [
        ("tenant_0001", "tenant_0003"),
        ("tenant_0002",),
    ]
    assert [run.run for run in found[1].runs] == [4, 3, 2, 1]
