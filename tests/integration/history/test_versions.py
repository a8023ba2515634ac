"""How far back a rollback goes, and who agrees to that."""

import re
from pathlib import Path
from typing import Any, List

import pytest

from tests.support.catalogs import SAMPLE_ROWS, described, everything
from tests.support.database import Database
from tests.support.job import Run
from tests.support.rollbacks import interrupt
from tests.support.terminal import typed

NEXT = (
    "UPDATE eater_schema_history SET desired = 'of other models ' || run; "
    "COMMENT ON TABLE eater_schema_history IS NULL; "
)
HISTORY = "SELECT version, action, finished - undone FROM eater_schema_history ORDER BY run"
ALREADY = "schema public: at version {} already\n"


def version(database: Database, run: Run, drift: str) -> None:
    """Make a version that closes a drift, of other models than the versions before."""
    database.execute(NEXT + drift)
    result = run()
    assert result.code == 0, result.err


@pytest.fixture
def three(initialised: Database, run: Run) -> Database:
    """A database at version 3, which is that of the models."""
    version(initialised, run, "DROP INDEX idx_weight_date")
    version(initialised, run, "ALTER TABLE dishes DROP name")
    return initialised


@pytest.fixture
def two(initialised: Database, run: Run) -> Database:
    """A database at version 2, which is that of the models."""
    version(initialised, run, "DROP INDEX idx_weight_date")
    return initialised


def test_a_rollback_to_a_version_undoes_all_above_it(three: Database, run: Run) -> None:
    """In one plan; started again, it has nothing left to do."""
    plan = run("--rollback", "--to", "1", "--plan")
    assert plan.code == 0
    assert plan.out.startswith("-- schema public: version 3 to version 1\n")
    assert plan.out.endswith("\n-- 3 steps; the schema's history records them.\n")
    result = run("--rollback", "--to", "1")
    assert result.code == 0, result.err
    assert result.err.endswith(" INFO  schema public: version 3 to version 1\n")
    assert result.out.startswith("3 steps undone.\n")
    tables = described(three)
    assert "name" not in tables["dishes"]["columns"]
    assert "idx_weight_date" not in tables["weight"]["indexes"]
    rows = three.rows(HISTORY)
    assert [row[:2] for row in rows] == [
        (1, "migrate"),
        (2, "migrate"),
        (3, "migrate"),
        (1, "rollback"),
    ]
    assert [row[2] for row in rows][:3] == [33, 0, 0]
    before = everything(three)
    again = run("--rollback", "--to", "1")
    assert again.code == 0
    assert again.err.endswith(" INFO  " + ALREADY.format(1))
    assert run("--rollback", "--to", "1", "--plan").out == "-- " + ALREADY.format(1)
    assert everything(three) == before


def test_a_rollback_to_0_undoes_all(three: Database, run: Run) -> None:
    """Nothing of ours is left but the history."""
    assert run("--rollback", "--to", "0").code == 0
    assert described(three) == {}
    assert three.rows(HISTORY)[-1][:2] == (0, "rollback")
    assert run("--rollback", "--to", "0").err.endswith(ALREADY.format(0))
    assert run().code == 0
    assert three.rows(HISTORY)[-1] == (4, "migrate", 32)  # pg_trgm was there


def test_a_release_without_steps_is_a_version(initialised: Database, run: Run) -> None:
    """Its rollback undoes it, and not the release before; other models still need a word."""
    version(initialised, run, "")
    assert initialised.rows(HISTORY) == [(1, "migrate", 33), (2, "migrate", 0)]
    assert "schema is current: version 2, " in run().err
    before = described(initialised)
    result = run("--rollback")
    assert result.code == 0, result.err
    assert "schema public: version 2 to version 1\n" in result.err
    assert result.out.startswith("0 steps undone.\n")
    assert described(initialised) == before
    assert run("--rollback").code == 4
    assert run().code == 0
    assert [row[:2] for row in initialised.rows(HISTORY)][2:] == [(1, "rollback"), (3, "migrate")]


@pytest.mark.parametrize("to", ["2", "3", "5", "1000000000000000000000"])
def test_a_version_that_is_not_on_the_way_back_is_refused(
    three: Database, run: Run, to: str
) -> None:
    """One above the present one, one that was undone, and one that there never was."""
    assert run("--rollback", "--to", "1").code == 0
    before = everything(three)
    for mode in ["--rollback"], ["--rollback", "--plan"]:
        result = run(*mode, "--to", to)
        assert result.code == 4
        refused = (
            f"refused: schema public is at version 1; a rollback leads to 1, 0, not to {to}.\n"
        )
        assert refused in result.out.replace("-- ", "") + result.err
    assert everything(three) == before


