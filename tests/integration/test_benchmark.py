"""The benchmark on a real server, with queries of somebody else's."""

import re
from contextlib import closing
from pathlib import Path

import pytest

from converge import benchmark
from converge.benchmark import Query
from converge.server.retries import connect
from converge.settings.loading import load_settings
from tests.support.database import Database

PET = Query(
    name="pet by name",
    use_case="calling it",
    table="pets",
    sql="SELECT * FROM {schema}.pets WHERE name = %(name)s",
    sample="SELECT name FROM {schema}.pets LIMIT 1",
    fallback={"name": "nobody's"},
    indexes=("pets_pkey",),
)


@pytest.mark.parametrize(("pets", "rows"), [("Rex", "1"), ("", "0")])
def test_any_list_of_queries_is_timed(
    database: Database, tmp_path: Path, pets: str, rows: str
) -> None:
    """The benchmark knows no table; it takes a row's parameters, or the query's own."""
    database.execute("CREATE TABLE pets (name text CONSTRAINT pets_pkey PRIMARY KEY)")
    database.execute("INSERT INTO pets SELECT %(pets)s WHERE %(pets)s <> ''", {"pets": pets})
    settings = load_settings(database.environment, str(tmp_path / "none"))
    with closing(connect(settings)) as connection:
        head, _, line = benchmark.as_table(
            benchmark.timings(connection, [PET], ["public"])
        ).splitlines()
    assert head.split() == ["query", "rows", "median", "ms", "index", "used"]
    assert re.fullmatch(rf"pet by name +{rows} +\d+\.\d{{3}}  \S.*", line)
