"""What CREATE and ALTER TABLE can make of a table, and each kind of difference from the models.

Both are of `weight`, which others hang on: a shape is SQL for a database as the models describe,
with some rows; a difference is SQL that drifts from them. Where the server does not take a
difference in a shape, there is nothing to try.
"""

from typing import Dict

# A table of that name made anew, with the same rows: what stands before and behind its columns.
ANEW = """CREATE TABLE kept AS TABLE weight; DROP TABLE weight;
{before};
CREATE TABLE weight {columns} {behind};
{then};
INSERT INTO weight (time, date, weight, user_email) SELECT * FROM kept; DROP TABLE kept;
ALTER TABLE weight ADD CONSTRAINT weight_pkey PRIMARY KEY (time);
CREATE INDEX idx_weight_user_email ON weight (user_email);
CREATE INDEX idx_weight_time ON weight (time); CREATE INDEX idx_weight_date ON weight (date);
CREATE INDEX idx_weight_user_time ON weight (user_email, time);
"""
COLUMNS = """(time integer NOT NULL, date varchar NOT NULL, weight double precision NOT NULL,
  user_email varchar NOT NULL)"""


def anew(behind: str = "", then: str = "", before: str = "", columns: str = COLUMNS) -> str:
    return ANEW.format(before=before, columns=columns, behind=behind, then=then)


