"""One live table beside the desired one: what the rules read, ask and write into."""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from converge.compare import desired as ddl
from converge.plan import NOTHING_CHANGED, Lock, Refusal, Run, Step
from converge.server.catalog import Schema, Table
from converge.settings.variables import Settings
from converge.text import counted

Ask = Callable[[str], List[Tuple[Any, ...]]]
OUT_OF_THE_WAY = "Drop what is in the way, run again, create it again."
EXAMPLES = 3  # offending rows that a refusal shows
# Objects that exist only between two steps. They are swept when a run was interrupted there.
NEW_PREFIX, OLD_PREFIX = "eater_new_", "eater_old_"
FROM_A_SEQUENCE = "nextval()"  # as the catalog words every default that draws from one
NAME_BYTES = 63  # longer identifiers are cut by the server, silently


class Difference:
    """A live table, the desired one, and what the rules found so far.

    `ask` runs a query on the live rows. It is called only where a difference was found.
    `values` holds, for each column, SQL over the *live* row for what the column will hold once
    the steps have run, so that a later rule can look ahead.
    """

    def __init__(
        self, schema: str, name: str, live: Schema, desired: Table, settings: Settings, ask: Ask
    ) -> None:
        self.schema, self.name = schema, name
        self.relations, self.can_create = live.relations, live.can_create
        self.foreign = live.foreign
        self.live, self.desired = live.tables[name], desired
        self.settings, self.ask = settings, ask
        self.relation = ddl.qualified(schema, name)
        self.values: Dict[str, str] = {column: ddl.quote(column) for column in self.live.columns}
        self.steps: List[Step] = []
        self.refusals: List[Refusal] = []
        self.notes: List[str] = []

    def backfill(self, column: str) -> Optional[ddl.Backfill]:
        """Return what the models put into older rows of a column, if they say."""
        email = self.settings.default_user_email
        return ddl.backfill(self.name, column, default_user_email=email)

    def computed(self, column: str) -> bool:
        """True if older rows get a value that depends on their other columns."""
        backfill = self.backfill(column)
        return backfill is not None and backfill.computed

    def step(
        self,
        kind: str,
        name: str,
        why: str,
        statements: Sequence[str],
        *,
        run: Run = Run.BRIEF,
        lock: str = Lock.INSTANT,
        undo_online: Sequence[str] = (),
        undo: Sequence[str] = (),
        guard: Optional[str] = None,
        undo_lock: str = "",
        on_the_way: bool = False,
    ) -> None:
        self.steps.append(
            Step(
                kind=kind,
                schema=self.schema,
                table=self.name,
                relation=self.relation,
                name=name,
                why=why,
                statements=tuple(statements),
                run=run,
                lock=lock.format(self.relation),
                undo_online=tuple(undo_online),
                undo=tuple(undo),
                guard=guard,
                undo_lock=undo_lock.format(self.relation),
                on_the_way=on_the_way,
            )
        )

    def alter(self, change: str) -> str:
        """Return an ALTER TABLE of this table."""
        return f"ALTER TABLE {self.relation} {change}"

    def alter_column(self, column: str, change: str) -> str:
        return self.alter(f"ALTER COLUMN {ddl.quote(column)} {change}")

    def refuse(self, name: str, what: str, *why: str, way_out: str) -> None:
        """Refuse a difference: what it is, why it can't be closed, what to type next."""
        subject = ".".join(part for part in (self.schema, self.name, name) if part)
        lines = [f"{subject} {what}", *why, NOTHING_CHANGED + " " + way_out]
        self.refusals.append(Refusal(self.schema, self.name, "\n  ".join(lines)))

    def count(self, condition: str = "true") -> int:
        """Count the live rows for which the condition is true."""
        return int(self.ask(f"SELECT count(*) FROM {self.relation} WHERE {condition}")[0][0])

    def has_rows(self) -> bool:
        return bool(self.ask(f"SELECT EXISTS (SELECT FROM {self.relation})")[0][0])

    def find(self, condition: str, columns: Sequence[str] = ()) -> str:
        """Return the query that shows the rows for which the condition is true."""
        _, key = self.live.primary_key
        names = list(dict.fromkeys([*(key.columns or [] if key else []), *columns]))
        selected = ", ".join(ddl.quote(name) for name in names) or "*"
        return f"SELECT {selected} FROM {self.relation} WHERE {condition}"

    def examples(self, condition: str, column: str) -> str:
        """Return some offending rows: key and value, as `time=1731000000 '31-02-2024'`."""
        rows = self.ask(f"{self.find(condition, [column])} LIMIT {EXAMPLES}")
        _, key = self.live.primary_key
        names = [name for name in (key.columns or [] if key else []) if name != column]
        found = []
        for row in rows:
            by_name = dict(zip([*names, column], row)) if len(row) == len(names) + 1 else {}
            shown = [f"{name}={by_name.get(name)}" for name in names]
            found.append(" ".join([*shown, repr(by_name.get(column, row[-1]))]))
        return "e.g. " + ", ".join(found)

    def refuse_used(self, name: str, what: str, used_by: Sequence[str]) -> None:
        """Refuse to change what other objects rely on."""
        why = f"It is used by {', '.join(used_by)}."
        self.refuse(name, what, why, way_out=OUT_OF_THE_WAY)

    def refuse_rows(
        self, name: str, what: str, bad: int, verbs: Tuple[str, str], condition: str
    ) -> None:
        """Refuse because of rows: how many, some of them, and the query that finds all."""
        found = f"{rows_of(bad, self.count())} {verbs[bad != 1]}"
        self.refuse(
            name,
            what,
            f"{found}, {self.examples(condition, name)}.",
            way_out=f"Find them with:\n    {self.find(condition, [name])};",
        )

    def refuse_duplicates(
        self, name: str, what: str, columns: Sequence[str], predicate: Optional[str] = None
    ) -> bool:
        """Refuse a key whose columns, as they will be, hold the same values twice."""
        if not columns:
            return False
        values = [self.values[column] for column in columns]
        null = " OR ".join(f"({value}) IS NULL" for value in values)
        listed = ", ".join(f"{v} AS {ddl.quote(c)}" for v, c in zip(values, columns))
        names = ", ".join(map(ddl.quote, columns))
        # Constants can't be grouped by expression, so they are grouped as columns.
        grouped = (
            f"SELECT {names}, count(*) FROM (SELECT {listed} FROM {self.relation} "
            f"WHERE NOT ({null}) AND ({predicate or 'true'})) AS rows "
            f"GROUP BY {names} HAVING count(*) > 1"
        )
        duplicates = self.ask(f"SELECT count(*) FROM ({grouped}) AS duplicates")[0][0]
        if duplicates:
            shown = [
                ", ".join(f"{c}={v}" for c, v in zip(columns, row)) + f" {row[-1]} times"
                for row in self.ask(f"{grouped} LIMIT {EXAMPLES}")
            ]
            self.refuse(
                name,
                what,
                f"There more than once: {counted(duplicates, 'value')}, e.g. {'; '.join(shown)}.",
                way_out=f"Find them with:\n    {grouped};",
            )
        return bool(duplicates)

    def refuse_taken(self, name: str, wanted: str) -> None:
        self.refuse(
            "",
            f"needs {wanted} named {name}, but that name belongs to something else.",
            way_out=f"Rename what has the name: {ddl.qualified(self.schema, name)}.",
        )


def helper_name(prefix: str, name: str) -> str:
    """Return the name of an object of ours that exists only between two steps."""
    return (prefix + name).encode()[:NAME_BYTES].decode(errors="ignore")


def rows_of(count: int, total: int) -> str:
    """Return `3 of 120,418 rows`."""
    return f"{count:,} of {counted(total, 'row')}"
