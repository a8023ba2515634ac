"""Any sequence of drifts ends at the models, or changes nothing at all."""

import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import List, NamedTuple, Optional

import psycopg2
import pytest
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st

from tests.support.catalogs import SAMPLE_ROWS, all_rows, described
from tests.support.copies import copy_of
from tests.support.database import Database
from tests.support.earlier import State, surroundings
from tests.support.job import Run
from tests.support.shapes import DIFFERENCES, SHAPES, SINCE
from tests.support.writing import Written, kept, writing

EXAMPLES = int(os.environ.get("EATER_PROPERTY_EXAMPLES", "20"))
PARTS = 3  # which different processes may take
TWICE = (
    "ALTER TABLE dishes_day DROP CONSTRAINT IF EXISTS dishes_day_pkey; "
    "INSERT INTO dishes_day SELECT * FROM dishes_day"
)
DRIFTS = [
    "DROP INDEX IF EXISTS idx_weight_date",
    "DROP INDEX IF EXISTS idx_dishes_day_user_date",
    "DROP INDEX IF EXISTS idx_weight_date; CREATE INDEX idx_weight_date ON weight (weight)",
    "ALTER INDEX IF EXISTS idx_weight_user_time RENAME TO idx_other",
    "UPDATE pg_index SET indisvalid = false "
    "WHERE indexrelid = to_regclass('idx_weight_user_email')",
    "ALTER TABLE weight DROP COLUMN IF EXISTS weight",
    "ALTER TABLE weight DROP COLUMN IF EXISTS date",
    "ALTER TABLE weight DROP COLUMN IF EXISTS time",
    "ALTER TABLE dishes_day DROP COLUMN IF EXISTS user_email",
    "ALTER TABLE dishes_day ALTER contains DROP NOT NULL; UPDATE dishes_day SET contains = NULL",
    "ALTER TABLE dishes_day ALTER dish_name DROP NOT NULL",
    "ALTER TABLE dishes_day ALTER date TYPE varchar",
    "ALTER TABLE dishes_day ALTER date TYPE varchar USING to_char(date::date, 'DD-MM-YYYY'); "
    "UPDATE dishes_day SET date = '31-02-2024' WHERE dish_name = 'soup'",
    "ALTER TABLE dishes_day ALTER estimated_avg_calories TYPE bigint",
    "ALTER TABLE dishes_day ALTER estimated_avg_calories TYPE smallint",
    "ALTER TABLE dishes_day ALTER dish_name TYPE varchar(40)",
    "ALTER TABLE dishes_day DROP CONSTRAINT IF EXISTS dishes_day_pkey",
    TWICE,
    "ALTER TABLE total_for_day DROP CONSTRAINT IF EXISTS total_for_day_pkey; "
    "ALTER TABLE total_for_day ADD CONSTRAINT total_for_day_pkey PRIMARY KEY (today)",
    'ALTER TABLE "user" ALTER language DROP DEFAULT',
    "ALTER TABLE \"user\" ALTER language SET DEFAULT 'de'",
    'UPDATE "user" SET language = \'en\'; ALTER TABLE "user" ALTER language SET NOT NULL',
    "ALTER TABLE dishes ALTER id DROP DEFAULT",
    "DROP TABLE IF EXISTS alcohol_for_day",
    "DROP TABLE IF EXISTS other; CREATE TABLE other (id integer)",
    "ALTER TABLE weight ADD COLUMN IF NOT EXISTS mood text",
    "CREATE INDEX IF NOT EXISTS idx_mood ON dishes (calories)",
    "DELETE FROM dishes_day; DELETE FROM weight",
    "COMMENT ON TABLE weight IS 'other'",
]
HERE = State(Path("public"), "public")
NOTED = "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
# What the models do not know, hung on what they do.
UNKNOWN = [
    "CREATE OR REPLACE VIEW heavy AS SELECT date, weight FROM weight",
    "CREATE OR REPLACE VIEW eaten AS SELECT time, dish_name, date FROM dishes_day GROUP BY time",
    "CREATE MATERIALIZED VIEW IF NOT EXISTS days AS SELECT date, user_email FROM total_for_day",
    "CREATE TRIGGER noted BEFORE UPDATE OF contains, date ON dishes_day FOR EACH ROW "
    "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE TRIGGER heavier AFTER UPDATE ON weight FOR EACH ROW WHEN (NEW.weight > OLD.weight) "
    "EXECUTE FUNCTION noted()",
    'ALTER TABLE weight ADD CONSTRAINT owned FOREIGN KEY (user_email) REFERENCES "user" (email)',
    "ALTER TABLE dishes_day ADD CONSTRAINT summed FOREIGN KEY (date, user_email) "
    "REFERENCES total_for_day (date, user_email) ON DELETE CASCADE",
    "CREATE TABLE scales (time integer REFERENCES weight (time)); "
    "INSERT INTO scales SELECT time FROM weight",
    "CREATE POLICY own ON dishes_day USING (user_email = current_user); "
    "ALTER TABLE dishes_day ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    "ALTER TABLE dishes_day ADD CONSTRAINT known CHECK (contains::text <> '{}')",
    "ALTER TABLE weight ADD CONSTRAINT sane CHECK (weight > 0 AND date > '2') NOT VALID",
    "ALTER TABLE dishes_day ADD COLUMN joules integer "
    "GENERATED ALWAYS AS (estimated_avg_calories * 4184) STORED",
    "ALTER TABLE weight ADD COLUMN pounds double precision "
    "GENERATED ALWAYS AS (weight * 2.2) STORED",
    "CREATE UNIQUE INDEX IF NOT EXISTS idx_once ON dishes_day (user_email, date)",
    "CREATE INDEX IF NOT EXISTS idx_loud ON dishes_day (upper(dish_name)) WHERE date > '2024-1-1'",
    "ALTER TABLE weight ADD CONSTRAINT never EXCLUDE USING btree (time WITH =)",
    "CREATE STATISTICS both_of_it ON date, user_email FROM total_for_day",
]


