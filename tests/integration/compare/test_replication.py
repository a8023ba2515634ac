"""Publications and replica identity: whoever could change a row before can do so afterwards."""

import re
from typing import Any, Iterator, List

import pytest
from sqlalchemy import Index, UniqueConstraint

from tests.support.catalogs import SAMPLE_ROWS, all_rows, described, everything
from tests.support.database import Database
from tests.support.desired import METADATA
from tests.support.job import Run
from tests.support.partitioned import partition

KEY_OF_TODAY = """
ALTER TABLE total_for_day DROP CONSTRAINT total_for_day_pkey;
ALTER TABLE total_for_day ADD CONSTRAINT total_for_day_pkey PRIMARY KEY (today);
"""
BY_THE_KEY = "ALTER TABLE total_for_day REPLICA IDENTITY USING INDEX total_for_day_pkey;"
EVERYTHING = "CREATE PUBLICATION p FOR ALL TABLES;"
NULLS = "ALTER TABLE weight ALTER user_email DROP NOT NULL; UPDATE weight SET user_email = NULL;"
UNRECORDED = "DROP TABLE eater_schema_history; "  # so that the run is all that is undone
IDENTITY = """SELECT string_agg(a.attname, ', ' ORDER BY a.attnum)
FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indexrelid
WHERE i.indrelid = %s::regclass AND i.indisreplident"""


@pytest.fixture
def published(initialised: Database) -> Database:
    """A database with a row in each table."""
    initialised.execute(SAMPLE_ROWS)
    return initialised


def since(database: Database, version: int, what: str) -> None:
    if int(database.value("SHOW server_version_num")) < version * 10000:
        pytest.skip(f"{what} came with PostgreSQL {version}")


def clients_write(database: Database) -> None:
    """Change and delete a row of every table, and leave it as it was."""
    for table in described(database):
        column = next(iter(described(database)[table]["columns"]))
        change = f'UPDATE "{table}" SET "{column}" = "{column}"; DELETE FROM "{table}"'
        database.execute(f"BEGIN; {change}; ROLLBACK")


def printed(log: str) -> str:
    """Return the SQL that the last refusal says."""
    return "".join(re.findall(r"^    (.+;)$", log.rpartition("refused: ")[2], re.MULTILINE))


def refused_until_typed(database: Database, run: Run) -> str:
    """Let a run refuse, type what it says, let it finish; return the first message."""
    before = everything(database), all_rows(database)
    refused = run()
    assert refused.code == 4, refused.err
    assert (everything(database), all_rows(database)) == before
    database.execute(printed(refused.err))
    finished = run()
    assert finished.code == 0, finished.err
    assert run("--verify").code == 0
    clients_write(database)
    return refused.err[refused.err.index("refused: ") :]


def test_a_key_stays_the_replica_identity(published: Database, run: Run) -> None:
    """It is named again in the transaction that replaces it, and in the one that takes it back."""
    published.execute(UNRECORDED + KEY_OF_TODAY + BY_THE_KEY + EVERYTHING)
    before = described(published)
    clients_write(published)
    assert run().code == 0
    assert published.value(IDENTITY, ("total_for_day",)) == "date, user_email"
    clients_write(published)
    assert run("--rollback").code == 0
    assert published.value(IDENTITY, ("total_for_day",)) == "today"
    assert described(published) == before
    clients_write(published)


@pytest.fixture
def said() -> Iterator[List[Any]]:
    """What the models say besides: appended by a test, and taken away after it."""
    table, added = METADATA.tables["weight"], []  # type: ignore[var-annotated]
    yield added
    for item in added:
        (table.indexes if isinstance(item, Index) else table.constraints).discard(item)


def say(said: List[Any], *things: Any) -> None:
    for thing in things:
        said.append(thing)
        if isinstance(thing, UniqueConstraint):
            METADATA.tables["weight"].append_constraint(thing)


def index(name: str, *columns: str, **options: Any) -> Index:
    table = METADATA.tables["weight"]
    return Index(name, *(table.columns[column] for column in columns), **options)


UNVERIFIED = "COMMENT ON TABLE eater_schema_history IS NULL;"


