"""The server's words for its own words, in which a restored dump has what the models say.

`status IN ('a')` is read as `status = ANY (ARRAY['a'::character varying])`, and that, when it is
read again, as `ANY (ARRAY[('a'::character varying)::text])`. Read once more, it stays as it is.
"""

from typing import Any, Dict, Iterator, List

import psycopg2

from converge.compare.desired import Desired
from converge.names import AGAIN_PREFIX
from converge.quoting import identifier
from converge.server.catalog import GENERATED, Schema, Table
from converge.server.connection import Connection
from converge.server.failures import is_transient
from converge.server.inspect import ServerFacts
from converge.server.reading import read
from converge.settings.variables import Settings


def read_again(
    connection: Connection, desired: Desired, settings: Settings, facts: ServerFacts
) -> Schema:
    """Return the desired state as it reads when it is made of its own words; nothing stays.

    Where an event trigger forbids that, nothing reads in two ways.
    """
    home = desired.trial_home(settings, facts)
    words = desired.in_server_words[home]
    statements = list(desired.trial_ddl(settings, facts))
    for place, (name, table) in enumerate(words.tables.items()):
        statements += _from_words(f"pg_temp.{identifier(name)}", table, f"{AGAIN_PREFIX}{place}_")
    try:
        found = read(
            connection, schemas=(), managed=desired.managed, names=(), desired_ddl=statements
        )
    except psycopg2.Error as error:
        if is_transient(error):
            raise
        return words
    again = found.get("", Schema({}, {}))
    tables = {
        name: _in_place(table, again.tables[name], f"{AGAIN_PREFIX}{place}_")
        for place, (name, table) in enumerate(words.tables.items())
    }
    return again._replace(tables=tables)


def _from_words(relation: str, table: Table, prefix: str) -> Iterator[str]:
    """Yield what makes of the words once more what they are said of, under a name with a number."""
    alter = f"ALTER TABLE {relation} ADD"
    for number, column in enumerate(table.columns.values()):
        if column.generated:
            how = f"GENERATED ALWAYS AS ({column.default_sql}) {GENERATED[column.generated]}"
            yield f"{alter} COLUMN {prefix}{number} {column.type} {how}"
        elif column.default_sql is not None and column.sequence is None:
            yield f"{alter} COLUMN {prefix}{number} {column.type} DEFAULT {column.default_sql}"
    for number, constraint in enumerate(table.constraints.values()):
        if constraint.kind == "c":
            yield f"{alter} CONSTRAINT {prefix}{number} CHECK ({constraint.expression})"
        if constraint.kind == "x":
            yield f"{alter} CONSTRAINT {prefix}{number} {constraint.sql}"
    for number, index in enumerate(table.indexes.values()):
        if index.expressions or index.predicate is not None:
            unique = "UNIQUE " if index.unique else ""
            yield f"CREATE {unique}INDEX {prefix}{number} ON {relation} USING {index.using}"


def _in_place(words: Table, again: Table, prefix: str) -> Table:
    """Return a table in which what was made again has the name of what it was made of."""

    def renamed(names: List[str], found: Dict[str, Any]) -> Dict[str, Any]:
        pairs = ((name, found.get(f"{prefix}{number}")) for number, name in enumerate(names))
        return {name: value for name, value in pairs if value is not None}

    return again._replace(
        columns=renamed(list(words.columns), again.columns),
        constraints=renamed(list(words.constraints), again.constraints),
        indexes=renamed(list(words.indexes), again.indexes),
    )
