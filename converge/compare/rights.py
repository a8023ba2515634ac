"""Rights: what the role may not do, and the statement for an administrator that lets it."""

from typing import Iterable

from converge.compare.table import ComparedTable
from converge.names import HISTORY_TABLE
from converge.plan import Plan, Refusal, Right, WayOut, refused
from converge.quoting import identifier, qualified
from converge.server.catalog import Schema
from converge.server.inspect import ADMINISTRATOR
from converge.server.rights import grant_create, hidden_rows, show_rows


def refuse_changes(table: ComparedTable) -> None:
    """Refuse the changes of a table that the role has no right to."""
    role = table.facts.user
    creating = [step for step in table.steps if step.creates]
    if creating and not table.can_create:
        table.refuse(
            "",
            f"needs a change that requires the right to create in its schema: {creating[0]}.",
            way_out=grant_create(table.schema, role),
            lacks=Right("CREATE", table.schema),
        )
    if table.steps and not table.live.owned:
        what = f"needs a change, but belongs to {table.live.owner}: {table.steps[0]}."
        lacks = Right("OWNER", table.schema)
        table.refuse("", what, way_out=change_owner(table), lacks=lacks)


def refuse_unreadable(table: ComparedTable) -> None:
    """Refuse a table whose rows decide what to do, and can't all be seen."""
    if table.live.rows_hidden:
        why = hidden_rows(table.present, table.facts.user)
        table.refuse("", "differs from the models.", why, way_out=show_rows(table.facts.user))
    else:
        what = f"differs from the models, belongs to {table.live.owner}, and cannot be read."
        grant = f"GRANT SELECT ON {table.present} TO {identifier(table.facts.user)}"
        lacks = Right("SELECT", table.schema, WayOut(ADMINISTRATOR, (grant,)))
        table.refuse("", what, way_out=change_owner(table), lacks=lacks)


def change_owner(table: ComparedTable) -> WayOut:
    """Return the way out for a table that belongs to another role."""
    owner = f"ALTER TABLE {table.present} OWNER TO {identifier(table.facts.user)}"
    return WayOut("Run as its owner, or let an administrator run:", (owner,))


def of_history(schema: str, live: Schema, role: str, said: Iterable[Refusal]) -> Plan:
    """Refuse changes that can't be recorded; not twice for a right that was `said` to lack."""
    name = f"{schema}.{HISTORY_TABLE}, which records changes,"
    if HISTORY_TABLE in live.foreign:
        relation = qualified(schema, HISTORY_TABLE)
        owner = f"ALTER TABLE {relation} OWNER TO {identifier(role)}"
        what, way_out = f"{name} belongs to another role.", WayOut(ADMINISTRATOR, (owner,))
        return refused(schema, what, way_out, lacks=Right("OWNER", schema))
    lacks = Right("CREATE", schema)
    known = any(refusal.lacks == lacks for refusal in said)
    if HISTORY_TABLE in live.relations or live.can_create or known:
        return Plan()
    what = f"{name} is missing, and {role} lacks the right to create in its schema."
    return refused(schema, what, grant_create(schema, role), lacks=lacks)
