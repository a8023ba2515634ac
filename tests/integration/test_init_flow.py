"""From an empty database to one that is as the models describe."""

from tests.conftest import Database, Run


def test_an_empty_database_gets_seven_tables_and_25_indexes(database: Database, run: Run) -> None:
    """One run takes an empty database to the models."""
    assert run().code == 0
    tables = database.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    indexes = database.value(
        "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public' AND indexname LIKE 'idx_%'"
    )
    assert (tables, indexes) == (7 + 1, 25)  # the history is the eighth
