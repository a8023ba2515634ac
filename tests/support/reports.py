"""Reports as one would get them: of a small, a large and a broken database."""

from typing import Any, Iterator, List, NamedTuple, Sequence, Tuple

from converge.report.model import (
    Column,
    Difference,
    Finding,
    Index,
    Node,
    Outcome,
    Query,
    Reference,
    Refused,
    Report,
    Run,
    Server,
    Table,
)

SERVER = Server(
    version="18.1",
    address="postgres-service:5432",
    database="chater_db",
    bytes=431_816_704,
    encoding="UTF8",
    locale="en_US.utf8",
    collation_version="2.36",
    collation_actual="2.36",
    standby=False,
    replicas=2,
    extensions=(("pg_trgm", "1.6"), ("plpgsql", "1.0")),
    settings=(
        ("maintenance_work_mem", "64MB", "memory of an index build"),
        ("max_parallel_maintenance_workers", "2", "workers of an index build"),
        ("statement_timeout", "0", "a run sets its own"),
        ("track_counts", "on", "scans and dead rows are counted"),
    ),
)
STATED = {
    "user": ("email varchar k", "register_date varchar ?", "last_activity varchar ?"),
    "dishes": (
        *("id integer k", "name character varying", "calories integer", "weight integer"),
        *("ingredients character varying[]", "contains json", "user_email character varying"),
    ),
    "dishes_day": (
        *("time integer k", "date date", "dish_name character varying"),
        *("estimated_avg_calories integer", "ingredients character varying[]"),
        *("total_avg_weight integer", "contains json", "user_email character varying"),
    ),
    "total_for_day": (
        *("date date k", "user_email character varying k", "total_calories integer"),
        *("ingredients character varying[]", "dishes_of_day character varying[]"),
        *("total_avg_weight integer", "contains json", "today date"),
    ),
    "weight": (
        *("time integer k", "date character varying", "weight double precision"),
        "user_email character varying",
    ),
    "alcohol_consumption": (
        *("time integer k", "date date", "drink_name character varying"),
        *("calories integer", "quantity integer", "user_email character varying"),
    ),
    "alcohol_for_day": (
        *("date date k", "user_email character varying k", "total_drinks integer"),
        *("total_calories integer", "drinks_of_day character varying[]"),
    ),
}
INDEXED = {
    "user": ("last_activity", "register_date"),
    "dishes": ("user_email", "name"),
    "dishes_day": ("user_email", "date", "time", "user_email, date", "user_email, time"),
    "total_for_day": ("user_email", "today", "user_email, today"),
    "weight": ("user_email", "time", "date", "user_email, time"),
    "alcohol_consumption": ("user_email", "date", "time", "user_email, time"),
    "alcohol_for_day": ("user_email", "date", "user_email, date"),
}
SINCE = "2026-10-03T04:12:55+00:00"
NEVER_USED = "No scan since 2026-10-03 04:12:55 UTC, on this server. A replica may use it."


def table(schema: str, name: str, columns: Sequence[str], size: int = 1) -> Table:
    """Return a table; a column is `name type`, with `k` if it is in the key, `?` if nullable."""
    return Table(
        *(schema, name, True, 1204 * size, 17 * size, 1_835_008 * size),
        *("2026-11-26T03:10:22+00:00", "2026-11-26T03:10:24.512+00:00"),
        tuple(map(column, columns)),
    )


def column(text: str) -> Column:
    name, rest = text.split(" ", 1)
    marks = {mark for mark in "k?" if rest.endswith(f" {mark}")}
    kind = rest[:-2] if marks else rest
    return Column(name, kind, "?" in marks, "k" in marks, True)


def reference(child: str, parent: str, *, schema: str = "public", to: str = "") -> Reference:
    """Return a foreign key; its ends are `table.column`."""
    (table, of), (to_table, to_column) = child.split("."), parent.split(".")
    name = f"{table}_{of}_fkey"
    return Reference(schema, name, table, (of,), to or schema, to_table, (to_column,))


