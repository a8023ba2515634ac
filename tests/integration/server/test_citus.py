"""Citus, where it stands in for itself: what is planned, sent and refused."""

from typing import Callable

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    Sequence,
    SmallInteger,
    Table,
    Text,
)

from converge.errors import Refused
from converge.server.messages import transaction
from converge.server.retries import connect
from converge.settings.loading import load_settings
from tests.support.citus import stand_in
from tests.support.converging import Converging
from tests.support.database import Database
from tests.support.job import Run

Models = Callable[[MetaData], object]
DISTRIBUTED = "INSERT INTO pg_dist_schema SELECT 'tenant'::regnamespace, 1"


def test_a_worker_is_refused(database: Database, run: Run) -> None:
    """Its schemas are the coordinator's to change, whose address is said."""
    stand_in(database)
    database.execute("UPDATE pg_dist_local_group SET groupid = 2")
    result = run("--plan")
    assert result.code == 4
    assert result.err.endswith(
        " is a worker of Citus, which takes no DDL.\n  Nothing was changed. Name the coordinator: "
        "POSTGRES_HOST=coordinator.example.org and POSTGRES_PORT=5433.\n"
    )


def test_a_new_schema_is_distributed_while_it_is_empty(database: Database, run: Run) -> None:
    """Its tables are then created where they stay; `public` can't be, and that is said."""
    stand_in(database)
    variables = {"POSTGRES_SCHEMAS": 'tenant,"Tenant 7",public', "CITUS_DISTRIBUTE": "true"}
    plan = run("--plan", **variables).out
    assert "CREATE SCHEMA tenant;\nSELECT citus_schema_distribute('tenant');\n" in plan
    assert "left alone: Citus cannot distribute schema public: its tables stay" in plan
    assert run(**variables).code == 0
    found = database.rows("SELECT schemaid::regnamespace::text FROM pg_dist_schema ORDER BY 1")
    assert found == [('"Tenant 7"',), ("tenant",)]


def test_what_citus_distributes_by_itself_is_left_to_it(database: Database, run: Run) -> None:
    """Where citus.enable_schema_based_sharding is on, CREATE SCHEMA does it."""
    stand_in(database, sharding=True)
    plan = run("--plan", POSTGRES_SCHEMAS="tenant", CITUS_DISTRIBUTE="true").out
    assert "CREATE SCHEMA tenant;\n\n" in plan
    assert "citus_schema_distribute" not in plan


def test_a_schema_that_is_there_stays_where_it_is(database: Database, run: Run) -> None:
    """To move its rows is for a person to decide."""
    stand_in(database)
    assert run(POSTGRES_SCHEMAS="tenant").code == 0
    said = run("--plan", POSTGRES_SCHEMAS="tenant", CITUS_DISTRIBUTE="true").out
    move = "This moves it to a worker: SELECT citus_schema_distribute('tenant');"
    assert f"left alone: schema tenant is not distributed. {move}" in said


def test_without_citus_nothing_can_be_distributed(database: Database, run: Run) -> None:
    """It was wanted, so it is not left out without a word."""
    result = run("--plan", CITUS_DISTRIBUTE="true")
    assert result.code == 4
    assert result.err.endswith(
        f"refused: CITUS_DISTRIBUTE is set, and database {database.name} has no Citus 12 or newer."
        "\n  Nothing was changed. Unset it, or let an administrator install that, then run again.\n"
    )


@pytest.mark.parametrize("citus", [False, True])
def test_each_statement_is_a_message_of_its_own(database: Database, *, citus: bool) -> None:
    """Citus sends its workers the message that a statement came in, and the settings after that."""
    connection = connect(load_settings(database.environment, "/nonexistent/.env"))
    connection.citus = citus
    statements = [
        "CREATE TABLE public.said AS SELECT current_query() AS said",
        "INSERT INTO public.said SELECT current_setting('citus.propagate_set_commands', true)",
    ]
    transaction(connection, statements, lock_timeout=0.2)
    connection.close()
    [(message,), (propagated,)] = database.rows("SELECT said FROM said")
    assert (message == statements[0]) is citus
    assert propagated == ("local" if citus else None)


def plain(metadata: MetaData) -> Table:
    return Table("t", metadata, Column("id", Integer, primary_key=True, autoincrement=False))


