"""What a table is tied to, and which changes the server therefore refuses: known while planning.

Each rule is a function from the table and one of its steps to a refusal, or None.
"""

import re
from typing import Optional

from converge.compare.table import ComparedTable
from converge.plan import Refusal, WayOut
from converge.quoting import identifier
from converge.steps import Kind, Step
from converge.text import counted

# https://www.postgresql.org/docs/current/limits.html: dropped columns count until the table is
# written anew.
MOST_COLUMNS = 1600
CHANGING_COLUMNS = (Kind.ADD_COLUMN, Kind.CHANGE_TYPE, Kind.RENAME_COLUMN)

CHANGED = (Kind.CHANGE_TYPE, Kind.DROP_NOT_NULL, Kind.RENAME_COLUMN)  # by a parent only


def refuse_by_shape(table: ComparedTable) -> None:
    """Refuse the steps that the server would refuse because of what the table is tied to."""
    found = [rule(table, step) for step in table.steps for rule in RULES]
    table.refusals += dict.fromkeys(refusal for refusal in found if refusal is not None)


def _typed(table: ComparedTable, step: Step) -> Optional[Refusal]:
    if table.live.shape.of_type is None or step.kind not in CHANGING_COLUMNS:
        return None
    what = f"needs columns other than those of its type, {table.live.shape.of_type}."
    return _of_table(table, what, WayOut("Let it have its own:", (table.alter("NOT OF"),)))


def _inherited(table: ComparedTable, step: Step) -> Optional[Refusal]:
    """Columns that a parent has given, and all of a partition, are the parent's to change."""
    shape, live = table.live.shape, table.live.columns.get(step.name)
    adds = step.kind is Kind.ADD_COLUMN and shape.partition_of is not None
    changes = step.kind in CHANGED and live and live.inherited
    if not (adds or changes):
        return None
    if shape.partition_of is None:
        what = f"needs columns other than those that it inherits from {', '.join(shape.parents)}."
        leave = tuple(table.alter(f"NO INHERIT {parent}") for parent in shape.parents)
        return _of_table(table, what, WayOut("Let it have its own:", leave))
    why = f"It is a partition of {shape.partition_of}, which has its columns."
    there = re.compile(rf"(?<![\w.\"]){re.escape(table.relation)}(?![\w.\"])")
    statements = [there.sub(lambda _: str(shape.partition_of), sql) for sql in step.statements]
    if step.kind is Kind.CHANGE_TYPE:  # a proof counts only in the transaction of its statement
        statements = ["BEGIN", *statements, "COMMIT"]
    return _refusal(step, why, WayOut("Do it in the partitioned table:", tuple(statements)))


def _row_type(table: ComparedTable, step: Step) -> Optional[Refusal]:
    """Values of the type that are stored elsewhere would lack the change."""
    desired = table.desired.columns.get(step.name)
    changes = step.kind is Kind.CHANGE_TYPE or (
        step.kind is Kind.ADD_COLUMN
        and desired is not None
        and (desired.default is not None or (desired.not_null and not table.computed(step.name)))
    )
    users = table.live.shape.row_type_in
    if not users or not changes:
        return None
    listed = ", ".join(f"{relation}.{identifier(column)}" for relation, column in users)
    as_text = tuple(
        f"ALTER TABLE {relation} ALTER COLUMN {name} TYPE text USING {name}::text"
        for relation, name in ((relation, identifier(column)) for relation, column in users)
    )
    why = f"The table is the type of {listed}."
    return _refusal(step, why, WayOut("Keep as text what they hold:", as_text))


def _used_up(table: ComparedTable, step: Step) -> Optional[Refusal]:
    added = sum(step.kind is Kind.ADD_COLUMN for step in table.steps)
    had = table.live.shape.attributes
    if step.kind is not Kind.ADD_COLUMN or had + added <= MOST_COLUMNS:
        return None
    why = f"The table has had {counted(had, 'column')}, dropped ones included, of {MOST_COLUMNS:,}."
    way_out = WayOut("Write it anew, in a maintenance window: pg_dump this table and restore it.")
    return _refusal(step, why, way_out)


