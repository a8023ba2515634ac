"""The benchmark queries as data."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import queries
from converge.benchmark import Query
from indexes import INDEXES
from models import Base
from queries import QUERIES

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
    directory = Path(queries.__file__).parent

    assert subprocess.run([sys.executable, "-c", code], cwd=directory, check=False).returncode == 0
