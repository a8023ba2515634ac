"""What a key or index carries besides its definition, above all the replica identity.

https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-REPLICA-IDENTITY
"""

from typing import FrozenSet, List, Optional

from converge.compare.table import ComparedTable
from converge.plan import WayOut
from converge.quoting import identifier, literal, qualified
from converge.server.catalog import Index, Publication, identity_of_key

# What a publication that has a column list publishes: there is none before 15.
TABLES = """SELECT r.prrelid::regclass::text,
  (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
   WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)),
  COALESCE(' WHERE (' || pg_get_expr(r.prqual, r.prrelid) || ')', '')
FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
WHERE p.pubname = {} ORDER BY 1"""
SCHEMAS = """SELECT n.nspname FROM pg_publication_namespace s
JOIN pg_publication p ON p.oid = s.pnpubid JOIN pg_namespace n ON n.oid = s.pnnspid
WHERE p.pubname = {} ORDER BY 1"""


def carried_over(table: ComparedTable, old: Optional[Index], name: str) -> List[str]:
    """Return what gives an index what the old one is besides: replica identity, clustered by it."""
    if old is None:
        return []
    index, statements = identifier(name), []
    if old.identity:
        statements.append(table.alter(f"REPLICA IDENTITY USING INDEX {index}"))
    if old.clustered:
        statements.append(table.alter(f"CLUSTER ON {index}"))
    if old.comment is not None:
        commented = f"COMMENT ON INDEX {qualified(table.schema, name)}"
        statements.append(f"{commented} IS {literal(old.comment)}")
    return statements


def refuse_lost(
    table: ComparedTable,
    name: str,
    what: str,
    *,
    old: Optional[Index],
    new: Index,
    deferrable: bool = False,
) -> bool:
    """Refuse to replace the replica identity by an index that can't be it."""
    if old is None or not old.identity:
        return False
    nullable = [column for column in new.columns or [] if not _will_be_not_null(table, column)]
    obstacles = {
        "it is not unique": not new.unique,
        "it is deferrable": deferrable,
        "it has a WHERE": new.predicate is not None,
        "it has expressions": new.expressions,
        f"{', '.join(map(identifier, nullable))} is nullable": bool(nullable),
    }
    why = [text for text, is_so in obstacles.items() if is_so]
    if why:
        lost = f"It is the replica identity, which the new one cannot be: {why[0]}."
        table.refuse(name, what, lost, way_out=identified_otherwise(table))
    return bool(why)


def _will_be_not_null(table: ComparedTable, column: str) -> bool:
    desired = table.desired.columns.get(column)
    if desired is not None:
        return desired.not_null
    return table.live.columns[column].not_null


def identified_otherwise(table: ComparedTable) -> WayOut:
    """Return the way out that has rows identified by a key that stays, or by all their columns."""
    stays = identity_of_key(table.live.primary_key[1])
    wanted = identity_of_key(table.desired.primary_key[1])
    needing = [known for known in table.live.publications if known.identifies]
    if stays is not None and stays == wanted and not any(uncovered(p, stays) for p in needing):
        statements = [table.alter("REPLICA IDENTITY DEFAULT")]
    else:
        # A column list does not go with FULL, a filter does.
        listed = [known for known in needing if known.columns is not None]
        statements = [republished(table, known) for known in listed]
        statements.append(table.alter("REPLICA IDENTITY FULL"))
    return WayOut("Have its rows identified otherwise:", tuple(statements))


def uncovered(publication: Publication, identity: FrozenSet[str]) -> List[str]:
    """Return the columns for which the server would refuse to update a row that is published."""
    listed = publication.columns
    unlisted = identity - set(listed) if listed is not None else set()
    return sorted(unlisted | (set(publication.filtered_by or []) - identity))


def republished(table: ComparedTable, publication: Publication, *more: str) -> str:
    """Return what publishes a table with a column list of some more columns; without any, all.

    Whatever else is published by then stays so: the statement names it.
    """
    things = []
    for relation, known, row_filter in table.ask_catalog(TABLES.format(literal(publication.name))):
        columns = known
        if relation == publication.relation:
            columns = [*known, *more] if more else None
        listed = f" ({', '.join(map(identifier, columns))})" if columns else ""
        things.append(f"TABLE ONLY {relation}{listed}{row_filter}")
    schemas = table.ask_catalog(SCHEMAS.format(literal(publication.name)))
    things += [f"TABLES IN SCHEMA {identifier(schema)}" for (schema,) in schemas]
    return f"ALTER PUBLICATION {identifier(publication.name)} SET {', '.join(things)}"
