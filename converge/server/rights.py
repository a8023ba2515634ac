"""Rights and limits of the role that a plan runs into, and the statement that lifts them."""

from typing import Iterable, List, Sequence

from converge.plan import Refusal, Right, WayOut
from converge.quoting import identifier, qualified
from converge.server.connection import Connection
from converge.server.inspect import ADMINISTRATOR, ServerFacts
from converge.server.messages import UNLIMITED, rows
from converge.steps import Run, Step

FOREIGN_QUERY = """
SELECT c.relname, pg_get_userbyid(c.relowner)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s)
  AND NOT pg_has_role(c.relowner, 'USAGE') ORDER BY c.relname
"""


def grant_create(schema: str, role: str) -> WayOut:
    """Return the way out for a role that may not create in a schema."""
    grant = f"GRANT CREATE ON SCHEMA {identifier(schema)} TO {identifier(role)}"
    return WayOut(ADMINISTRATOR, (grant,))


def hidden_rows(relation: str, role: str) -> str:
    """Say that row security is in the way of looking at all rows."""
    hidden = f"Row security hides rows of {relation} from {role}"
    return f"{hidden}, so it cannot be proven that no value is lost."


def show_rows(role: str) -> WayOut:
    """Return the way out for a role from which row security hides rows."""
    return WayOut(ADMINISTRATOR, (f"ALTER ROLE {identifier(role)} BYPASSRLS",))


def limited_builds(
    connection: Connection, facts: ServerFacts, steps: Iterable[Step]
) -> List[Refusal]:
    """Refuse, behind a pooler, index builds that a setting would end or forbid.

    It can't be lifted there: a build runs outside a transaction, and what is set for the session
    stays with it, for other clients.
    """
    online = [step for step in steps if step.run is Run.ONLINE]
    if not (online and facts.limits and connection.pooled):
        return []
    found = ", ".join(f"{name} is {value}" for name, value in facts.limits.items())
    role, database = identifier(facts.user), identifier(facts.database)
    alter = tuple(
        f"ALTER ROLE {role} IN DATABASE {database} SET {name} = {UNLIMITED[name]}"
        for name in facts.limits
    )
    what = f"{found} for {facts.user}, which cannot be lifted behind a pooler for {online[0]}."
    advice = "Name the server itself in POSTGRES_HOST, or run this and let the pooler reconnect:"
    lacks = Right("unlimited builds", online[0].schema)
    return [Refusal(online[0].schema, "", what, WayOut(advice, alter), (), lacks)]


def without_rights(
    connection: Connection,
    facts: ServerFacts,
    schema: str,
    tables: Sequence[str],
    steps: Sequence[Step] = (),
) -> List[Refusal]:
    """Refuse what touches tables of another role, or may not create."""
    values = {"schema": schema, "tables": list(tables)}
    found = []
    for table, owner in rows(connection, FOREIGN_QUERY, values):
        relation = qualified(schema, table)
        change = f"ALTER TABLE {relation} OWNER TO {identifier(facts.user)}"
        what = f"{relation} belongs to {owner}."
        found.append(Refusal(schema, "", what, WayOut(ADMINISTRATOR, (change,))))
    may_create = "SELECT has_schema_privilege(%(schema)s, 'CREATE')"
    creating = [step for step in steps if step.creates]
    if creating and not rows(connection, may_create, values)[0][0]:
        what = f"'{creating[0]}' requires the right to create in schema {identifier(schema)}."
        found.append(Refusal(schema, "", what, grant_create(schema, facts.user)))
    return found
