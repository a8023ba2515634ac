"""A rollback that ends in the middle."""

from tests.support.database import Database
from tests.support.job import Run

# Ends the session at the drop of the last table: the seventh since the rehearsal, which drops all
# of them, too. A sequence goes on even where a transaction is rolled back.
LAST_DROP = """CREATE SEQUENCE drops;
CREATE FUNCTION last_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  IF nextval('public.drops') = 14 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
END $$;
CREATE EVENT TRIGGER last_drop ON ddl_command_start WHEN TAG IN ('DROP TABLE')
  EXECUTE FUNCTION last_drop()"""


def interrupt(database: Database, run: Run, *arguments: str) -> None:
    """Begin a rollback of all tables, which loses its connection at the last of them."""
    database.execute(LAST_DROP)
    assert run("--rollback", *arguments, MAX_RETRIES="1").code == 3
    database.execute("DROP EVENT TRIGGER last_drop; DROP FUNCTION last_drop; DROP SEQUENCE drops")
