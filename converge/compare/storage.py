"""The safety rules for how a table is stored: parameters, persistence, partitions, parents."""

from typing import Any, List, Sequence

from converge.compare.table import ComparedTable
from converge.compare.words import has_index
from converge.plan import WayOut
from converge.quoting import identifier, qualified
from converge.server.catalog import Table
from converge.steps import Kind, Lock, Undo


def store(table: ComparedTable) -> None:
    """Set the storage parameters of the models; others are left alone. Refuse what moves rows."""
    _set(table, table.name, "TABLE", table.live.options, table.desired.options)
    for name, desired in table.desired.indexes.items():
        live = table.live.indexes.get(name)
        if live is not None and live.valid and has_index(table, live, name):
            _set(table, name, "INDEX", live.options, desired.options)
    _refuse_another(table)


def _set(
    table: ComparedTable, name: str, what: str, live: Sequence[str], desired: Sequence[str]
) -> None:
    """Set what the models say, in an instant: it counts for what is written from then on."""
    has = dict(option.split("=", 1) for option in live)
    wanted = dict(option.split("=", 1) for option in desired)
    changed = {key: value for key, value in wanted.items() if has.get(key) != value}
    if not changed:
        return
    relation = qualified(table.schema, name)
    to = ", ".join(f"{key} = {value}" for key, value in changed.items())
    back = [f"SET ({key} = {has[key]})" for key in changed if key in has]
    back += [f"RESET ({key})" for key in changed if key not in has]
    before = ", ".join(f"{key} = {has[key]}" for key in changed if key in has)
    table.step(
        Kind.SET_OPTIONS,
        name,
        f"the models say {to}",
        [f"ALTER {what} {relation} SET ({to})"],
        undo=Undo(statements=tuple(f"ALTER {what} {relation} {change}" for change in back)),
        lock=Lock.INSTANT,
        change=(before, to),
    )


def _refuse_another(table: ComparedTable) -> None:
    """Refuse what can't be changed without writing the rows anew, or moving them."""
    said: Any = table.models.tables[table.name]
    options = said.dialect_options["postgresql"]
    live, desired = table.live, table.desired
    if "UNLOGGED" in said._prefixes and live.persistence == "p":
        _refuse(table, "is logged; the models say UNLOGGED.", ["SET UNLOGGED"])
    # By what the trial has: the database's own has no name there either.
    if options["tablespace"] and desired.tablespace != live.tablespace:
        where = live.tablespace or "the database's tablespace"
        what = f"is in {where}; the models say {options['tablespace']}."
        _refuse(table, what, [f"SET TABLESPACE {identifier(options['tablespace'])}"])
    if options["using"] and desired.method != live.method:
        what = f"is stored by {live.method}; the models say {desired.method}."
        _refuse(table, what, [f"SET ACCESS METHOD {identifier(str(desired.method))}"])
    if desired.partition_by and desired.partition_by != live.partition_by:
        _refuse_partitions(table)
    _refuse_parents(table)


def _refuse_parents(table: ComparedTable) -> None:
    formers = {name: live.former.table for name, live in table.neighbours.items() if live.former}
    present = {identifier(name): identifier(old) for name, old in formers.items()}  # until the run
    wanted = [present.get(name, name) for name in _parents(table.desired)]
    missing = [name for name in wanted if name not in _parents(table.live)]
    if missing:
        listed = ", ".join(missing)
        inherit = [f"INHERIT {identifier(table.schema)}.{name}" for name in missing]
        _refuse(table, f"does not inherit from {listed}, as the models say.", inherit)


def _parents(table: Table) -> List[str]:
    """Return the names of the parents, quoted, without their schemas."""
    return [name.rpartition(".")[2] for name in table.shape.parents]


def _refuse_partitions(table: ComparedTable) -> None:
    live = table.live.partition_by
    has = f"partitioned by {live}" if live else "not partitioned"
    way_out = WayOut("Make a table that is partitioned as it should be, and move the rows to it.")
    what = f"is {has}; the models say PARTITION BY {table.desired.partition_by}."
    table.refuse("", what, way_out=way_out)


def _refuse(table: ComparedTable, what: str, changes: Sequence[str]) -> None:
    statements = tuple(table.alter(change) for change in changes)
    table.refuse("", what, way_out=WayOut("In a maintenance window:", statements))
