"""Cases of what depends on a table, of what is printed, and of what is only noted."""

from tests.support.case import BY_HASH, BY_RANGE, FIFTY, KEY, TEXT_DATE, WITH_EMAILS, Case, End

ATOMIC = "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC {0}; END"
BY_KEY = "SELECT {0} FROM (SELECT today, total_calories AS x FROM total_for_day GROUP BY today) s"
ON_CONFLICT = "INSERT INTO total_for_day SELECT * FROM total_for_day ON CONFLICT ON CONSTRAINT "
ON_CONFLICT += "total_for_day_pkey DO NOTHING"
ON_KEY = ("total_for_day_pkey|total_for_day", r"function.*\bf\b")
DEPENDENTS = [
    Case(
        "22",
        KEY + ATOMIC.format(BY_KEY.format("sum(x)")),
        End.EITHER,
        ON_KEY,
        "DROP FUNCTION f()",
        works="SELECT f()",
        since=14,
    ),
    Case(
        "22 on conflict",
        KEY + ATOMIC.format(f"{ON_CONFLICT}; SELECT 1"),
        End.EITHER,
        ON_KEY,
        "DROP FUNCTION f()",
        works="SELECT f()",
        since=14,
    ),
    Case(
        "22 procedure on a column",
        f"{TEXT_DATE} CREATE PROCEDURE f() LANGUAGE sql BEGIN ATOMIC "
        "UPDATE dishes_day SET date = upper(date); END",
        End.REFUSED,
        (r"dishes_day\.date", r"procedure.*\bf\b"),
        "DROP PROCEDURE f()",
        since=14,
    ),
    Case(
        "22 rule",
        f"{KEY} CREATE TABLE log (); CREATE RULE r AS ON INSERT TO log DO {ON_CONFLICT}",
        End.EITHER,
        ("total_for_day", r"\br\b|\blog\b"),
        "DROP RULE r ON log",
        works="INSERT INTO log DEFAULT VALUES",
    ),
    *(
        Case(
            f"22 {kind}",
            f"{KEY} CREATE {kind} v AS {BY_KEY.format('*')}",
            End.EITHER,
            ("total_for_day", rf"{kind.lower()}.*\bv\b"),
            f"DROP {kind} v",
            works="SELECT * FROM v",
        )
        for kind in ("VIEW", "MATERIALIZED VIEW")
    ),
    Case(
        "22 foreign key",
        f"{KEY} CREATE TABLE days (today date REFERENCES total_for_day)",
        End.EITHER,
        ("total_for_day", "days"),
        "ALTER TABLE days DROP CONSTRAINT days_today_fkey",
        works="INSERT INTO days SELECT today FROM total_for_day",
    ),
    Case(
        "22 policy",
        f"{TEXT_DATE} CREATE POLICY old ON dishes_day USING (date > '2000')",
        End.REFUSED,
        (r"dishes_day\.date", r"policy.*\bold\b"),
        "DROP POLICY old ON dishes_day",
    ),
    Case(
        "22 statistics",
        f"{TEXT_DATE} CREATE STATISTICS both_of_it ON date, user_email FROM dishes_day",
        End.DONE,
        after="SELECT count(*) = 1 FROM pg_statistic_ext",
    ),
    Case(
        "22 statistics of an expression",
        f"{TEXT_DATE} CREATE STATISTICS of_it ON (upper(date)) FROM dishes_day",
        End.EITHER,
        (r"dishes_day\.date", "of_it|upper"),
        "DROP STATISTICS of_it",
        since=14,
    ),
    Case(
        "22 row filter",
        f"{TEXT_DATE} CREATE PUBLICATION pw FOR TABLE dishes_day WHERE (date > '2000')",
        End.REFUSED,
        (r"dishes_day\.date", r"\bpw\b"),
        "ALTER PUBLICATION pw SET TABLE dishes_day",
        since=15,
    ),
]
TWENTY = """INSERT INTO dishes_day SELECT time + g, date, dish_name, estimated_avg_calories,
  ingredients, total_avg_weight, contains, user_email FROM dishes_day, generate_series(1, 20) g;"""
