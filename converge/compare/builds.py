"""Building and dropping an index while everybody goes on working: what several rules need."""

from converge.compare.table import ComparedTable
from converge.names import NEW_PREFIX, helper_name
from converge.plan import NO_UNDO, IndexChange, Kind, Lock, Run, Undo
from converge.quoting import identifier, qualified
from converge.server.catalog import Index


def build(table: ComparedTable, name: str, index: Index, *, why: str, undo: bool) -> str:
    """Build an index under its temporary name, which is returned.

    What an interrupted run left there is used if it is right, and dropped if not. With `undo`,
    taking the step back drops it: not so if a constraint becomes its owner.
    """
    temporary = helper_name(NEW_PREFIX, name)
    left = table.live.indexes.get(temporary)
    if left is None and temporary in table.relations:
        table.refuse_taken(temporary, "an index")
    if left is not None and left.valid and left.definition == index.definition:
        table.kept_leftovers.add(temporary)
        return temporary
    if left is not None:
        drop(table, temporary, "an interrupted run left it")
    table.step(
        Kind.BUILD_INDEX,
        temporary,
        why,
        [create_statement(table, temporary, index)],
        run=Run.ONLINE,
        lock=Lock.SHARED,
        creates=True,
        undo=Undo((dropped(table, temporary),)) if undo else NO_UNDO,
        on_the_way=True,
    )
    return temporary


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


def create_statement(table: ComparedTable, name: str, index: Index) -> str:
    """Return the statement that builds an index concurrently."""
    unique = "UNIQUE " if index.unique else ""
    create = f"CREATE {unique}INDEX CONCURRENTLY {identifier(name)}"
    where = "" if index.predicate is None else f" WHERE {index.predicate}"
    using = index.using[: len(index.using) - len(where)]
    options = f" WITH ({', '.join(index.options)})" if index.options else ""
    return f"{create} ON {table.relation} USING {using}{options}{where}"