def test_an_index_stays_the_replica_identity(
    published: Database, run: Run, said: List[Any]
) -> None:
    """Also where only names are swapped."""
    say(said, index("ident", "time", "date", unique=True))
    published.execute(
        f"{UNRECORDED} CREATE UNIQUE INDEX ident ON weight (date);"
        "ALTER TABLE weight REPLICA IDENTITY USING INDEX ident;" + EVERYTHING
    )
    before = described(published)
    assert run(VERIFY_INDEXES="false").code == 0
    assert published.value(IDENTITY, ("weight",)) == "time, date"
    clients_write(published)
    assert run("--rollback").code == 0
    assert described(published) == before
    clients_write(published)


@pytest.mark.parametrize(
    ("live", "desired", "why"),
    [
        (
            "CREATE UNIQUE INDEX ident ON weight (date)",
            lambda: index("ident", "date"),
            "it is not unique",
        ),
        (
            "CREATE UNIQUE INDEX ident ON weight (date)",
            lambda: index(
                "ident",
                "date",
                unique=True,
                postgresql_where=METADATA.tables["weight"].columns["weight"] > 0,
            ),
            "it has a WHERE",
        ),
        (
            "ALTER TABLE weight ADD CONSTRAINT ident UNIQUE (date)",
            lambda: UniqueConstraint("date", name="ident", deferrable=True),
            "it is deferrable",
        ),
    ],
    ids=["not unique", "partial", "deferrable"],
)
def test_what_cannot_be_the_replica_identity_is_refused(
    published: Database,
    run: Run,
    said: List[Any],
    live: str,
    desired: Any,
    why: str,
) -> None:
    """The primary key can be, so it is named; then the run finishes."""
    say(said, desired())
    published.execute(
        f"{UNVERIFIED} {live}; ALTER TABLE weight REPLICA IDENTITY USING INDEX ident;" + EVERYTHING
    )
    message = refused_until_typed(published, run)
    assert (
        f"  It is the replica identity, which the new one cannot be: {why}.\n"
        "  Nothing was changed. Have its rows identified otherwise:\n"
        "    ALTER TABLE public.weight REPLICA IDENTITY DEFAULT;\n"
    ) in message


LISTED = "CREATE PUBLICATION pc FOR TABLE total_for_day (today, total_calories);"
FILTERED = "CREATE PUBLICATION pc FOR TABLE total_for_day WHERE (today > '2000-01-01');"
BOTH = """CREATE PUBLICATION pc FOR TABLE weight (time, date), total_for_day (today, total_calories)
  WHERE (today > '2000-01-01');"""
AGAIN = "    ALTER PUBLICATION pc SET TABLE ONLY public.total_for_day{};\n"
FULL = "    ALTER TABLE public.total_for_day REPLICA IDENTITY FULL;\n"
PUBLISH = "Publish them too, once the subscribers have them:\n"
OTHERWISE = "Have its rows identified otherwise:\n"


@pytest.mark.parametrize("identity", ["", BY_THE_KEY], ids=["default", "index"])
@pytest.mark.parametrize(
    ("publication", "does", "way_out"),
    [
        (
            LISTED,
            "does not publish date, user_email",
            PUBLISH + AGAIN.format(" (total_calories, today, date, user_email)"),
        ),
        (FILTERED, "filters rows by today", OTHERWISE + FULL),
        (
            BOTH,
            "filters rows by today",
            OTHERWISE
            + AGAIN.format(
                " WHERE ((today > '2000-01-01'::date)), TABLE ONLY public.weight (\"time\", date)"
            )
            + FULL,
        ),
    ],
    ids=["list", "filter", "both"],
)
def test_a_key_that_a_publication_does_not_go_with_is_refused(
    published: Database, run: Run, identity: str, publication: str, does: str, way_out: str
) -> None:
    """Every UPDATE would fail; with what is printed none does, and the table stays published."""
    since(published, 15, "column lists")
    published.execute(KEY_OF_TODAY + identity + publication)
    clients_write(published)
    assert refused_until_typed(published, run) == (
        "refused: public.total_for_day.total_for_day_pkey would identify rows.\n"
        f"  Publication pc {does}, so the server would refuse every UPDATE.\n"
        f"  Nothing was changed. {way_out}"
    )
    tables = published.rows("SELECT DISTINCT tablename::text FROM pg_publication_tables")
    assert ("total_for_day",) in tables
    assert len(tables) == (2 if publication == BOTH else 1)


WITHOUT_IDENTITY = {
    "no key": "ALTER TABLE weight DROP CONSTRAINT weight_pkey",
    "nothing": "ALTER TABLE weight REPLICA IDENTITY NOTHING",
    "index gone": "CREATE UNIQUE INDEX i ON weight (date); "
    "ALTER TABLE weight REPLICA IDENTITY USING INDEX i; DROP INDEX i",
}


