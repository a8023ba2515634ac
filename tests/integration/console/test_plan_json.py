"""Plans as JSON, and applied as they were approved: exactly that, or nothing."""

import io
import json
from pathlib import Path
from typing import Any, List

import pytest

from tests.support.catalogs import described
from tests.support.database import Database
from tests.support.drift import DRIFT, INDEX
from tests.support.job import Result, Run, Spawn
from tests.support.plan_schema import plan_of
from tests.support.waiting import RUN_LOCK, holding, says

JSON = ("--plan", "--format", "json")
NEXT = "Nothing was changed. Plan again with --plan --format json, and review that.\n"


@pytest.fixture
def planned(run: Run, tmp_path: Path) -> Any:
    """Write a plan to a file, and return it."""

    def write(**variables: str) -> Any:
        result = run(*JSON, **variables)
        assert result.code == 0, result.err
        (tmp_path / "plan.json").write_text(result.out, "utf-8")
        return plan_of(result.out)

    return write


def refusal(result: Result) -> List[str]:
    """Return the lines of what a run has refused."""
    assert result.code == 4, result.err
    return result.err[result.err.index("refused: ") :].splitlines()


def test_a_plan_as_json_is_all_that_is_printed(database: Database, run: Run) -> None:
    """As its schema says, with what a run would send; exit code 5 where that is asked for."""
    result = run(*JSON, "--exit-code")
    plan = plan_of(result.out)
    assert result.code == 5
    assert plan["database"]["name"] == database.name
    assert plan["summary"] == {
        "schemas": 1,
        "steps": 33,
        "refusals": 0,
        "warnings": 0,
        "seconds": 0,
    }
    [one] = plan["plans"]
    assert (one["schemas"], one["fingerprint"] is None) == (["public"], False)
    assert one["steps"][0]["statements"] == ["CREATE EXTENSION pg_trgm SCHEMA public"]
    assert run("--plan", "--exit-code").code == 5


def test_an_empty_plan_ends_with_0(initialised: Database, run: Run) -> None:
    """With --exit-code too; and it may be applied: there is nothing to do."""
    result = run(*JSON, "--exit-code")
    assert (result.code, plan_of(result.out)["plans"][0]["steps"]) == (0, [])


def test_a_refused_plan_ends_with_4_and_cannot_be_applied(
    initialised: Database, run: Run, tmp_path: Path
) -> None:
    """Its refusals are fields; the exit code is that of a plan without --exit-code."""
    initialised.execute("DROP INDEX idx_dishes_name; CREATE VIEW idx_dishes_name AS SELECT 1")
    result = run(*JSON, "--exit-code")
    [one] = plan_of(result.out)["plans"]
    assert result.code == 4
    assert [refusal["statements"] for refusal in one["refusals"]] == [
        ["ALTER VIEW public.idx_dishes_name RENAME TO idx_dishes_name_old"]
    ]
    (tmp_path / "plan.json").write_text(result.out, "utf-8")
    applied = run("--apply", "plan.json")
    assert refusal(applied) == [
        "refused: the plan in plan.json has 1 refusal. Nothing was changed. "
        "Do what it advises, then plan again."
    ]


def test_a_rollback_has_its_versions(initialised: Database, run: Run, tmp_path: Path) -> None:
    """And is not applied: a rollback looks for itself."""
    result = run("--rollback", *JSON)
    plan = plan_of(result.out)
    assert result.code == 0
    assert plan["mode"] == "rollback"
    assert plan["versions"] == [{"schema": "public", "from": 1, "to": 0}]
    assert {step["kind"] for step in plan["plans"][0]["steps"]} == {"undo"}
    (tmp_path / "plan.json").write_text(result.out, "utf-8")
    applied = run("--apply", "plan.json")
    assert applied.code == 2
    assert applied.err.endswith("the plan in plan.json is a rollback's: run --rollback.\n")


def test_an_approved_plan_is_applied_once(
    initialised: Database, run: Run, planned: Any, role: str
) -> None:
    """Whoever reads may make it. A second time there is nothing to do, and that is well."""
    before = described(initialised)
    initialised.execute(DRIFT)
    initialised.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    planned(POSTGRES_USER=role)
    first = run("--apply", "plan.json")
    assert first.code == 0, first.err
    assert described(initialised) == before
    second = run("--apply", "plan.json")
    assert second.code == 0
    assert "there was nothing to do" in second.err