def numbered(metadata: MetaData) -> None:
    Table("t", metadata, Column("id", Integer, primary_key=True))


def widely_numbered(metadata: MetaData) -> None:
    Table("t", metadata, Column("id", Integer, primary_key=True, autoincrement=False))
    metadata.tables["t"].append_column(Column("n", SmallInteger, Identity(), nullable=False))


def number(metadata: MetaData) -> None:
    plain(metadata).append_column(Column("n", Integer, Identity(), nullable=False))


def narrow(metadata: MetaData) -> None:
    Table("t", metadata, Column("id", SmallInteger, primary_key=True))


def referring(metadata: MetaData) -> None:
    plain(metadata).append_column(Column("up", Integer, ForeignKey("t.id", name="k")))


def deferred(metadata: MetaData) -> None:
    key = ForeignKey("t.id", name="k", deferrable=True)
    plain(metadata).append_column(Column("up", Integer, key))


def sequence(metadata: MetaData) -> None:
    plain(metadata)
    Sequence("numbers", metadata=metadata)


def other_sequence(metadata: MetaData) -> None:
    plain(metadata)
    Sequence("numbers", metadata=metadata, increment=2)


def text(metadata: MetaData) -> None:
    plain(metadata).append_column(Column("n", Text))


@pytest.mark.parametrize(
    ("before", "after", "step", "what"),
    [
        (plain, number, "add column tenant.t.n", "add a column that a sequence numbers"),
        (narrow, numbered, "change type tenant.t.id", "change the type of a column that a seq"),
        (referring, deferred, "alter constraint tenant.t.k", "change a constraint"),
        (sequence, other_sequence, "alter sequence numbers", "change a sequence"),
    ],
)
def test_what_citus_does_not_do_is_refused(
    database: Database, before: Models, after: Models, step: str, what: str
) -> None:
    """Before the first change, with what does it."""
    stand_in(database)
    engine = Converging(database, (), "tenant")
    engine.run(_metadata(before), "1")
    assert engine.plan(_metadata(after)).refusals == ()
    database.execute(DISTRIBUTED)
    said = [str(refusal) for refusal in engine.plan(_metadata(after)).refusals]
    assert [text for text in said if text.startswith(f"refused: {step} is not possible.")]
    assert f"Citus does not {what}" in "\n".join(said)
    assert said[0].endswith(
        "take the schema off its worker, run again, distribute it:\n"
        "    SELECT citus_schema_undistribute('tenant');\n"
        "    SELECT citus_schema_distribute('tenant');"
    )


def test_a_sequence_has_the_type_of_its_column(database: Database) -> None:
    """Else Citus gives it that, and no run would find it as the models say."""
    stand_in(database, sharding=True)

    def drawing(metadata: MetaData) -> None:
        numbers = Sequence("numbers", metadata=metadata)
        column = Column("n", Integer, numbers, server_default=numbers.next_value())
        plain(metadata).append_column(column)

    with pytest.raises(Refused) as caught:
        Converging(database, (), "tenant").run(_metadata(drawing), "1")
    assert str(caught.value) == (
        "refused: create sequence numbers says bigint; Citus gives it the type of its column, "
        "integer.\n  Nothing was changed. Let the models say that: Sequence(…, data_type=…)."
    )


def test_copies_of_rows_are_in_the_way(database: Database) -> None:
    """Rows that were left behind hold what the table held when its schema was distributed."""
    stand_in(database)
    engine = Converging(database, (), "tenant")
    engine.run(_metadata(plain), "1")
    database.execute(f"INSERT INTO tenant.t VALUES (1); {DISTRIBUTED}")
    assert engine.plan(_metadata(plain)).empty
    with pytest.raises(Refused) as caught:
        engine.run(_metadata(text), "2")
    assert str(caught.value) == (
        "refused: schema tenant has copies of rows that are on a worker: t.\n"
        "  citus_schema_distribute leaves them on the coordinator, where nobody reads them.\n"
        "  Nothing was changed. Once the schema works on its worker, drop the copies:\n"
        "    SELECT truncate_local_data_after_distributing_table('tenant.t');"
    )


def _metadata(models: Models) -> MetaData:
    metadata = MetaData()
    models(metadata)
    return metadata
