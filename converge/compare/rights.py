"""Rights: what the role may not do, and the statement for an administrator that lets it."""

from converge.compare import desired as ddl
from converge.compare.table import Difference
from converge.history import journal as history
from converge.plan import NOTHING_CHANGED, Plan, Refusal
from converge.server.catalog import Schema
from converge.server.inspect import creates


def refuse_changes(table: Difference) -> None:
    """Refuse the changes of a table that the role has no right to."""
    creating = [step for step in table.steps if creates(step)]
    if creating and not table.can_create:
        table.refuse(
            "",
            f"needs a change that takes the right to create in its schema: {creating[0]}.",
            way_out=grant_create(table.schema, table.settings.user),
        )
    if table.steps and not table.live.owned:
        table.refuse(
            "",
            f"needs changes, but belongs to {table.live.owner}: {table.steps[0]}.",
            way_out=change_owner(table),
        )


def change_owner(table: Difference) -> str:
    """Return the way out for a table that belongs to another role."""
    owner = f"ALTER TABLE {table.relation} OWNER TO {ddl.quote(table.settings.user)}"
    return f"Run as its owner, or let an administrator run:\n    {owner};"


def grant_create(schema: str, role: str) -> str:
    """Return the way out for a role that may not create in a schema."""
    grant = f"GRANT CREATE ON SCHEMA {ddl.quote(schema)} TO {ddl.quote(role)}"
    return f"Let an administrator run:\n    {grant};"


def of_history(schema: str, live: Schema, role: str, said: str) -> Plan:
    """Refuse changes that can't be recorded; not twice for what `said`, the refusals, says."""
    name = f"{schema}.{history.TABLE}, which records changes,"
    if history.TABLE in live.foreign:
        owner = f"ALTER TABLE {ddl.qualified(schema, history.TABLE)} OWNER TO {ddl.quote(role)}"
        way_out = f"Let an administrator run:\n    {owner};"
        return _refused(schema, f"{name} belongs to another role.", way_out)
    grant = grant_create(schema, role)
    if history.TABLE not in live.relations and not live.can_create and grant not in said:
        what = f"{name} is missing, and this role may not create in its schema."
        return _refused(schema, what, grant)
    return Plan()


def _refused(schema: str, what: str, way_out: str) -> Plan:
    return Plan(refusals=(Refusal(schema, "", f"{what}\n  {NOTHING_CHANGED} {way_out}"),))