def test_what_has_changed_since_is_refused(initialised: Database, run: Run, planned: Any) -> None:
    """By its name, and with what has changed; nothing is done."""
    initialised.execute(INDEX)
    made = planned()["planned_at"]
    initialised.execute(
        "DROP INDEX idx_dishes_user_email; CREATE INDEX idx_dishes_name ON dishes (weight)"
    )
    before = described(initialised)
    assert refusal(run("--apply", "plan.json")) == [
        "refused: schema public: a run would no longer do what the plan in plan.json says.",
        "  Not in the plan: build index public.dishes.eater_new_idx_dishes_name.",
        "  Not in the plan: swap index public.dishes.idx_dishes_name.",
        "  Not in the plan: drop index public.dishes.eater_old_idx_dishes_name.",
        "  Not in the plan: create index public.dishes.idx_dishes_user_email.",
        "  No longer to do: create index public.dishes.idx_dishes_name.",
        f"  Since {made}, what has changed: schema public.",
        f"  {NEXT.strip()}",
    ]
    assert described(initialised) == before
    planned()  # as it advises
    assert run("--apply", "plan.json").code == 0


def test_one_step_more_is_refused(initialised: Database, run: Run, planned: Any) -> None:
    """Though all that was approved would be done behind it, too."""
    initialised.execute("DROP INDEX idx_weight_date")
    planned()
    initialised.execute("DROP INDEX idx_alcohol_for_day_date")
    lines = refusal(run("--apply", "plan.json"))
    new = "create index public.alcohol_for_day.idx_alcohol_for_day_date"
    assert lines[1] == f"  Not in the plan: {new}."
    assert lines[2].endswith("what has changed: schema public.")
    missing = "SELECT to_regclass('idx_weight_date') IS NULL"
    assert initialised.value(missing)


def test_what_was_changed_in_the_file_is_refused(
    initialised: Database, run: Run, planned: Any, tmp_path: Path
) -> None:
    """None of its SQL is executed: it has to be that of a new plan."""
    initialised.execute(INDEX)
    planned()
    file = tmp_path / "plan.json"
    file.write_text(file.read_text("utf-8").replace("(name)", "(weight)"), "utf-8")
    lines = refusal(run("--apply", "plan.json"))
    assert lines[1:4] == [
        "  Otherwise: create index public.dishes.idx_dishes_name.",
        "    in the plan: CREATE INDEX CONCURRENTLY idx_dishes_name ON public.dishes (weight)",
        "    now: CREATE INDEX CONCURRENTLY idx_dishes_name ON public.dishes (name)",
    ]
    assert lines[4].endswith("what has changed: rows, settings, or the file.")


def test_a_plan_of_another_database_or_of_other_schemas_is_refused(
    initialised: Database, run: Run, planned: Any, tmp_path: Path
) -> None:
    """Whatever it says."""
    plan = planned()
    other = run("--apply", "plan.json", POSTGRES_SCHEMAS="public,more")
    assert refusal(other)[:2] == [
        "refused: the plan in plan.json is of other schemas than this run.",
        "  Not in the plan: more.",
    ]
    plan["database"]["oid"] += 1
    (tmp_path / "plan.json").write_text(json.dumps(plan), "utf-8")
    first, *_ = refusal(run("--apply", "plan.json"))
    assert first == "refused: the plan in plan.json is of another database."


def test_a_line_of_the_log_is_a_plan_too(
    initialised: Database, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As `kubectl logs` shows it, among others; also from stdin."""
    initialised.execute(INDEX)
    result = run("--plan", LOG_FORMAT="json")
    [line] = [json.loads(line) for line in result.out.splitlines()]
    assert line["event"] == "plan"
    assert "CREATE INDEX CONCURRENTLY idx_dishes_name" in line["message"]
    assert plan_of(json.dumps(line["plan"]))["summary"]["steps"] == 1
    monkeypatch.setattr("sys.stdin", io.StringIO(result.err + result.out))
    assert run("--apply", "-").code == 0


def test_many_schemas_are_applied_as_they_were_approved(
    database: Database, run: Run, planned: Any
) -> None:
    """Each has its own; if one has changed, nothing is done in any."""
    tenants = {"POSTGRES_SCHEMAS": "a,b,c", "PARALLEL": "2", "CANARY_SCHEMAS": "0"}
    assert [plan["schemas"] for plan in planned(**tenants)["plans"]] == [["a"], ["b", "c"]]
    database.execute("CREATE SCHEMA b")
    lines = refusal(run("--apply", "plan.json", **tenants))
    assert lines[0].startswith("refused: schema b: a run would no longer do what the plan")
    assert lines[1] == "  No longer to do: create schema b."
    assert database.value("SELECT count(*) FROM pg_namespace WHERE nspname IN ('a', 'c')") == 0
    database.execute("DROP SCHEMA b")
    assert run("--apply", "plan.json", **tenants).code == 0


def test_it_is_compared_when_no_other_run_is_at_work(
    initialised: Database, spawn: Spawn, planned: Any
) -> None:
    """Under the run lock, with the very plan that is then applied."""
    initialised.execute(INDEX)
    planned()
    other = holding(initialised, RUN_LOCK)
    process = spawn("--apply", "plan.json")
    assert says(process, "waiting for another run", within=60)
    initialised.execute("CREATE INDEX idx_dishes_name ON dishes (weight)")
    other.close()
    assert process.wait(60) == 4