def test_a_schema_without_a_history_is_at_version_0(database: Database, run: Run) -> None:
    """So there is nothing to do to get there, and no way to any other version."""
    assert run("--rollback", "--to", "0").err.endswith(ALREADY.format(0))
    assert run("--rollback", "--to", "1").code == 4


def test_a_second_rollback_needs_a_word(two: Database, run: Run) -> None:
    """Else, started twice by mistake, it would undo what other models have made."""
    first = run("--rollback")
    assert first.code == 0, first.err
    before = everything(two)
    result = run("--rollback")
    assert result.code == 4
    assert result.err.endswith(
        " ERROR refused: other models than these have made version 1 of public.\n"
        "  Nothing was changed. --rollback --plan shows what would go. To undo it:\n"
        "    create_tables.py --rollback --to 0\n"
    )
    assert everything(two) == before
    assert run("--rollback", "--plan").code == 0
    assert run(*result.err.split()[-3:]).code == 0
    assert described(two) == {}


def test_yes_is_a_word_too(two: Database, run: Run) -> None:
    """It undoes one version each time."""
    assert run("--rollback", "--yes").code == 0
    assert described(two) != {}
    assert run("--rollback", "--yes").code == 0
    assert described(two) == {}
    assert run("--rollback", "--yes").code == 4


ASKED = """schema public: version 2 to version 1
  undo create index public.weight.idx_weight_date
Undo this in database {database} on {host}:{port}? [y/N] """


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04"])
def test_whoever_sits_at_a_terminal_is_asked(two: Database, tmp_path: Path, answer: str) -> None:
    """All but a yes leaves everything as it is; the end of the input, too."""
    before = everything(two)
    for arguments in ["--rollback"], ["--rollback", "--to", "1"]:
        result = typed(tmp_path, two.environment, answer, *arguments)
        assert result.code == 4
        server = {key: two.server[key] for key in ("host", "port")}
        assert ASKED.format(database=two.name, **server) in result.err
        assert result.err.endswith(
            " ERROR refused: not confirmed.\n  Nothing was changed. Answer y, or run with --yes.\n"
        )
    assert everything(two) == before


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_a_yes_at_a_terminal_undoes(two: Database, tmp_path: Path, answer: str) -> None:
    """One question, also below the version of the models."""
    for left in 24, 0:
        result = typed(tmp_path, two.environment, answer, "--rollback")
        assert result.code == 0, result.err
        assert result.err.count("[y/N]") == 1
        assert len(indexes_of_ours(two)) == left
    result = typed(tmp_path, two.environment, answer, "--rollback", "--to", "0")
    assert (result.code, "[y/N]" in result.err) == (0, False)


def indexes_of_ours(database: Database) -> List[Any]:
    """Return the indexes of the tables of the models."""
    tables = described(database).values()
    return [name for table in tables for name in table["indexes"] or {}]


def test_no_question_with_yes_or_plan(two: Database, tmp_path: Path) -> None:
    """Nobody need be there to answer it."""
    plan = typed(tmp_path, two.environment, "", "--rollback", "--plan")
    assert (plan.code, "[y/N]" in plan.err) == (0, False)
    done = typed(tmp_path, two.environment, "", "--rollback", "--yes")
    assert (done.code, "[y/N]" in done.err) == (0, False)
    assert two.rows(HISTORY)[-1] == (1, "rollback", 1)


def test_of_several_schemas_those_that_are_there_are_left_alone(
    database: Database, run: Run
) -> None:
    """And one that cannot get there stops all."""
    assert run(POSTGRES_SCHEMAS="berlin,paris").code == 0
    assert run("--rollback", POSTGRES_SCHEMAS="berlin").code == 0
    stopped = run("--rollback", "--to", "1", POSTGRES_SCHEMAS="berlin,paris")
    assert stopped.code == 4
    assert "refused: schema berlin is at version 0; a rollback leads to 0, not to 1.\n" in (
        stopped.err
    )
    result = run("--rollback", "--to", "0", POSTGRES_SCHEMAS="berlin,paris")
    assert result.code == 0, result.err
    assert "schema berlin: at version 0 already\n" in result.err
    assert "schema paris: version 1 to version 0\n" in result.err
    counts = "SELECT (SELECT count(*) FROM berlin.{0}), (SELECT count(*) FROM paris.{0})"
    assert database.rows(counts.format("eater_schema_history")) == [(2, 2)]


