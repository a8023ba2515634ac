"""Every way out that the program can print is typed here, and the next run gets through."""

import re
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import pytest
from sqlalchemy import Constraint, ForeignKeyConstraint
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from tests.support.catalogs import SAMPLE_ROWS, all_rows
from tests.support.database import Database
from tests.support.desired import also
from tests.support.job import Run
from tests.support.partitioned import partition
from tests.support.program import ROOT
from tests.support.ways_out import names_of, passed, places

HIDE = "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY; ALTER TABLE {0} FORCE ROW LEVEL SECURITY; "
UNVERIFIED = "COMMENT ON TABLE eater_schema_history IS NULL; "
ALONE = "DROP TABLE eater_schema_history; "  # so that the next run is all that is undone
DAYS = "ALTER TABLE dishes_day ALTER date TYPE varchar USING date::text; "
NULLS = "ALTER TABLE weight ALTER user_email DROP NOT NULL; UPDATE weight SET user_email = NULL; "
GENERATED = """ALTER TABLE total_for_day DROP COLUMN today;
ALTER TABLE total_for_day ADD COLUMN today date GENERATED ALWAYS AS (date) {}; """


FAR = """CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw
  OPTIONS (host '{host}', port '{port}', dbname '{database}');
CREATE USER MAPPING FOR CURRENT_USER SERVER here OPTIONS (user '{superuser}');
CREATE FOREIGN TABLE near () INHERITS (weight) SERVER here OPTIONS (table_name 'far')"""
WEIGHT_OF = """DROP TABLE weight; CREATE TABLE a (date varchar(10));
CREATE TABLE b (date varchar(10));
CREATE TABLE weight (time integer PRIMARY KEY, weight float, user_email varchar) {};"""
LONG = "(SELECT string_agg(md5(g::text), '') FROM generate_series(1, 140) g)"


class Situation(NamedTuple):
    """What leads to a way out, and what else a person has to do, with what a query has found.

    `{role}` owns the tables, and is who runs it if `by_role`; a superuser does all the rest.
    """

    drift: str
    besides: str = ""
    by_role: bool = False
    servers: Tuple[int, ...] = tuple(range(12, 19))
    variables: Dict[str, str] = {}  # noqa: RUF012 - of a NamedTuple, and nobody writes into it
    says: Optional[Callable[[], Constraint]] = None
    prepare: Optional[Callable[[Database], None]] = None
    since: Optional[str] = None  # what happens after a run, which is then rolled back


def by_time(database: Database) -> None:
    default = "CREATE TABLE weights PARTITION OF weight DEFAULT"
    partition(database, "weight", "RANGE (time)", default)


def by_date(database: Database) -> None:
    default = "CREATE TABLE days PARTITION OF dishes_day DEFAULT"
    partition(database, "dishes_day", "RANGE (date)", default, key="time, date")


