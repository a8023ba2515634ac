"""Keys, checks and foreign keys, proven before they are set; on models that say a little more."""

import re
import time
from typing import Iterator, List

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Constraint,
    ForeignKeyConstraint,
    Integer,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from tests.support.catalogs import SAMPLE_ROWS, all_rows, described
from tests.support.database import Database
from tests.support.desired import METADATA, also
from tests.support.job import Run, Spawn
from tests.support.things import converged, thing_with

SAID = {
    "unique": ("weight", lambda: UniqueConstraint("date", name="weight_date_key")),
    "check": ("weight", lambda: CheckConstraint("weight > 0", name="weight_sane")),
    "foreign key": (
        "weight",
        lambda: ForeignKeyConstraint(["user_email"], ["user.email"], name="weight_user_fkey"),
    ),
}
VIOLATED = {
    "unique": (
        "INSERT INTO weight SELECT time + 1, date, weight, user_email FROM weight",
        "weight_date_key is missing: UNIQUE (date).\n"
        "  1 value is duplicated, e.g. date=2024-11-08 (2 rows).\n"
        "  Nothing was changed. Find them with:\n"
        "    SELECT date, count(*) FROM (SELECT date AS date FROM public.weight "
        "WHERE NOT ((date) IS NULL)) AS rows GROUP BY date HAVING count(*) > 1;\n",
    ),
    "check": (
        "UPDATE weight SET weight = -1",
        "weight_sane is missing: CHECK ((weight > (0)::double precision)).\n"
        "  1 row violates it, e.g. time=1731024000 '-1'.\n"
        "  Nothing was changed. Find them with:\n"
        '    SELECT "time", weight FROM public.weight '
        "WHERE NOT ((weight > (0)::double precision));\n",
    ),
    "foreign key": (
        "UPDATE weight SET user_email = 'gone@example.org'",
        'weight_user_fkey is missing: FOREIGN KEY (user_email) REFERENCES "user"(email).\n'
        "  1 row violates it, e.g. time=1731024000 'gone@example.org'.\n"
        "  Nothing was changed. Find them with:\n"
        '    SELECT "time", user_email FROM public.weight WHERE user_email IS NOT NULL '
        "AND NOT EXISTS (SELECT FROM (SELECT email AS key_1_of_target "
        'FROM public."user") AS target WHERE key_1_of_target = user_email);\n',
    ),
}
# So that no later run is content with a look.
UNVERIFIED = """UPDATE eater_schema_history SET verified_at = NULL;
COMMENT ON TABLE eater_schema_history IS NULL"""


@pytest.fixture(params=list(SAID))
def said(request: pytest.FixtureRequest, initialised: Database) -> Iterator[str]:
    """A database of before, and models that have one constraint more."""
    initialised.execute(SAMPLE_ROWS + UNVERIFIED)
    table, make = SAID[request.param]
    constraint: Constraint = make()  # type: ignore[no-untyped-call]
    with also(table, constraint):
        yield request.param


def test_a_missing_constraint_is_added(said: str, database: Database, run: Run) -> None:
    """It holds afterwards for every row, and is validated."""
    rows = all_rows(database)
    result = run(VERIFY_INDEXES="false")
    assert result.code == 0, result.err
    valid = [c["valid"] for c in described(database)["weight"]["constraints"].values()]
    assert valid == [True, True]
    assert all_rows(database) == rows
    assert run("--verify").code == 0


@pytest.mark.parametrize("said", ["foreign key"], indirect=True)
def test_a_foreign_key_comes_after_the_key_that_it_refers_to(
    said: str, database: Database, run: Run
) -> None:
    """The one is not there yet when the server is asked about the other."""
    database.execute('ALTER TABLE "user" DROP CONSTRAINT user_pkey')
    result = run(VERIFY_INDEXES="false")
    assert result.code == 0, result.err
    assert run("--verify").code == 0


OTHER = {
    "unique": "weight_date_key UNIQUE (weight)",
    "check": "weight_sane CHECK (weight > '-5')",
    "foreign key": 'weight_user_fkey FOREIGN KEY (user_email) REFERENCES "user" ON DELETE CASCADE',
}