def test_an_interrupted_rollback_is_not_at_a_version_that_it_has_begun_to_undo(
    three: Database, run: Run
) -> None:
    """It goes on to the next whole one, whatever it is started with."""
    interrupt(three, run, "--to", "0")
    assert [left for _, _, left in three.rows(HISTORY)] == [6, 0, 0]
    for to in "1", "2", "3":
        result = run("--rollback", "--to", to)
        assert result.code == 4
        assert (
            "refused: schema public is on its way back from version 3; "
            f"a rollback leads to 0, not to {to}.\n"
        ) in result.err
    assert run("--rollback").code == 0
    assert described(three) == {}


def test_values_of_an_older_version_are_kept_once_it_is_the_newest(two: Database, run: Run) -> None:
    """What a newer version has built on a table could not be undone under its other name."""
    two.execute(SAMPLE_ROWS)
    before = everything(two)
    result = run("--rollback", "--to", "0")
    assert result.code == 4
    assert everything(two) == before
    assert (
        "refused: undoing 'create table public.weight' would lose the values of 1 row.\n"
        "  Nothing was changed. Undo the newer versions first: "
        "create_tables.py --rollback --to 1\n"
        "  Then --rollback says what to type.\n"
    ) in result.err
    typed_in = re.findall(r"create_tables\.py (--rollback --to \d)$", result.err, re.MULTILINE)
    assert set(typed_in) == {"--rollback --to 1"}
    assert run(*typed_in[0].split()).code == 0
    kept = run("--rollback", "--yes")
    assert kept.code == 4
    for statement in re.findall("^    (ALTER .*;)$", kept.err, re.MULTILINE):
        two.execute(statement)
    assert run("--rollback", "--yes").code == 0
    assert two.value("SELECT count(*) FROM weight_saved") == 1


@pytest.mark.usefixtures("initialised")
def test_what_cannot_be_told_before_a_newer_version_is_undone(database: Database, run: Run) -> None:
    """A proof is about the columns as they are once all that came later is undone."""
    database.execute(
        SAMPLE_ROWS
        + "DROP TABLE eater_schema_history; ALTER TABLE weight ALTER date TYPE varchar(10)"
    )
    assert run().code == 0
    version(database, run, "DROP INDEX idx_dishes_name")
    database.execute("ALTER TABLE weight ALTER date TYPE date USING date::text::date")
    result = run("--rollback", "--to", "0")
    assert result.code == 4
    assert result.err.endswith(
        " ERROR refused: whether undoing 'change type public.weight.date' would lose values cannot "
        "be told yet.\n  Nothing was changed. Undo the newer versions first: "
        "create_tables.py --rollback --to 1\n  Then --rollback says what to type.\n"
    )
    assert run("--rollback", "--to", "1").code == 0


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("half", [False, True])
def test_an_index_that_two_versions_have_replaced(database: Database, run: Run, half: bool) -> None:
    """Each undo builds the index under the same helper name, after the other has renamed it."""
    other = "DROP INDEX idx_weight_date; CREATE INDEX idx_weight_date ON weight (weight)"
    database.execute(SAMPLE_ROWS + "DROP TABLE eater_schema_history;" + other)
    before = described(database)
    assert run().code == 0
    version(database, run, other)
    if half:
        database.execute("CREATE INDEX eater_old_idx_weight_date ON weight (weight)")
    result = run("--rollback", "--to", "0")
    assert result.code == 0, result.err
    assert "planning again" not in result.err
    assert described(database) == before


@pytest.mark.usefixtures("initialised")
def test_a_refused_step_is_not_a_possible_one(database: Database, run: Run) -> None:
    """It is counted once, and its statements are not shown as if they would run."""
    database.execute("INSERT INTO weight VALUES (1, '2024-11-08', 61.5, 'ann@example.org')")
    result = run("--rollback", "--plan")
    assert result.code == 4
    assert result.out.endswith(
        "\n-- 1 refused, 6 possible: nothing at all would be done, exit code 4.\n"
    )
    assert "DROP TABLE public.dishes;" in result.out
    assert "DROP TABLE public.weight;" not in result.out