def index(schema: str, table: str, columns: str, size: int = 1) -> Index:
    name = f"idx_{table}_{columns.replace(', ', '_').replace('user_email_', 'user_')}"
    never = columns == "time"
    drop = f"DROP INDEX CONCURRENTLY {schema}.{name}"
    found = Finding("never_used", NEVER_USED, "Take it out of the models, then drop it.", drop)
    return Index(
        *(schema, table, name, f"CREATE INDEX {name} ON {schema}.{table} USING btree ({columns})"),
        *(491_520 * size, 0 if never else 15_230 * size, SINCE),
        ("what a user ate on a date",) if columns == "user_email, date" else (),
        managed=True,
        findings=(found,) if never else (),
        last_scan=None if never else "2026-11-27T11:38:41+00:00",
    )


def query(schema: str, name: str, now: float, before: float) -> Query:
    plan = (
        Node(0, "Limit", 1, now * 0.9),
        Node(1, "Sort", 1, now * 0.8),
        Node(2, "Index Scan using idx_dishes_day_user_date on dishes_day", 3, now * 0.6),
    )
    expected = ("idx_dishes_day_user_date", "idx_dishes_day_user_time")
    use_case = "the diary page of a day"
    return Query(schema, name, use_case, 3, now, before, expected[0], expected, True, plan)


def run(schema: str, number: int, action: str = "change", **other: Any) -> Run:
    started = f"2026-{number + 8:02}-14T09:31:0{number}.125+00:00"
    made = Run(schema, number, number, action, 3, 3, 0, started, 12.4, "chater", "1.1.0")
    return made._replace(**other)


def of_schema(schema: str, size: int = 1) -> Report:
    """Return a sound database's report of one schema."""
    return Report(
        made="2026-11-27T11:40:07.315+00:00",
        tool="1.1.0",
        version=3,
        schemas=(schema,),
        shown=(schema,),
        outcome=Outcome(0, "done, or there was nothing to do", False, ""),
        server=SERVER,
        tables=tuple(table(schema, name, columns, size) for name, columns in STATED.items()),
        indexes=tuple(
            index(schema, name, columns, size) for name, many in INDEXED.items() for columns in many
        ),
        runs=(
            run(schema, 1, "create", steps=33, finished=33),
            run(schema, 2, "repair", role="oncall", steps=1, finished=1, seconds=431.2),
            run(schema, 3),
        ),
    )


def small() -> Report:
    """Return the report of a run that has changed something."""
    queries = (
        query("public", "what a user ate on a date", 0.021, 0.019),
        query("public", "latest food entry", 14.2, 3.1),
        query("public", "weight history", 2.2, 9.4),
    )
    seconds = (
        *(("connect", 0.022), ("look", 0.07), ("lock", 0.017), ("plan", 2.1), ("apply", 4.31)),
        *(("verify", 0.087), ("analyze", 0.003), ("benchmark", 0.072)),
    )
    outcome = Outcome(
        *(0, "done, or there was nothing to do", True, ""),
        (("add column", 1), ("create index", 2), ("validate constraint", 1)),
        seconds,
    )
    return of_schema("public", 214)._replace(queries=queries, outcome=outcome)


def large(count: int = 50) -> Report:
    """Return the report of many schemas, of which some differ from the models in one way."""
    names = tuple(f"tenant_{number:04}" for number in range(1, count + 1))
    parts = [of_schema(name, number % 7 + 1) for number, name in enumerate(names)]
    add = "ALTER TABLE tenant_0003.weight ADD COLUMN date varchar"
    third = [t._replace(columns=t.columns[:1]) for t in parts[2].tables]
    parts[2] = parts[2]._replace(tables=tuple(third))
    return parts[0]._replace(
        schemas=names,
        shown=names,
        outcome=Outcome(5, "the database differs from the models", False, ""),
        differences=(Difference("add column weight.date", "it is missing", (add,), names[2:5]),),
        tables=tuple(t for part in parts for t in part.tables),
        indexes=tuple(i for part in parts for i in part.indexes),
        runs=tuple(r for part in parts for r in part.runs),
        queries=tuple(query(name, "latest food entry", 1.4, 1.3) for name in names[:3]),
    )


HOSTILE = (
    "<script>alert(1)</script>",
    '"onload="x',
    "abc\u202etxt.exe",
    "a_name_that_is_as_long_as_postgresql_lets_a_name_be_63_letters_",
    "--><!--</style></title></svg>&lt;",
    "名前がとても長いテーブルで、幅が二倍になるもの",
    "שולחן",
)


