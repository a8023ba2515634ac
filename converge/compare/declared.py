"""What the models declare as renamed, and which live constraint or index that is."""

import re
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

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


def renamed_objects(schema: Schema, desired: Desired, words: Schema) -> Schema:
    """Return a schema with the constraints and indexes renamed that have a former name.

    It is declared, or only the name differs: the definition is the same, and the models want
    nothing else of that name. Where they leave the name to the server, it follows a declared rename
    of the table or a column, and whatever else it may be is accepted.
    """
    wanted = {name for table in words.tables.values() for name in _objects(table)}
    of_tables = [(name, old) for name in desired.tables for old in declared(_info(desired, name))]
    tables, relations = dict(schema.tables), dict(schema.relations)
    for name in desired.tables:
        table = tables.get(name)
        if table is None or table.kind not in TABLES:
            continue
        columns = desired.tables[name].columns
        pairs = [*of_tables, *((c.name, old) for c in columns for old in declared(c.info))]
        found = _found(table, words.tables[name], _infos(desired, name), pairs, wanted, relations)
        if found:
            tables[name] = _with_objects(table, name, found)
            for new, old in found.items():
                if old in relations:
                    relations[new] = relations.pop(old)
    return schema._replace(tables=tables, relations=relations)


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
    """Return the live names of constraints and indexes by those that they are to have."""
    found: Dict[str, str] = {}
    objects = {
        known: thing
        for known, thing in _objects(live).items()
        if known not in wanted
        and not known.startswith((NEW_PREFIX, OLD_PREFIX))  # what an interrupted run left
        and thing.valid
        and not (isinstance(thing, Constraint) and thing.inherited)
    }
    for name, thing in _objects(desired).items():
        if name in _objects(live) or name in taken:
            continue
        same_kind = {n: o for n, o in objects.items() if type(o) is type(thing)}
        old = first(infos.get(name, {}), same_kind, found.values())
        if old is None:  # only its name differs: first one that it may have had
            any_name = same_kind if name in infos else ()
            same = [
                known
                for known in [*_formerly(name, pairs), *any_name]
                if known in same_kind
                and known not in found.values()
                and same_kind[known].definition == thing.definition
            ]
            old = same[0] if same else None
        if old is not None:
            found[name] = old
    return found


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
