"""What follows a declared rename: the names that the server has made of the former ones."""

from typing import Any, Iterator, Set, Tuple

from converge.compare.declared import declared
from converge.compare.table import ComparedTable
from converge.names import chosen_name
from converge.quoting import identifier, literal, qualified
from converge.steps import Kind, Undo

LEFT = ""  # in the place of the kind of a relation whose name a step leaves to another
HAVING = """SELECT count(*)::integer FROM pg_constraint
WHERE conname = {name} AND conrelid = ANY (ARRAY[{relations}]::regclass[])"""
Both = Tuple[str, str]  # a statement, and what takes it back


def follow(table: ComparedTable) -> None:
    """Give sequences and NOT NULL constraints the names that the server makes of the new ones.

    Last, as all other steps go by the names that these have. Only those that the server has named:
    whoever named one otherwise relies on it. Also where the rename itself was typed, or done by a
    run that was interrupted.
    """
    before = dict(table.relations)
    both = [names for column in table.live.columns for names in _named_after(table, column)]
    if not both:
        return
    table.step(
        Kind.FOLLOW_RENAME,
        table.name,
        "sequences and NOT NULL constraints get the names that new ones would have",
        [there for there, _ in both],
        creates=True,
        tried=() if LEFT in before.values() else None,  # a name that is free only by then
        undo=Undo(statements=tuple(back for _, back in reversed(both)), creates=True),
    )


def _named_after(table: ComparedTable, column: str) -> Iterator[Both]:
    """Yield what renames what has its name from a former one of a column, and what undoes that."""
    desired, live = table.desired.columns.get(column), table.live.columns[column]
    if desired is None:
        return
    if live.sequence and live.sequence.owned and desired.sequence and desired.sequence.owned:
        name, new = live.sequence.name, desired.sequence.name
        anew = desired.identity and not live.identity  # a step makes another
        if name in _formerly(table, column, "seq") and not anew and not table.relations.get(new):
            one, other = (qualified(table.schema, known) for known in (name, new))
            table.relations.update({name: LEFT, new: "S"})
            rename = "ALTER SEQUENCE {} RENAME TO {}"
            yield rename.format(one, identifier(new)), rename.format(other, identifier(name))
    known, wanted = live.not_null_name, desired.not_null_name
    formerly = _formerly(table, column, "not_null") - {wanted}
    if wanted and known in formerly and not live.inherited and _in_all_parts(table, known):
        yield _rename_constraint(table, known, wanted), _rename_constraint(table, wanted, known)


def _formerly(table: ComparedTable, column: str, label: str) -> Set[str]:
    """Return the names that the server may have given to what belongs to a column."""
    model: Any = table.models.tables[table.name]
    tables = {table.name, table.former.table, *declared(model.info)}
    found: Any = table.models.column(table.name, column)
    info = found.info if found is not None else {}  # a parent's, of which the models say nothing
    columns = {column, table.former.columns.get(column, column), *declared(info)}
    pairs = {(one, other) for one in tables for other in columns} - {(table.name, column)}
    return {chosen_name(*names, label) for names in pairs}


def _in_all_parts(table: ComparedTable, constraint: str) -> bool:
    """True if all children have it by this name: else the server does not rename it."""
    parts = [literal(part) for part in table.live.shape.parts if part != table.relation]
    having = HAVING.format(name=literal(constraint), relations=", ".join(parts))
    return not parts or table.ask_catalog(having) == [(len(parts),)]


def _rename_constraint(table: ComparedTable, old: str, new: str) -> str:
    return table.alter(f"RENAME CONSTRAINT {identifier(old)} TO {identifier(new)}")
