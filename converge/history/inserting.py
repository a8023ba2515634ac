"""Rows of the history that are made of earlier ones."""

from typing import Sequence

from converge.quoting import literal


def inserting(table: str, columns: Sequence[str], select: str) -> str:
    """Return a statement that inserts what a query finds, a value for each column, in their order.

    It is no INSERT … SELECT: where tables are distributed, Citus (13.2) makes one with a now() in
    it, if only as a default, a syntax error.
    """
    listed, values = ", ".join(columns), ", ".join(f"one.{name}" for name in columns)
    insert = f"INSERT INTO {table} ({listed}) VALUES ({values})"
    query = f"SELECT * FROM ({select}) AS made ({listed})"
    loop = f"DECLARE one record; BEGIN FOR one IN {query} LOOP {insert}; END LOOP; END"
    return f"DO {literal(loop)}"