def _partition_key(table: ComparedTable, step: Step) -> Optional[Refusal]:
    if step.kind is not Kind.CHANGE_TYPE or step.name not in table.live.shape.partition_key:
        return None
    way_out = WayOut("Make a table that is partitioned as it should be, and move the rows to it.")
    return _refusal(step, "The table is partitioned by this column.", way_out)


def _rules(table: ComparedTable, step: Step) -> Optional[Refusal]:
    rules = table.live.shape.rules
    if not rules or step.kind is not Kind.BACKFILL:
        return None
    disable = tuple(table.alter(f"DISABLE RULE {rule}") for rule in rules)
    why = f"Its rules take the place of an UPDATE: {', '.join(rules)}."
    return _refusal(step, why, WayOut("Disable them, run again, enable them again:", disable))


def _foreign_parts(table: ComparedTable, step: Step) -> Optional[Refusal]:
    foreign = [part for part, kind in table.live.shape.parts.items() if kind == "f"]
    if not foreign or step.kind is not Kind.BACKFILL:
        return None
    why = f"{', '.join(foreign)} is a foreign table, which has no pages here."
    update = step.statements[0].replace(step.parts[0], table.relation, 1).replace("ONLY ", "", 1)
    return _refusal(step, why, WayOut("Fill it by hand:", (update,)))


def _own_not_null(table: ComparedTable, step: Step) -> Optional[Refusal]:
    """NOT NULL that children do not inherit (18) can't become a key's, which they do."""
    desired = table.desired.constraints.get(step.name)
    columns = (desired.columns or []) if desired and step.kind is Kind.ADD_KEY else []
    live = [table.live.columns[name] for name in columns if name in table.live.columns]
    own = [column.own_not_null for column in live if column.own_not_null]
    if not own:
        return None
    inherit = tuple(table.alter(f"ALTER CONSTRAINT {identifier(name)} INHERIT") for name in own)
    why = f"Children do not inherit NOT NULL: {', '.join(own)}."
    return _refusal(step, why, WayOut("Let them:", inherit))


def _attached(table: ComparedTable, step: Step) -> Optional[Refusal]:
    """What belongs to an index or a key of the partitioned parent can't be dropped alone."""
    if step.kind not in (Kind.SWAP_INDEX, Kind.DROP_INDEX):
        return None
    live = table.live.indexes.get(step.name)
    if live is None or live.attached is None:
        return None
    why = f"It is a part of the index {live.attached}."
    return _refusal(step, why, WayOut("Change that index; this one goes with it."))


def _unproven_foreign_key(table: ComparedTable, step: Step) -> Optional[Refusal]:
    """Before 18 a partitioned table takes no foreign key that is NOT VALID."""
    desired = table.desired.constraints.get(step.name)
    foreign = step.kind is Kind.ADD_CONSTRAINT and desired is not None and desired.kind == "f"
    if not foreign or table.live.kind != "p" or table.facts.version >= 180000:
        return None
    add = tuple(sql.replace(" NOT VALID", "") for sql in step.statements)
    why = "The table is partitioned, so the key has to hold for all rows at once."
    return _refusal(step, why, WayOut("In a maintenance window:", add))


def _of_table(table: ComparedTable, what: str, way_out: WayOut) -> Refusal:
    """One for all steps: what is typed for the first of them helps the others, too."""
    return Refusal(table.schema, f"{table.schema}.{table.name}", what, way_out)


def _refusal(step: Step, why: str, way_out: WayOut) -> Refusal:
    subject = f"{step.schema}.{step.table}.{step.name}"
    return Refusal(step.schema, subject, f"cannot be changed: {step.why}.", way_out, (why,))


RULES = (
    _typed,
    _inherited,
    _row_type,
    _used_up,
    _partition_key,
    _rules,
    _foreign_parts,
    _own_not_null,
    _attached,
    _unproven_foreign_key,
)
