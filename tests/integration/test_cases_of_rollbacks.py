"""Cases of `--rollback`: refused as a whole before anything is undone, or all is as it was."""

import re
from typing import List, NamedTuple, Tuple

import pytest

from tests.support.cases import START
from tests.support.catalogs import SAMPLE_ROWS, all_rows, described, everything
from tests.support.database import Database
from tests.support.job import Run


class Dependent(NamedTuple):
    """What somebody hung on a table that a rollback would drop."""

    sql: str
    says: Tuple[str, ...]
    by_hand: str
    since: int = 12


USER = r'public\."?user"?'
ATOMIC = "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC {0}; END"
DEPENDENTS = {
    "27": Dependent(
        'CREATE VIEW v AS SELECT email FROM "user"', (USER, r"view.*\bv\b"), "DROP VIEW v"
    ),
    "27 a view on a view": Dependent(
        "CREATE VIEW v AS SELECT time FROM weight; CREATE VIEW w AS SELECT * FROM v",
        (r"public\.weight", r"view.*\bv\b"),
        "DROP VIEW w; DROP VIEW v",
    ),
    "27 a materialized view": Dependent(
        "CREATE MATERIALIZED VIEW v AS SELECT time FROM weight",
        (r"public\.weight", r"view.*\bv\b"),
        "DROP MATERIALIZED VIEW v",
    ),
    "27 a foreign key": Dependent(
        'CREATE TABLE orders (email varchar REFERENCES "user" (email))',
        (USER, r"\borders\b"),
        "ALTER TABLE orders DROP CONSTRAINT orders_email_fkey",
    ),
    "27 a row type": Dependent(
        "CREATE TABLE snapshots (d dishes_day)",
        (r"public\.dishes_day", r"\bsnapshots\b"),
        "ALTER TABLE snapshots ALTER d TYPE text USING d::text",
    ),
    "27 a child": Dependent(
        "CREATE TABLE weight_2024 () INHERITS (weight); "
        "INSERT INTO weight_2024 VALUES (1, '2024-01-01', 80, 'u')",
        (r"public\.weight", r"\bweight_2024\b|1 row"),
        "ALTER TABLE weight_2024 NO INHERIT weight",
    ),
    "27 a sequence that others draw from": Dependent(
        "CREATE TABLE orders (id integer DEFAULT nextval('dishes_id_seq'))",
        (r"public\.dishes", r"\borders\b"),
        "ALTER TABLE orders ALTER id DROP DEFAULT",
    ),
    "27 a function": Dependent(
        ATOMIC.format("SELECT sum(time) FROM weight"),
        (r"public\.weight", r"function.*\bf\b"),
        "DROP FUNCTION f()",
        since=14,
    ),
    "27 a function of a row": Dependent(
        "CREATE FUNCTION f(weight) RETURNS varchar LANGUAGE sql AS 'SELECT $1.date'",
        (r"public\.weight", r"function.*\bf\b"),
        "DROP FUNCTION f(weight)",
    ),
    "27 a policy of another table": Dependent(
        "CREATE TABLE other (); CREATE POLICY p ON other USING (EXISTS (SELECT FROM weight))",
        (r"public\.weight", r"policy.*\bp\b"),
        "DROP POLICY p ON other",
    ),
}


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("case", list(DEPENDENTS))
def test_what_others_hung_on_a_table_keeps_all_of_them(
    database: Database, run: Run, case: str
) -> None:
    """Version 1.0.0 dropped what it could, and then failed again and again."""
    sql, says, by_hand, since = DEPENDENTS[case]
    _skip_before(database, since, case)
    database.execute(sql)
    before = everything(database)
    plan = run("--rollback", "--plan")
    assert everything(database) == before
    result = run("--rollback")
    assert result.code == 4, result.err
    assert plan.code == 4, plan.out
    for said in plan.out, result.err:
        assert [pattern for pattern in says if not re.search(pattern, said)] == [], said
    assert everything(database) == before
    printed = _printed(result.err)
    for statement in printed or [by_hand]:
        assert not re.search("CASCADE|DROP TABLE|DROP COLUMN|DELETE", statement), statement
        database.execute(statement)
    again = run("--rollback")
    if again.code == 4 and printed:
        database.execute(by_hand)
        again = run("--rollback")
    assert again.code == 0, again.err
    assert described(database) == {}


