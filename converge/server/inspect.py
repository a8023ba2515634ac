"""The look before the first change: what the server is, and whether a run can succeed on it."""

import json
import logging
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence

from converge.errors import Refused
from converge.events import about
from converge.plan import Refusal, Right, WayOut, looking
from converge.quoting import identifier
from converge.server.citus import OLDEST, Citus, ask_citus
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
NO_RIGHT_TO_EXTENSION = Right("CREATE EXTENSION", "")
HOMES = 20  # the schemas of a run that are tried for an extension where `public` is not usable


class ExtensionFacts(NamedTuple):
    """An extension on the server; `schema` is None if the database lacks it."""

    schema: Optional[str]
    usable: bool
    available: bool
    trusted: bool


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
    extensions: Dict[str, ExtensionFacts]  # those that the models need, by name, in their order
    pooled: bool  # behind a pooler
    closed: Optional[List[str]] = None  # the schemas of POSTGRES_SCHEMAS that the role may not use
    limits: Optional[Dict[str, str]] = None  # what differs from `messages.UNLIMITED`
    read_only: Optional[str] = None  # where default_transaction_read_only is set, if it is on
    guarded: bool = False  # event triggers may forbid anything
    citus_version: Optional[int] = None  # the major one of the extension, if it is there
    citus: Optional[Citus] = None

    @property
    def brake(self) -> Optional[str]:
        """What to say to whoever has made read-only the default: a run writes all the same."""
        if self.read_only is None:
            return None
        where = READ_ONLY_FOR.get(self.read_only, self.read_only)
        return f"default_transaction_read_only is on ({where}); a run writes all the same"

    @property
    def lacking(self) -> List[str]:
        """The extensions that the database lacks."""
        return [name for name, extension in self.extensions.items() if extension.schema is None]

    def new_home(self, settings: Settings) -> str:
        """Return the schema in which an extension is created."""
        return self.home or settings.every_schema[0]

    def homes(self, new_home: str) -> List[str]:
        """Return the schemas in which the extensions live, once those that lack are created."""
        found = (extension.schema or new_home for extension in self.extensions.values())
        return list(dict.fromkeys(found))

    def after_run(self, settings: Settings) -> "ServerFacts":
        """Return the facts as a run leaves them: with the extensions."""
        home = self.new_home(settings)
        there = {n: e._replace(schema=e.schema or home) for n, e in self.extensions.items()}
        return self._replace(extensions=there)

    def permits(self, extension: str) -> bool:
        """For a trusted extension (13 and newer), CREATE on the database is enough to create it."""
        trusted = self.extensions[extension].trusted and self.can_create_schema
        return self.superuser or trusted


def inspect(
    connection: Connection,
    settings: Settings,
    extensions: Sequence[Extension],
    *,
    only_look: bool = False,
) -> ServerFacts:
    """Ask the server what it is, in one round trip. Raises `Refused` if no run can succeed on it.

    That is before anything was tried, and says the statement that an administrator should run.
    `only_look` leaves out what only a run takes.
    """
    query = statement(
        "server/facts.sql",
        extensions=[extension.name for extension in extensions],
        schemas=settings.schemas,
        homes=["public", *settings.every_schema[:HOMES]],
        unlimited=json.dumps(UNLIMITED),
        pid=str(connection.info.backend_pid),
    )
    facts = ServerFacts(*rows(connection, READ_COMMITTED + named(connection) + query)[0])
    known: Any = facts.extensions
    facts = facts._replace(extensions={e.name: ExtensionFacts(**known[e.name]) for e in extensions})
    if (facts.citus_version or 0) >= OLDEST:
        facts = facts._replace(citus=ask_citus(connection, settings.schemas))
    connection.pooled, connection.citus = facts.pooled, facts.citus is not None
    connection.checks_client = facts.version >= 140000 and "linux" in facts.platform
    refusals = list(_obstacles(facts, settings))
    if only_look:
        refusals, _ = looking(refusals)
    if refusals:
        raise Refused.of(*refusals)
    if facts.ctype in ("C", "POSIX"):
        _warn_of_letters(facts, extensions)
    return facts


def _warn_of_letters(facts: ServerFacts, extensions: Sequence[Extension]) -> None:
    for extension in extensions:
        if extension.ascii_only_under_c:
            log.warning(
                "LC_CTYPE of database %s is %s: %s ignores every letter that is not ASCII, so %s. "
                "Create the database with C.UTF-8 or a language's locale.",
                facts.database,
                facts.ctype,
                extension.name,
                extension.ascii_only_under_c,
                extra=about("letters_ignored", object=extension.name, database=facts.database),
            )


def _obstacles(facts: ServerFacts, settings: Settings) -> Iterator[Refusal]:
    """Say what keeps any run from succeeding."""
    role, database = identifier(facts.user), identifier(facts.database)
    if facts.standby:
        yield _obstacle(
            f"{settings.host} is a read-only standby.", "Name the primary in POSTGRES_HOST."
        )
        return
    if facts.citus is not None and facts.citus.coordinator is not None:
        host, port = facts.citus.coordinator
        yield _obstacle(
            f"{settings.host}:{settings.port} is a worker of Citus, which takes no DDL.",
            f"Name the coordinator: POSTGRES_HOST={host} and POSTGRES_PORT={port}.",
        )
        return
    if settings.citus_distribute and facts.citus is None:
        yield _obstacle(
            f"CITUS_DISTRIBUTE is set, and database {database} has no Citus {OLDEST} or newer.",
            "Unset it, or let an administrator install that, then run again.",
        )
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
    for extension, found in facts.extensions.items():
        if found.schema not in closed:
            yield from _extension_obstacles(facts, extension, found)


def _extension_obstacles(
    facts: ServerFacts, extension: str, found: ExtensionFacts
) -> Iterator[Refusal]:
    name = identifier(extension)
    if found.schema is None and not found.available:
        yield _obstacle(
            f"extension {name} is not installed on the server.",
            "Let an administrator install PostgreSQL's contrib package "
            "(Debian: postgresql-contrib), then run again.",
        )
    elif found.schema is not None and not found.usable:
        home = identifier(found.schema)
        yield _obstacle(
            f"extension {name} is in schema {home}, which {facts.user} lacks the right to use.",
            ADMINISTRATOR,
            f"GRANT USAGE ON SCHEMA {home} TO {identifier(facts.user)}",
        )
    elif found.schema is None and not facts.permits(extension):
        yield no_right_to_extension(facts, extension)


def no_right_to_extension(facts: ServerFacts, extension: str) -> Refusal:
    """Return the refusal of an extension that the role may not create."""
    name = identifier(extension)
    return _obstacle(
        f"extension {name} is missing, and {facts.user} lacks the right to create it.",
        f"Let an administrator run in database {identifier(facts.database)}:",
        f"CREATE EXTENSION {name}",
    )._replace(lacks=NO_RIGHT_TO_EXTENSION)


def _obstacle(what: str, advice: str, *statements: str) -> Refusal:
    return Refusal("", "", what, WayOut(advice, statements))