@pytest.mark.parametrize("had", ["none", "another"])
def test_a_rollback_takes_a_constraint_away_again(
    said: str, database: Database, run: Run, had: str
) -> None:
    """What it took the place of comes back."""
    if had == "another":
        database.execute(f"ALTER TABLE weight ADD CONSTRAINT {OTHER[said]}")
    database.execute("DROP TABLE eater_schema_history")  # so that it is all that is undone
    before = described(database), all_rows(database)
    assert run(VERIFY_INDEXES="false").code == 0
    assert run("--verify").code == 0
    assert described(database) != before[0]
    result = run("--rollback")
    assert result.code == 0, result.err
    assert (described(database), all_rows(database)) == before


@pytest.mark.parametrize("said", ["unique"], indirect=True)
@pytest.mark.parametrize(
    ("attributes", "since"),
    [("(weight) INCLUDE (date) DEFERRABLE", 12), ("NULLS NOT DISTINCT (weight)", 15)],
)
def test_a_rollback_gives_a_key_all_back_that_it_had(
    said: str, database: Database, run: Run, attributes: str, since: int
) -> None:
    """It is built as an index, which has no room for some of it."""
    if int(database.value("SHOW server_version_num")) < since * 10000:
        pytest.skip("NULLS NOT DISTINCT came with PostgreSQL 15")
    database.execute(f"ALTER TABLE weight ADD CONSTRAINT weight_date_key UNIQUE {attributes}")
    database.execute("DROP TABLE eater_schema_history")
    before = described(database)
    assert run(VERIFY_INDEXES="false").code == 0
    assert described(database) != before
    assert run("--rollback").code == 0
    assert described(database) == before


def test_a_constraint_that_rows_violate_is_refused(said: str, database: Database, run: Run) -> None:
    """With how many, and which; nothing is changed, and the printed query finds them."""
    drift, message = VIOLATED[said]
    database.execute(drift)
    before = described(database), all_rows(database)
    result = run(VERIFY_INDEXES="false")
    assert result.code == 4
    assert result.err.endswith(f" ERROR refused: public.weight.{message}")
    assert (described(database), all_rows(database)) == before
    assert len(database.rows(result.err.splitlines()[-1])) == 1


def test_a_constraint_under_another_name_is_renamed(
    said: str, database: Database, run: Run
) -> None:
    """What it says is the same: nothing is built or proven again."""
    run(VERIFY_INDEXES="false")
    name = {"unique": "weight_date_key", "check": "weight_sane", "foreign key": "weight_user_fkey"}
    rename = "ALTER TABLE public.weight RENAME CONSTRAINT {} TO {};"
    database.execute(rename.format(name[said], "other"))
    assert run("--verify").code == 5
    assert rename.format("other", name[said]) in run("--plan").out
    assert run(VERIFY_INDEXES="false").code == 0
    assert run("--verify").code == 0


def test_an_unproven_constraint_is_proven(said: str, database: Database, run: Run) -> None:
    """What somebody left NOT VALID is validated, or refused as what it is where rows violate it."""
    if said == "unique":
        database.execute("ALTER TABLE weight ADD CONSTRAINT weight_date_key UNIQUE (date)")
    else:
        name, definition = {
            "check": ("weight_sane", "CHECK (weight > 0)"),
            "foreign key": (
                "weight_user_fkey",
                'FOREIGN KEY (user_email) REFERENCES "user" (email)',
            ),
        }[said]
        drift, message = VIOLATED[said]
        database.execute(drift)
        database.execute(f"ALTER TABLE weight ADD CONSTRAINT {name} {definition} NOT VALID")
        refused = run(VERIFY_INDEXES="false")
        assert refused.code == 4
        assert refused.err.endswith(message.replace("is missing", "is NOT VALID"))
        database.execute("TRUNCATE weight")
        verified = run("--verify")
        assert verified.code == 5
        assert verified.out == (
            f"validate constraint public.weight.{name}: "
            "it is NOT VALID: existing rows were never checked\n"
        )
    assert run(VERIFY_INDEXES="false").code == 0
    assert run("--verify").code == 0


