"""The history as a table for people."""

from typing import List, Sequence

from psycopg2 import errors

from converge.errors import Refused
from converge.names import HISTORY_TABLE
from converge.plan import Refusal, WayOut
from converge.quoting import identifier, literal, qualified
from converge.server.connection import Connection
from converge.server.failures import first_line
from converge.server.inspect import ADMINISTRATOR
from converge.server.messages import ask, rows
from converge.server.others import taken_history
from converge.text import duration, table

SHOW = """SELECT run, version, action, finished || ' of ' || json_array_length(steps),
  to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC'),
  extract(epoch FROM verified_at - started_at)::float,
  applied_by, tool_version
FROM {table} ORDER BY run DESC"""
HEAD = ("schema", "run", "version", "action", "steps", "started", "duration", "by", "tool")


def show(connection: Connection, schemas: Sequence[str]) -> str:
    """Return the history of the schemas as a table, newest run first.

    Raises `Refused` if the role may not read it.
    """
    body: List[Sequence[object]] = []
    for schema in schemas:
        relation = qualified(schema, HISTORY_TABLE)
        try:
            if rows(connection, f"SELECT to_regclass({literal(relation)})")[0][0]:
                for *row, seconds, role, tool in ask(connection, SHOW.format(table=relation)):
                    taken = "not verified" if seconds is None else duration(seconds)
                    body.append((schema, *row, taken, role, tool))
        except errors.UndefinedColumn:
            raise Refused(str(taken_history(schema))) from None
        except errors.InsufficientPrivilege as error:
            role = identifier(rows(connection, "SELECT current_user")[0][0])
            grants = (
                f"GRANT USAGE ON SCHEMA {identifier(schema)} TO {role}",
                f"GRANT SELECT ON {relation} TO {role}",
            )
            way_out = WayOut(ADMINISTRATOR, grants)
            refusal = Refusal(schema, "", f"{first_line(error)}.", way_out)
            raise Refused(str(refusal)) from None
    return table(HEAD, body) if body else "No run has changed anything yet."
