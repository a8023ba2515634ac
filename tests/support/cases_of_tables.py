"""Cases of tables that have parents, children, partitions, or columns used up."""

from tests.support.case import (
    BY_HASH,
    BY_RANGE,
    CHILD,
    NO_CALORIES,
    NULLS,
    PLAIN_WEIGHT,
    TEXT_DATE,
    WITH_EMAILS,
    Case,
    End,
)

MEASURES = """DROP TABLE weight; CREATE TABLE measures (time integer, date {0}, weight {1});
CREATE TABLE weight (PRIMARY KEY (time), user_email varchar NOT NULL) INHERITS (measures);
INSERT INTO weight VALUES (1, '2025-01-01', 80, 'u')"""
ALL_WEIGHTS = """DROP TABLE weight; CREATE TABLE all_weights ({0}) PARTITION BY {1};
CREATE TABLE weight PARTITION OF all_weights (PRIMARY KEY (time)) FOR VALUES {2};
INSERT INTO weight (time, weight, user_email) VALUES (1, 80, 'u')"""
EVERY_TIME = ("RANGE (time)", "FROM (0) TO (2000000000)")
SNAPSHOTS = TEXT_DATE + NO_CALORIES + "{0} CREATE TABLE snapshots (id serial, d {1})"
AS_TEXT = "ALTER TABLE snapshots ALTER d TYPE text USING d::text"
TYPED = """DROP TABLE weight; CREATE TYPE wt AS (time integer, {0}weight float, user_email varchar);
CREATE TABLE weight OF wt (PRIMARY KEY (time)); INSERT INTO weight (time, weight) VALUES (1, 2)"""
COLUMNS = "(SELECT 'ALTER TABLE weight ' || string_agg({0}, ', ') FROM generate_series(1, 1595) g)"
USED_UP = f"""DO $$ BEGIN EXECUTE {COLUMNS.format("'ADD c' || g || ' integer'")};
EXECUTE {COLUMNS.format("'DROP c' || g")}; END $$;"""
COPIED = """ALTER TABLE weight RENAME TO weights; ALTER INDEX weight_pkey RENAME TO weights_pkey;
ALTER INDEX idx_weight_time RENAME TO weights_time; CREATE TABLE weight AS SELECT * FROM weights"""
MEASURED = (r"public\.weight", r"\bmeasures\b")
PARTITION = (r"public\.weight", r"\ball_weights\b")
RELATED = [
    Case(
        "15",
        NO_CALORIES + MEASURES.format("varchar(10)", "real"),
        End.EITHER,
        MEASURED,
        "ALTER TABLE measures ALTER date TYPE varchar, ALTER weight TYPE float",
    ),
    Case(
        "15 attached later",
        "CREATE TABLE measures (time integer NOT NULL, date varchar(10) NOT NULL); "
        "ALTER TABLE weight ALTER date TYPE varchar(10); ALTER TABLE weight INHERIT measures",
        End.EITHER,
        MEASURED,
        "ALTER TABLE weight NO INHERIT measures",
    ),
    Case("15 of NOT NULL only", MEASURES.format("varchar", "float"), End.DONE),
    Case(
        "15 from above",
        f"{CHILD} ALTER TABLE weight ALTER date TYPE varchar(10); "
        "INSERT INTO weight_2024 VALUES (7, '2024-01-01', 80, 'u')",
        End.EITHER,
        (r"public\.weight", r"\bweight_2024\b"),
        "ALTER TABLE weight_2024 NO INHERIT weight",
        after="SELECT date = '2024-01-01' FROM weight_2024",
    ),
    Case(
        "15 with a value in a child that does not fit",
        f"CREATE TABLE days () INHERITS (dishes_day); {TEXT_DATE} "
        "INSERT INTO days SELECT 7, '31-02-2024', 'x', 1, '{}', 1, '{}', 'u'",
        End.REFUSED,
        ("dishes_day", r"31-02-2024|\bdays\b"),
        "UPDATE days SET date = '2024-02-29'; ALTER TABLE days NO INHERIT dishes_day",
    ),
    Case("16", BY_RANGE, End.EITHER, (r"public\.weight", "partition"), WITH_EMAILS),
    Case("16 by hash", BY_HASH, End.EITHER, (r"public\.weight", "partition"), WITH_EMAILS),
    Case(
        "16 in a child",
        f"{NULLS} {CHILD} INSERT INTO weight_2024 SELECT g, 'x', 1, NULL "
        "FROM generate_series(2000, 5000) g",
        End.EITHER,
        (r"public\.weight", r"\bweight_2024\b"),
        "UPDATE weight SET user_email = 'u'",
        after="SELECT count(user_email) = 3001 FROM weight_2024",
    ),
    Case(
        "17",
        ALL_WEIGHTS.format(PLAIN_WEIGHT, *EVERY_TIME),
        End.REFUSED,
        PARTITION,
        "ALTER TABLE all_weights ADD COLUMN date varchar",
    ),
    Case(
        "17 by hash",
        ALL_WEIGHTS.format(PLAIN_WEIGHT, "HASH (time)", "WITH (MODULUS 1, REMAINDER 0)"),
        End.REFUSED,
        PARTITION,
        "ALTER TABLE all_weights ADD COLUMN date varchar",
    ),
    Case(
        "17 of a type",
        ALL_WEIGHTS.format(PLAIN_WEIGHT + ", date varchar(10)", *EVERY_TIME),
        End.REFUSED,
        PARTITION,
        "ALTER TABLE all_weights ALTER date TYPE varchar",
    ),
    Case(
        "17 attached, but for an index as it should be",
        "CREATE TABLE all_weights (LIKE weight) PARTITION BY RANGE (time); ALTER TABLE all_weights "
        "ATTACH PARTITION weight FOR VALUES FROM (0) TO (2000000000); DROP INDEX idx_weight_date",
        End.DONE,
    ),
    Case(
        "17 with a foreign partition",
        "DROP TABLE weight; CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER "
        f"file_fdw; CREATE TABLE weight ({PLAIN_WEIGHT}, date varchar(10)) PARTITION BY RANGE "
        "(time); CREATE FOREIGN TABLE weight_f PARTITION OF weight FOR VALUES FROM (0) TO (9) "
        "SERVER files OPTIONS (filename '/dev/null')",
        End.REFUSED,
        (r"public\.weight", "partition|weight_f"),
        "ALTER TABLE weight RENAME TO weights",
    ),
    *(
        Case(f"18{how}", SNAPSHOTS.format(*two), End.REFUSED, ("dishes_day", "snapshots"), AS_TEXT)
        for how, *two in (
            ("", "", "dishes_day"),
            (" array", "", "dishes_day[]"),
            (" domain", "CREATE DOMAIN day AS dishes_day;", "day"),
            (" type", "CREATE TYPE two AS (one dishes_day);", "two"),
        )
    ),
    Case(
        "18 of a new column",
        "ALTER TABLE dishes DROP id; CREATE TABLE snapshots (d dishes)",
        End.REFUSED,
        ("public.dishes", "snapshots"),
        AS_TEXT,
    ),
    Case(
        "18 of a new column that is a constant",
        "ALTER TABLE dishes_day DROP dish_name; CREATE TABLE snapshots (d dishes_day)",
        End.EITHER,
        ("dishes_day", "snapshots"),
        AS_TEXT,
    ),
    Case(
        "18 of a function",
        f"{TEXT_DATE} CREATE FUNCTION of_day(dishes_day) RETURNS varchar LANGUAGE sql "
        "AS 'SELECT $1.dish_name'",
        End.DONE,
        works="SELECT of_day(d) FROM dishes_day d",
    ),
    Case(
        "19",
        NO_CALORIES + TYPED.format(""),
        End.REFUSED,
        (r"public\.weight", r"\bwt\b"),
        "ALTER TABLE weight NOT OF",
    ),
    Case(
        "19 of a type",
        NO_CALORIES + TYPED.format("date varchar(10), "),
        End.REFUSED,
        (r"public\.weight", r"\bwt\b"),
        "ALTER TABLE weight NOT OF",
    ),
    Case(
        "20",
        USED_UP + "ALTER TABLE weight DROP date, DROP user_email",
        End.REFUSED,
        (r"public\.weight", "1,?600"),
        COPIED,
    ),
    Case("20 just before", USED_UP + "ALTER TABLE weight DROP user_email", End.DONE),
    Case(
        "26",
        "ALTER TABLE weight DROP CONSTRAINT weight_pkey; ALTER TABLE weight ALTER time DROP NOT "
        "NULL; ALTER TABLE weight ADD CONSTRAINT tnn NOT NULL time NO INHERIT",
        End.EITHER,
        (r"public\.weight", r"\btnn\b"),
        "ALTER TABLE weight ALTER CONSTRAINT tnn INHERIT",
        since=18,
    ),
    Case(
        "26 not valid",
        "ALTER TABLE weight DROP CONSTRAINT weight_pkey; ALTER TABLE weight ALTER time DROP NOT "
        "NULL; ALTER TABLE weight ADD CONSTRAINT tnn NOT NULL time NOT VALID",
        End.EITHER,
        (r"public\.weight", r"\btnn\b"),
        "ALTER TABLE weight VALIDATE CONSTRAINT tnn",
        since=18,
    ),
]
