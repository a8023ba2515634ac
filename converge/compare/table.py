"""One live table beside the desired one: what the rules read, ask and write into."""

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import psycopg2
from psycopg2 import errors

from converge.compare.conversions import holds
from converge.compare.desired import Backfill, Desired
from converge.compare.trial import event_triggers
from converge.names import TRIAL_TABLE, free_name
from converge.plan import (
    NO_UNDO,
    OUT_OF_THE_WAY,
    Kind,
    Lock,
    Refusal,
    Right,
    Run,
    Step,
    Undo,
    WayOut,
)
from converge.quoting import identifier, literal, qualified
from converge.server.catalog import Column, Schema
from converge.server.failures import is_transient, said
from converge.server.inspect import ServerFacts
from converge.settings.variables import Settings
from converge.text import counted, rows_of

Ask = Callable[[str], List[Tuple[Any, ...]]]
# What a name may belong to, in SQL: as in `pg_class.relkind`, and `c` for a type.
KINDS = {
    "r": "TABLE",
    "p": "TABLE",
    "v": "VIEW",
    "m": "MATERIALIZED VIEW",
    "f": "FOREIGN TABLE",
    "S": "SEQUENCE",
    "i": "INDEX",
    "I": "INDEX",
    "c": "TYPE",
}
EXAMPLES = 3  # offending rows that a refusal shows
FROM_A_SEQUENCE = "nextval()"  # as the catalog words every default that draws from one
CHECKS = f"""SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint
WHERE conrelid = 'pg_temp.{TRIAL_TABLE}'::regclass AND contype = 'c'"""


class Given(NamedTuple):
    """What a comparison is made with. `ask` runs a query on live rows."""

    desired: Desired
    settings: Settings
    facts: ServerFacts
    ask: Ask


class ColumnPair(NamedTuple):
    """A live column and the desired one of the same name."""

    name: str
    live: Column
    desired: Column

    @property
    def differs(self) -> str:
        """What a refusal says of its type."""
        return f"is {self.live.type}; the model says {self.desired.type}"


