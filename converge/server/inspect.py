"""The look before the first change: what the server is, and whether a run can succeed on it."""

import json
import re
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence

from psycopg2.extensions import quote_ident

from converge.errors import Refused
from converge.plan import NOTHING_CHANGED, Refusal, Run, Step
from converge.server.connection import READ_COMMITTED, UNLIMITED, Connection, named, rows
from converge.settings.variables import Settings

EXTENSION = "pg_trgm"
OLDEST_SERVER = 120000


class Server(NamedTuple):
    """What the server and the role are, as one query tells it (`inspect`)."""

    version: int
    platform: str
    standby: bool
    user: str
    database: str
    superuser: bool
    can_create_schema: bool
    can_use_temp: bool
    home: Optional[str]  # a schema that exists and that an extension may be created in
    ctype: str
    extension_schema: Optional[str]
    extension_usable: bool
    extension_available: bool
    backend_pid: int
    closed: Optional[List[str]] = None  # the schemas of POSTGRES_SCHEMAS that the role may not use
    limits: Optional[Dict[str, str]] = None  # what differs from `database.UNLIMITED`

    @property
    def extension_permitted(self) -> bool:
        """pg_trgm is a trusted extension since 13: CREATE on the database is enough."""
        return self.superuser or (self.version >= 130000 and self.can_create_schema)


# Whatever creates in a schema, or renames in it, takes the right to create there.
# https://www.postgresql.org/docs/current/ddl-priv.html
CREATES = re.compile(r"CREATE |ALTER INDEX .* RENAME TO |ALTER TABLE .* (SMALL|BIG)?SERIAL ")

FOREIGN_QUERY = """
SELECT r.name, pg_get_userbyid(c.relowner)
FROM unnest(%(relations)s::text[]) AS r (name) JOIN pg_class c ON c.oid = to_regclass(r.name)
WHERE NOT pg_has_role(c.relowner, 'USAGE') ORDER BY r.name
"""

SERVER_QUERY = f"""
SELECT current_setting('server_version_num')::integer, version(), pg_is_in_recovery(),
  current_user, current_database(),
  (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
  has_database_privilege(current_database(), 'CREATE'),
  has_database_privilege(current_database(), 'TEMPORARY'),
  (SELECT h.name FROM unnest(%(homes)s::text[]) WITH ORDINALITY AS h (name, place)
   JOIN pg_namespace n ON n.nspname = h.name
   WHERE has_schema_privilege(n.oid, 'USAGE') ORDER BY h.place LIMIT 1),
  (SELECT datctype FROM pg_database WHERE datname = current_database()),
  (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
   WHERE e.extname = '{EXTENSION}'),
  (SELECT has_schema_privilege(e.extnamespace, 'USAGE') FROM pg_extension e
   WHERE e.extname = '{EXTENSION}'),
  EXISTS (SELECT FROM pg_extension WHERE extname = '{EXTENSION}')
    OR EXISTS (SELECT FROM pg_available_extensions WHERE name = '{EXTENSION}'),
  pg_backend_pid(),
  (SELECT json_agg(nspname ORDER BY nspname) FROM pg_namespace n
   WHERE NOT has_schema_privilege(n.oid, 'USAGE') AND nspname = ANY (%(schemas)s)),
  (SELECT json_object_agg(name, current_setting(name)) FROM json_each_text(%(unlimited)s) AS u
   JOIN pg_settings s ON s.name = u.key WHERE s.setting <> u.value)
"""


def require_supported(connection: Connection) -> None:
    """Raise `Refused` if the server is too old to understand our queries."""
    if connection.server_version < OLDEST_SERVER:
        raise Refused(
            f"refused: the server is PostgreSQL {connection.server_version // 10000}, "
            "12 is the oldest that is supported.\n  Nothing was changed. Upgrade the server."
        )


def inspect(connection: Connection, settings: Settings) -> Server:
    """Ask the server what it is, in one round trip. Raises `Refused` if no run can succeed on it.

    That is before anything was tried, and says the statement that an administrator should run.
    """
    values = {
        "schemas": list(settings.schemas),
        "homes": ["public", *settings.schemas],
        "unlimited": json.dumps(UNLIMITED),
    }
    found = rows(connection, READ_COMMITTED + named(connection) + SERVER_QUERY, values)
    server = Server(*found[0])
    connection.pooled = connection.info.backend_pid != server.backend_pid  # see `named`
    connection.checks_client = server.version >= 140000 and "linux" in server.platform
    refusals = list(_obstacles(server, settings, connection))
    if refusals:
        raise Refused("\n".join(f"refused: {text}\n  Nothing was changed." for text in refusals))
    return server


