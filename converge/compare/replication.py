"""The safety rules for publications: whoever could change a row before can do so afterwards.

Where something publishes updates, the server refuses an UPDATE of a row that has no replica
identity, or one that the publication's column list or row filter does not go with.
https://www.postgresql.org/docs/current/logical-replication-publication.html
"""

from typing import FrozenSet, List, Optional

from converge.compare.identity import identified_otherwise, republished, uncovered
from converge.compare.table import ComparedTable
from converge.plan import WayOut
from converge.quoting import identifier, literal
from converge.server.catalog import Publication, identity_of_key
from converge.steps import Kind

# The partitions that have rows and no replica identity: it is each one's own.
UNIDENTIFIED = """SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_partition_tree({relation}::regclass) t JOIN pg_class c ON c.oid = t.relid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE t.isleaf AND c.relreplident <> 'f' AND NOT EXISTS (
  SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND CASE
    c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END)
ORDER BY 1"""


def keep_replicating(table: ComparedTable) -> None:
    """Refuse what would keep clients, or a backfill of ours, from changing rows."""
    _refuse_null_identity(table)
    needing = [known for known in table.live.publications if known.identifies]
    before, after = table.live.identity, _identity_after(table)
    if table.filled:
        _refuse_backfill(table, [known for known in needing if known.updates])
    if after != before:
        _refuse_key(table, needing, after)
    _note_subscribers(table)


def _identity_after(table: ComparedTable) -> Optional[FrozenSet[str]]:
    """Return what will identify a row."""
    live, desired = table.live, table.desired
    if live.replica_identity == "d":
        return identity_of_key(desired.primary_key[1] or live.primary_key[1])
    for name, constraint in live.constraints.items():
        if constraint.owned_index is not None and constraint.owned_index.identity:
            known = desired.constraints.get(name)
            new = desired.primary_key[1] if constraint.kind == "p" else known
            return frozenset((new or constraint).columns or [])
    for name, index in live.indexes.items():
        if index.identity:
            return frozenset(desired.indexes.get(name, index).columns or [])
    return live.identity


def _refuse_key(
    table: ComparedTable, publications: List[Publication], identity: Optional[FrozenSet[str]]
) -> None:
    """Refuse a new identity that a publication does not go with."""
    name = table.desired.primary_key[0] or ""
    if identity is None:
        if publications and table.live.identity is not None:
            what = "would be deferrable, and no longer identify rows for publications."
            table.refuse(name, what, way_out=identified_otherwise(table))
        return
    for publication in publications:
        _refuse_uncovered(table, name, "would identify rows", publication, identity)


def _refuse_backfill(table: ComparedTable, publications: List[Publication]) -> None:
    """Refuse to fill columns where the server would refuse the UPDATE."""
    if not publications:
        return
    what = "has values to be filled in"
    unidentified = _unidentified(table)
    if unidentified:
        why = f"Nothing identifies its rows for publication {identifier(publications[0].name)}, "
        why += "so the server would refuse every UPDATE."
        way_out = identified_otherwise(table)
        if table.live.kind == "p":
            full = (f"ALTER TABLE {relation} REPLICA IDENTITY FULL" for relation in unidentified)
            way_out = way_out._replace(statements=tuple(full))
        table.refuse("", f"{what}.", why, way_out=way_out)
        return
    for publication in publications:
        _refuse_uncovered(table, "", what, publication, table.live.identity or frozenset())


def _unidentified(table: ComparedTable) -> List[str]:
    """Return the relations of a table in which nothing identifies a row."""
    if table.live.kind == "p":
        found = table.ask_catalog(UNIDENTIFIED.format(relation=literal(table.present)))
        return [relation for (relation,) in found]
    return [table.relation] if table.live.identity is None else []


def _refuse_uncovered(
    table: ComparedTable,
    name: str,
    what: str,
    publication: Publication,
    identity: FrozenSet[str],
) -> None:
    """Refuse if an UPDATE of a row that is identified so can't be published."""
    missing = uncovered(publication, identity)
    if not missing:
        return
    filtered = sorted(set(publication.filtered_by or []) - identity)
    columns = ", ".join(map(identifier, filtered or missing))
    does = "filters rows by" if filtered else "does not publish"
    why = f"Publication {identifier(publication.name)} {does} {columns}, "
    why += "so the server would refuse every UPDATE."
    way_out = identified_otherwise(table)
    # No column list goes with FULL.
    listable = table.live.replica_identity != "f" and set(missing) <= set(table.live.columns)
    if listable and not filtered:
        advice = "Publish them too, once the subscribers have them:"
        way_out = WayOut(advice, (republished(table, publication, *missing),))
    table.refuse(name, f"{what}.", why, way_out=way_out)


def _refuse_null_identity(table: ComparedTable) -> None:
    """Refuse to allow NULLs in what identifies rows, as the server does."""
    if table.live.replica_identity != "i":
        return
    for step in table.steps:
        if step.kind is Kind.DROP_NOT_NULL and step.name in (_identity_after(table) or ()):
            what = "is NOT NULL; the model says nullable."
            why = "It is part of the replica identity, which has to be NOT NULL."
            table.refuse(step.name, what, why, way_out=identified_otherwise(table))


def _note_subscribers(table: ComparedTable) -> None:
    """Note that subscribers need what is new before the first row of it arrives."""
    kinds = {step.kind for step in table.steps}
    renamed = bool(kinds & {Kind.RENAME_TABLE, Kind.RENAME_COLUMN})  # a subscriber goes by names
    names = [identifier(p.name) for p in table.live.publications if renamed or p.columns is None]
    if names and (renamed or kinds & {Kind.ADD_COLUMN, Kind.CHANGE_TYPE}):
        published = f"{table.relation} is published by {', '.join(names)}"
        table.notes.append(f"{published}: change the tables of the subscribers first")
