"""Foreign keys on a column whose type changes: whether the server takes them then."""

from typing import List, NamedTuple, Sequence

import psycopg2
from psycopg2 import errors

from converge.compare import refusals
from converge.compare.table import ColumnPair, ComparedTable
from converge.names import TRIAL_TABLE
from converge.quoting import literal
from converge.server.failures import is_transient

KEYS = """SELECT i.type || ' ' || i.identity, format_type(o.atttypid, o.atttypmod),
  k.other::regclass::text, k.referring
FROM (
  SELECT oid, confrelid, true, unnest(conkey), unnest(confkey) FROM pg_constraint
  WHERE contype = 'f' AND conrelid = {relation}::regclass
  UNION ALL
  SELECT oid, conrelid, false, unnest(confkey), unnest(conkey) FROM pg_constraint
  WHERE contype = 'f' AND confrelid = {relation}::regclass
) k (oid, other, referring, here, there)
JOIN pg_attribute a ON a.attrelid = {relation}::regclass AND a.attnum = k.here
JOIN pg_attribute o ON o.attrelid = k.other AND o.attnum = k.there
CROSS JOIN pg_identify_object('pg_constraint'::regclass, k.oid, 0) i
WHERE a.attname = {column} ORDER BY 1"""
TRIAL = f"""SET TRANSACTION READ WRITE;
CREATE TEMP TABLE {TRIAL_TABLE} (key {{key}} PRIMARY KEY);
CREATE TEMP TABLE {TRIAL_TABLE}_2 (
  refers {{refers}} REFERENCES pg_temp.{TRIAL_TABLE} (key))"""


class Key(NamedTuple):
    """A foreign key of a column, or to it."""

    description: str
    type: str  # of the column at the other end
    relation: str  # at the other end, by its live name, qualified and quoted
    referring: bool  # to that


def keys(table: ComparedTable, pair: ColumnPair) -> List[Key]:
    """Return the foreign keys that a column takes part in."""
    if not any(user.foreign_key for user in pair.live.used_by):
        return []
    column = table.former.columns.get(pair.name, pair.name)
    query = KEYS.format(relation=literal(table.present), column=literal(column))
    return [Key(*row) for row in table.ask_catalog(query)]


def refusing(table: ComparedTable, pair: ColumnPair) -> List[str]:
    """Return the foreign keys of a column that the server does not take with the new type.

    The other end has its old type, as its own change comes before or after this one; each end is
    asked about, so the server takes both orders.
    """
    return [key.description for key in keys(table, pair) if not _taken(table, pair, key)]


def refuse_large(
    table: ComparedTable, pair: ColumnPair, what: str, statements: Sequence[str]
) -> bool:
    """Refuse if a table that refers to the column has more rows than may be read under its lock.

    Where a type is rewritten the server checks its foreign keys again, on both tables' locks.
    """
    return any(
        refusals.refuse_large(
            table, pair.name, what, statements, does="reads", relation=key.relation
        )
        for key in keys(table, pair)
        if not key.referring
    )


def _taken(table: ComparedTable, pair: ColumnPair, key: Key) -> bool:
    types = (pair.desired.type, key.type)
    refers, referred = types if key.referring else types[::-1]
    try:
        table.ask(TRIAL.format(key=referred, refers=refers))
    except errors.InsufficientPrivilege:
        raise
    except psycopg2.Error as error:
        if is_transient(error):
            raise
        return False
    return True
