"""What Citus does not do in a distributed schema: known while planning.

https://docs.citusdata.com/en/stable/develop/reference_ddl.html
"""

from typing import Iterator, List, Mapping, Optional, Sequence, Tuple

from converge.compare.table import FROM_A_SEQUENCE, Given
from converge.plan import Plan, Refusal, WayOut
from converge.quoting import identifier, literal, qualified
from converge.server.catalog import Column, Schema, Table
from converge.server.citus import off_the_worker
from converge.steps import Kind, Run, Step

UNKNOWN_TO_CITUS = {
    Kind.RENAME_CONSTRAINT: "rename a constraint",
    Kind.ALTER_CONSTRAINT: "change a constraint",
    Kind.SET_IDENTITY: "change an identity column",
    Kind.SET_EXPRESSION: "change how a column is generated",
    Kind.WIDEN_SEQUENCE: "change a sequence",
}
PUBLIC = "public"
Tables = Mapping[str, Table]


def distribution(schema: str, given: Given) -> List[str]:
    """Return what distributes a new schema, while it is empty, if Citus is to and does not."""
    citus = given.facts.citus
    wanted = given.settings.citus_distribute and schema != PUBLIC
    if citus is None or citus.distributes or not wanted:
        return []
    return [f"SELECT citus_schema_distribute({literal(identifier(schema))})"]


def refuse_by_citus(
    schema: str, steps: Sequence[Step], live: Optional[Schema], desired: Schema, given: Given
) -> Plan:
    """Refuse the steps that Citus would refuse, and note what it has not been given."""
    citus = given.facts.citus
    if citus is None:
        return Plan()
    if live is None:
        distributed = bool(citus.distributes or distribution(schema, given))
    else:
        distributed = schema in citus.distributed
    if not distributed:
        return Plan(notes=_undistributed(schema, given))
    there = {} if live is None else live.tables
    reasons = ((step, what) for step in steps for what in _reasons(step, there, desired.tables))
    refusals = [_refusal(step, what, new=live is None) for step, what in reasons]
    refusals += _of_sequences(steps, desired)
    changed = dict.fromkeys(step.table for step in steps if step.run is not Run.NEW)
    copies = [table for table in changed if (schema, table) in citus.copies]
    return Plan(refusals=(*refusals, *_of_copies(schema, copies)))


def _undistributed(schema: str, given: Given) -> Tuple[str, ...]:
    if not given.settings.citus_distribute:
        return ()
    if schema == PUBLIC:
        return (f"Citus cannot distribute schema {PUBLIC}: its tables stay on the coordinator",)
    move = f"SELECT citus_schema_distribute({literal(identifier(schema))});"
    return (f"schema {identifier(schema)} is not distributed. This moves it to a worker: {move}",)


def _of_sequences(steps: Sequence[Step], desired: Schema) -> Iterator[Refusal]:
    """Refuse a sequence of a type other than its column's, which Citus gives it without a word."""
    kinds = (Kind.CREATE_SEQUENCE, Kind.ALTER_SEQUENCE)
    made = {step.name: step for step in steps if step.kind in kinds}
    for column in (c for table in desired.tables.values() for c in table.columns.values()):
        numbers = column.sequence
        if numbers is None or numbers.name not in made or numbers.type == column.type:
            continue
        step = made[numbers.name]
        what = f"says {numbers.type}; Citus gives it the type of its column, {column.type}."
        way_out = WayOut("Let the models say that: Sequence(…, data_type=…).")
        yield Refusal(step.schema, str(step), what, way_out)


def _reasons(step: Step, live: Tables, desired: Tables) -> Iterator[str]:
    """Yield what a step does that Citus does not, at most one thing."""
    column = _column(live, step)
    identity = column is not None and bool(column.identity)
    if step.kind in UNKNOWN_TO_CITUS:
        yield UNKNOWN_TO_CITUS[step.kind]
    elif step.kind is Kind.ADD_COLUMN and _is_numbered(_column(desired, step)):
        yield "add a column that a sequence numbers"
    elif identity and step.kind in (Kind.CHANGE_TYPE, Kind.SET_DEFAULT):
        yield "change an identity column"
    elif step.kind is Kind.CHANGE_TYPE and _is_numbered(column):
        yield "change the type of a column that a sequence numbers"
    elif step.kind is Kind.ALTER_SEQUENCE:
        yield "change a sequence"
    elif step.kind is Kind.CREATE_TABLE and desired[step.table].shape.parents:
        yield "let a table inherit"


def _column(tables: Tables, step: Step) -> Optional[Column]:
    return tables[step.table].columns.get(step.name) if step.table in tables else None


def _is_numbered(column: Optional[Column]) -> bool:
    return column is not None and (bool(column.identity) or column.default == FROM_A_SEQUENCE)


def _refusal(step: Step, what: str, *, new: bool) -> Refusal:
    way_out = off_the_worker(step.schema)
    if new:
        create = f"CREATE SCHEMA {identifier(step.schema)}"
        here = ("SET citus.enable_schema_based_sharding = off", create)
        way_out = WayOut("Keep the schema on the coordinator, run again:", here)
    why = f"Citus does not {what} in a distributed schema."
    return Refusal(step.schema, str(step), "is not possible.", way_out, (why,))


def _of_copies(schema: str, tables: Sequence[str]) -> List[Refusal]:
    """Refuse to change tables whose rows are here as well, as they were when they left.

    A statement is run on these first, for which what holds for the rows need not hold.
    """
    if not tables:
        return []
    what = f"has copies of rows that are on a worker: {', '.join(tables)}."
    drop = tuple(
        f"SELECT truncate_local_data_after_distributing_table({literal(qualified(schema, table))})"
        for table in tables
    )
    why = "citus_schema_distribute leaves them on the coordinator, where nobody reads them."
    way_out = WayOut("Once the schema works on its worker, drop the copies:", drop)
    return [Refusal(schema, f"schema {identifier(schema)}", what, way_out, (why,))]
