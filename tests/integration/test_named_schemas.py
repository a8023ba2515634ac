"""A run on the schemas that a pattern, a query or a file names, and on a shard of them."""

import re
from pathlib import Path
from typing import List, Set

import pytest

from converge.server.schemas import of_shard
from converge.settings.shard import Shard
from tests.support.database import Database
from tests.support.job import Run
from tests.support.waiting import holding

TABLES = """SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'weight' ORDER BY 1"""
TENANTS = "CREATE TABLE tenants AS SELECT * FROM (VALUES (2, 'b'), (1, 'new')) AS t (id, name)"
QUERY = {"POSTGRES_SCHEMAS_QUERY": "SELECT name FROM tenants ORDER BY id"}


def made(database: Database) -> List[str]:
    """Return the schemas that have the models' tables."""
    return [name for (name,) in database.rows(TABLES)]


def test_a_pattern_is_for_every_mode(database: Database, run: Run) -> None:
    """It creates no schema; the next run finds nothing to do, and one more is found by itself."""
    database.execute("CREATE SCHEMA tenant_1; CREATE SCHEMA tenant_2; CREATE SCHEMA other")
    pattern = {"POSTGRES_SCHEMAS": "tenant_*"}
    first = run(**pattern)
    assert first.code == 0, first.err
    assert " INFO  found 2 schemas\n" in first.err
    assert made(database) == ["tenant_1", "tenant_2"]
    assert run(**pattern).err.endswith(" INFO  done: there was nothing to do\n")
    assert run("--verify", **pattern).code == 0
    assert "tenant_2" in run("--history", **pattern).out
    database.execute("CREATE SCHEMA tenant_3")
    assert run("--verify", **pattern).code == 5
    assert run(**pattern).code == 0
    assert made(database) == ["tenant_1", "tenant_2", "tenant_3"]


def test_what_a_query_names_is_created(database: Database, run: Run) -> None:
    """Unlike what a pattern stands for."""
    database.execute(TENANTS)
    result = run(**QUERY)
    assert result.code == 0, result.err
    assert made(database) == ["b", "new"]
    assert run("--rollback", "--yes", **QUERY).code == 0
    assert made(database) == []


def test_what_a_file_names_is_created(database: Database, run: Run, tmp_path: Path) -> None:
    """Whatever the names are."""
    (tmp_path / "schemas").write_text("# ours\nb\nx'; DROP SCHEMA public; --\n", "utf-8")
    result = run(POSTGRES_SCHEMAS_FILE=str(tmp_path / "schemas"))
    assert result.code == 0, result.err
    assert made(database) == ["b", "x'; DROP SCHEMA public; --"]


def test_shards_do_all_and_none_twice(database: Database, run: Run) -> None:
    """One whose part is empty has nothing to do."""
    names = ("a", "b", "c", "public")
    for number in (1, 2, 3):
        shard, before = Shard(number, 3), made(database)
        part = of_shard(names, shard)
        result = run(POSTGRES_SCHEMAS=",".join(names), SHARD=str(shard))
        assert result.code == 0, result.err
        assert f" INFO  shard {number}/3: {len(part)} of 4 schemas\n" in result.err
        assert sorted(set(made(database)) - set(before)) == sorted(part)
    assert tuple(made(database)) == names


def test_a_shard_without_schemas_does_nothing(database: Database, run: Run) -> None:
    """A pod more than there are schemas is no failure of its Job."""
    number = next(n for n in (1, 2) if not of_shard(("public",), Shard(n, 2)))
    for arguments in ([], ["--plan"], ["--verify"]):
        result = run(*arguments, SHARDS="2", JOB_COMPLETION_INDEX=str(number - 1))
        assert result.code == 0
        assert result.out == ""
        assert re.fullmatch(
            rf"\S+ INFO  connected to .*\n"
            rf"\S+ INFO  shard {number}/2: 0 of 1 schema\n"
            r"\S+ INFO  done: none of the schemas is this shard's\n",
            result.err,
        )
    assert made(database) == []


def test_where_nothing_is_named_nothing_is_done(database: Database, run: Run) -> None:
    """With the exit code of a mistake in the configuration."""
    result = run(POSTGRES_SCHEMAS="tenant_*")
    assert result.code == 2
    assert result.err.endswith(
        "ERROR The configuration is unusable; nothing was done.\n"
        "  POSTGRES_SCHEMAS: no schema is like tenant_*\n"
    )


def test_a_query_that_waits_for_a_lock_gives_up(database: Database, run: Run) -> None:
    """Like any other."""
    database.execute(TENANTS)
    holder = holding(database, "LOCK TABLE tenants")
    result = run(LOCK_PATIENCE="300ms", **QUERY)
    holder.close()
    assert result.code == 6
    assert result.err.endswith("  Nothing was changed; run again.\n")


def test_a_query_whose_connection_is_lost_is_tried_again(database: Database, run: Run) -> None:
    """As often as all else."""
    query = "SELECT pg_terminate_backend(pg_backend_pid())::text"
    result = run(POSTGRES_SCHEMAS_QUERY=query)
    assert result.code == 3, result.err
    assert result.err.count("connected to") == 2
    assert "attempt 1 of 2 was interrupted, planning again: " in result.err


@pytest.mark.parametrize(("most", "timed"), [("2", {"a", "b"}), ("0", set())])
def test_so_many_schemas_are_timed(
    database: Database, run: Run, most: str, timed: Set[str]
) -> None:
    """The first ones; the others would only take longer."""
    on = {"ENABLE_PERFORMANCE_TEST": "true", "BENCHMARK_SCHEMAS": most}
    result = run(POSTGRES_SCHEMAS="a,b,c", **on)
    assert result.code == 0, result.err
    assert set(re.findall(r"^(\w+) +e-mail", result.out, re.MULTILINE)) == timed
    assert ("benchmark" in result.out) == bool(timed)