@pytest.mark.parametrize("state", list(WITHOUT_IDENTITY))
@pytest.mark.parametrize("publication", [EVERYTHING, "CREATE PUBLICATION p FOR TABLE weight;"])
def test_a_backfill_that_the_server_would_refuse_is_refused_first(
    published: Database, run: Run, state: str, publication: str
) -> None:
    """Rows without a replica identity can't be updated where that is published."""
    published.execute(f"{NULLS} {WITHOUT_IDENTITY[state]}; {publication}")
    identity = "FULL" if state == "no key" else "DEFAULT"
    assert refused_until_typed(published, run) == (
        "refused: public.weight has values to be filled in.\n"
        "  Nothing identifies its rows for publication p, "
        "so the server would refuse every UPDATE.\n"
        "  Nothing was changed. Have its rows identified otherwise:\n"
        f"    ALTER TABLE public.weight REPLICA IDENTITY {identity};\n"
    )


def test_a_backfill_of_a_published_schema_is_refused(published: Database, run: Run) -> None:
    """A publication of a schema is one of its tables."""
    since(published, 15, "publications of schemas")
    published.execute(f"{NULLS} {WITHOUT_IDENTITY['no key']}; ")
    published.execute("CREATE PUBLICATION p FOR TABLES IN SCHEMA public")
    assert "identifies its rows for publication p," in refused_until_typed(published, run)


def test_a_backfill_is_filled_where_only_inserts_are_published(
    published: Database, run: Run
) -> None:
    """Then the server does not ask what identifies a row."""
    published.execute(f"{NULLS} {WITHOUT_IDENTITY['no key']}; ")
    published.execute("CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert')")
    assert run().code == 0


def test_a_backfill_of_partitions_is_refused_where_one_lacks_an_identity(
    published: Database, run: Run
) -> None:
    """Each partition has a replica identity of its own."""
    since(published, 13, "publications of partitioned tables")
    partition(published, "weight", "RANGE (time)", "CREATE TABLE a PARTITION OF weight DEFAULT")
    published.execute(NULLS + "ALTER TABLE a REPLICA IDENTITY NOTHING")
    published.execute("CREATE PUBLICATION p FOR TABLE weight")
    refused = run()
    assert refused.code == 4
    assert printed(refused.err) == "ALTER TABLE public.a REPLICA IDENTITY FULL;"
    published.execute(printed(refused.err))
    assert "identifies its rows" not in run("--plan").out


def test_a_nullable_column_of_the_replica_identity_is_refused(
    initialised: Database, run: Run
) -> None:
    """The server does not let go of its NOT NULL."""
    initialised.execute(
        'ALTER TABLE "user" ALTER language SET NOT NULL; CREATE UNIQUE INDEX i ON "user" '
        '(language); ALTER TABLE "user" REPLICA IDENTITY USING INDEX i;' + EVERYTHING
    )
    assert refused_until_typed(initialised, run) == (
        "refused: public.user.language is NOT NULL; the model says nullable.\n"
        "  It is part of the replica identity, which has to be NOT NULL.\n"
        "  Nothing was changed. Have its rows identified otherwise:\n"
        '    ALTER TABLE public."user" REPLICA IDENTITY DEFAULT;\n'
    )


@pytest.mark.parametrize(
    "drift", ["DROP COLUMN date", "ALTER time TYPE bigint", "ALTER date TYPE varchar(20)"]
)
def test_subscribers_are_to_be_changed_first(published: Database, run: Run, drift: str) -> None:
    """They stop at a row that their own table has no room for."""
    published.execute(f"ALTER TABLE weight {drift}; CREATE PUBLICATION p FOR TABLE weight")
    note = "left alone: public.weight is published by p: change the tables of the subscribers"
    changed = drift != "ALTER time TYPE bigint"  # in which the services can live
    assert (f"-- {note} first\n" in run("--plan").out) is changed
    result = run()
    assert result.code == 0
    assert (f"INFO  {note} first\n" in result.err) is changed
    assert note not in run("--plan").out


def test_a_column_beside_a_column_list_is_no_matter_of_subscribers(
    published: Database, run: Run
) -> None:
    """What is not listed is not published."""
    since(published, 15, "column lists")
    published.execute("ALTER TABLE weight DROP COLUMN date")
    published.execute("CREATE PUBLICATION p FOR TABLE weight (time, weight)")
    assert "subscribers" not in run().err
