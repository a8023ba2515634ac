"""What the models declare as renamed, and which live constraint or index that is."""

import re
from typing import (
    Any,
    Container,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from converge.compare.ddl import final_name
from converge.compare.desired import Desired
from converge.names import NEW_PREFIX, OLD_PREFIX
from converge.server.catalog import Constraint, Former, Schema, Table

TABLES = ("r", "p")  # what a rename is declared of, as in `pg_class.relkind`


def declared(info: Mapping[Any, Any]) -> Tuple[str, ...]:
    """Return the former names that a model declares, the newest first: one, or a list."""
    found = info.get("renamed_from") or ()
    return (found,) if isinstance(found, str) else tuple(found)


def former_tables(desired: Desired) -> List[str]:
    """Return the names that the models' tables had."""
    tables = desired.tables.values()
    return [old for table in tables for old in declared(table.info)]


def declares(table: Any) -> bool:
    """Return whether a table of the models, or anything of it, had another name."""
    parts = [table, *table.columns, *table.indexes, *table.constraints]
    return any(declared(part.info) for part in parts)


def first(info: Mapping[Any, Any], live: Mapping[str, Any], known: Any) -> Optional[str]:
    """Return the newest former name that is there, unless the models know it as another's."""
    return next((old for old in declared(info) if old in live and old not in known), None)


def formers(
    models: Mapping[str, Any], live: Container[str], taken: Container[str]
) -> Dict[str, str]:
    """Return the live names of the tables or columns of the models that are to be renamed.

    Where one takes the name that another leaves, as in b to c and a to b, that other comes first.
    """
    found: Dict[str, str] = {}
    for name in models:
        if name not in taken:
            found.update(_chain(name, models, live) or {})
    return found


def _chain(name: str, models: Mapping[str, Any], live: Container[str]) -> Optional[Dict[str, str]]:
    """Return what a name is renamed from, and what takes the place of that, if the models have it.

    It ends with a name that the models do not have: their renames lead in no circle.
    """
    for old in declared(models[name].info):
        if old in live and old != name:
            then = _chain(old, models, live) if old in models else {}
            if then is not None:
                return {name: old, **then}
    return None


def in_order(tables: Mapping[str, Any], names: Iterable[str]) -> List[str]:
    """Return the names of tables in an order in which each is left before another takes it."""
    listed = list(names)
    takers = {old: n for n in listed for old in declared(tables[n].info) if old != n}
    ordered: Dict[str, None] = {}
    for name in listed:
        chain = [name]
        while chain[-1] in takers:
            chain.append(takers[chain[-1]])
        ordered.update(dict.fromkeys(reversed(chain)))
    return list(ordered)


def renamed_objects(schema: Schema, desired: Desired, words: Schema) -> Schema:
    """Return a schema with the constraints and indexes renamed that have a former name.

    It is declared, or only the name differs: the definition is the same, and the models want
    nothing else of that name. Where they leave the name to the server, it follows a declared rename
    of the table or a column, and whatever else it may be is accepted.
    """
    of_tables = [(name, old) for name in desired.tables for old in declared(_info(desired, name))]
    tables, relations = dict(schema.tables), dict(schema.relations)
    there = {name: tables[name] for name in desired.tables if name in tables}
    for name in in_order(desired.tables, there):
        table = there[name]
        if table.kind not in TABLES:
            continue
        wanted = set(_wanted_elsewhere(name, there, desired, words))
        columns = desired.tables[name].columns
        pairs = [*of_tables, *((c.name, old) for c in columns for old in declared(c.info))]
        found = _found(table, words.tables[name], _infos(desired, name), pairs, wanted, relations)
        if found:
            tables[name] = _with_objects(table, name, found)
            for new, old in found.items():
                if old in relations:
                    relations[new] = relations.pop(old)
    return schema._replace(tables=tables, relations=relations)


def _wanted_elsewhere(
    name: str, there: Container[str], desired: Desired, words: Schema
) -> Iterator[str]:
    """Yield the names that other tables want at once.

    One that has a former name of the table gets its names when this one has left them, if it is
    there; where it is new, the server finds others for what the models do not name.
    """
    formers = declared(_info(desired, name))
    for known, table in words.tables.items():
        leaves = known in formers
        if known != name and not (leaves and known in there):
            named = _infos(desired, known) if leaves else _objects(table)
            yield from (each for each in _objects(table) if each in named)


def _info(desired: Desired, table: str) -> Mapping[Any, Any]:
    info: Mapping[Any, Any] = desired.tables[table].info
    return info


def _infos(desired: Desired, table: str) -> Dict[str, Mapping[Any, Any]]:
    model = desired.tables[table]
    parts: List[Any] = [*model.indexes, *model.constraints]
    parts += [check for column in model.columns for check in column.constraints]
    named = ((final_name(part), part.info) for part in parts)
    return {name: info for name, info in named if name is not None}


def _objects(table: Table) -> Dict[str, Any]:
    return {**table.constraints, **table.indexes}


def _found(
    live: Table,
    desired: Table,
    infos: Mapping[str, Mapping[Any, Any]],
    pairs: Sequence[Tuple[str, str]],
    wanted: Set[str],
    taken: Mapping[str, str],
) -> Dict[str, str]:
    """Return the live names of constraints and indexes by those that they are to have.

    A name that is left may be another's then, in this order. `wanted` are those of other tables.
    """
    found: Dict[str, str] = {}
    models, there = _objects(desired), _objects(live)
    objects = {
        known: thing
        for known, thing in there.items()
        if known not in wanted
        and not (known in models and models[known].definition == thing.definition)
        and not known.startswith((NEW_PREFIX, OLD_PREFIX))  # what an interrupted run left
        and thing.valid
        and not (isinstance(thing, Constraint) and thing.inherited)
    }
    for name in models:
        following: Optional[str] = name if name not in there and name not in taken else None
        while following is not None:
            kind = type(models[following])
            free = {n: o for n, o in objects.items() if type(o) is kind and n not in found.values()}
            old = _live_name(following, models[following], infos, pairs, free)
            if old is None:
                break
            found[following] = old
            following = old if isinstance(models.get(old), kind) else None
    return found


def _live_name(
    name: str,
    desired: Any,
    infos: Mapping[str, Mapping[Any, Any]],
    pairs: Sequence[Tuple[str, str]],
    live: Mapping[str, Any],
) -> Optional[str]:
    """Return what a constraint or an index is called now: its newest former name, or any."""
    old = first(infos.get(name, {}), live, ())
    if old is not None:
        return old
    any_name = live if name in infos else ()  # only its name differs
    likely = [known for known in [*_formerly(name, pairs), *any_name] if known in live]
    same = (known for known in likely if live[known].definition == desired.definition)
    return next(same, None)


def _formerly(name: str, pairs: Sequence[Tuple[str, str]]) -> List[str]:
    """Return what a name that is made of others may have been, before these were renamed."""
    found = [name]
    for new, old in pairs:
        word = rf"(?<![^\W_]){re.escape(new)}(?![^\W_])"
        found += [re.sub(word, lambda _, old=old: old, known) for known in found]  # type: ignore[misc]
    return [known for known in dict.fromkeys(found) if known != name]


def _with_objects(table: Table, name: str, found: Mapping[str, str]) -> Table:
    names = {old: new for new, old in found.items()}
    former = table.former or Former(name)
    return table._replace(
        constraints={names.get(n, n): c for n, c in table.constraints.items()},
        indexes={names.get(n, n): i for n, i in table.indexes.items()},
        referenced_by=[r._replace(key=names.get(r.key, r.key)) for r in table.referenced_by],
        former=former._replace(
            constraints={n: old for n, old in found.items() if old in table.constraints},
            indexes={n: old for n, old in found.items() if old in table.indexes},
        ),
    )