def test_an_exclusion_constraint_on_a_large_table_is_left_to_a_person(
    initialised: Database, request: pytest.FixtureRequest, run: Run
) -> None:
    """It can only be added under a lock, which reads all rows; once it is, the run finishes."""
    never = ExcludeConstraint(("date", "="), name="weight_dates", using="btree")
    initialised.execute(SAMPLE_ROWS + UNVERIFIED)
    constraints = METADATA.tables["weight"].constraints
    METADATA.tables["weight"].append_constraint(never)
    request.addfinalizer(lambda: constraints.discard(never))
    result = run(REWRITE_MAX_ROWS="0")
    assert result.code == 4
    assert re.fullmatch(
        r" ERROR refused: public\.weight\.weight_dates is missing: EXCLUDE USING btree "
        r"\(date WITH =\)\.\n  That reads the table while everybody waits: 1 row, \d+ kB; "
        r"REWRITE_MAX_ROWS is 0\.\n  Nothing was changed\. In a maintenance window, run with "
        r"REWRITE_MAX_ROWS=1, or type:\n    ALTER TABLE public\.weight ADD CONSTRAINT weight_dates "
        r"EXCLUDE USING btree \(date WITH =\);\n",
        result.err[result.err.index(" ERROR refused") :],
    )
    initialised.execute(result.err.splitlines()[-1])
    assert run(REWRITE_MAX_ROWS="0").code == 0


def test_an_exclusion_is_asked_about_where_a_run_brings_what_it_lacks(database: Database) -> None:
    """The question makes the missing extension in its own transaction, which writes by then."""
    database.execute("CREATE TABLE thing (id integer PRIMARY KEY, c integer)")
    database.execute("INSERT INTO thing VALUES (1, 2), (2, 2)")
    models = thing_with(
        Column("c", Integer), ExcludeConstraint(("c", "="), name="alone", using="btree")
    )
    (refusal,) = converged(database, models).refusals
    assert "Key (c)=(2) conflicts with key (c)=(2)." in str(refusal)
    database.execute("UPDATE thing SET c = id")
    assert converged(database, models).refusals == ()


@pytest.mark.usefixtures("initialised")
def test_there_is_never_a_moment_without_the_index(
    database: Database, run: Run, spawn: Spawn
) -> None:
    """While an index is replaced, one of that name or its predecessor serves all the time."""
    database.execute(
        SAMPLE_ROWS + "DROP INDEX idx_weight_date; "
        "CREATE INDEX idx_weight_date ON weight (date, weight)"
    )
    serving = "SELECT count(*) FROM pg_index WHERE indrelid = 'weight'::regclass AND indisvalid "
    serving += "AND pg_get_indexdef(indexrelid) LIKE '%(date%'"
    process = spawn()
    seen: List[int] = []
    while process.poll() is None:
        seen.append(database.value(serving))
    assert process.returncode == 0
    assert min(seen) == 1
    assert "(date)" in described(database)["weight"]["indexes"]["idx_weight_date"]["definition"]


@pytest.mark.long
@pytest.mark.usefixtures("initialised")
def test_a_killed_backfill_goes_on_where_it_was(database: Database, run: Run, spawn: Spawn) -> None:
    """Rows that a killed run has filled are not touched again."""
    database.execute(
        "ALTER TABLE weight ALTER user_email DROP NOT NULL; INSERT INTO weight SELECT g, "
        "'2024-11-08', g, NULL FROM generate_series(1, 40000) g; ANALYZE weight; "
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(0.00005); RETURN NEW; END $$; "
        "CREATE TRIGGER slow BEFORE UPDATE ON weight FOR EACH ROW EXECUTE FUNCTION slow()"
    )
    process = spawn()
    filled = "SELECT time, xmin::text FROM weight WHERE user_email IS NOT NULL"
    deadline = time.monotonic() + 30
    while not database.rows(filled + " LIMIT 1") and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    database.execute("SELECT pg_sleep(1); DROP TRIGGER slow ON weight")
    before = dict(database.rows(filled))
    assert 0 < len(before) < 40000
    assert run().code == 0
    after = dict(database.rows(filled))
    assert len(after) == 40000
    assert {number: after[number] for number in before} == before
