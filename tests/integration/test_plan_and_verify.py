"""The modes that touch nothing."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from converge.text import counted
from tests.support.catalogs import described, everything
from tests.support.database import Database
from tests.support.desired import DESIRED, INDEXES, METADATA
from tests.support.job import Run, Spawn
from tests.support.program import ROOT, copy_program


def statements(plan: str) -> List[str]:
    """Return the SQL of a printed plan."""
    lines = [line for line in plan.splitlines() if not line.startswith("--")]
    return [part for part in "\n".join(lines).split(";\n") if part.strip()]


def test_a_plan_touches_nothing(database: Database, run: Run) -> None:
    """An empty database is still empty afterwards, whatever the comparison created to compare."""
    before = everything(database)
    result = run("--plan")
    assert result.code == 0
    assert everything(database) == before
    assert result.out.endswith("-- 33 steps; the schema's history records them.\n")


def test_each_statement_comes_with_why_its_lock_and_how_it_runs(
    database: Database, run: Run
) -> None:
    """Everything that is executed stands below a comment of two lines; the words come first."""
    words, *steps, tables, end = run("--plan").out.split("\n\n")
    assert words == "-- new: with everything else that is new, in one transaction"
    assert len(steps) == 33
    for number, step in enumerate(steps, 1):
        assert re.match(
            rf"-- {number}\. (create|\w+ \w+) .*: it is missing\n"
            "--    new, no lock that anybody uses yet\n"
            "(CREATE|COMMENT) ",
            step,
        )
    assert tables.splitlines()[:3] == [
        "-- public                      + extension pg_trgm",
        "-- public.alcohol_consumption  + table, 4 indexes",
        "-- public.alcohol_for_day      + table, 3 indexes",
    ]
    assert end.startswith("-- 33 steps; ")


SMALL_PLAN = """\
-- left alone: columns of public.weight: mood

-- brief: alone in a transaction, under LOCK_TIMEOUT, until LOCK_PATIENCE is over
-- online: outside a transaction, each for as long as it takes; it blocks nobody

-- 1. create index public.dishes.idx_dishes_name: it is missing
--    online, SHARE UPDATE EXCLUSIVE on public.dishes: readers and writers go on
--    no rows, 8.0 kB
CREATE INDEX CONCURRENTLY idx_dishes_name ON public.dishes (name);

-- 2. add column public.weight.user_email: it is missing; existing rows get 'it''s@example.org'
--    brief, ACCESS EXCLUSIVE on public.weight for an instant: readers and writers wait
--    no rows, 8.0 kB
BEGIN;
ALTER TABLE public.weight ADD COLUMN user_email character varying DEFAULT 'it''s@example.org' \
NOT NULL;
ALTER TABLE public.weight ALTER COLUMN user_email DROP DEFAULT;
COMMIT;

-- 3. set comments of public.weight: none -> user_email \
'e-mail of the user that the row belongs to'
--    brief, SHARE UPDATE EXCLUSIVE on public.weight: readers and writers go on
--    no rows, 8.0 kB
COMMENT ON COLUMN public.weight.user_email IS 'e-mail of the user that the row belongs to';

-- 4. create index public.weight.idx_weight_user_email: it is missing
--    online, SHARE UPDATE EXCLUSIVE on public.weight: readers and writers go on
--    no rows, 8.0 kB
CREATE INDEX CONCURRENTLY idx_weight_user_email ON public.weight (user_email);

-- 5. create index public.weight.idx_weight_user_time: it is missing
--    online, SHARE UPDATE EXCLUSIVE on public.weight: readers and writers go on
--    no rows, 8.0 kB
CREATE INDEX CONCURRENTLY idx_weight_user_time ON public.weight (user_email, "time");

-- public.dishes  + index idx_dishes_name
-- public.weight  + column user_email, indexes idx_weight_user_email, idx_weight_user_time
--                ~ table (comments)
--                = column mood (left alone)

