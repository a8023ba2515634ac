"""The benchmark queries as data, and what the report makes of a plan."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Optional

import pytest

import queries
from indexes import INDEXES
from models import Base
from queries import QUERIES, Query, Timing

KEY_QUERIES = [
    "e-mail autocomplete",
    "exact user lookup",
    "what a user ate on a date",
    "latest food entry",
    "today's totals",
    "weight history",
    "dish by name",
    "alcohol events of a range",
    "alcohol of a day",
]
every_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)


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


def test_the_key_queries_are_timed() -> None:
    """The report has the queries that the platform lives on, each once."""
    assert [query.name for query in QUERIES] == KEY_QUERIES
    assert all(query.use_case for query in QUERIES)


@every_query
def test_the_indexes_that_may_serve_a_query_exist(query: Query) -> None:
    """A renamed or misspelt index would turn every run's report into warnings."""
    declared = {str(i.name) for i in INDEXES if i.table is Base.metadata.tables[query.table]}

    assert query.indexes
    assert set(query.indexes) <= declared | {f"{query.table}_pkey"}


@every_query
def test_a_query_has_all_its_parameters(query: Query) -> None:
    """The parameters are there with a sample row and without."""
    wanted = set(re.findall(r"%\((\w+)\)s", query.sql))
    columns = query.sample.partition("FROM")[0]

    assert set(query.fallback) == wanted
    assert all(re.search(rf"\b{name}\b", columns) for name in wanted)


@every_query
def test_a_query_reads_its_own_table_in_the_schema_asked_for(query: Query) -> None:
    """Nothing depends on the search path."""
    table = query.table if query.table != "user" else '"user"'

    assert f"FROM {{schema}}.{table} " in query.sql
    assert f"FROM {{schema}}.{table} LIMIT 1" in query.sample


def test_importing_the_queries_does_not_import_sqlalchemy() -> None:
    """That import alone takes longer than a run that finds nothing to do."""
    code = "import sys, queries; sys.exit('sqlalchemy' in sys.modules)"
    folder = Path(queries.__file__).parent

    assert subprocess.run([sys.executable, "-c", code], cwd=folder, check=False).returncode == 0


def test_a_sequential_scan_of_a_small_table_is_right() -> None:
    """The planner is not blamed for reading one page instead of an index and that page."""
    plan = plan_of("Seq Scan", rows=1, removed=9_998, names={"Relation Name": "user"})

    access = queries.judge(plan, ["user_pkey"])

    assert access == ("sequential scan (small table)", 9_999, True)


def test_a_sequential_scan_of_a_large_table_is_not() -> None:
    """Rows that were read and thrown away count, those of parallel workers too."""
    scan = plan_of("Seq Scan", rows=0.5, removed=5_000, names={"Relation Name": "user"})
    scan["Actual Loops"] = 2

    access = queries.judge(plan_of("Gather", rows=1, Plans=[scan]), ["user_pkey"])

    assert access == ("sequential scan", 10_001, False)


def test_an_expected_index_is_right_however_many_rows_it_reads() -> None:
    """A long history is a long history."""
    bitmap = plan_of(
        "Bitmap Index Scan", rows=50_000, names={"Index Name": "idx_weight_user_email"}
    )
    plan = plan_of(
        "Bitmap Heap Scan", rows=50_000, Plans=[bitmap], names={"Relation Name": "weight"}
    )

    access = queries.judge(plan, ["idx_weight_user_time", "idx_weight_user_email"])

    assert access == ("idx_weight_user_email", 50_000, True)


def test_another_index_is_wrong_if_it_reads_many_rows() -> None:
    """An index walked from end to end is no better than the table."""
    names = {"Index Name": "idx_weight_time", "Relation Name": "weight"}
    plan = plan_of("Index Scan", rows=60, removed=59_940, names=names)

    assert queries.judge(plan, ["idx_weight_user_time"]) == ("idx_weight_time", 60_000, False)


def test_a_plan_is_shown_without_anybodys_address() -> None:
    """Logs are read by people who have no business with a user's e-mail."""
    scan = plan_of("Seq Scan", rows=1.0, removed=50_019, names={"Relation Name": "user"})
    scan["Filter"] = "(email = 'ann@example.com')"
    plan = plan_of("Limit", rows=1.0, Plans=[scan])

    assert queries.outline(plan) == (
        "  Limit: 1 rows, 0 discarded, 1.000 ms, 0 pages in memory, 0 read\n"
        "    Seq Scan on user: 1 rows, 50,019 discarded, 1.000 ms, 0 pages in memory, 0 read"
    )


def test_the_report_is_an_aligned_table() -> None:
    """Words to the left, numbers to the right, one line a query."""
    timings = [
        Timing("public", "weight history", 1200, 1.5, "idx_weight_user_time"),
        Timing("public", "dish by name", None, None, "not timed: permission denied"),
    ]

    assert queries.as_table(timings).splitlines() == [
        "query            rows  median ms  index used",
        "weight history  1,200      1.500  idx_weight_user_time",
        "dish by name        -          -  not timed: permission denied",
    ]


def test_the_schema_is_named_where_there_are_several() -> None:
    """With one schema the column would only repeat it."""
    timings = [Timing(schema, "q", 1, 1.0, "i") for schema in ("a", "tenant")]

    assert queries.as_table(timings).splitlines() == [
        "schema  query  rows  median ms  index used",
        "a       q         1      1.000  i",
        "tenant  q         1      1.000  i",
    ]