KEY = """ALTER TABLE total_for_day DROP CONSTRAINT total_for_day_pkey;
ALTER TABLE total_for_day ADD CONSTRAINT total_for_day_pkey {0}"""
INDEX = "DROP INDEX idx_weight_date; CREATE INDEX idx_weight_date ON weight {0}"
CHANGED = {
    "28": KEY.format("PRIMARY KEY (date) INCLUDE (user_email) DEFERRABLE INITIALLY DEFERRED"),
    "28 deferrable": KEY.format("PRIMARY KEY (today) DEFERRABLE"),
    "28 include": KEY.format("PRIMARY KEY (today) INCLUDE (total_calories)"),
    "28 of an index": INDEX.format("(date) INCLUDE (weight)"),
    "28 of an index with all that there is": INDEX.format(
        '(date COLLATE "C" DESC NULLS LAST, weight) INCLUDE (time) WHERE weight > 5'
    ),
    "28 of a hash index": INDEX.format("USING hash (date)"),
    "28 of a unique index": INDEX.replace("CREATE", "CREATE UNIQUE").format("(date, time)"),
    "28 of the replica identity": KEY.format("PRIMARY KEY (today)")
    + "; ALTER TABLE total_for_day REPLICA IDENTITY USING INDEX total_for_day_pkey",
    "28 of a clustered index": INDEX.format("(date, weight)")
    + "; ALTER TABLE weight CLUSTER ON idx_weight_date",
    "28 of storage": KEY.format("PRIMARY KEY (today) WITH (fillfactor = 70)"),
    "28 of a comment": KEY.format("PRIMARY KEY (today)")
    + "; COMMENT ON CONSTRAINT total_for_day_pkey ON total_for_day IS 'one a day'",
    "12 back to smallint": "DROP TABLE dishes; CREATE TABLE dishes (id smallserial PRIMARY KEY, "
    "name varchar NOT NULL, calories integer NOT NULL, weight integer NOT NULL, ingredients "
    "varchar[] NOT NULL, contains json NOT NULL, user_email varchar NOT NULL); CREATE INDEX "
    "idx_dishes_name ON dishes (name); CREATE INDEX idx_dishes_user_email ON dishes (user_email)",
    "26 back to NO INHERIT": "ALTER TABLE weight DROP CONSTRAINT weight_pkey; "
    "ALTER TABLE weight ALTER time DROP NOT NULL; "
    "ALTER TABLE weight ADD CONSTRAINT tnn NOT NULL time NO INHERIT",
}
# What `described` leaves out: on purpose, as it is not compared.
MORE = """
SELECT c.relname, c.relreplident, i.indisreplident, i.indisclustered, x.reloptions::text,
  pg_get_indexdef(x.oid), obj_description(k.oid), pg_get_constraintdef(k.oid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
LEFT JOIN pg_constraint k ON k.conindid = x.oid AND k.contype IN ('p', 'u', 'x')
WHERE c.relnamespace = 'public'::regnamespace AND c.relname <> 'eater_schema_history'
UNION ALL SELECT s.relname, NULL, NULL, NULL, NULL, q.seqtypid::regtype::text, NULL, q.seqmax::text
FROM pg_sequence q JOIN pg_class s ON s.oid = q.seqrelid ORDER BY 1, 6"""
SINCE = {"26 back to NO INHERIT": 18}


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("case", list(CHANGED))
def test_what_was_changed_is_as_it_was_or_is_refused(
    database: Database, run: Run, case: str
) -> None:
    """With all that it had; what can't be given back is refused, by the run or the rollback."""
    _skip_before(database, SINCE.get(case, 12), case)
    database.execute(f"{START} DROP TABLE eater_schema_history; {CHANGED[case]}")
    before = described(database), all_rows(database), {*database.rows(MORE)}
    first = run()
    assert first.code in (0, 4), first.err
    if first.code == 0:
        after = everything(database)
        result = run("--rollback")
        assert result.code in (0, 4), result.err
        if result.code == 4:
            assert "Nothing was changed." in result.err
            assert everything(database) == after
            return
    assert {*database.rows(MORE)} ^ before[2] == set()
    assert (described(database), all_rows(database)) == before[:2]


COLUMN = {
    "27 a view on a column": ("CREATE VIEW v AS SELECT user_email FROM weight", r"view.*\bv\b", 12),
    "27 a generated column": (
        "ALTER TABLE weight ADD loud text GENERATED ALWAYS AS (upper(user_email)) STORED",
        r"\bloud\b",
        12,
    ),
    "27 a policy on a column": (
        "CREATE POLICY own ON weight USING (user_email = current_user)",
        r"policy.*\bown\b",
        12,
    ),
    "27 a trigger on a column": (
        "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; "
        "CREATE TRIGGER t BEFORE UPDATE OF user_email ON weight FOR EACH ROW EXECUTE FUNCTION t()",
        r"trigger.*\bt\b",
        12,
    ),
    "27 a column in a publication": (
        "CREATE PUBLICATION pc FOR TABLE weight (time, user_email)",
        r"\bpc\b",
        15,
    ),
}


@pytest.mark.usefixtures("initialised")
@pytest.mark.parametrize("case", list(COLUMN))
def test_what_others_hung_on_a_column_keeps_it(database: Database, run: Run, case: str) -> None:
    """A rollback would drop a column that it added; what hangs on it is named, and is all there."""
    sql, says, since = COLUMN[case]
    _skip_before(database, since, case)
    database.execute(
        f"{SAMPLE_ROWS} DROP TABLE eater_schema_history; ALTER TABLE weight DROP user_email"
    )
    assert run().code == 0
    database.execute(sql)
    before = everything(database), all_rows(database)
    plan, result = run("--rollback", "--plan"), run("--rollback")
    assert result.code == 4, result.err
    assert plan.code == 4, plan.out
    assert re.search(says, plan.out)
    assert re.search(says, result.err), result.err
    assert (everything(database), all_rows(database)) == before


def _printed(text: str) -> List[str]:
    return re.findall(r"^    (.*;)$", text, re.MULTILINE)


def _skip_before(database: Database, oldest: int, case: str) -> None:
    major = int(database.value("SHOW server_version_num")) // 10000
    if major < oldest:
        pytest.skip(f"case {case} is of PostgreSQL {oldest} and newer, this is {major}")
