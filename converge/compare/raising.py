"""What raises an error for some row, because of the values that it is computed from."""

from typing import Sequence

import psycopg2
from psycopg2 import errors

from converge.compare.rows import ask_ahead, rows_to_be, value_to_be
from converge.compare.table import ComparedTable
from converge.plan import WayOut
from converge.quoting import identifier, literal, qualified
from converge.server.catalog import Index
from converge.server.failures import is_transient, said
from converge.text import rows_of

RAISED = (
    psycopg2.DataError,
    psycopg2.InternalError,
    psycopg2.NotSupportedError,
    errors.CheckViolation,  # of a domain, as the next
    errors.NotNullViolation,
    errors.ProgramLimitExceeded,
)
# Only a function's EXCEPTION goes on after an error, with the next row.
RAISES = "pg_temp.raises"
CHANGE = WayOut("Change the rows or the models.")


def refuse_uncomputable(table: ComparedTable, name: str, what: str, index: Index) -> bool:
    """Refuse an index whose expressions or predicate raise an error for some row."""
    if not index.expressions and index.predicate is None:
        return False
    # Not behind WHERE, of whose conditions the cheaper ones are asked first.
    where = f" FILTER (WHERE {index.predicate or 'true'})"
    computed = " + ".join(f"count({key}){where}" for key in index.keys)
    try:
        ask_ahead(table, f"SELECT {computed} FROM {rows_to_be(table, table.values)}")
    except RAISED as error:
        refuse_raising(table, name, what, of_row_to_be(table, computed), error)
        return True
    return False


def of_row_to_be(table: ComparedTable, sql: str) -> str:
    """Return SQL over the live row for what is said of the row as it will be."""
    listed = ", ".join(f"{value_to_be(table, c)} AS {identifier(c)}" for c in table.values)
    return f"(SELECT {sql} FROM (SELECT {listed}) AS row_to_be)"


def refuse_raising(
    table: ComparedTable,
    name: str,
    what: str,
    value: str,
    error: psycopg2.Error,
    *,
    where: str = "true",
    columns: Sequence[str] = (),
) -> None:
    """Refuse a value that raises an error, which is raised again if no row does so any more.

    It is SQL over the live row, as `where` is, which limits the rows; `columns` are shown.
    """
    if is_transient(error):
        raise error
    if table.distributed:  # its worker does not have the function
        table.refuse(name, what, f"The server says: {said(error)}.", way_out=CHANGE)
        return
    rows = table.rows(addressed=True)
    body = (
        f"BEGIN PERFORM {value} FROM {rows} WHERE tableoid = $1 AND ctid = $2; "
        "RETURN false; EXCEPTION WHEN OTHERS THEN RETURN true; END"
    )
    function = f"CREATE FUNCTION {RAISES}(oid, tid) RETURNS boolean LANGUAGE plpgsql AS "
    function += literal(body)
    condition = f"{where} AND {RAISES}(tableoid, ctid)"
    query = f"SELECT count(*) FROM {rows} WHERE {condition}"
    bad = int(table.ask(f"SET TRANSACTION READ WRITE; {function}; {query}")[0][0])
    if not bad:
        raise error
    why = f"{rows_of(bad, table.count())} {'fails' if bad == 1 else 'fail'}; "
    why += f"the server says: {said(error)}."
    find = table.find(condition, columns)
    if any(qualified(table.schema, new) in value for new in table.new_types):
        find = CHANGE  # of the type that is not there yet
    else:
        find = find._replace(statements=(function, *find.statements))
    table.refuse(name, what, why, way_out=find)