EVENT = """CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  RAISE 'not on this server'; END $$;
CREATE EVENT TRIGGER guard ON {0} EXECUTE FUNCTION no()"""
TRIGGER = """CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {0}; END $$;
CREATE TRIGGER meddle {1} ON weight FOR EACH ROW EXECUTE FUNCTION meddle()"""
NOT_MINE = "CREATE TABLE notes (id serial PRIMARY KEY, {0})"
# From the version on, by name. Each is one that a table can have beside what the models say of it.
SHAPES: Dict[str, str] = {
    "plain": "",
    "partitioned by range": anew(
        "PARTITION BY RANGE (time)",
        "CREATE TABLE weight_a PARTITION OF weight FOR VALUES FROM (0) TO (1731024001);"
        "CREATE TABLE weight_b PARTITION OF weight DEFAULT",
    ),
    "partitioned by list": anew(
        "PARTITION BY LIST (time)",
        "CREATE TABLE weight_a PARTITION OF weight FOR VALUES IN (1731024000);"
        "CREATE TABLE weight_b PARTITION OF weight DEFAULT",
    ),
    "partitioned by hash": anew(
        "PARTITION BY HASH (time)",
        "CREATE TABLE weight_a PARTITION OF weight FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
        "CREATE TABLE weight_b PARTITION OF weight FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    ),
    "partitioned twice": anew(
        "PARTITION BY RANGE (time)",
        "CREATE TABLE weight_a PARTITION OF weight DEFAULT PARTITION BY RANGE (time);"
        "CREATE TABLE weight_b PARTITION OF weight_a DEFAULT",
    ),
    "a partition": anew(
        before=f"CREATE TABLE all_weights {COLUMNS} PARTITION BY RANGE (time);",
        columns="PARTITION OF all_weights",
        behind="DEFAULT",
    ),
    "an attached partition": f"CREATE TABLE all_weights {COLUMNS} PARTITION BY RANGE (time);"
    "CREATE INDEX ON all_weights (date); ALTER TABLE all_weights ADD PRIMARY KEY (time);"
    "ALTER TABLE all_weights ATTACH PARTITION weight DEFAULT",
    "a child": anew(
        before=f"CREATE TABLE measures {COLUMNS};", columns="()", behind="INHERITS (measures)"
    ),
    "a child of two": anew(
        before=f"CREATE TABLE measures {COLUMNS}; CREATE TABLE dates (date varchar NOT NULL);",
        columns="()",
        behind="INHERITS (measures, dates)",
    ),
    "a grandchild": anew(
        before=f"CREATE TABLE things {COLUMNS}; CREATE TABLE measures () INHERITS (things);",
        columns="()",
        behind="INHERITS (measures)",
    ),
    "a parent": "CREATE TABLE weight_2024 () INHERITS (weight); INSERT INTO weight_2024 VALUES "
    "(5, '2024-01-01', 70, 'ann@example.org'), (6, '2024-01-02', 70, 'ann@example.org')",
    "a parent of one with more": "CREATE TABLE weight_2024 (mood text) INHERITS (weight); "
    "INSERT INTO weight_2024 VALUES (5, '2024-01-01', 70, 'ann@example.org', 'good')",
    "typed": anew(
        before="CREATE TYPE measured AS (time integer, date varchar, weight double precision, "
        "user_email varchar);",
        columns="OF measured (time NOT NULL, date NOT NULL, weight NOT NULL, user_email NOT NULL)",
    ),
    "a row type of a column": NOT_MINE.format("w weight")
    + "; INSERT INTO notes (w) SELECT w FROM weight w",
    "a row type of an array": NOT_MINE.format("w weight[]"),
    "a row type in a type": "CREATE TYPE pair AS (a weight, b weight); "
    + NOT_MINE.format("w pair"),
    "a row type in a domain": "CREATE DOMAIN known AS weight; " + NOT_MINE.format("w known"),
    "a row type of a function": "CREATE FUNCTION heavy(weight) RETURNS boolean LANGUAGE sql AS "
    "'SELECT $1.weight > 90'",
    "row security": "CREATE POLICY own ON weight USING (user_email = current_user); "
    "ALTER TABLE weight ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    "a rule instead": "CREATE RULE nothing AS ON UPDATE TO weight DO INSTEAD NOTHING",
    "a rule beside": "CREATE TABLE log (time integer); CREATE RULE noted AS ON UPDATE TO weight "
    "DO ALSO INSERT INTO log VALUES (OLD.time)",
    "a trigger that raises": TRIGGER.format("RAISE 'immutable'", "BEFORE UPDATE"),
    "a trigger that skips": TRIGGER.format("RETURN NULL", "BEFORE UPDATE"),
    "a trigger that keeps": TRIGGER.format("RETURN OLD", "BEFORE UPDATE"),
    "a trigger behind": TRIGGER.format("RETURN NULL", "AFTER INSERT OR UPDATE OR DELETE"),
    "a constraint trigger": "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RETURN NULL; END $$; CREATE CONSTRAINT TRIGGER meddle AFTER UPDATE ON weight "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION meddle()",
    "no table is rewritten": EVENT.format("table_rewrite"),
    "nothing is dropped": EVENT.format("sql_drop"),
    "no table is altered": EVENT.format("ddl_command_start WHEN TAG IN ('ALTER TABLE')"),
    "no index is made": EVENT.format("ddl_command_start WHEN TAG IN ('CREATE INDEX')"),
    "unlogged": "ALTER TABLE weight SET UNLOGGED",
    "an identity": "ALTER TABLE weight ALTER time ADD GENERATED BY DEFAULT AS IDENTITY",
    "a generated column more": "ALTER TABLE weight ADD COLUMN pounds double precision "
    "GENERATED ALWAYS AS (weight * 2.2) STORED",
    "a deferrable key": "ALTER TABLE weight DROP CONSTRAINT weight_pkey, "
    "ADD CONSTRAINT weight_pkey PRIMARY KEY (time) DEFERRABLE INITIALLY DEFERRED",
    "a key that includes": "ALTER TABLE weight DROP CONSTRAINT weight_pkey, "
    "ADD CONSTRAINT weight_pkey PRIMARY KEY (time) INCLUDE (date)",
    "an exclusion": "ALTER TABLE weight ADD CONSTRAINT never EXCLUDE USING btree (time WITH =)",
    "full replica identity": "ALTER TABLE weight REPLICA IDENTITY FULL; "
    "CREATE PUBLICATION p FOR TABLE weight",
    "no replica identity": "ALTER TABLE weight REPLICA IDENTITY NOTHING; "
    "CREATE PUBLICATION p FOR TABLE weight WITH (publish = 'insert')",
    "a replica identity of an index": "CREATE UNIQUE INDEX once ON weight (date, time); "
    "ALTER TABLE weight REPLICA IDENTITY USING INDEX once; CREATE PUBLICATION p FOR TABLE weight",
    "published": "CREATE PUBLICATION p FOR ALL TABLES",
    "a view": "CREATE VIEW v AS SELECT * FROM weight",
    "a view of rows": "CREATE VIEW v AS SELECT w FROM weight w",
    "a materialized view": "CREATE MATERIALIZED VIEW v AS SELECT date, weight FROM weight",
    "a view of its key": "CREATE VIEW v AS SELECT time, date FROM weight GROUP BY time",
    "statistics": "CREATE STATISTICS s ON date, user_email FROM weight",
    "a foreign key to it": "CREATE TABLE scales (time integer REFERENCES weight (time)); "
    "INSERT INTO scales SELECT time FROM weight",
    "a foreign key of it": 'ALTER TABLE weight ADD FOREIGN KEY (user_email) REFERENCES "user"',
    "a foreign key to itself": "ALTER TABLE weight ADD COLUMN before integer REFERENCES weight",
    "a check": "ALTER TABLE weight ADD CONSTRAINT sane CHECK (weight > 0 AND date > '2')",
    "a check of new rows": "ALTER TABLE weight ADD CONSTRAINT slim CHECK (weight < 60) NOT VALID",
    "a check of its own": "ALTER TABLE weight ADD CONSTRAINT sane CHECK (weight > 0) NO INHERIT",
    "a unique index": "CREATE UNIQUE INDEX once ON weight (date, time)",
    "an index of an expression": "CREATE INDEX loud ON weight (upper(date)) WHERE weight > 0",
    "clustered": "ALTER TABLE weight CLUSTER ON weight_pkey",
    "storage": "ALTER TABLE weight SET (fillfactor = 50), ALTER date SET STORAGE PLAIN, "
    "ALTER date SET STATISTICS 500, ALTER weight SET (n_distinct = 5)",
    "a collation": 'ALTER TABLE weight ALTER user_email TYPE varchar COLLATE "C"',
    "a domain": "CREATE DOMAIN email AS varchar; ALTER TABLE weight ALTER user_email TYPE email",
    "used-up columns": "DO $$ BEGIN FOR n IN 1 .. 1594 LOOP "
    "EXECUTE 'ALTER TABLE weight ADD COLUMN x integer'; "
    "EXECUTE 'ALTER TABLE weight DROP COLUMN x'; END LOOP; END $$",
    "a column more that is needed": "ALTER TABLE weight ADD COLUMN mood text NOT NULL DEFAULT 'ok'",
    "a long value": "DROP INDEX idx_weight_date, idx_weight_user_email, idx_weight_user_time; "
    "INSERT INTO weight SELECT 9, string_agg(md5(g::text), ''), 80, "
    "string_agg(md5(g::text), '') FROM generate_series(1, 140) g",
    "no rows": "DELETE FROM weight",
    "a column with a comment and rights": "COMMENT ON COLUMN weight.date IS 'other'; "
    "GRANT SELECT (date) ON weight TO PUBLIC",
}
# The version from which on the server knows it.
SINCE = {
    "a function of its key": 140000,
    "a function of a column": 140000,
    "published columns": 150000,
    "published rows": 150000,
    "NOT NULL that is not inherited": 180000,
    "NOT NULL of new rows": 180000,
    "a virtual column more": 180000,
}
SHAPES.update(
    {
        "a function of its key": "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC "
        "SELECT count(*) FROM (SELECT time, date FROM weight GROUP BY time) s; END",
        "a function of a column": "CREATE FUNCTION f() RETURNS float LANGUAGE sql BEGIN ATOMIC "
        "SELECT sum(weight) FROM weight WHERE date > '2'; END",
        "published columns": "CREATE PUBLICATION p FOR TABLE weight (time, weight)",
        "published rows": "CREATE PUBLICATION p FOR TABLE weight WHERE (time > 5)",
        "NOT NULL that is not inherited": "ALTER TABLE weight DROP CONSTRAINT weight_pkey, "
        "ALTER time DROP NOT NULL, ADD CONSTRAINT own NOT NULL time NO INHERIT",
        "NOT NULL of new rows": "ALTER TABLE weight ALTER date DROP NOT NULL, "
        "ADD CONSTRAINT new NOT NULL date NOT VALID",
        "a virtual column more": "ALTER TABLE weight ADD COLUMN pounds double precision "
        "GENERATED ALWAYS AS (weight * 2.2) VIRTUAL",
    }
)
# What differs, one for each kind of step that may follow.
DIFFERENCES: Dict[str, str] = {
    "a column with a constant is missing": "ALTER TABLE weight DROP COLUMN user_email CASCADE",
    "a column that is computed is missing": "ALTER TABLE weight DROP COLUMN date CASCADE",
    "a type to be rewritten": "ALTER TABLE weight ALTER date TYPE date USING date::date",
    "a type of the catalog": "ALTER TABLE weight ALTER user_email TYPE varchar(4000)",
    "a type of the key": "ALTER TABLE weight ALTER time TYPE numeric",
    "values are missing": "ALTER TABLE weight ALTER user_email DROP NOT NULL; "
    "UPDATE weight SET user_email = NULL WHERE time = 1731024000",
    "values that are computed are missing": "ALTER TABLE weight ALTER date DROP NOT NULL; "
    "UPDATE weight SET date = NULL",
    "values may be missing": "ALTER TABLE weight ALTER date DROP NOT NULL",
    "the key is missing": "ALTER TABLE weight DROP CONSTRAINT weight_pkey",
    "another key": "ALTER TABLE weight DROP CONSTRAINT weight_pkey, "
    "ADD CONSTRAINT weight_pkey PRIMARY KEY (time, date)",
    "an index is missing": "DROP INDEX idx_weight_date",
    "an index of several is missing": "DROP INDEX idx_weight_user_time",
    "another index": "DROP INDEX idx_weight_date; CREATE INDEX idx_weight_date ON weight (weight)",
    "an index is invalid": "UPDATE pg_index SET indisvalid = false "
    "WHERE indexrelid = 'idx_weight_user_email'::regclass",
    "another comment": "COMMENT ON TABLE weight IS 'other'",
    "the table is missing": "DROP TABLE weight",
}