# Everything belongs to the role that runs, which is no superuser.
OWNED = """DO $$ DECLARE it text; BEGIN
  FOR it IN SELECT format('ALTER TABLE %s OWNER TO {role}', oid::regclass) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') LOOP
    EXECUTE it;
  END LOOP; END $$;
ALTER SCHEMA public OWNER TO {role}; GRANT CREATE, TEMPORARY ON DATABASE {database} TO {role}"""


class Drifted(NamedTuple):
    """What a database has come to: the kind of a table, what differs, who runs, who writes."""

    shape: str
    drifts: List[str]
    as_owner: bool
    busy: bool


STATES = st.builds(
    Drifted,
    st.sampled_from(["plain", *SHAPES]),
    st.lists(
        st.sampled_from([*DRIFTS, *UNKNOWN, *DIFFERENCES.values()]),
        min_size=1,
        max_size=6,
        unique=True,
    ),
    st.booleans(),
    st.booleans(),
)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_any_drift_ends_at_the_models_or_changes_nothing(
    drifting: Database, role: str, run: Run, part: int
) -> None:
    """Every row is kept, also a busy client's; a refusal touches nothing; a second run neither."""
    outcomes: List[int] = []

    @settings(
        max_examples=-(-EXAMPLES // PARTS),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(STATES)
    @example(Drifted("plain", DRIFTS[:1], as_owner=True, busy=True))
    @example(Drifted("plain", [TWICE], as_owner=False, busy=False))
    def check(state: Drifted) -> None:
        with copy_of(drifting) as database:
            outcomes.append(_ended(database, state, role if state.as_owner else None))

    def _ended(database: Database, state: Drifted, owner: Optional[str]) -> int:
        """Return the exit code of a run in a state."""
        _bring(database, state, owner)
        settings = {"POSTGRES_DB": database.name, **({"POSTGRES_USER": owner} if owner else {})}
        before, around = (described(database), all_rows(database)), surroundings(database, HERE)
        counts = {table: len(rows) for table, rows in before[1].items()}
        written: Written = {}
        with ExitStack() as clients:
            if state.busy:
                written = clients.enter_context(writing(database))
            result = run(**settings)
        assert kept(database, written), state
        assert surroundings(database, HERE) == around, state
        if result.code == 4 and "Nothing was changed." in result.err:
            assert described(database) == before[0], state
            assert written or all_rows(database) == before[1], state
            return 4
        if result.code == 4:  # a client's rows have come between
            assert written, (state, result.err)
            assert "written since it was planned" in result.err, (state, result.err)
            return 4
        assert result.code == 0, (state, result.err)
        after = all_rows(database)
        assert all(len(after[table]) >= count for table, count in counts.items()), state
        assert run("--verify", **settings).code == 0
        assert "schema is current" in run(**settings).err
        return 0

    if "CI" in os.environ:
        seed(part)(check)
    check()
    assert {0, 4} <= set(outcomes)


def _bring(database: Database, state: Drifted, owner: Optional[str]) -> None:
    """Bring a database to a state, as far as the server takes it."""
    if int(database.value("SHOW server_version_num")) >= SINCE.get(state.shape, 0):
        database.execute(SHAPES[state.shape] or "SELECT")
    for drift in state.drifts:
        _apply(database, drift)
    if owner:
        # Event triggers that forbid it do not fire for a replica.
        database.execute("SET session_replication_role = replica")
        database.execute(OWNED.format(role=owner, database=database.name))
        database.execute("RESET session_replication_role")


def test_the_server_takes_each_drift(drifting: Database) -> None:
    """Where nothing has drifted yet none is an error, so none is passed over for good."""
    for drift in DRIFTS + UNKNOWN:
        drifting.execute(f"BEGIN; {drift}; ROLLBACK")


@pytest.fixture
def drifting(initialised: Database) -> Database:
    """A database, as the models describe, of which each drift takes a copy."""
    initialised.execute(SAMPLE_ROWS + NOTED)
    initialised.close()
    return initialised


def _apply(database: Database, drift: str) -> None:
    """Drift, unless the drifts before it have left nothing of the kind, or hung something on it."""
    with suppress(psycopg2.Error):
        database.execute(drift)