SITUATIONS = {
    "compare.generated._refuse_generated": Situation(
        GENERATED.format("STORED"), servers=tuple(range(13, 19))
    ),
    "compare.generated._refuse_generated 2": [
        Situation(GENERATED.format("STORED"), servers=(12,)),
        Situation(GENERATED.format("VIRTUAL"), servers=(18,)),
    ],
    "compare.by_hand.refuse_unknown": Situation(
        """ALTER TABLE weight ALTER weight TYPE json USING to_json(weight);
        ALTER TABLE weight ALTER weight SET DEFAULT '1'"""
    ),
    "compare.columns.refuse_without_backfill": Situation(
        "ALTER TABLE weight DROP COLUMN time", "UPDATE weight SET time = 1"
    ),
    "compare.constraints._validate": Situation(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'weight_pkey'::regclass"
    ),
    "compare.identity.identified_otherwise": [
        Situation(
            NULLS + "ALTER TABLE weight DROP CONSTRAINT weight_pkey; "
            "CREATE PUBLICATION p FOR TABLE weight"
        ),
        Situation(
            NULLS + "ALTER TABLE weight REPLICA IDENTITY NOTHING; "
            "CREATE PUBLICATION p FOR TABLE weight"
        ),
    ],
    "compare.missing.missing_schema": Situation(
        "REVOKE CREATE ON DATABASE {database} FROM {role}",
        by_role=True,
        variables={"POSTGRES_SCHEMAS": "tenant"},
    ),
    "compare.partitions.refuse_online": Situation(
        "DROP INDEX idx_weight_date, idx_weight_time", prepare=by_time
    ),
    "compare.partitions._refuse_impossible": Situation("SELECT", prepare=by_date),
    "compare.replication._refuse_uncovered": Situation(
        """ALTER TABLE weight DROP CONSTRAINT weight_pkey, ADD PRIMARY KEY (date);
        CREATE PUBLICATION p FOR TABLE dishes, weight (date, weight) WHERE (date > '2000-01-01');
        ALTER PUBLICATION p SET TABLE dishes, weight (date, weight)""",
        servers=tuple(range(15, 19)),
    ),
    "compare.rights.change_owner": Situation(
        "ALTER TABLE weight OWNER TO {superuser}; DROP INDEX idx_weight_date", by_role=True
    ),
    "compare.rights.of_history": Situation(
        "ALTER TABLE eater_schema_history OWNER TO {superuser}; DROP INDEX idx_weight_date",
        by_role=True,
    ),
    "compare.sequences._refuse_foreign": Situation(
        "ALTER TABLE dishes ALTER id DROP DEFAULT; ALTER SEQUENCE dishes_id_seq OWNED BY NONE; "
        "ALTER SEQUENCE dishes_id_seq OWNER TO {superuser}",
        by_role=True,
    ),
    "compare.sequences._widen": Situation(
        "CREATE SEQUENCE short AS smallint; CREATE TABLE o (id integer DEFAULT nextval('short')); "
        "ALTER TABLE dishes ALTER id SET DEFAULT nextval('short')"
    ),
    "compare.shapes._foreign_parts": Situation(
        NULLS + "CREATE EXTENSION postgres_fdw; CREATE TABLE far (LIKE weight);" + FAR
    ),
    "compare.shapes._inherited": Situation(WEIGHT_OF.format("INHERITS (a, b)")),
    "compare.shapes._inherited 2": Situation(
        "DROP TABLE weight; CREATE TABLE weights (time integer NOT NULL, date varchar(10) NOT NULL,"
        " weight float NOT NULL, user_email varchar NOT NULL) PARTITION BY RANGE (time);"
        "CREATE TABLE weight PARTITION OF weights (PRIMARY KEY (time)) DEFAULT"
    ),
    "compare.shapes._own_not_null": Situation(
        "ALTER TABLE weight DROP CONSTRAINT weight_pkey; ALTER TABLE weight ALTER time DROP NOT "
        "NULL; ALTER TABLE weight ADD CONSTRAINT own NOT NULL time NO INHERIT",
        servers=(18,),
    ),
    "compare.shapes._row_type": Situation(DAYS + "CREATE TABLE snapshots (day dishes_day)"),
    "compare.shapes._rules": Situation(
        NULLS + "CREATE RULE never AS ON UPDATE TO weight DO INSTEAD NOTHING"
    ),
    "compare.shapes._typed": Situation(
        "DROP TABLE weight; CREATE TYPE weights AS (time integer, weight float, user_email varchar)"
        "; CREATE TABLE weight OF weights (PRIMARY KEY (time))"
    ),
    "compare.shapes._unproven_foreign_key": Situation(
        UNVERIFIED
        + """INSERT INTO "user" (email) SELECT DISTINCT user_email FROM weight
        ON CONFLICT DO NOTHING""",
        servers=tuple(range(12, 18)),
        prepare=by_time,
        says=lambda: ForeignKeyConstraint(["user_email"], ["user.email"], name="owner"),
    ),
    "compare.refusals.rename": [
        Situation(
            "DROP INDEX idx_weight_date, idx_weight_time; CREATE VIEW idx_weight_date AS SELECT 1; "
            "CREATE INDEX idx_weight_time ON dishes (name); "
            "CREATE INDEX idx_weight_time_old ON dishes (name)"
        ),
        Situation("DROP TABLE weight; CREATE TYPE weight AS ENUM ()"),
    ],
    "compare.table.find": Situation(
        NULLS + "ALTER TABLE weight DROP CONSTRAINT weight_pkey; "
        "ALTER TABLE weight ALTER time DROP NOT NULL; UPDATE weight SET time = NULL",
        "UPDATE weight SET time = 1",
    ),
    "compare.rows.find_with": [
        Situation(
            "ALTER TABLE weight DROP CONSTRAINT weight_pkey; "
            "INSERT INTO weight SELECT * FROM weight",
            "DELETE FROM weight a USING weight b WHERE a.ctid > b.ctid",
        ),
        Situation(
            NULLS + "ALTER TABLE weight ADD CHECK (user_email <> 'legacy@localhost')",
            "UPDATE weight SET user_email = 'known'",
        ),
        Situation(
            UNVERIFIED + "INSERT INTO weight SELECT time + 1, date, 1, 'u' FROM weight",
            "UPDATE weight SET date = time::text",
            says=lambda: ExcludeConstraint(("date", "="), name="dates", using="btree"),
        ),
    ],
    "compare.refusals.refuse_taken": Situation(
        "ALTER TABLE weight DROP CONSTRAINT weight_pkey; "
        "ALTER TABLE weight ADD CONSTRAINT weight_pkey CHECK (weight > 0), "
        "ADD CONSTRAINT weight_pkey_old CHECK (weight > 0)"
    ),
    "compare.refusals.refuse_large": [
        Situation(
            DAYS + "ALTER TABLE dishes_day ALTER date SET DEFAULT '1970-01-01'",
            variables={"REWRITE_MAX_ROWS": "0"},
        ),
        Situation("ALTER TABLE dishes DROP COLUMN id", variables={"REWRITE_MAX_ROWS": "0"}),
    ],
    "compare.widths._refuse": Situation(
        f"DROP INDEX idx_dishes_name; UPDATE dishes SET name = {LONG}",
        "UPDATE dishes SET name = 'short'",
    ),
    "change.refused._way_out": Situation(
        NULLS + "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'immutable'; END $$; CREATE TRIGGER diary BEFORE UPDATE ON weight "
        "FOR EACH ROW EXECUTE FUNCTION no()"
    ),
    "compare.trial.event_triggers": Situation(
        "DROP INDEX idx_weight_date; CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql "
        "AS $$ BEGIN RAISE 'not here'; END $$; "
        "CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION no()"
    ),
    "server.others.taken_history": Situation(
        "DROP TABLE eater_schema_history; CREATE TABLE eater_schema_history (id integer); "
        "DROP INDEX idx_weight_date"
    ),
    "server.inspect._obstacles": Situation(
        "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC, {role}; DROP INDEX idx_weight_date",
        by_role=True,
    ),
    "server.inspect._obstacles 3": Situation(
        "REVOKE USAGE ON SCHEMA public FROM PUBLIC, {role}", by_role=True
    ),
    "server.inspect._extension_obstacles": Situation(
        "CREATE SCHEMA extensions; ALTER EXTENSION pg_trgm SET SCHEMA extensions; "
        "DROP INDEX idx_users_email_gin",
        by_role=True,
    ),
    "server.inspect.no_right_to_extension": Situation(
        "DROP EXTENSION pg_trgm CASCADE; REVOKE CREATE ON DATABASE {database} FROM {role}",
        by_role=True,
    ),
    "server.rights.grant_create": Situation(
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC, {role}; DROP INDEX idx_weight_date",
        by_role=True,
    ),
    "server.rights.show_rows": Situation(
        NULLS + HIDE.format("weight") + "CREATE POLICY p ON weight USING (false)", by_role=True
    ),
    "history.undoing._loss": [
        Situation(
            ALONE + "ALTER TABLE weight DROP COLUMN weight",
            since="UPDATE weight SET weight = 70; CREATE TABLE weight_saved ()",
        ),
        Situation(
            ALONE + "ALTER TABLE weight DROP COLUMN weight, ADD COLUMN weight_saved integer",
            since="UPDATE weight SET weight = 70",
        ),
        Situation(
            ALONE + "DROP TABLE weight; CREATE TABLE weight_saved ()",
            since="INSERT INTO weight VALUES (1, 'd', 1, 'u')",
        ),
        Situation(
            ALONE + "ALTER TABLE weight ADD COLUMN date_saved integer, "
            "ALTER date TYPE cidr USING '10.0.0.0/8'",
            since="UPDATE weight SET date = '10.1.0.0/16'",
        ),
    ],
    "history.undoing._loss 2": Situation(
        ALONE + "ALTER TABLE weight ALTER date TYPE varchar(10)",
        "UPDATE weight SET date = '2024-11-08'",
        since="UPDATE weight SET date = '2024-11-08 12:00'",
    ),
    "server.rights.without_rights": Situation(
        ALONE + "DROP INDEX idx_weight_date",
        since="ALTER TABLE weight OWNER TO {superuser}",
        by_role=True,
    ),
}
# Those that take more than a database, with the test that types them.
OF_MODELS = "compare/test_ways_out_of_models.py: test_what_is_printed_helps"
RENAMES = "compare/test_renames.py: "
ELSEWHERE = {
    "compare.keys._without": "compare/test_proofs_ahead.py: "
    "test_a_key_that_foreign_keys_rely_on_is_refused",
    "compare.missing._names_taken": RENAMES + "test_a_new_table_takes_a_name_that_a_rename_frees",
    "compare.renames._refuse_both_columns": RENAMES + "test_the_models_have_both_columns",
    "compare.renames._refuse_column": RENAMES + "test_both_columns_are_there",
    "compare.renames._refuse_table": RENAMES + "test_both_tables_are_there",
    "compare.renames.both_wanted": RENAMES + "test_the_models_have_both",
    **dict.fromkeys(
        (
            "compare.generated._refuse_kind",
            "compare.generated._refuse_plain",
            "compare.in_the_way._without",
            "compare.in_the_way._without 2",
            "compare.numbering._let_go",
            "compare.own._domain",
            "compare.own._refuse_base",
            "compare.own._refuse_elsewhere",
            "compare.own._refuse_order",
            "compare.own._refuse_renamed",
            "compare.own._removed",
            "compare.own._sequence",
            "compare.storage._refuse",
        ),
        OF_MODELS,
    ),
    "compare.columns._refuse_to_fill": "compare/test_additions.py: "
    "test_a_computed_backfill_of_a_nullable_column_is_refused",
    "compare.columns._warn_if_required": "compare/test_left_over.py: "
    "test_a_column_without_which_no_insert_succeeds_is_warned_of",
    "compare.existing.unlogged": "server/test_odd_databases.py: "
    "test_a_table_that_a_crash_empties_is_warned_of",
    "compare.rights.refuse_unreadable": "server/test_rights.py: "
    "test_who_may_not_even_read_is_told_the_right_to",
    "compare.trial.refusal": "server/test_odd_databases.py: "
    "test_an_extension_that_the_server_refuses_is_a_refusal",
    "server.inspect._obstacles 2": "server/test_rights.py: "
    "test_who_may_not_even_read_is_told_the_right_to",
    "server.waits._prepared": "server/test_waits.py: "
    "test_a_prepared_transaction_that_holds_a_lock_is_named",
    "server.waits._standby": "server/test_waits.py: "
    "test_a_synchronous_standby_that_is_gone_is_named",
    "history.show._read": "server/test_rights.py: test_a_history_that_may_not_be_read_is_said",
    "server.citus.off_the_worker": "test_citus_cluster.py: "
    "test_the_way_out_of_what_citus_does_not_do",
    "compare.distributed._refusal": "test_citus_cluster.py: "
    "test_the_way_out_of_what_citus_does_not_do",
    "compare.distributed._of_copies": "server/test_citus.py: test_copies_of_rows_are_in_the_way",
    "server.waits.__str__": "test_citus_cluster.py: test_live_traffic_on_a_worker_does_not_queue",
    "server.rights.limited_builds": "server/test_pooler.py: "
    "test_a_limit_that_a_pooled_build_would_meet_is_refused",
}