TODAY = "ALTER TABLE total_for_day DROP today; ALTER TABLE total_for_day ADD today date "
TODAY += "GENERATED ALWAYS AS (date) {0}"
DAYS = """CREATE TABLE days (LIKE dishes_day, PRIMARY KEY (time, date)) PARTITION BY RANGE (date);
CREATE TABLE days_a PARTITION OF days FOR VALUES FROM ('2000-01-01') TO ('2100-01-01');
INSERT INTO days SELECT * FROM dishes_day; DROP TABLE dishes_day;
ALTER TABLE days RENAME TO dishes_day; ALTER INDEX days_pkey RENAME TO dishes_day_pkey"""
NO_DAYS = "ALTER TABLE dishes_day RENAME TO days; ALTER INDEX dishes_day_pkey RENAME TO days_pkey; "
NO_DAYS += "CREATE TABLE dishes_day AS SELECT * FROM days"
PRINTED = [
    Case(
        "32",
        f"{BY_RANGE} {WITH_EMAILS} DROP INDEX idx_weight_date",
        End.REFUSED,
        (r"public\.weight", "partition", "idx_weight_date"),
    ),
    Case(
        "32 of two indexes by hash",
        f"{BY_HASH} {WITH_EMAILS} DROP INDEX idx_weight_date; DROP INDEX idx_weight_time",
        End.REFUSED,
        (r"public\.weight", "partition", "idx_weight_date", "idx_weight_time"),
    ),
    Case(
        "32 of an invalid index",
        f"{BY_RANGE} {WITH_EMAILS} DROP INDEX idx_weight_date; "
        "CREATE INDEX idx_weight_date ON ONLY weight (date)",
        End.REFUSED,
        (r"public\.weight", "idx_weight_date"),
    ),
    Case("33", DAYS, End.REFUSED, (r"public\.dishes_day", "partition"), NO_DAYS),
    Case(
        "34",
        f"{TWENTY} ALTER TABLE dishes_day ALTER date TYPE varchar USING date::text, "
        "ALTER date SET DEFAULT '1970-01-01'",
        End.REFUSED,
        (r"dishes_day\.date", "21 rows", "REWRITE_MAX_ROWS"),
        settings={"REWRITE_MAX_ROWS": "10"},
    ),
    Case(
        "34 of a number",
        f"{TWENTY} ALTER TABLE dishes_day ALTER estimated_avg_calories TYPE varchar, "
        "ALTER estimated_avg_calories SET DEFAULT '7'",
        End.REFUSED,
        (r"dishes_day\.estimated_avg_calories",),
        settings={"REWRITE_MAX_ROWS": "10"},
    ),
    Case(
        "34 of a sequence",
        f"{FIFTY} ALTER TABLE dishes DROP id",
        End.REFUSED,
        (r"dishes\.id", "51 rows", "REWRITE_MAX_ROWS"),
        settings={"REWRITE_MAX_ROWS": "10"},
    ),
    Case(
        "35 VIRTUAL",
        TODAY.format("VIRTUAL"),
        End.REFUSED,
        (r"total_for_day\.today", "generated"),
        "ALTER TABLE total_for_day RENAME today TO today_computed",
        since=18,
    ),
    Case(
        "35 STORED",
        TODAY.format("STORED"),
        End.REFUSED,
        (r"total_for_day\.today", "generated"),
        "ALTER TABLE total_for_day RENAME today TO today_computed",
    ),
    Case(
        "56",
        "DROP TABLE eater_schema_history; "
        "CREATE TABLE eater_schema_history (id serial PRIMARY KEY, note text)",
        End.REFUSED,
        ("eater_schema_history", "(?i)rename"),
    ),
    Case(
        "56 with the same names",
        "DROP TABLE eater_schema_history; "
        "CREATE TABLE eater_schema_history (run text, number date, version jsonb)",
        End.REFUSED,
        ("eater_schema_history", "(?i)rename"),
    ),
]
DATABASE = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {0}', current_database()); END $$"
NOTED = [
    Case("53", "ALTER TABLE weight SET UNLOGGED", End.DONE, (r"public\.weight", "(?i)unlogged")),
    Case(
        "54",
        "UPDATE pg_database SET datcollversion = '0' WHERE datname = current_database()",
        End.DONE,
        ("WARNING.*collation version",),
        since=15,
    ),
    Case(
        "57",
        "DROP INDEX idx_weight_date; " + DATABASE.format("SET default_transaction_read_only = on"),
        End.DONE,
        ("WARNING.*default_transaction_read_only",),
    ),
]
