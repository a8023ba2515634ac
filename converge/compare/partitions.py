"""Partitioned tables: what the server can't do online there is left to a person, in full.

https://www.postgresql.org/docs/current/ddl-partitioning.html#DDL-PARTITIONING-DECLARATIVE-MAINTENANCE
"""

from typing import Dict, Iterator, List, NamedTuple, Tuple

from converge.compare.table import ComparedTable
from converge.names import NEW_PREFIX, free_name, helper_name
from converge.plan import WayOut
from converge.quoting import identifier, literal, qualified
from converge.server.catalog import Constraint, Index
from converge.steps import Kind, Run, Step

TREE = """SELECT t.relid::regclass::text, t.parentrelid::regclass::text, n.nspname, t.isleaf,
  ARRAY(SELECT a.attname::text FROM pg_partitioned_table k JOIN pg_attribute a
    ON a.attrelid = k.partrelid AND a.attnum = ANY (k.partattrs)
    WHERE k.partrelid = c.oid ORDER BY a.attnum),
  ARRAY(SELECT o.relname::text FROM pg_class o WHERE o.relnamespace = c.relnamespace)
FROM pg_partition_tree({relation}::regclass) t JOIN pg_class c ON c.oid = t.relid
JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY t.level, 1"""
KEY = "SELECT pg_get_partkeydef({relation}::regclass)"


class Part(NamedTuple):
    """A table of a partition tree, the root first."""

    relation: str  # qualified and quoted
    parent: str  # likewise
    schema: str
    leaf: bool
    partitioned_by: List[str]  # its own partition key's columns
    taken: List[str]  # the names of all relations in its schema


def refuse_online(table: ComparedTable) -> None:
    """Refuse what a partitioned table can't have done online, with all that is to be typed."""
    online = [step for step in table.steps if not _possible(step)]
    if not online or table.live.kind != "p":
        return
    tree = [Part(*row) for row in table.ask_catalog(TREE.format(relation=literal(table.present)))]
    keys = _keys(table)
    unique = {step.name: _wanted(table)[step.name] for step in online if step.kind.builds_index}
    columns = {column for part in tree for column in part.partitioned_by}
    foreign = _has_foreign(table)
    impossible = [
        keys[name][0] if name in keys else name
        for name, index in unique.items()
        if index.unique
        and (foreign or index.expressions or not columns <= set(index.columns or []))
    ]
    for name in impossible:
        _refuse_impossible(table, name)
    if not impossible:
        what = f"is partitioned, and the server cannot do that online: {online[0]}."
        way_out = WayOut("Do it by hand, partition by partition:", tuple(_by_hand(table, tree)))
        table.refuse("", what, way_out=way_out)


def _has_foreign(table: ComparedTable) -> bool:
    return "f" in table.live.shape.parts.values()


def _keys(table: ComparedTable) -> Dict[str, Tuple[str, Constraint]]:
    """Return the models' keys with their names, by the temporary names of their indexes."""
    return {
        helper_name(NEW_PREFIX, name): (name, key)
        for name, key in table.desired.constraints.items()
        if key.owned_index is not None
    }


def _wanted(table: ComparedTable) -> Dict[str, Index]:
    """Return the indexes that a step may build, by its name."""
    wanted = dict(table.desired.indexes)
    wanted.update({helper_name(NEW_PREFIX, name): index for name, index in wanted.items()})
    for temporary, (_, key) in _keys(table).items():
        assert key.owned_index is not None
        wanted[temporary] = key.owned_index
    return wanted


def _by_hand(table: ComparedTable, tree: List[Part]) -> Iterator[str]:
    """Yield what does on a partitioned table what the steps can't, and what that relies on."""
    wanted, keys = _wanted(table), _keys(table)
    needed = {column for index in wanted.values() for column in index.columns or []}
    last = max(number for number, step in enumerate(table.steps) if not _possible(step))
    for step in table.steps[: last + 1]:
        if step.kind.renames:  # with which each way out begins
            continue
        if step.kind.builds_index:
            if step.name not in keys:  # that is built when the key is added
                yield from _index(table, tree, step.name, wanted[step.name])
        elif step.kind is Kind.DROP_INDEX:
            yield f"DROP INDEX {qualified(table.schema, step.name)}"
        elif step.kind is Kind.ADD_KEY:
            yield _key_at_once(table, step.name)
        elif step.kind is Kind.SWAP_INDEX or step.name in needed:
            yield from step.statements


def _possible(step: Step) -> bool:
    """Return whether the server can do it on a partitioned table, as it is."""
    return step.run is not Run.ONLINE and step.kind is not Kind.ADD_KEY


def _key_at_once(table: ComparedTable, name: str) -> str:
    """Return what puts a key in place; an index can't become one on a partitioned table."""
    key = table.desired.constraints[name]
    old = table.live.primary_key[0] if key.kind == "p" else name
    drop = f"DROP CONSTRAINT {identifier(old)}, " if old in table.live.constraints and old else ""
    return table.alter(f"{drop}ADD CONSTRAINT {identifier(name)} {key.definition}")


def _index(table: ComparedTable, tree: List[Part], name: str, index: Index) -> Iterator[str]:
    """Yield what builds an index of the root: on each leaf, with nobody waiting, then attached."""
    unique, using = "UNIQUE " if index.unique else "", f"USING {index.using}"
    create = f"CREATE {unique}INDEX"
    root = tree[0]
    if _has_foreign(table):  # a partition without indexes, which the server passes over
        yield f"{create} {identifier(name)} ON {root.relation} {using}"
        return
    yield f"{create} {identifier(name)} ON ONLY {root.relation} {using}"
    named = {root.relation: qualified(root.schema, name)}
    for number, part in enumerate(tree[1:], 1):
        own = free_name(name, f"_{number}", part.taken)
        named[part.relation] = qualified(part.schema, own)
        how, only = (" CONCURRENTLY", "") if part.leaf else ("", "ONLY ")
        yield f"{create}{how} {identifier(own)} ON {only}{part.relation} {using}"
        yield f"ALTER INDEX {named[part.parent]} ATTACH PARTITION {named[part.relation]}"


def _refuse_impossible(table: ComparedTable, name: str) -> None:
    """Refuse a key that no partitioned table like this can have."""
    constraint = table.desired.constraints.get(name)
    definition = (constraint or table.desired.indexes[name]).definition
    by = table.ask_catalog(KEY.format(relation=literal(table.present)))[0][0]
    new = free_name(table.name, "_plain", table.relations)
    old = free_name(table.name, "_partitioned", table.relations)
    like = "INCLUDING ALL EXCLUDING INDEXES EXCLUDING IDENTITY EXCLUDING GENERATED"
    plain = qualified(table.schema, new)
    table.refuse(
        name,
        f"is missing: {definition}.",
        "The table has a foreign partition, so it can't have a key."
        if _has_foreign(table)
        else f"The table is partitioned by {by}; a key there has to include the columns of that.",
        way_out=WayOut(
            "In a maintenance window, go on with a plain table (grants, triggers and policies "
            "are not copied), or partition by what the key includes:",
            (
                "BEGIN",
                f"LOCK TABLE {table.relation}",
                f"CREATE TABLE {plain} (LIKE {table.relation} {like})",
                f"INSERT INTO {plain} SELECT * FROM {table.relation}",
                table.alter(f"RENAME TO {identifier(old)}"),
                f"ALTER TABLE {plain} RENAME TO {identifier(table.name)}",
                "COMMIT",
            ),
        ),
    )