def listed() -> List[Any]:
    found = []
    for place, situations in SITUATIONS.items():
        several = situations if isinstance(situations, list) else [situations]
        for number, situation in enumerate(several, 1):
            found.append(pytest.param(place, situation, id=f"{place} {number}"))
    return found


def test_every_way_out_is_typed() -> None:
    """Whoever adds one to the program adds how to come to it."""
    assert sorted(places()) == sorted([*SITUATIONS, *ELSEWHERE])
    for where in ELSEWHERE.values():
        file, test = where.split(": ")
        assert f"def {test}(" in (ROOT / "tests/integration" / file).read_text("utf-8")


@pytest.mark.parametrize(("place", "situation"), listed())
def test_what_is_printed_helps(
    database: Database, run: Run, request: pytest.FixtureRequest, place: str, situation: Situation
) -> None:
    """All that is printed is typed, as it is; then the run gets through, and no row is lost."""
    version = int(database.value("SHOW server_version_num")) // 10000
    if version not in situation.servers:
        pytest.skip("another server has another way out")
    role = _initialise(database, request, situation)
    names = {"role": role, "superuser": database.server["user"], "database": database.name}
    names.update(host=database.server["host"], port=database.server["port"])
    variables = {**situation.variables, **({"POSTGRES_USER": role} if role else {})}
    arguments = ["--rollback"] if situation.since else []
    if situation.prepare:
        situation.prepare(database)
    database.execute(situation.drift.format(**names))
    if situation.since:
        assert run(**variables).code == 0
        database.execute(situation.since.format(**names))
    rows = sum(map(len, all_rows(database).values()))
    with passed() as lines:
        refused = run(*arguments, **variables)
    assert refused.code == 4, refused.err
    assert place in names_of(lines)
    _type(database, refused.err)
    database.execute(situation.besides or "SELECT")
    result = run(*arguments, **variables)
    if "Rename the index:" in result.err:  # the names of a table that was kept are taken
        _type(database, result.err)
        result = run(*arguments, **variables)
    assert result.code == 0, result.err
    assert arguments or run("--verify", **variables).code == 0
    if not situation.besides and not arguments:
        assert sum(map(len, all_rows(database).values())) == rows


def _initialise(database: Database, request: pytest.FixtureRequest, situation: Situation) -> str:
    """Bring the database to the models, with a row in each table; return who did it, if a role."""
    if situation.by_role:
        return str(request.getfixturevalue("owner"))
    run: Run = request.getfixturevalue("run")
    says = situation.says() if situation.says else None
    assert run().code == 0
    database.execute(SAMPLE_ROWS)
    if says is not None:
        said = also("weight", says)
        said.__enter__()
        request.addfinalizer(lambda: said.__exit__(None, None, None))
    return ""


def _type(database: Database, log: str) -> None:
    """Type what a refusal says; a query that it says finds something."""
    for statement in re.findall(r"^    (.+);$", log[log.index("refused: ") :], re.MULTILINE):
        rows = database.rows(statement)
        assert rows or not statement.startswith("SELECT")
