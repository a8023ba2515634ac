"""What a statement waits for: seen from another connection, and said."""

import json
import logging
from contextlib import closing, contextmanager, suppress
from typing import (
    Callable,
    ContextManager,
    Dict,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import psycopg2

from converge.events import about
from converge.pacing import Schedule
from converge.plan import WayOut
from converge.quoting import literal
from converge.server.connection import WATCH_SECONDS, Connection, Silence, open_connection
from converge.server.messages import rows
from converge.server.sql import statement
from converge.settings.variables import Settings

log = logging.getLogger(__name__)

SHOWN_OF_A_QUERY = 80  # characters
# Of a statement, to know it by: as much as the server's views show if `track_activity_query_size`
# is twenty times its default.
KNOWN_BY = 20_000
WRAPAROUND = "(to prevent wraparound)"  # how the server names a vacuum that gives way to nobody

WAITS = "server/waits.sql"
BUSY = "SELECT global_pid, xact_start, query FROM citus_stat_activity WHERE xact_start < now()"

From = Callable[[], ContextManager[Connection]]
Tell = Callable[[Sequence["Wait"]], None]


class Guess(NamedTuple):
    """A lock that a statement may have waited for; without a table, on anything in the schema."""

    schema: str
    table: Optional[str]
    mode: str  # as in `pg_locks`


class Wait(NamedTuple):
    """Whom a statement waits for: a session, a prepared transaction, or a synchronous standby."""

    relation: Optional[str]  # that the lock is on, quoted; None: the end of a transaction
    pid: Optional[int]
    name: str = ""  # of the application, or what kind of process it is
    state: Optional[str] = None
    age: Optional[str] = None  # of its transaction
    query: Optional[str] = None
    prepared: Optional[str] = None  # the name of a prepared transaction
    owner: Optional[str] = None
    prepared_at: Optional[str] = None
    standbys: Optional[str] = None  # synchronous_standby_names, where the commit waits for one
    elsewhere: bool = False  # on a worker of Citus, whose locks are not seen from here

    @property
    def cause(self) -> Tuple[object, ...]:
        """What stays the same while it is the same wait."""
        return self.relation, self.pid, self.prepared, self.standbys

    @property
    def facts(self) -> Dict[str, object]:
        """What is known of it, as the fields of an event."""
        known = {name: value for name, value in self._asdict().items() if value}
        return {**known, "query": self.query[:SHOWN_OF_A_QUERY]} if self.query else known

    def __str__(self) -> str:
        if self.standbys is not None:
            return self._standby()
        if self.elsewhere:
            return f"a session on a worker. {WayOut('This shows those that are at work:', (BUSY,))}"
        who = self._session() if self.prepared is None else self._prepared()
        if self.relation is not None:
            return f"a lock on {self.relation} held by {who}"
        return who if self.prepared is not None else f"the transaction of {who}"

    def _session(self) -> str:
        """Of another role's session a role without pg_read_all_stats learns only who."""
        parts = [f"pid {self.pid} ({self.name})", self.state, self.age and f"for {self.age}"]
        who = ", ".join(part for part in parts if part)
        query = self.query or ""
        shown = f"{': ' if self.age else ', '}{query[:SHOWN_OF_A_QUERY]}" if query else ""
        urgent = query.startswith("autovacuum: ") and query.endswith(WRAPAROUND)
        return who + shown + ("; it prevents wraparound, so it does not give way" * urgent)

    def _prepared(self) -> str:
        name = literal(self.prepared or "")
        ends = (f"COMMIT PREPARED {name}", f"ROLLBACK PREPARED {name}")
        way_out = WayOut(f"Let {self.owner}, or a superuser, run one of these:", ends)
        what = f"the prepared transaction {name} of {self.owner}, prepared at {self.prepared_at}."
        return f"{what}\n  {way_out}"

    def _standby(self) -> str:
        reset = ("ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()")
        way_out = WayOut("Start such a standby, or let an administrator run:", reset)
        return (
            "a synchronous standby to confirm its COMMIT, as every writer does: "
            f"synchronous_standby_names is {literal(self.standbys or '')}.\n  {way_out}"
        )


def whereabouts(connection: Connection) -> Dict[str, str]:
    """Return the variables of `ours.sql`, for the session that runs `connection`'s statement."""
    if connection.pooled:
        return {"pid": "", "statement": connection.statement[:KNOWN_BY]}
    return {"pid": str(connection.info.backend_pid), "statement": ""}


def waits(connection: Connection, observer: Connection) -> Tuple[Wait, ...]:
    """Return whom `connection` waits for; three at most, the oldest first."""
    return _asked(observer, (), **whereabouts(connection))


def holders(observer: Connection, guesses: Sequence[Guess]) -> Tuple[Wait, ...]:
    """Return who is in the way of locks that somebody might want; three at most."""
    return _asked(observer, guesses, pid="", statement="")


def _asked(observer: Connection, guesses: Sequence[Guess], **ours: str) -> Tuple[Wait, ...]:
    guessed = json.dumps([guess._asdict() for guess in guesses])
    query = statement(WAITS, guessed=guessed, **ours)
    # In the run lock's transaction, the view would be as old as the lock.
    shown = f"-- {WAITS}, with a statement in it"
    found = rows(observer, f"SELECT pg_stat_clear_snapshot(); {query}", shown=shown)
    return tuple(Wait(*row) for row in found)


class Watcher:
    """Sees what the statements of `connection` wait for, and says so; it is a `Connection.watch`.

    When a statement has waited for `WATCH_SECONDS`, and when an attempt has missed its lock, `tell`
    gets whom it waits for, nobody if it does not. `observe` gives the connection to look from.
    """

    def __init__(
        self, connection: Connection, observe: From, tell: Tell, guesses: Sequence[Guess] = ()
    ) -> None:
        self.connection, self.observe, self.tell = connection, observe, tell
        self.guesses = guesses
        self.seen: Tuple[Wait, ...] = ()

    def __call__(self, waited: float) -> None:
        """Look at a statement that has run for `waited` seconds."""
        with self.observe() as observer:
            self.seen = waits(self.connection, observer)
        if waited >= WATCH_SECONDS or not self.seen:
            self.tell(self.seen)

    def missed(self) -> None:
        """Say who had the lock that an attempt did not get; the next attempt may meet others."""
        self.tell(self.in_the_way())
        self.seen = ()

    def in_the_way(self) -> Tuple[Wait, ...]:
        """Return whom the last statement has waited for, or, unseen, who may have been it."""
        if self.seen:
            return self.seen
        with self.observe() as observer:
            found = holders(observer, self.guesses)
        elsewhere = (Wait(None, None, elsewhere=True),) if self.connection.citus else ()
        return found or elsewhere


class Teller:
    """Logs what statements wait for, that are no step of a plan: at once, then now and then."""

    def __init__(self) -> None:
        self._schedule = Schedule()

    def __call__(self, found: Sequence[Wait]) -> None:
        if found and self._schedule.is_due(tuple(wait.cause for wait in found)):
            for wait in found:
                extra = about("blocked", blocked_by=[wait.facts])
                log.warning("a statement waits for %s", wait, extra=extra)


def watch(connection: Connection, settings: Settings) -> None:
    """Say what any statement of a connection waits for; another is opened for each look."""

    @contextmanager
    def newcomer() -> Iterator[Connection]:
        with closing(_newcomer(settings)) as other:
            yield other

    look = Watcher(connection, newcomer, Teller())

    def patiently(waited: float) -> None:
        with suppress(psycopg2.OperationalError):  # "too many clients": then it is not said
            look(waited)

    connection.watch = patiently


@contextmanager
def onlooker(settings: Settings) -> Iterator[From]:
    """Yield what gives a connection to look at an index build from: one more, once it is wanted.

    The transaction that holds the run lock is not for that. A CREATE INDEX CONCURRENTLY that begins
    to wait for older snapshots in the moment of a look would wait for the end of that transaction,
    and so for its own. Raises `psycopg2.OperationalError` if there is no room for it.
    https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
    """
    opened: List[Connection] = []

    @contextmanager
    def observe() -> Iterator[Connection]:
        if not opened or opened[0].closed:
            opened[:] = [_newcomer(settings)]
        yield opened[0]

    try:
        yield observe
    finally:
        for connection in opened:
            connection.close()


def _newcomer(settings: Settings) -> Connection:
    other = open_connection(settings, WATCH_SECONDS)
    other.watch = _give_up
    return other


def _give_up(waited: float) -> None:
    raise Silence(f"no answer for {waited:.0f} s")