-- 5 steps; the schema's history records them.
"""


@pytest.mark.usefixtures("initialised")
def test_the_whole_plan_of_a_live_table(database: Database, run: Run) -> None:
    """This is what there is to read before a run; it takes no run lock and leaves no history."""
    database.execute(
        "DROP INDEX idx_dishes_name; ALTER TABLE weight DROP user_email, ADD mood text"
    )
    before = everything(database)
    result = run("--plan", DEFAULT_USER_EMAIL="it's@example.org")
    assert (result.code, result.out) == (0, SMALL_PLAN)
    assert everything(database) == before


@pytest.mark.usefixtures("initialised")
def test_a_plan_ends_with_what_everybody_waits_for(database: Database, run: Run) -> None:
    """The one thing in a long plan that decides whether it can run now."""
    database.execute("ALTER TABLE weight ALTER weight TYPE real; DROP INDEX idx_dishes_name")
    assert run("--plan").out.endswith(
        "\n\n-- Everybody waits while a table is rewritten: step 2.\n"
        "-- 2 steps; the schema's history records them.\n"
    )


@pytest.mark.usefixtures("initialised")
def test_a_plan_shows_what_would_be_refused(database: Database, run: Run) -> None:
    """Then nothing at all would be done, and the exit code says so."""
    database.execute(
        "DROP INDEX idx_dishes_name; DROP TABLE weight; CREATE VIEW weight AS SELECT 1"
    )
    before = everything(database)
    result = run("--plan")
    assert result.code == 4
    assert "\n\n-- 1. create index public.dishes.idx_dishes_name: " in result.out
    assert result.out.endswith(
        "\n\n-- refused: public.weight is a view; the models say a table.\n"
        "--   Nothing was changed. Rename the view:\n"
        "--     ALTER VIEW public.weight RENAME TO weight_old;\n\n"
        "-- public.dishes  + index idx_dishes_name\n\n"
        "-- 1 refused, 1 possible: nothing at all would be done, exit code 4.\n"
    )
    assert result.err.endswith(" ERROR 1 difference refused, as printed above\n")
    assert everything(database) == before


def test_a_plan_can_be_run_by_hand(database: Database, run: Run) -> None:
    """What is printed is complete: it leads to the models."""
    for statement in statements(run("--plan").out + "\n"):
        database.execute(statement)
    assert run("--verify").code == 0
    database.execute("DROP INDEX idx_dishes_name; ALTER TABLE weight DROP date")
    for statement in statements(run("--plan").out + "\n"):
        database.execute(statement)
    assert run("--verify").code == 0


def test_a_plan_needs_no_right_to_create(database: Database, run: Run, role: str) -> None:
    """A role that may only look gets the plan, and the right that a run would want."""
    database.execute("CREATE EXTENSION pg_trgm; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    result = run("--plan", POSTGRES_USER=role)
    assert result.code == 0
    note = f"and {role} lacks the right to create in it."
    assert note in result.out
    assert f"GRANT CREATE ON SCHEMA public TO {role};" in result.out
    assert "CREATE TABLE public.weight (" in result.out
    assert described(database) == {}


@pytest.mark.usefixtures("initialised")
def test_an_empty_plan_says_so(database: Database, run: Run) -> None:
    """Nothing to do is an answer too."""
    assert run("--plan").out == "-- Nothing to do: the database is as the models describe.\n"
    verified = run("--verify")
    assert (verified.code, verified.out) == (0, "The database is as the models describe.\n")


DRIFTS = {
    "DROP INDEX idx_dishes_name": "create index public.dishes.idx_dishes_name: it is missing",
    "ALTER TABLE weight DROP weight": (
        "add column public.weight.weight: it is missing; existing rows get 0\n"
        "set comments of public.weight: "
        "weight is to be 'kilograms of body weight; 0 is unknown'"
    ),
    "DROP TABLE weight": (
        "create table public.weight: it is missing\n"
        "create index public.weight.idx_weight_user_email: it is missing\n"
        "create index public.weight.idx_weight_time: it is missing\n"
        "create index public.weight.idx_weight_date: it is missing\n"
        "create index public.weight.idx_weight_user_time: it is missing"
    ),
    "COMMENT ON TABLE weight IS NULL": (
        'set comments of public.weight: is to be "what the users\' scales showed"'
    ),
    "COMMENT ON TABLE weight IS 'other'; COMMENT ON COLUMN weight.date IS 'a\nday'; "
    "COMMENT ON COLUMN weight.weight IS 'pounds'": (
        "set comments of public.weight: was 'other', is to be \"what the users' scales showed\"; "
        "date was 'a\\nday', is to be 'as text'; "
        "weight was 'pounds', is to be 'kilograms of body weight; 0 is unknown'"
    ),
    "ALTER TABLE \"user\" ALTER language SET DEFAULT 'de'": (
        "set default public.user.language: it is 'de'::character varying; "
        "the model says 'en'::character varying"
    ),
    "ALTER TABLE weight ALTER date DROP NOT NULL": (
        "set not null public.weight.date: it is nullable; the model requires NOT NULL"
    ),
    "ALTER TABLE weight ALTER weight TYPE text": (
        "change type public.weight.weight: it is text; the model says double precision"
    ),
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_dishes_name'::regclass": (
        "drop index public.dishes.idx_dishes_name: it is invalid: an interrupted build left it"
    ),
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'weight_pkey'::regclass": (
        "cannot be closed: public.weight.weight_pkey has an invalid index.\n"
        "  Rebuild it:\n"
        "    REINDEX INDEX CONCURRENTLY public.weight_pkey;"
    ),
    "DROP INDEX idx_dishes_name; CREATE INDEX idx_dishes_name ON dishes (calories)": (
        "swap index public.dishes.idx_dishes_name: it is btree (calories); the model says btree "
        "(name)"
    ),
}


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("drift", list(DRIFTS))
def test_verify_lists_each_difference(database: Database, run: Run, drift: str) -> None:
    """Exit code 5 comes with what differs, each once, and nothing is changed."""
    database.execute(drift)
    before = everything(database)
    result = run("--verify")
    assert result.code == 5
    assert result.out == DRIFTS[drift] + "\n"
    listed = len([line for line in result.out.splitlines() if line[0] != " "])
    assert result.err.endswith(
        f" ERROR {counted(listed, 'difference')} between database and models, as printed above.\n"
        "  --plan prints what a run would do.\n"
    )
    assert everything(database) == before


MISTAKES = {
    "--nonsense": "unrecognized arguments: --nonsense",
    "public": "unrecognized arguments: public",
    "--dry-run": "unrecognized arguments: --dry-run; did you mean --plan?",
    "--verfy": "unrecognized arguments: --verfy; did you mean --verify?",
    "--roll-back": "unrecognized arguments: --roll-back; did you mean --rollback?",
    "--plan --verify": "--plan goes with a run or with --rollback",
    "--plan --history": "--plan goes with a run or with --rollback",
    "--verify --rollback": "argument --rollback: not allowed with argument --verify",
    "--history --verify": "argument --verify: not allowed with argument --history",
}


@pytest.mark.parametrize("line", list(MISTAKES))
def test_a_mistake_on_the_command_line_is_said(database: Database, run: Run, line: str) -> None:
    """Exit code 2 comes with the usage, and nothing was connected to."""
    result = run(*line.split(), POSTGRES_HOST="no.such.host.invalid")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("usage: create_tables.py [-h] [--plan] ")
    assert result.err.endswith(f"\ncreate_tables.py: error: {MISTAKES[line]}\n")


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--help", "usage: create_tables.py [-h] [--plan] "),
        ("--version", "create_tables.py 1.0.0\n"),
    ],
)
def test_an_option_that_asks_needs_no_server(run: Run, option: str, text: str) -> None:
    """Nor any setting."""
    result = run(option, POSTGRES_HOST=None)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(text)


def test_a_mistake_in_the_configuration_is_said_before_anything_is_done(
    database: Database, run: Run
) -> None:
    """Exit code 2 comes with all of them."""
    result = run(POSTGRES_HOST=None, POSTGRES_PORT="abc", LOG_FORMAT="xml")
    assert (result.code, result.out) == (2, "")
    assert result.err.split(" ", 1)[1] == (  # behind the time
        "ERROR The configuration is unusable; nothing was done.\n"
        "  POSTGRES_PORT='abc': must be a whole number from 1 to 65535\n"
        "  LOG_FORMAT='xml': must be one of text, json\n"
        "  POSTGRES_HOST is missing: server: name, address or socket directory\n"
    )


def test_the_dotenv_that_is_read_is_named(database: Database, tmp_path: Path) -> None:
    """And one beside the program, which somebody may take for it."""
    copy_program(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    dotenv = tmp_path / ".env"
    lines = [f"{name}={value}\n" for name, value in database.environment.items()]
    dotenv.write_text("".join(lines) + "LOG_LEVEL=DEBUG\n", "utf-8")

    def started(directory: Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(tmp_path / "create_tables.py"), "--plan"]
        rest = {n: v for n, v in os.environ.items() if not n.startswith("POSTGRES_")}
        return subprocess.run(
            command, env=rest, cwd=directory, check=False, capture_output=True, text=True
        )

    read, unread = started(tmp_path), started(elsewhere)
    assert (read.returncode, unread.returncode) == (0, 2)
    assert f"what the environment does not say is read from {dotenv}\n" in read.stderr
    assert f"WARNING {dotenv} is not read: this was started in {elsewhere}\n" in unread.stderr


def plan_into(
    output: int, database: Database, directory: Path
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "create_tables.py"), "--plan"],
        env={**os.environ, **database.environment},
        cwd=directory,
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def test_a_reader_who_has_read_enough_is_no_error(database: Database, tmp_path: Path) -> None:
    """As `head` and `less` are."""
    reading, writing = os.pipe()
    os.close(reading)
    result = plan_into(writing, database, tmp_path)
    os.close(writing)
    assert result.returncode == 0, result.stderr
    assert [line.split()[1] for line in result.stderr.splitlines()] == ["INFO"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device here")
def test_a_plan_that_can_not_be_written_is_an_error(database: Database, tmp_path: Path) -> None:
    """A full disk: one line says so."""
    with open("/dev/full", "w") as full:
        result = plan_into(full.fileno(), database, tmp_path)
    assert result.returncode == 1
    assert result.stderr.endswith(" ERROR the output can't be written: No space left on device\n")
    assert "Traceback" not in result.stderr


def test_a_plan_is_shown_in_the_letters_that_there_are(database: Database, spawn: Spawn) -> None:
    """On a terminal that knows ASCII only."""
    process = spawn("--plan", POSTGRES_SCHEMAS="größe", PYTHONIOENCODING="ascii")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert re.search(r'CREATE SCHEMA "?gr\\xf6\\xdfe"?;', out)


HOSTILE = """
CREATE TABLE "x\nDROP TABLE dishes; --\x1b[2J" ();
ALTER TABLE weight ADD "x\nDROP TABLE dishes;\u202e" integer;
CREATE INDEX "x\rDROP TABLE dishes;\x9b2J" ON weight (weight);
ALTER TABLE "user" ALTER language SET DEFAULT 'x\nDROP TABLE dishes;\x1b[2J';
"""


@pytest.mark.usefixtures("initialised")
def test_a_printed_plan_is_what_a_run_would_do_and_no_more(database: Database, run: Run) -> None:
    """Names and defaults of others neither end its comments nor command a terminal."""
    database.execute(HOSTILE)
    printed = run("--plan").out
    assert {c for c in printed if not c.isprintable()} == {"\n"}
    assert {c for c in run("--verify").out if not c.isprintable()} == {"\n"}
    database.execute(printed)
    assert len(described(database)) == 7
    assert run("--verify").code == 0


KINDS = {
    "btree": ('CREATE INDEX x ON "user" (language)', "btree (language)"),
    "composite": ("CREATE INDEX x ON dishes (user_email, name)", "btree (user_email, name)"),
    "partial": (
        "CREATE INDEX x ON weight (date) WHERE weight > 100",
        "btree (date) WHERE (weight > (100)::double precision)",
    ),
    "gin": (
        'CREATE INDEX x ON "user" USING gin (language public.gin_trgm_ops)',
        "gin (language public.gin_trgm_ops)",
    ),
}


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_of_index_is_worded_as_the_server_words_it(
    database: Database, run: Run, kind: str
) -> None:
    """A definition read from the catalog builds the same index again."""
    statement, definition = KINDS[kind]
    database.execute(statement)
    found = [table["indexes"].get("x") for table in described(database).values()]
    assert [index["definition"] for index in found if index] == [definition]


def test_the_names_of_the_models_are_all_looked_up() -> None:
    """What could be in the way of a new object is read with the catalog."""
    assert {str(index.name) for index in INDEXES} <= set(DESIRED.names)
    assert set(METADATA.tables) <= set(DESIRED.names)
