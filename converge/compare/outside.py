"""Enums for which the models name no schema, while they do for every table.

`create_all` makes such an enum where the search_path begins, and services that send a cast to it
find it there. So it is right where it is, as long as nothing has to be done about it.
"""

from typing import Dict, Mapping

from converge.compare.desired import Desired
from converge.quoting import identifier, literal
from converge.server.catalog import OwnType, Schema
from converge.server.connection import Connection
from converge.server.messages import ask

# The enums in other schemas that columns of the tables have.
FOUND = """SELECT DISTINCT t.typname, n.nspname, ARRAY(
  SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
JOIN pg_type t ON a.atttypid IN (t.oid, t.typarray)
JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE c.relnamespace = {schema}::regnamespace AND c.relname = ANY (ARRAY[{tables}]::name[])
  AND t.typtype = 'e' AND t.typnamespace <> c.relnamespace"""


def types_outside(
    connection: Connection, name: str, live: Schema, desired: Desired, wanted: Mapping[str, OwnType]
) -> Schema:
    """Return a schema with the enums that its tables have from another one, if all is as it should.

    That is another one for all, and each with the values that the models say.
    """
    names = set(desired.types_nowhere)
    if not names or names & set(live.types):
        return live
    query = FOUND.format(
        schema=literal(identifier(name)), tables=", ".join(map(literal, live.tables))
    )
    found = [row for row in ask(connection, query) if row[0] in names]
    homes: Dict[str, str] = {kind: home for kind, home, _ in found}
    alike = all(wanted[kind].labels == labels for kind, _, labels in found)
    if not alike or not len(found) == len(names) == len(homes) or len(set(homes.values())) != 1:
        return live
    types = {**live.types, **{kind: wanted[kind] for kind in names}}
    relations = {**live.relations, **dict.fromkeys(names, "c")}
    return live._replace(types=types, relations=relations, outside=homes)
