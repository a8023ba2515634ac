"""What the models declare as renamed: `info={"renamed_from": …}`."""

from typing import Any, Container, Dict, Iterable, List, Mapping, Optional, Tuple

from converge.compare.ddl import final_name
from converge.compare.desired import Desired

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


def first(info: Mapping[Any, Any], live: Container[str]) -> Optional[str]:
    """Return the newest former name that is there."""
    return next((old for old in declared(info) if old in live), None)


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


def named_constraints(desired: Desired, table: str) -> Dict[str, Mapping[Any, Any]]:
    """Return the `info` of the constraints that the models name, by these names."""
    model = desired.tables[table]
    parts: List[Any] = [*model.constraints]
    parts += [check for column in model.columns for check in column.constraints]
    named = ((final_name(part), part.info) for part in parts)
    return {name: info for name, info in named if name is not None}


def named_indexes(desired: Desired, table: str) -> Dict[str, Mapping[Any, Any]]:
    """Return the `info` of the indexes, by their names."""
    return {str(final_name(index)): index.info for index in desired.tables[table].indexes}


def former_names(desired: Desired, table: str) -> List[Tuple[str, str]]:
    """Return new and old names of what a constraint or index of a table may be named after."""
    model = desired.tables[table]
    referred = [key.referred_table for key in model.foreign_key_constraints]
    columns = [column for one in [model, *referred] for column in one.columns]
    renamed: List[Any] = [*desired.tables.values(), *columns]
    return [(part.name, old) for part in renamed for old in declared(part.info)]