def broken() -> Report:
    """Return the report of a refused run, of a database where people have chosen odd names."""
    base = small()
    odd = tuple(
        table("public", name, (f"{name.split()[0]} integer k", "parent integer ?", "x text"), n)
        for n, name in enumerate(HOSTILE, 3)
    )
    odd = tuple(t._replace(managed=False, vacuumed=None, analyzed=None) for t in odd)
    links = tuple(
        Reference("public", f"fk {n}", one, ("parent",), "public", other, (other.split()[0],))
        for n, (one, other) in enumerate(zip(HOSTILE, HOSTILE[1:]))
    )
    message = (
        "refused: public.dishes_day.date is character varying, the model says date.\n"
        "  3 of 120,418 rows do not convert, e.g. time=1731000000 '31-02-2024'."
    )
    return base._replace(
        outcome=Outcome(4, "refused: a person has to act; the message says how", True, message),
        version=None,
        tables=base.tables + odd,
        references=(*links, reference("dishes_day.time", "users.id", to="billing")),
        refusals=tuple(_refusals()),
        differences=tuple(_differences()),
        warnings=(
            "public.weight has row security: rows that its policies hide are not counted.",
            "LC_CTYPE is C: pg_trgm drops every letter that is not ASCII.",
        ),
        left_alone=(f"tables of public: {', '.join(HOSTILE)}",),
        indexes=tuple(_odd_indexes(base.indexes)),
        queries=(
            *base.queries,
            query("public", HOSTILE[0], 120.0, 118.0)._replace(served=False, access="Seq Scan"),
        ),
        runs=(*base.runs, run("public", 4, seconds=None, finished=1, role=HOSTILE[1])),
        server=SERVER._replace(collation_actual="2.41", replicas=0),
    )


def _refusals() -> Iterator[Refused]:
    yield Refused(
        "public.dishes_day.date",
        "is character varying, the model says date.",
        ("3 of 120,418 rows do not convert, e.g. time=1731000000 '31-02-2024'.",),
        "Find them, and correct them, with:",
        (
            'SELECT "time", "date" FROM public.dishes_day\nWHERE to_date("date") IS NULL',
            'UPDATE public.dishes_day SET "date" = \'29-02-2024\' WHERE "time" = 1731000000',
        ),
        ("public",),
    )
    yield Refused(
        HOSTILE[0], f"is a view {HOSTILE[1]}", (), "Rename it:", (HOSTILE[4],), ("public",)
    )


def _differences() -> Iterator[Difference]:
    add = 'ALTER TABLE public.weight ADD COLUMN "date" varchar'
    yield Difference("add column public.weight.date", "the column is missing", (add,), ("public",))
    build = "CREATE INDEX CONCURRENTLY idx_weight_date ON public.weight USING btree (date)"
    yield Difference(
        "create index public.idx_weight_date", "the index is missing", (build,), ("public",)
    )


def _odd_indexes(indexes: Sequence[Index]) -> List[Index]:
    drop = "DROP INDEX CONCURRENTLY public.{name}"
    kinds: Tuple[Tuple[str, str, str], ...] = (
        (
            "invalid",
            "Its build was interrupted: it is kept up to date, and no query uses it.",
            "The next run builds it again. By hand:",
        ),
        (
            "redundant",
            "Its columns are the first of idx_dishes_day_user_date.",
            "If nobody asks for its smaller size, drop it.",
        ),
        ("bloated", "About 61 % of it is free.", "Build it anew; this blocks nobody."),
    )
    found = [
        one._replace(findings=(Finding(kind, why, advice, drop.format(name=one.name)),))
        for one, (kind, why, advice) in zip(indexes[2:], kinds)
    ]
    odd = indexes[0]._replace(name=HOSTILE[0], definition=HOSTILE[4], managed=False)
    return [*indexes[:2], *found, *indexes[5:], odd]


def with_each_text(value: NamedTuple, payload: str) -> Iterator[Tuple[str, Any]]:
    """Return the value with each text in it replaced, once; with where it stands."""
    yield from _replaced(value, payload, type(value).__name__)


def _replaced(value: Any, payload: str, path: str) -> Iterator[Tuple[str, Any]]:
    if isinstance(value, str):
        yield path, payload
    elif hasattr(value, "_fields"):
        for name in value._fields:
            for where, new in _replaced(getattr(value, name), payload, f"{path}.{name}"):
                yield where, value._replace(**{name: new})
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            for where, new in _replaced(item, payload, f"{path}[{number}]"):
                yield where, (*value[:number], new, *value[number + 1 :])
