"""Building and dropping an index while everybody goes on working: what several rules need."""

from typing import Optional

from converge.compare.refusals import refuse_taken
from converge.compare.table import ComparedTable
from converge.compare.words import has_index, index_written
from converge.names import NEW_PREFIX, OLD_PREFIX, helper_name
from converge.quoting import identifier, literal, qualified
from converge.server.catalog import Index
from converge.steps import NO_UNDO, IndexChange, Kind, Lock, Run, Undo

SMALL_TABLE_BYTES = 1 << 20  # some 10,000 rows, which an index takes milliseconds for


def is_built_at_once(table: ComparedTable) -> bool:
    """Return whether, among many schemas, an index is built quicker than others could notice.

    A concurrent build waits for all who use the table, twice; with thousands of schemas that is
    hours. Citus keeps rows elsewhere, where a size is another one.
    """
    if len(table.settings.every_schema) == 1 or table.facts.citus or table.live.kind != "r":
        return False
    size = f"pg_relation_size({literal(table.present)}::regclass)"
    return bool(table.ask(f"SELECT {size} <= {SMALL_TABLE_BYTES}")[0][0])


def build(table: ComparedTable, name: str, index: Index, *, why: str, undo: bool) -> str:
    """Build an index under its temporary name, which is returned.

    What an interrupted run left there is used if it is right, and dropped if not. With `undo`,
    taking the step back drops it: not so if a constraint becomes its owner.
    """
    temporary = helper_name(NEW_PREFIX, name)
    words = said(table, name, index)
    left = table.live.indexes.get(temporary)
    if left is None and temporary in table.relations:
        refuse_taken(table, temporary, "an index")
    if left is not None and left.valid and _is_right(table, left, name, index):
        table.kept_leftovers.add(temporary)
        return temporary
    if left is not None:
        drop_left(table, temporary, left)
    table.step(
        Kind.BUILD_INDEX,
        temporary,
        why,
        [create_statement(table, temporary, index, words)],
        run=Run.ONLINE,
        lock=Lock.SHARED,
        creates=True,
        undo=Undo((dropped(table, temporary),)) if undo else NO_UNDO,
        on_the_way=True,
    )
    table.builds_index(index)
    return temporary


def _is_right(table: ComparedTable, left: Index, name: str, index: Index) -> bool:
    if name in table.desired.indexes:
        return has_index(table, left, name)
    return left.definition == index.definition


def drop_left(table: ComparedTable, name: str, live: Index) -> None:
    """Drop what an interrupted run left; the index that it replaced may have to come back."""
    replaced = name.startswith(OLD_PREFIX) and live.valid
    undo = Undo((built(table, name, live),)) if replaced else NO_UNDO
    drop(table, name, "an interrupted run left it", undo=undo)


def drop(
    table: ComparedTable,
    name: str,
    why: str,
    *,
    undo: Undo = NO_UNDO,
    on_the_way: bool = False,
) -> None:
    """Drop an index concurrently.

    What an event trigger says of it is asked beforehand, only where there is one: outside
    a transaction nobody waits for it, in one everybody does for an instant.
    """
    at_once = f"DROP INDEX {qualified(table.schema, name)}"
    table.step(
        Kind.DROP_INDEX,
        name,
        why,
        [dropped(table, name).statement],
        run=Run.ONLINE,
        lock=Lock.SHARED,
        undo=undo,
        on_the_way=on_the_way,
        tried=[at_once] if table.facts.guarded else (),
    )


def built(table: ComparedTable, name: str, index: Index) -> IndexChange:
    """Return what builds an index concurrently."""
    return IndexChange(name, builds=True, statement=create_statement(table, name, index))


def dropped(table: ComparedTable, name: str) -> IndexChange:
    """Return what drops an index concurrently."""
    statement = f"DROP INDEX CONCURRENTLY {qualified(table.schema, name)}"
    return IndexChange(name, builds=False, statement=statement)


def said(table: ComparedTable, name: str, index: Index) -> Optional[str]:
    """Return what stands behind the name of an index of the models, in their words.

    None if the server's words have to do: of a key, or behind a pooler, where a build finds nothing
    that is not named with its schema.
    """
    own = table.desired.indexes.get(name) == index
    return index_written(table, name) if own and not table.facts.pooled else None


def create_statement(
    table: ComparedTable,
    name: str,
    index: Index,
    words: Optional[str] = None,
    *,
    how: str = " CONCURRENTLY",
) -> str:
    """Return the statement that builds an index, in the models' words if given."""
    unique = "UNIQUE " if index.unique else ""
    create = f"CREATE {unique}INDEX{how} {identifier(name)}"
    if words is not None:
        return f"{create} {words}"
    return f"{create} ON {table.relation} {stands_behind(index)}"


def stands_behind(index: Index) -> str:
    """Return what stands behind the table in the statement that builds an index."""
    where = "" if index.predicate is None else f" WHERE {index.predicate}"
    using = index.using[: len(index.using) - len(where)]
    options = f" WITH ({', '.join(index.options)})" if index.options else ""
    return f"USING {using}{options}{where}"
