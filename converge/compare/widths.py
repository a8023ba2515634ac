"""Whether an index takes the longest values: the server is asked, on a copy of those rows."""

from typing import List, NamedTuple

from psycopg2 import errors

from converge.compare.rows import ask_ahead, rows_to_be
from converge.compare.table import ComparedTable
from converge.names import TRIAL_TABLE
from converge.plan import WayOut
from converge.quoting import identifier
from converge.server.catalog import Index
from converge.server.failures import first_line
from converge.text import counted

# The smallest limit is a B-tree's, of 2,704 bytes: a third of a page of 8 kB. What a value takes in
# an index is known only once it is there, as it is compressed.
# https://www.postgresql.org/docs/current/btree.html
SURELY_FITS_BYTES = 1000
LONGEST_ROWS = 100


class Values(NamedTuple):
    """What goes into an index, as SQL."""

    source: str  # what stands behind FROM
    width: str  # in bytes


def refuse_wide(table: ComparedTable, name: str, index: Index) -> bool:
    """Refuse an index that some row has too long values for."""
    width = " + ".join(
        f"COALESCE(pg_column_size({column}), 0)" for column in _columns(table, index)
    )
    if not width:
        return False
    source = rows_to_be(table, table.values)
    rows = f"{source} WHERE {index.predicate or 'true'}"
    found = ask_ahead(table, f"SELECT max({width}) FROM {rows}")
    if found is None or (found[0][0] or 0) <= SURELY_FITS_BYTES:
        return False
    copy = f"SELECT * FROM {rows} ORDER BY {width} DESC LIMIT {LONGEST_ROWS}"
    unique = "UNIQUE " if index.unique else ""
    create = f"CREATE {unique}INDEX {identifier(name)} ON pg_temp.{TRIAL_TABLE} USING {index.using}"
    trial = ["SET TRANSACTION READ WRITE", f"CREATE TEMP TABLE {TRIAL_TABLE} AS {copy}", create]
    try:
        ask_ahead(table, ";\n".join(trial))
    except errors.ProgramLimitExceeded as error:
        _refuse(table, name, index, Values(source, width), first_line(error))
        return True
    return False


def _refuse(table: ComparedTable, name: str, index: Index, values: Values, said: str) -> None:
    """Refuse, with how many values are long, and the rows of the longest."""
    source, width = values
    other = "ctid" if source == table.relation else "*"
    key = ", ".join(map(identifier, table.key)) or other
    long = f"{width} > {SURELY_FITS_BYTES}"
    find = f"SELECT {key}, {width} AS bytes FROM {source} WHERE {long} ORDER BY bytes DESC"
    longest = ", ".join(f"{column}={value}" for column, value in zip(table.key, table.ask(find)[0]))
    rows = counted(table.count(long, source), "row")
    table.refuse(
        name,
        f"is missing: {index.definition}.",
        f"The server says: {said}.",
        f"{rows} with more than {SURELY_FITS_BYTES:,} bytes for it; the longest: {longest}.",
        way_out=WayOut("Shorten the longest values; find them with:", (find,), asks=True),
    )


def _columns(table: ComparedTable, index: Index) -> List[str]:
    """Return the columns that an index reads: of an expression it may be any."""
    plain = index.columns and index.using.count("(") == 1 + index.using.count(" INCLUDE (")
    names = index.columns if plain and index.columns else list(table.values)
    return [identifier(name) for name in names]
