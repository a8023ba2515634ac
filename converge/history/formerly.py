"""What recorded steps call a table and its columns that newer ones have renamed."""

from typing import Dict, Sequence

from converge.history.recorded import RecordedStep
from converge.quoting import identifier, qualified
from converge.server import messages
from converge.server.connection import Connection

COLUMNS = """SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%(relation)s)
AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""


def former_rows(
    connection: Connection, schema: str, table: str, newer: Sequence[RecordedStep]
) -> str:
    """Return what stands behind FROM for a table, by the names that it had before the newer steps.

    These, the newest first, are in effect.
    """
    present = table
    formers: Dict[str, str] = {}
    for step in reversed(newer):
        if step.hides == present:
            present = step.table
            for noun, name in step.makes:
                if noun == "column":
                    formers[name] = formers.pop(step.former, step.former)
    relation = qualified(schema, present)
    if not formers:
        return relation
    columns = messages.rows(connection, COLUMNS, {"relation": relation})
    listed = ", ".join(identifier(formers.get(name, name)) for (name,) in columns)
    return f"{relation} AS {identifier(table)} ({listed})"
