"""The look before the first change: what the server is, and whether a run can succeed on it."""

import json
import logging
from typing import Dict, Iterator, List, NamedTuple, Optional

from converge.errors import Refused
from converge.plan import Refusal, Right, WayOut, looking
from converge.quoting import identifier
from converge.server.connection import Connection
from converge.server.messages import READ_COMMITTED, UNLIMITED, named, rows
from converge.server.sql import statement
from converge.settings.extension import Extension
from converge.settings.variables import Settings

log = logging.getLogger(__name__)

# By `pg_settings.source`.
READ_ONLY_FOR = {
    "database": "ALTER DATABASE … SET",
    "user": "ALTER ROLE … SET",
    "database user": "ALTER ROLE … IN DATABASE … SET",
}
ADMINISTRATOR = "Let an administrator run:"


class ServerFacts(NamedTuple):
    """What the server and the role are, as one query tells it (`inspect`)."""

    version: int
    platform: str
    standby: bool
    user: str  # the role that acts
    database: str
    superuser: bool
    can_create_schema: bool
    can_use_temp: bool
    home: Optional[str]  # a schema that exists and that an extension may be created in
    ctype: str
    extension_schema: Optional[str]
    extension_usable: bool
    extension_available: bool
    extension_trusted: bool
    pooled: bool  # behind a pooler
    closed: Optional[List[str]] = None  # the schemas of POSTGRES_SCHEMAS that the role may not use
    limits: Optional[Dict[str, str]] = None  # what differs from `messages.UNLIMITED`
    read_only: Optional[str] = None  # where default_transaction_read_only is set, if it is on
    guarded: bool = False  # event triggers may forbid anything

    @property
    def brake(self) -> Optional[str]:
        """What to say to whoever has made read-only the default: a run writes all the same."""
        if self.read_only is None:
            return None
        where = READ_ONLY_FOR.get(self.read_only, self.read_only)
        return f"default_transaction_read_only is on ({where}); a run writes all the same"

    @property
    def lacks_extension(self) -> bool:
        return self.extension_schema is None

    def extension_home(self, settings: Settings) -> str:
        """Return the schema in which the extension lives, or will."""
        return self.extension_schema or self.home or settings.schemas[0]

    def after_run(self, settings: Settings) -> "ServerFacts":
        """Return the facts as a run leaves them: with the extension."""
        return self._replace(extension_schema=self.extension_home(settings))

    @property
    def extension_permitted(self) -> bool:
        """For a trusted extension (13 and newer), CREATE on the database is enough."""
        return self.superuser or (self.extension_trusted and self.can_create_schema)


def inspect(
    connection: Connection, settings: Settings, extension: Extension, *, only_look: bool = False
) -> ServerFacts:
    """Ask the server what it is, in one round trip. Raises `Refused` if no run can succeed on it.

    That is before anything was tried, and says the statement that an administrator should run.
    `only_look` leaves out what only a run takes.
    """
    query = statement(
        "server/facts.sql",
        extension=extension.name,
        schemas=settings.schemas,
        homes=["public", *settings.schemas],
        unlimited=json.dumps(UNLIMITED),
        pid=str(connection.info.backend_pid),
    )
    facts = ServerFacts(*rows(connection, READ_COMMITTED + named(connection) + query)[0])
    connection.pooled = facts.pooled
    connection.checks_client = facts.version >= 140000 and "linux" in facts.platform
    refusals = list(_obstacles(facts, settings, extension))
    if only_look:
        refusals, _ = looking(refusals)
    if refusals:
        raise Refused("\n".join(map(str, refusals)))
    if extension.ascii_only_under_c and facts.ctype in ("C", "POSIX"):
        log.warning(
            "LC_CTYPE of database %s is %s: %s ignores every letter that is not ASCII, so %s. "
            "Create the database with C.UTF-8 or a language's locale.",
            facts.database,
            facts.ctype,
            extension.name,
            extension.ascii_only_under_c,
        )
    return facts


def _obstacles(facts: ServerFacts, settings: Settings, extension: Extension) -> Iterator[Refusal]:
    """Say what keeps any run from succeeding."""
    role, database = identifier(facts.user), identifier(facts.database)
    if facts.standby:
        yield _obstacle(
            f"{settings.host} is a read-only standby.", "Name the primary in POSTGRES_HOST."
        )
        return
    if not facts.can_use_temp:
        yield _obstacle(
            f"{facts.user} lacks the right to create temporary tables, which the comparison needs.",
            ADMINISTRATOR,
            f"GRANT TEMPORARY ON DATABASE {database} TO {role}",
        )
    closed = facts.closed or []
    for schema in closed:
        name = identifier(schema)
        to_look = WayOut(ADMINISTRATOR, (f"GRANT USAGE ON SCHEMA {name} TO {role}",))
        yield _obstacle(
            f"{facts.user} lacks the right to use schema {name}.",
            ADMINISTRATOR,
            f"GRANT USAGE, CREATE ON SCHEMA {name} TO {role}",
        )._replace(lacks=Right("USAGE", schema, to_look))
    if facts.extension_schema not in closed:
        yield from _extension_obstacles(facts, extension)


def _extension_obstacles(facts: ServerFacts, extension: Extension) -> Iterator[Refusal]:
    name = identifier(extension.name)
    if facts.extension_schema is None and not facts.extension_available:
        yield _obstacle(
            f"extension {name} is not installed on the server.",
            "Let an administrator install PostgreSQL's contrib package "
            "(Debian: postgresql-contrib), then run again.",
        )
    elif facts.extension_schema is not None and not facts.extension_usable:
        home = identifier(facts.extension_schema)
        yield _obstacle(
            f"extension {name} is in schema {home}, which {facts.user} lacks the right to use.",
            ADMINISTRATOR,
            f"GRANT USAGE ON SCHEMA {home} TO {identifier(facts.user)}",
        )
    elif facts.extension_schema is None and not facts.extension_permitted:
        yield no_right_to_extension(facts, extension)


def no_right_to_extension(facts: ServerFacts, extension: Extension) -> Refusal:
    """Return the refusal of an extension that the role may not create."""
    name = identifier(extension.name)
    return _obstacle(
        f"extension {name} is missing, and {facts.user} lacks the right to create it.",
        f"Let an administrator run in database {identifier(facts.database)}:",
        f"CREATE EXTENSION {name}",
    )._replace(lacks=Right("CREATE EXTENSION", ""))


def _obstacle(what: str, advice: str, *statements: str) -> Refusal:
    return Refusal("", "", what, WayOut(advice, statements))
