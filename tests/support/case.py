"""A case: a database as one was met, and how a run on it has to end. The SQL that several share."""

import enum
from typing import Mapping, NamedTuple, Tuple

from tests.support.catalogs import SAMPLE_ROWS


class End(enum.Enum):
    """How a run ends on a case."""

    REFUSED = "refused before the first change, with a way out that works"
    GIVEN_UP = "refused at the latest when the server refuses a step; no helper of ours is left"
    EITHER = "refused before the first change, or done with all that there was kept"
    DONE = "done; what a person should know of it is said"


class Case(NamedTuple):
    """A database, and what has to become of it. What is said and typed is tried in the test."""

    name: str
    sql: str
    end: End
    says: Tuple[str, ...] = ()  # patterns, all of which the message holds
    by_hand: str = ""  # what a person types where the way out is words, or a query
    works: str = ""  # a client's statement that the server takes before the run, and after it
    after: str = ""  # a query that is true when the database is as the models describe
    since: int = 12  # the oldest server that knows such things
    settings: Mapping[str, str] = {}


# A second row of a table where two are needed, one of them with an odd time.
START = f"""{SAMPLE_ROWS}
INSERT INTO weight SELECT time + 1, date, weight, user_email FROM weight;"""
NULLS = """ALTER TABLE weight ALTER user_email DROP NOT NULL;
UPDATE weight SET user_email = NULL WHERE time % 2 = 0;"""
NO_CALORIES = "ALTER TABLE dishes ALTER calories DROP NOT NULL; UPDATE dishes SET calories = NULL;"
NO_KEY = "ALTER TABLE total_for_day DROP CONSTRAINT total_for_day_pkey;"
KEY = f"""{NO_KEY}
ALTER TABLE total_for_day ADD CONSTRAINT total_for_day_pkey PRIMARY KEY (today);"""
TEXT_DATE = "ALTER TABLE dishes_day ALTER date TYPE varchar;"
TOTAL = "UPDATE total_for_day SET total_calories = total_calories"
NULL_EMAIL = "INSERT INTO weight VALUES (5, 'x', 1, NULL)"
DISH = "name, calories, weight, ingredients, contains, user_email"
DISH_COLUMNS = """name varchar NOT NULL, calories integer NOT NULL, weight integer NOT NULL,
  ingredients varchar[] NOT NULL, contains json NOT NULL, user_email varchar NOT NULL"""
FIFTY = f"INSERT INTO dishes ({DISH}) SELECT {DISH} FROM dishes, generate_series(1, 50);"
MADE_ANEW = """ALTER INDEX dishes_pkey RENAME TO dishes_all_pkey;
ALTER INDEX idx_dishes_name RENAME TO a1; ALTER INDEX idx_dishes_user_email RENAME TO a2;"""
PLAIN_WEIGHT = "time integer NOT NULL, weight float NOT NULL, user_email varchar NOT NULL"
# By the thousandth and the millionth of a second.
EPOCHS = """DROP TABLE weight; CREATE TABLE weight (time bigint PRIMARY KEY, weight float NOT NULL,
  user_email varchar NOT NULL);
INSERT INTO weight SELECT {0}, 80, 'u' FROM generate_series(1, 3) g"""
PARTITIONED = """DROP TABLE weight;
CREATE TABLE weight (time integer PRIMARY KEY, date varchar NOT NULL, weight float NOT NULL,
  user_email varchar) PARTITION BY {0};
CREATE TABLE weight_a PARTITION OF weight FOR VALUES {1};
CREATE TABLE weight_b PARTITION OF weight FOR VALUES {2};
INSERT INTO weight SELECT g, '2025-01-01', 80, CASE WHEN g % 2 = 0 THEN 'u' END
FROM generate_series(1, 300) g;
CREATE INDEX idx_weight_user_email ON weight (user_email);
CREATE INDEX idx_weight_time ON weight (time); CREATE INDEX idx_weight_date ON weight (date);
CREATE INDEX idx_weight_user_time ON weight (user_email, time);"""
BY_RANGE = PARTITIONED.format("RANGE (time)", "FROM (0) TO (200)", "FROM (200) TO (2000000000)")
BY_HASH = PARTITIONED.format(
    "HASH (time)", "WITH (MODULUS 2, REMAINDER 0)", "WITH (MODULUS 2, REMAINDER 1)"
)
WITH_EMAILS = (
    "UPDATE weight SET user_email = 'u'; ALTER TABLE weight ALTER user_email SET NOT NULL;"
)
CHILD = "CREATE TABLE weight_2024 () INHERITS (weight);"
TRIGGER = """CREATE FUNCTION to_{0}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {1}; END $$;
CREATE TRIGGER {0} {2} ON weight FOR EACH ROW EXECUTE FUNCTION to_{0}()"""
EVENT = """CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  RAISE EXCEPTION 'not on this server'{0}; END $$;
CREATE EVENT TRIGGER guard ON {1} EXECUTE FUNCTION no()"""
NO_EVENT = "ALTER EVENT TRIGGER guard DISABLE"
LONG = "(SELECT string_agg(md5(g::text), '') FROM generate_series(1, 140) g)"
PUBLISHED = "CREATE PUBLICATION p FOR TABLE weight;"
FULL = "ALTER TABLE {0} REPLICA IDENTITY FULL"
TWICE = "INSERT INTO total_for_day SELECT {0}, 'x', 1, '{{}}', '{{}}', 1, '{{}}', '2025-01-01' "
TWICE += "FROM generate_series(1, 2)"
APART = "UPDATE total_for_day SET user_email = ctid::text"