class ComparedTable:
    """A live table, the desired one, and what the rules found so far.

    Rows are asked about only where a difference was found. `values` holds, for each column, SQL
    over the *live* row for what the column will hold once the steps have run, so that a later rule
    can look ahead.
    """

    def __init__(self, schema: str, name: str, live: Schema, desired: Schema, given: Given) -> None:
        self.schema, self.name = schema, name
        self.relations, self.can_create = live.relations, live.can_create
        self.live, self.desired = live.tables[name], desired.tables[name]
        self.models, self.settings, self.facts, self.ask = given
        self.relation = qualified(schema, name)
        self.values: Dict[str, str] = {column: identifier(column) for column in self.live.columns}
        self.type_changes: List[str] = []  # of ALTER TABLE, that steps will run
        self.filled: List[str] = []  # the columns that steps will fill
        self.kept_leftovers: Set[str] = set()  # what an interrupted run left and a step puts to use
        self.steps: List[Step] = []
        self.refusals: List[Refusal] = []
        self.notes: List[str] = []
        self.warnings: List[str] = []  # what is no difference, and yet may lose rows

    def pair(self, name: str) -> ColumnPair:
        return ColumnPair(name, self.live.columns[name], self.desired.columns[name])

    def is_readable(self, column: str) -> bool:
        """True if a column has, will have or holds the models' type: else that is refused."""
        live, desired = self.live.columns.get(column), self.desired.columns.get(column)
        if live is None or desired is None or live.type == desired.type:
            return True
        return self.values[column] != identifier(column) or holds(live.type, desired.type)

    def backfill(self, column: str) -> Optional[Backfill]:
        """Return what the models put into existing rows of a column, if they say."""
        return self.models.backfill(self.name, column)

    def computed(self, column: str) -> bool:
        """True if existing rows get a value that depends on their other columns."""
        backfill = self.backfill(column)
        return backfill is not None and backfill.computed

    def step(
        self,
        kind: Kind,
        name: str,
        why: str,
        statements: Sequence[str],
        *,
        run: Run = Run.BRIEF,
        lock: Lock = Lock.INSTANT,
        creates: bool = False,
        undo: Undo = NO_UNDO,
        on_the_way: bool = False,
        parts: Sequence[str] = (),
        tried: Optional[Sequence[str]] = None,
        fires: Sequence[str] = (),
    ) -> None:
        """Plan a step. What only changes the catalog is `tried` as it is, if not said otherwise."""
        if tried is None:
            tried = statements if run is Run.BRIEF and lock is Lock.INSTANT else ()
        self.steps.append(
            Step(
                kind=kind,
                schema=self.schema,
                table=self.name,
                name=name,
                why=why,
                statements=tuple(statements),
                run=run,
                lock=lock,
                creates=creates,
                undo=undo,
                on_the_way=on_the_way,
                parts=tuple(parts),
                tried=tuple(tried),
                fires=tuple(fires),
            )
        )

    def alter(self, change: str) -> str:
        """Return an ALTER TABLE of this table."""
        return f"ALTER TABLE {self.relation} {change}"

    def alter_column(self, column: str, change: str) -> str:
        return self.alter(alter_column(column, change))

    def refuse(
        self,
        name: str,
        what: str,
        *why: str,
        way_out: WayOut,
        lacks: Optional[Right] = None,
    ) -> None:
        """Refuse a difference of the table, or of what is named in it."""
        subject = ".".join(part for part in (self.schema, self.name, name) if part)
        self.refusals.append(Refusal(self.schema, subject, what, way_out, why, lacks))

    def count(self, condition: str = "true") -> int:
        """Count the live rows for which the condition is true."""
        return int(self.ask(f"SELECT count(*) FROM {self.relation} WHERE {condition}")[0][0])

    def has_rows(self) -> bool:
        return bool(self.ask(f"SELECT EXISTS (SELECT FROM {self.relation})")[0][0])

    def find(self, condition: str, columns: Sequence[str] = ()) -> WayOut:
        """Return the way out that begins with the rows for which the condition is true."""
        return WayOut("Find them with:", (self._query(condition, columns),))

    def _query(self, condition: str, columns: Sequence[str]) -> str:
        names = list(dict.fromkeys([*self.key, *columns]))
        selected = ", ".join(map(identifier, names)) or "*"
        return f"SELECT {selected} FROM {self.relation} WHERE {condition}"

    @property
    def key(self) -> List[str]:
        """The columns of the primary key; empty if there is none."""
        _, key = self.live.primary_key
        return (key.columns or []) if key else []

    def examples(self, condition: str, column: str) -> str:
        """Return some offending rows, as `, e.g. time=1731000000 '31-02-2024'`.

        It is empty where the rows have neither a key nor a value.
        """
        key = [name for name in self.key if name != column]
        # As text: Python cannot hold every value that PostgreSQL can.
        selected = ", ".join(f"{identifier(name)}::text" for name in [*key, column])
        query = f"SELECT {selected} FROM {self.relation} WHERE {condition} LIMIT {EXAMPLES}"
        found = []
        for *values, value in self.ask(query):
            shown = [f"{name}={text}" for name, text in zip(key, values)]
            found.append(" ".join(shown if value is None else [*shown, literal(value)]))
        return ", e.g. " + ", ".join(found) if any(found) else ""

    def refuse_used(self, name: str, what: str, used_by: Sequence[str]) -> None:
        """Refuse to change what other objects rely on."""
        why = f"It is used by {', '.join(used_by)}."
        self.refuse(name, what, why, way_out=OUT_OF_THE_WAY)

    def refuse_rows(
        self, name: str, what: str, bad: int, verbs: Tuple[str, str], condition: str
    ) -> None:
        """Refuse because of rows: how many, some of them, and the query that finds all."""
        found = f"{rows_of(bad, self.count())} {verbs[bad != 1]}"
        why = f"{found}{self.examples(condition, name)}."
        self.refuse(name, what, why, way_out=self.find(condition, [name]))

    def refuse_taken(self, name: str, wanted: str) -> None:
        """Refuse because a name that is needed belongs to something else."""
        what = f"needs {wanted} named {name}, but something else has that name."
        if name in self.relations:
            way_out = rename(self.schema, name, self.relations)
        else:
            new = identifier(free_name(name, "_old", self.live.constraints))
            change = f"RENAME CONSTRAINT {identifier(name)} TO {new}"
            way_out = WayOut("Rename the constraint:", (self.alter(change),))
        self.refuse("", what, way_out=way_out)

    def try_on_a_copy(self, changes: Sequence[str]) -> Dict[str, str]:
        """Make the changes to an empty copy of the table, and return its checks then, by name.

        What depends on a column is rebuilt with its new type there as on the live table, so the
        server says if an expression index, an operator class or a generated column does not go
        with it. Raises what the server says. The copy is rolled back.
        """
        made = f"CREATE TEMP TABLE {TRIAL_TABLE} (LIKE {self.relation} INCLUDING ALL)"
        altered = [f"ALTER TABLE pg_temp.{TRIAL_TABLE} {change}" for change in changes]
        return dict(self.ask("; ".join(["SET TRANSACTION READ WRITE", made, *altered, CHECKS])))

    def refuse_what_the_server_would(self, name: str, what: str, changes: Sequence[str]) -> bool:
        """Refuse changes of a column if the server refuses them on a copy."""
        try:
            self.try_on_a_copy(changes)
        except errors.InsufficientPrivilege:
            raise
        except psycopg2.Error as error:
            if is_transient(error):
                raise
            way_out = event_triggers(self.ask, error) or OUT_OF_THE_WAY
            self.refuse(name, what, f"The server says: {said(error)}.", way_out=way_out)
            return True
        return False

    def refuse_large(
        self, name: str, what: str, statements: Sequence[str], *, does: str = "rewrites"
    ) -> bool:
        """Refuse to rewrite or read more rows than REWRITE_MAX_ROWS under the lock."""
        rows, limit = self.count(), self.settings.rewrite_max_rows
        if rows <= limit:
            return False
        relation = literal(self.relation)
        size = self.ask(f"SELECT pg_size_pretty(pg_total_relation_size({relation}))")[0][0]
        self.refuse(
            name,
            what,
            f"That {does} the table while everybody waits: {counted(rows, 'row')}, {size}; "
            f"REWRITE_MAX_ROWS is {limit:,}.",
            way_out=WayOut(
                f"In a maintenance window, run with REWRITE_MAX_ROWS={rows}, or type:",
                tuple(statements),
            ),
        )
        return True


def alter_column(column: str, change: str) -> str:
    """Return a change of ALTER TABLE."""
    return f"ALTER COLUMN {identifier(column)} {change}"


def rename(schema: str, name: str, relations: Mapping[str, str]) -> WayOut:
    """Return the way out where one of the relations or types has the name that is needed."""
    new, what = identifier(free_name(name, "_old", relations)), KINDS[relations[name]]
    statement = f"ALTER {what} {qualified(schema, name)} RENAME TO {new}"
    return WayOut(f"Rename the {what.lower()}:", (statement,))