def limited_builds(connection: Connection, server: Server, steps: Iterable[Step]) -> List[Refusal]:
    """Refuse, behind a pooler, index builds that a setting would end or forbid.

    It can't be lifted there: a build runs outside a transaction, and what is set for the session
    stays with it, for other clients.
    """
    online = [step for step in steps if step.run is Run.ONLINE]
    if not (online and server.limits and connection.pooled):
        return []
    found = ", ".join(f"{name} is {value}" for name, value in server.limits.items())
    role, database = (quote_ident(name, connection) for name in (server.user, server.database))
    alter = "".join(
        f"\n    ALTER ROLE {role} IN DATABASE {database} SET {name} = {UNLIMITED[name]};"
        for name in server.limits
    )
    return [
        Refusal(
            online[0].schema,
            "",
            f"{found} for {server.user}, which behind a pooler can't be lifted for {online[0]}.\n"
            f"  {NOTHING_CHANGED} Name the server itself in POSTGRES_HOST, or run this and let the "
            f"pooler reconnect:{alter}",
        )
    ]


def creates(step: Step) -> bool:
    """Whether a step takes the right to create in its schema."""
    return any(CREATES.match(statement) for statement in step.statements)


def without_rights(
    connection: Connection, schema: str, relations: Sequence[str], steps: Sequence[Step] = ()
) -> List[Refusal]:
    """Refuse what touches relations (qualified, quoted) of another role, or may not create."""
    role = quote_ident(connection.info.user, connection)
    run = f"{NOTHING_CHANGED} Let an administrator run:\n   "
    foreign = rows(connection, FOREIGN_QUERY, {"relations": list(relations)})
    found = [
        f"{relation} belongs to {owner}.\n  {run} ALTER TABLE {relation} OWNER TO {role};"
        for relation, owner in foreign
    ]
    may_create = "SELECT has_schema_privilege(%(schema)s, 'CREATE')"
    creating = [step for step in steps if creates(step)]
    if creating and not rows(connection, may_create, {"schema": schema})[0][0]:
        name = quote_ident(schema, connection)
        found.append(
            f"'{creating[0]}' takes the right to create in schema {name}.\n"
            f"  {run} GRANT CREATE ON SCHEMA {name} TO {role};"
        )
    return [Refusal(schema, "", text) for text in found]


def _obstacles(server: Server, settings: Settings, connection: Connection) -> Iterator[str]:
    """Say what keeps any run from succeeding."""
    role = quote_ident(server.user, connection)
    database = quote_ident(server.database, connection)
    if server.standby:
        yield f"{settings.host} is a read-only standby.\n  Name the primary in POSTGRES_HOST."
        return
    if not server.can_use_temp:
        yield (
            f"{server.user} may not create temporary tables, which the comparison needs.\n"
            f"  Let an administrator run:\n    GRANT TEMPORARY ON DATABASE {database} TO {role};"
        )
    closed = server.closed or []
    for schema in closed:
        name = quote_ident(schema, connection)
        yield (
            f"{server.user} may not use schema {name}.\n"
            f"  Let an administrator run:\n    GRANT USAGE, CREATE ON SCHEMA {name} TO {role};"
        )
    if server.extension_schema in closed:
        return
    if server.extension_schema is None and not server.extension_available:
        yield (
            f"the extension {EXTENSION} is not installed on the server.\n"
            "  Let an administrator install PostgreSQL's contrib package "
            "(Debian: postgresql-contrib), then run again."
        )
    elif server.extension_schema is not None and not server.extension_usable:
        home = quote_ident(server.extension_schema, connection)
        yield (
            f"the extension {EXTENSION} is in schema {home}, which {server.user} may not use.\n"
            f"  Let an administrator run:\n    GRANT USAGE ON SCHEMA {home} TO {role};"
        )
    elif server.extension_schema is None and not server.extension_permitted:
        yield (
            f"the extension {EXTENSION} is missing, and {server.user} may not create it.\n"
            f"  Let an administrator run, in database {server.database}:\n"
            f"    CREATE EXTENSION {EXTENSION};"
        )
