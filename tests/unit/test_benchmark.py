"""What the benchmark makes of a plan, and its table."""

import subprocess
import sys
from typing import Any, Dict, Optional

from converge.benchmark import Timing, as_table, judge, outline
from tests.support.program import ROOT


def plan_of(
    node_type: str,
    *,
    rows: float,
    removed: int = 0,
    names: Optional[Dict[str, str]] = None,
    **more: Any,
) -> Dict[str, Any]:
    """A node of a plan as EXPLAIN words it."""
    return {
        "Node Type": node_type,
        "Actual Rows": rows,
        "Actual Loops": 1,
        "Actual Total Time": 1.0,
        "Rows Removed by Filter": removed,
        **(names or {}),
        **more,
    }


def test_neither_sqlalchemy_nor_statistics_is_imported() -> None:
    """Each would take longer than timing the queries of an empty database does."""
    code = "import sys, converge.benchmark; print({'sqlalchemy', 'statistics'} & set(sys.modules))"
    printed = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert printed == "set()\n"


def test_a_sequential_scan_of_a_small_table_is_right() -> None:
    """The planner is not blamed for reading one page instead of an index and that page."""
    plan = plan_of("Seq Scan", rows=1, removed=9_998, names={"Relation Name": "user"})

    access = judge(plan, ["user_pkey"])

    assert access == ("sequential scan (small table)", 9_999, True, ())


def test_a_sequential_scan_of_a_large_table_is_not() -> None:
    """Rows that were read and thrown away count, those of parallel workers too."""
    scan = plan_of("Seq Scan", rows=0.5, removed=5_000, names={"Relation Name": "user"})
    scan["Actual Loops"] = 2

    access = judge(plan_of("Gather", rows=1, Plans=[scan]), ["user_pkey"])

    assert access == ("sequential scan", 10_001, False, ())


def test_an_expected_index_is_right_however_many_rows_it_reads() -> None:
    """A long history is a long history."""
    bitmap = plan_of(
        "Bitmap Index Scan", rows=50_000, names={"Index Name": "idx_weight_user_email"}
    )
    plan = plan_of(
        "Bitmap Heap Scan", rows=50_000, Plans=[bitmap], names={"Relation Name": "weight"}
    )

    access = judge(plan, ["idx_weight_user_time", "idx_weight_user_email"])

    assert access == ("idx_weight_user_email", 50_000, True, ("idx_weight_user_email",))


def test_another_index_is_wrong_if_it_reads_many_rows() -> None:
    """An index walked from end to end is no better than the table."""
    names = {"Index Name": "idx_weight_time", "Relation Name": "weight"}
    plan = plan_of("Index Scan", rows=60, removed=59_940, names=names)

    assert judge(plan, ["idx_weight_user_time"]) == (
        *("idx_weight_time", 60_000, False),
        ("idx_weight_time",),
    )


def test_a_plan_is_shown_without_anybodys_address() -> None:
    """Logs are read by people who have no business with a user's e-mail."""
    scan = plan_of("Seq Scan", rows=1.0, removed=50_019, names={"Relation Name": "user"})
    scan["Filter"] = "(email = 'ann@example.com')"
    plan = plan_of("Limit", rows=1.0, Plans=[scan])

    assert outline(plan) == (
        "  Limit: 1 rows, 0 discarded, 1.000 ms, 0 pages in memory, 0 read\n"
        "    Seq Scan on user: 1 rows, 50,019 discarded, 1.000 ms, 0 pages in memory, 0 read"
    )


def test_the_report_is_an_aligned_table() -> None:
    """Words to the left, numbers to the right, one line a query."""
    timings = [
        Timing("public", "weight history", 1200, 1.5, "idx_weight_user_time"),
        Timing("public", "dish by name", None, None, "not timed: permission denied"),
    ]

    assert as_table(timings).splitlines() == [
        "query            rows  median ms  index used",
        "--------------  -----  ---------  ----------------------------",
        "weight history  1,200      1.500  idx_weight_user_time",
        "dish by name        -          -  not timed: permission denied",
    ]


def test_the_schema_is_named_where_there_are_several() -> None:
    """With one schema the column would only repeat it."""
    timings = [Timing(schema, "q", 1, 1.0, "i") for schema in ("a", "tenant")]

    assert as_table(timings).splitlines() == [
        "schema  query  rows  median ms  index used",
        "------  -----  ----  ---------  ----------",
        "a       q         1      1.000  i",
        "tenant  q         1      1.000  i",
    ]
