"""Which live constraint or index is which of the models', where they differ in their names.

What the models name is renamed by its definition; what they leave to the server to name, only where
that follows a declared rename, or where its name is wanted for something else.
"""

import re
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from converge.compare.declared import (
    TABLES,
    first,
    former_names,
    named_constraints,
    named_indexes,
)
from converge.compare.desired import Desired
from converge.compare.words import alike
from converge.names import NEW_PREFIX, OLD_PREFIX
from converge.server.catalog import Constraint, Former, Renamed, Schema, Table
from converge.steps import Kind, Step

Info = Mapping[str, Mapping[Any, Any]]  # of what the models name


def renamed_objects(
    schema: Schema, desired: Desired, words: Schema, again: Callable[[], Schema]
) -> Schema:
    """Return a schema by the names that its constraints and indexes will have."""
    wanted = []
    for name in desired.tables:
        live = schema.tables.get(name)
        if live is not None and live.kind in TABLES:
            wanted += list(_of_table(name, live, desired, words.tables[name], again))
    renamed = tuple(_in_order(wanted, schema))
    if not renamed:
        return schema
    relations = dict(schema.relations)
    for one in renamed:
        if one.indexed:
            relations[one.new] = relations.pop(one.old, "i")
    tables = dict(schema.tables)
    for name in {one.table for one in renamed}:
        tables[name] = _by_new_names(name, tables[name], [o for o in renamed if o.table == name])
    return schema._replace(tables=tables, relations=relations, renamed=renamed)


def place(step: Step, live: Schema) -> int:
    """Return when a step runs, of those for what is there: the renames first, in their order."""
    if step.kind in (Kind.RENAME_CONSTRAINT, Kind.RENAME_INDEX):
        names = [(one.table, one.new, one.old) for one in live.renamed]
        return names.index((step.table, step.name, step.former))
    return -1 if step.kind.renames else len(live.renamed)


def _of_table(
    name: str, live: Table, desired: Desired, words: Table, again: Callable[[], Schema]
) -> Iterator[Renamed]:
    pairs = former_names(desired, name)

    def constraint_is(old: str, new: str) -> bool:
        found, wanted = live.constraints[old], words.constraints[new]
        return alike(found, wanted, lambda: again().tables[name].constraints.get(new))

    def index_is(old: str, new: str) -> bool:
        found, wanted = live.indexes[old], words.indexes[new]
        return alike(found, wanted, lambda: again().tables[name].indexes.get(new))

    named = named_constraints(desired, name)
    for new, old in _matched(live.constraints, words.constraints, named, pairs, constraint_is):
        indexed = live.constraints[old].owned_index is not None
        yield Renamed(name, old, new, constraint=True, indexed=indexed)
    named = named_indexes(desired, name)
    for new, old in _matched(live.indexes, words.indexes, named, pairs, index_is):
        yield Renamed(name, old, new, constraint=False, indexed=True)


def _matched(
    live: Mapping[str, Any],
    wanted: Mapping[str, Any],
    named: Info,
    pairs: Sequence[Tuple[str, str]],
    says: Callable[[str, str], bool],
) -> Iterator[Tuple[str, str]]:
    """Yield the new and the live names of what is to be renamed, of one kind and table.

    It is what is declared, else what has the right definition, else what has the former name.
    """
    found = {name: name for name in wanted if name in live and says(name, name)}
    free = [name for name, thing in live.items() if name not in found and _may_be(name, thing)]
    formers = {name: _formerly(name, pairs) for name in wanted if name not in found}

    def declared(name: str) -> Optional[str]:
        return None if name in live else first(named.get(name, {}), free)

    def defined(name: str) -> Optional[str]:
        likely = dict.fromkeys([*formers[name], *free])
        return next((old for old in likely if old in free and says(old, name)), None)

    def changed(name: str) -> Optional[str]:
        likely = formers[name] if name not in live else ()
        return next((old for old in likely if old in free and old not in wanted), None)

    for which in (declared, defined, changed):
        for name in formers:
            old = which(name) if name not in found else None
            if old is not None:
                found[name] = old
                free.remove(old)
    for new, old in found.items():
        if new != old and (new in named or old in formers[new] or old in wanted):
            yield new, old


def _may_be(name: str, thing: Any) -> bool:
    """Return whether something live may be one of the models' of another name.

    Not what an interrupted run left, and not what a parent alone may rename.
    """
    if name.startswith((NEW_PREFIX, OLD_PREFIX)):
        return False
    return not thing.inherited if isinstance(thing, Constraint) else bool(thing.valid)


def _formerly(name: str, pairs: Sequence[Tuple[str, str]]) -> List[str]:
    """Return what a name that is made of others may have been, before these were renamed."""
    found = {name: None}
    for new, old in pairs:
        word = re.compile(rf"(?<![^\W_]){re.escape(new)}(?![^\W_])")
        found.update({word.sub(lambda _, old=old: old, known): None for known in found})  # type: ignore[misc]
    return [known for known in found if known != name]


def _in_order(wanted: Sequence[Renamed], schema: Schema) -> Iterator[Renamed]:
    """Yield the renames in an order in which each new name is free.

    Those that go in a circle are left out, and those whose new name stays another's.
    """
    taken = {("", name) for name in schema.relations}
    for name, table in schema.tables.items():
        taken |= {(name, constraint) for constraint in table.constraints}
        taken |= {("", index) for index in table.indexes}
    left = list(wanted)
    while True:
        ready = next((one for one in left if taken.isdisjoint(_places(one, one.new))), None)
        if ready is None:
            return
        left.remove(ready)
        taken = (taken - _places(ready, ready.old)) | _places(ready, ready.new)
        yield ready


def _places(one: Renamed, name: str) -> Set[Tuple[str, str]]:
    """Return where a name is taken: among its table's constraints, the relations, or both."""
    of_table = {(one.table, name)} if one.constraint else set()
    return of_table | ({("", name)} if one.indexed else set())


def _by_new_names(name: str, table: Table, renamed: Sequence[Renamed]) -> Table:
    of_constraints: Dict[str, str] = {one.new: one.old for one in renamed if one.constraint}
    of_indexes: Dict[str, str] = {one.new: one.old for one in renamed if not one.constraint}
    constraints = {old: new for new, old in of_constraints.items()}
    indexes = {old: new for new, old in of_indexes.items()}
    keys = {one.old: one.new for one in renamed if one.indexed}
    return table._replace(
        constraints={constraints.get(n, n): c for n, c in table.constraints.items()},
        indexes={indexes.get(n, n): i for n, i in table.indexes.items()},
        referenced_by=[r._replace(key=keys.get(r.key, r.key)) for r in table.referenced_by],
        former=(table.former or Former(name))._replace(
            constraints=of_constraints, indexes=of_indexes
        ),
    )
