"""Cases of steps that the server, a trigger or a publication does not let through."""

from tests.support.case import (
    EVENT,
    FULL,
    KEY,
    LONG,
    NO_EVENT,
    NO_KEY,
    NULL_EMAIL,
    NULLS,
    PUBLISHED,
    TEXT_DATE,
    TOTAL,
    TRIGGER,
    Case,
    End,
)

REPLICATED = [
    Case(
        "7a",
        f"{KEY} ALTER TABLE total_for_day REPLICA IDENTITY USING INDEX total_for_day_pkey; "
        "CREATE PUBLICATION p FOR ALL TABLES",
        End.EITHER,
        ("total_for_day", "(?i)replica identity"),
        FULL.format("total_for_day"),
        works=TOTAL,
    ),
    Case(
        "7b",
        f"{KEY} CREATE PUBLICATION pc FOR TABLE total_for_day (today, total_calories)",
        End.EITHER,
        ("total_for_day", r"\bpc\b"),
        "ALTER PUBLICATION pc SET TABLE total_for_day",
        works=TOTAL,
        since=15,
    ),
    Case(
        "7 with a row filter",
        f"{KEY} CREATE PUBLICATION pw FOR TABLE total_for_day WHERE (today > '2000-01-01')",
        End.EITHER,
        ("total_for_day", r"\bpw\b"),
        "ALTER PUBLICATION pw SET TABLE total_for_day",
        works=TOTAL,
        since=15,
    ),
    Case(
        "7 of an index",
        "DROP INDEX idx_weight_time; CREATE UNIQUE INDEX idx_weight_time ON weight (time); "
        f"ALTER TABLE weight REPLICA IDENTITY USING INDEX idx_weight_time; {PUBLISHED}",
        End.EITHER,
        ("idx_weight_time", "(?i)replica identity"),
        "ALTER TABLE weight REPLICA IDENTITY DEFAULT",
        works="UPDATE weight SET weight = weight",
    ),
    Case(
        "7 of a key that goes without a publication",
        f"{KEY} ALTER TABLE total_for_day REPLICA IDENTITY USING INDEX total_for_day_pkey",
        End.EITHER,
        ("total_for_day", "(?i)replica identity"),
        FULL.format("total_for_day"),
        after="SELECT relreplident = 'f' OR EXISTS (SELECT FROM pg_index WHERE indisreplident AND "
        "indrelid = c.oid) FROM pg_class c WHERE relname = 'total_for_day'",
    ),
    *(
        Case(
            f"8 {what}",
            f"ALTER TABLE weight DROP date; CREATE PUBLICATION p {what}",
            End.DONE,
            (r"public\.weight.*published by p\b", "subscriber"),
            since=since,
        )
        for what, since in (
            ("FOR TABLE weight", 12),
            ("FOR ALL TABLES", 12),
            ("FOR TABLES IN SCHEMA public", 15),
        )
    ),
    Case(
        "8 with columns",
        "ALTER TABLE weight DROP date; CREATE PUBLICATION p FOR TABLE weight (time, user_email)",
        End.DONE,
        since=15,
    ),
    Case(
        "8 of a type",
        f"ALTER TABLE weight ALTER weight TYPE numeric; {PUBLISHED}",
        End.DONE,
        (r"public\.weight.*published by p\b", "subscriber"),
    ),
    Case(
        "13",
        f"{NULLS} ALTER TABLE weight DROP CONSTRAINT weight_pkey; "
        "CREATE PUBLICATION p FOR ALL TABLES",
        End.EITHER,
        (r"public\.weight", "(?i)replica identity"),
        FULL.format("weight"),
        after="SELECT true",
    ),
    Case(
        "13 of a whole schema",
        f"{NULLS} ALTER TABLE weight DROP CONSTRAINT weight_pkey; "
        "CREATE PUBLICATION p FOR TABLES IN SCHEMA public",
        End.EITHER,
        (r"public\.weight", "(?i)replica identity"),
        FULL.format("weight"),
        since=15,
    ),
    Case(
        "13 without an identity",
        f"{NULLS} {FULL.format('weight').replace('FULL', 'NOTHING')}; {PUBLISHED}",
        End.REFUSED,
        (r"public\.weight", "(?i)replica identity"),
        FULL.format("weight"),
    ),
]
GIVEN_UP = [  # steps that the server, or somebody's trigger, does not let through
    Case(
        "9 rule",
        f"{NULLS} CREATE RULE nr AS ON UPDATE TO weight DO INSTEAD NOTHING",
        End.GIVEN_UP,
        (r"weight\.user_email", r"(?i)rule.*\bnr\b|\bnr\b.*rule"),
        "DROP RULE nr ON weight",
        works=NULL_EMAIL,
    ),
    Case(
        "9 conditional rule",
        f"{NULLS} CREATE RULE nr AS ON UPDATE TO weight WHERE old.time > 5 DO INSTEAD NOTHING",
        End.GIVEN_UP,
        (r"weight\.user_email", r"(?i)rule.*\bnr\b|\bnr\b.*rule"),
        "DROP RULE nr ON weight",
        works=NULL_EMAIL,
    ),
    *(
        Case(
            f"9 trigger that returns {what}",
            f"{NULLS} {TRIGGER.format('swallow', f'RETURN {what}', 'BEFORE UPDATE')}",
            End.GIVEN_UP,
            (r"weight\.user_email", r"(?i)trigger.*\bswallow\b|\bswallow\b.*trigger"),
            "DROP TRIGGER swallow ON weight",
            works=NULL_EMAIL,
        )
        for what in ("OLD", "NULL")
    ),
    Case(
        "9 trigger that means well",
        f"{NULLS} {TRIGGER.format('touch', 'RETURN NEW', 'BEFORE UPDATE')}",
        End.DONE,
    ),
    Case(
        "45",
        f"{NULLS} " + TRIGGER.format("diary", "RAISE 'rows are immutable'", "BEFORE UPDATE"),
        End.GIVEN_UP,
        (r"weight\.user_email", "rows are immutable", r"\bdiary\b"),
        "ALTER TABLE weight DISABLE TRIGGER diary",
        works=NULL_EMAIL,
    ),
    Case(
        "45 afterwards",
        f"{NULLS} " + TRIGGER.format("diary", "RAISE 'rows are immutable'", "AFTER UPDATE"),
        End.GIVEN_UP,
        (r"weight\.user_email", "rows are immutable", r"\bdiary\b"),
        "ALTER TABLE weight DISABLE TRIGGER diary",
        works=NULL_EMAIL,
    ),
    Case(
        "45 check that is not valid",
        f"{NULLS} ALTER TABLE weight ADD CONSTRAINT slim CHECK (weight < 60) NOT VALID",
        End.GIVEN_UP,
        (r"public\.weight", r"\bslim\b"),
        "ALTER TABLE weight DROP CONSTRAINT slim",
        works="INSERT INTO weight VALUES (5, 'x', 1, NULL)",
    ),
    Case(
        "45 foreign key",
        f"{NULLS} ALTER TABLE weight ADD CONSTRAINT owned FOREIGN KEY (user_email) "
        'REFERENCES "user" (email)',
        End.GIVEN_UP,
        (r"public\.weight", r"\bowned\b"),
        "INSERT INTO \"user\" (email) VALUES ('legacy@localhost')",
        works=NULL_EMAIL,
    ),
    Case(
        "45 unique index",
        f"{NULLS} UPDATE weight SET user_email = NULL; "
        "CREATE UNIQUE INDEX once ON weight (user_email)",
        End.GIVEN_UP,
        (r"public\.weight", r"\bonce\b"),
        "DROP INDEX once",
        works=NULL_EMAIL,
    ),
    Case(
        "46",
        f"{TEXT_DATE} {EVENT.format('', 'table_rewrite')}",
        End.REFUSED,
        ("dishes_day", "not on this server"),
        NO_EVENT,
    ),
    Case(
        "47",
        f"DROP INDEX idx_weight_date; {EVENT.format('', 'ddl_command_start')}",
        End.REFUSED,
        ("not on this server", r"\bguard\b|event trigger"),
        NO_EVENT,
    ),
    Case(
        "47 of an index",
        "DROP INDEX idx_weight_date; "
        + EVENT.format("", "ddl_command_end WHEN TAG IN ('CREATE INDEX')"),
        End.GIVEN_UP,
        ("not on this server",),
        NO_EVENT,
    ),
    Case(
        "48",
        f"ALTER TABLE weight ALTER user_email DROP NOT NULL; {EVENT.format('', 'sql_drop')}",
        End.EITHER,
        (r"not on this server|\bguard\b",),
        NO_EVENT,
        works=NULL_EMAIL[:-5] + "'u')",
    ),
    Case(
        "49",
        "DROP EXTENSION pg_trgm CASCADE; "
        + EVENT.format(
            " USING ERRCODE = '0A000'", "ddl_command_start WHEN TAG IN ('CREATE EXTENSION')"
        ),
        End.REFUSED,
        ("not on this server", r"\bguard\b"),
        NO_EVENT,
    ),
    Case(
        "21",
        f"DROP INDEX idx_dishes_name; UPDATE dishes SET name = {LONG}",
        End.REFUSED,
        (r"idx_dishes_name|dishes\.name", "2704|bytes"),
        "UPDATE dishes SET name = 'long'",
    ),
    Case(
        "21 of two columns",
        f"DROP INDEX idx_dishes_day_user_date; DROP INDEX idx_dishes_day_user_email; "
        "DROP INDEX idx_dishes_day_user_time; "
        f"UPDATE dishes_day SET user_email = {LONG}",
        End.REFUSED,
        ("dishes_day", "2704|bytes"),
        "UPDATE dishes_day SET user_email = 'long'",
    ),
    Case(
        "21 of a key",
        f"{NO_KEY} DROP INDEX idx_total_for_day_user_email; "
        f"DROP INDEX idx_total_for_day_user_today; UPDATE total_for_day SET user_email = {LONG}",
        End.REFUSED,
        ("total_for_day", "2704|bytes"),
        "UPDATE total_for_day SET user_email = 'long'",
    ),
    Case(
        "21 that fits compressed",
        "DROP INDEX idx_dishes_name; UPDATE dishes SET name = repeat('long', 5000)",
        End.DONE,
    ),
    Case(
        "21 of trigrams",
        "DROP INDEX idx_users_email_gin; DROP INDEX idx_users_email; "
        'ALTER TABLE "user" DROP CONSTRAINT user_pkey; '
        f'CREATE INDEX own ON "user" (md5(email)); UPDATE "user" SET email = {LONG}',
        End.REFUSED,
        (r"public\.\"?user\"?", "2704|bytes"),
        "UPDATE \"user\" SET email = 'long'",
    ),
]
