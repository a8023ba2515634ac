"""One live table beside the desired one: what the rules read, ask and write into."""

import re
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from converge.compare.backfills import Backfill
from converge.compare.conversions import holds
from converge.compare.copies import Copy, renames
from converge.compare.desired import Desired
from converge.compare.trial import Ask
from converge.plan import Refusal, Right, Thing, Unmanaged, WayOut
from converge.quoting import identifier, literal, qualified
from converge.server.catalog import Column, Former, Index, Schema, Table
from converge.server.inspect import ServerFacts
from converge.server.proofs import to_a_row
from converge.settings.variables import Settings
from converge.steps import NO_UNDO, Kind, Lock, Run, Step, Undo

# A default that calls no function is a constant, or the same for all rows.
CALL = re.compile(r"\w\s*\(")
NO_CALL = re.compile(r"CAST\(|\(\d+(, ?-?\d+)?\)", re.IGNORECASE)
READ_ONLY = "SET TRANSACTION READ ONLY"  # a question may be made in one that is not
EXAMPLES = 3  # offending rows that a refusal shows
FROM_A_SEQUENCE = "nextval()"  # as the catalog words every default that draws from one


class Given(NamedTuple):
    """What a comparison is made with. `ask` runs a query on live rows, which finds what the models'
    words name without a schema; `ask_catalog` one whose answer has a schema with every name.

    `again` returns the desired state in the server's words for its own words. `path` has the
    schemas in which the models' words find what they name without one.
    """

    desired: Desired
    settings: Settings
    facts: ServerFacts
    ask: Ask
    ask_catalog: Ask
    again: Callable[[], Schema] = lambda: Schema({}, {})
    path: Tuple[str, ...] = ()


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
        self.relations, self.renamed = live.relations, live.renamed
        self.can_create, self.types = live.can_create, desired.types
        self.desired = desired.tables[name]
        self.live = live.tables.get(name, self.desired)
        self.models, self.settings, self.facts, self.ask, self.ask_catalog, self._again, _ = given
        self.new_types = [n for n in desired.types if n not in live.types]  # a step makes them
        # A step gives them values.
        self.growing = [n for n in live.types if n in desired.types and _lacks(live, desired, n)]
        self.others: Mapping[str, ComparedTable] = {}  # of the schema, itself too
        self.closed = False  # no rule applies: it is no table, or this role may not read it
        self.relation = qualified(schema, name)
        self.neighbours = live.tables
        self.former = self.live.former or Former(name)
        # What it is called while the plan is made; the steps run when it is renamed.
        self.present = qualified(schema, self.former.table)
        self.copy = Copy(self.ask, self.present, renames(self.former, self.live))
        self.values: Dict[str, str] = {column: identifier(column) for column in self.live.columns}
        self.type_changes: List[str] = []  # of ALTER TABLE, that steps will run
        self.defaults_changed: Set[str] = set()  # of columns, along with their types
        self._volatile: Dict[str, bool] = {}  # of the columns with a backfill: is it volatile?
        self.filled: List[str] = []  # the columns that steps will fill
        self.untried: Set[str] = set()  # those of them whose backfill is not tried on a row
        self.kept_leftovers: Set[str] = set()  # what an interrupted run left and a step puts to use
        self.live_names: Dict[str, str] = {}  # of the models' constraints that are there
        self.steps: List[Step] = []
        self.refusals: List[Refusal] = []
        self.notes: List[str] = []
        self.unmanaged: List[Unmanaged] = []
        self.warnings: List[str] = []  # what is no difference, and yet may lose rows

    @property
    def again(self) -> Table:
        """The desired table in the server's words for its own words, where these may differ."""
        return self._again().tables[self.name]

    @property
    def distributed(self) -> bool:
        """True if Citus has its rows on a worker."""
        citus = self.facts.citus
        return citus is not None and self.schema in citus.distributed

    def pair(self, name: str) -> ColumnPair:
        return ColumnPair(name, self.live.columns[name], self.desired.columns[name])

    def is_readable(self, column: str) -> bool:
        """True if a column has, will have or holds the models' type: else that is refused."""
        live, desired = self.live.columns.get(column), self.desired.columns.get(column)
        if live is None or desired is None or live.type == desired.type:
            return True
        return self.values[column] != identifier(column) or holds(live.type, desired.type)

    def lacks_values(self, column: str) -> bool:
        """True if rows may have no value for a column yet."""
        return column not in self.live.columns or not self.live.columns[column].not_null

    def backfill(self, column: str) -> Optional[Backfill]:
        """Return what the models put into existing rows of a column, if they say."""
        return self.models.backfill(self.name, column, self.schema)

    def computed(self, column: str) -> bool:
        """True if existing rows get a value of their own: from their other columns, or a new one.

        That is one which the server would write into every row if it were the default.
        """
        backfill = self.backfill(column)
        if backfill is None or backfill.computed:
            return backfill is not None
        if column not in self._volatile:
            type_name = self.desired.columns[column].type
            sql = backfill.sql()
            lock = self.lock_of_default(column, type_name, sql) if _calls(sql) else Lock.INSTANT
            self._volatile[column] = lock is Lock.REWRITE
        return self._volatile[column]

    def lock_of_default(self, column: str, type_name: str, default: str) -> Lock:
        """Return what adding a column with a default does: a volatile one is for each row."""
        own_type = "." in type_name  # a domain may have checks, for which each row is written
        if not own_type and not _calls(default):
            return Lock.INSTANT
        by = "" if default == "NULL" else f" DEFAULT {default}"  # which a domain may have, too
        added = f"ADD COLUMN {identifier(column)} {type_name}{by}"
        return self.copy.lock([added]) or Lock.INSTANT  # what it does not take is tried again

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
        change: Tuple[Optional[str], Optional[str]] = ("", ""),
    ) -> None:
        """Plan a step. What only changes the catalog is `tried` as it is, if not said otherwise.

        `change` is what it changes, and into what; None where it was or will be none.
        """
        before, after = change
        if tried is None:
            tried = statements if run is Run.BRIEF and lock is Lock.INSTANT else ()
        writes = kind in (Kind.ADD_COLUMN, Kind.SET_EXPRESSION) and lock is Lock.REWRITE
        at_children = (to_a_row(statements[0]),) if writes and self.live.shape.parts else ()
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
                tried_to_a_row=at_children,
                fires=tuple(fires),
                before=before or "",
                after=after or "",
            )
        )

    def leave(self, noun: str, name: str, drop: Optional[str]) -> None:
        """Leave what the models do not know alone; `drop` drops it, if it alone can be dropped."""
        self.unmanaged.append(Unmanaged(Thing(noun, self.schema, self.name, name), drop))

    def lock_besides(self, table: Optional[str], lock: Lock) -> None:
        """Say that the last step locks another table of the schema too, if one is given."""
        if table is not None:
            self.steps[-1] = self.steps[-1]._replace(locks=((table, lock),))

    def builds_index(self, index: Index) -> None:
        """Say that the last step builds an index."""
        self.steps[-1] = self.steps[-1]._replace(method=index.method)

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

    def rows(self, *, only: bool = False, addressed: bool = False) -> str:
        """Return what to ask for the live rows, by the names that the plan goes by.

        Not of the table's children if `only`; where they are `addressed`, by tableoid and ctid too.
        """
        present = f"ONLY {self.present}" if only else self.present
        if not self.former.columns:
            return present
        named = {column: identifier(column) for column in self.live.columns}
        for column, old in self.former.columns.items():
            named[column] = f"{identifier(old)} AS {named[column]}"
        selected = ", ".join([*(["tableoid", "ctid"] if addressed else []), *named.values()])
        return f"(SELECT {selected} FROM {present}) AS {identifier(self.name)}"

    def count(self, condition: str = "true", source: Optional[str] = None) -> int:
        """Count the live rows, or those of another source, for which the condition is true."""
        found = f"FROM {source or self.rows()} WHERE {condition}"
        return int(self.ask(f"{READ_ONLY}; SELECT count(*) {found}")[0][0])

    def has_rows(self) -> bool:
        return bool(self.ask(f"SELECT EXISTS (SELECT FROM {self.rows()})")[0][0])

    def find(self, condition: str, columns: Sequence[str] = ()) -> WayOut:
        """Return the way out that begins with the rows for which the condition is true."""
        return WayOut("Find them with:", (self.query(condition, columns),), asks=True)

    def query(self, condition: str, columns: Sequence[str], source: Optional[str] = None) -> str:
        """Return the query for the rows, by key and columns, for which the condition is true."""
        selected = ", ".join(map(identifier, dict.fromkeys([*self.key, *columns]))) or "*"
        return f"SELECT {selected} FROM {source or self.rows()} WHERE {condition}"

    @property
    def key(self) -> List[str]:
        """The columns of the primary key; empty if there is none."""
        _, key = self.live.primary_key
        return (key.columns or []) if key else []

    def examples(self, condition: str, column: str, source: Optional[str] = None) -> str:
        """Return some offending rows, as `, e.g. time=1731000000 '31-02-2024'`.

        It is empty where the rows have neither a key nor a value.
        """
        key = [name for name in self.key if name != column]
        # As text: Python cannot hold every value that PostgreSQL can.
        selected = ", ".join(f"{identifier(name)}::text" for name in [*key, column])
        found_in = f"{source or self.rows()} WHERE {condition}"
        query = f"SELECT {selected} FROM {found_in} LIMIT {EXAMPLES}"
        found = []
        for *values, value in self.ask(query):
            shown = [f"{name}={text}" for name, text in zip(key, values)]
            found.append(" ".join(shown if value is None else [*shown, literal(value)]))
        return ", e.g. " + ", ".join(found) if any(found) else ""


def _calls(sql: str) -> bool:
    return CALL.search(NO_CALL.sub("", sql)) is not None


def _lacks(live: Schema, desired: Schema, name: str) -> bool:
    """True if a live enum lacks a value of the models."""
    return not set(desired.types[name].labels or ()) <= set(live.types[name].labels or ())


def alter_column(column: str, change: str) -> str:
    """Return a change of ALTER TABLE."""
    return f"ALTER COLUMN {identifier(column)} {change}"
