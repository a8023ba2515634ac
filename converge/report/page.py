"""What the page shows, worked out of a report: nothing here knows of HTML."""

from datetime import datetime, timezone
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, TypeVar

from converge.report.diagram import Diagram, draw
from converge.report.model import (
    Finding,
    Index,
    Node,
    Query,
    Reference,
    Report,
    Run,
    Table,
)

KINDS = {  # of findings, the gravest first
    "invalid": "invalid",
    "redundant": "redundant",
    "bloated": "bloated",
    "never_used": "never used",
}
FOR_A_PERSON = (0, 4, 5)  # exit codes that are no failure
NOTABLE = 1.2  # times: below that, a query's time is the same as before
NOISE = 0.5  # milliseconds: so are two times that are no further apart
T = TypeVar("T")
OfSchema = TypeVar("OfSchema", Table, Reference, Index, Run)


class Verdict(NamedTuple):
    """How it stands, in a sentence; `more` is what else the exit code means."""

    sentence: str
    tone: str  # good, act or bad
    more: str = ""


class Shape(NamedTuple):
    """Schemas with the same tables, columns and foreign keys, and how these look."""

    schemas: Tuple[str, ...]
    diagram: Diagram


class Found(NamedTuple):
    """A finding about the indexes of one name; `first` is the one that it tells of."""

    kind: str
    first: Index
    finding: Finding
    schemas: Tuple[str, ...]
    bytes: int
    statements: Tuple[str, ...]


class Schema(NamedTuple):
    """What belongs to a schema."""

    name: str
    tables: Tuple[Table, ...]
    indexes: Tuple[Index, ...]  # those with findings first
    findings: int
    steps: int
    refusals: int
    newest: Optional[Run]

    @property
    def rows(self) -> Optional[int]:
        return total(table.rows for table in self.tables)

    @property
    def dead_rows(self) -> Optional[int]:
        return total(table.dead_rows for table in self.tables)

    @property
    def bytes(self) -> int:
        return sum(table.bytes for table in self.tables)


class History(NamedTuple):
    """The runs of schemas that differ in their times only, which are those of the first."""

    schemas: Tuple[str, ...]
    runs: Tuple[Run, ...]  # the newest first


class Branch(NamedTuple):
    """A node of a query's plan, with those below it."""

    node: Node
    branches: Tuple["Branch", ...]


class Change(NamedTuple):
    """How a query's time differs from before; `tone` is same, better or worse."""

    text: str
    tone: str


def verdict(report: Report) -> Verdict:
    """Return what the exit code means; 0 is looked at more closely."""
    outcome = report.outcome
    if outcome.exit_code:
        tone = "act" if outcome.exit_code in FOR_A_PERSON else "bad"
        first, _, rest = outcome.meaning.partition("; ")
        return Verdict(begun(first), tone, f"; {rest}" if rest else "")
    return Verdict(
        _standing(report),
        "act" if report.refusals or report.differences or not report.compared else "good",
        f": {outcome.meaning}",
    )


def _standing(report: Report) -> str:
    if report.refusals:
        return "A person has to act"
    if report.differences:
        return "The database differs from the models"
    if not report.compared:
        return "Whether the database is as the models describe is not known"
    how = "Done" if report.outcome.ran and report.outcome.done else "In order"
    return f"{how}: the database is as the models describe"


def total(values: Iterable[Optional[int]]) -> Optional[int]:
    """Return the sum of those that are known, or None if none is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def grouped(items: Iterable[T], key: Callable[[T], object]) -> List[Tuple[T, ...]]:
    """Return the items in groups, in the order of the first of each."""
    found: Dict[object, List[T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return [tuple(group) for group in found.values()]


def shapes(report: Report) -> List[Shape]:
    """Return the distinct shapes of the schemas that have tables, the most frequent first."""
    tables = _by_schema(report.tables)
    references = _by_schema(report.references)
    alike = grouped(tables, lambda name: _shape(tables[name], references.get(name, ())))
    return [
        Shape(names, draw(tables[names[0]], references.get(names[0], ())))
        for names in sorted(alike, key=len, reverse=True)
    ]


def _shape(tables: Sequence[Table], references: Sequence[Reference]) -> object:
    # Of what lies in the same schema, its name makes no difference.
    return (
        frozenset((table.name, table.managed, table.columns) for table in tables),
        frozenset(
            r._replace(schema="", to_schema="" if r.to_schema == r.schema else f"x{r.to_schema}")
            for r in references
        ),
    )


def schemas(report: Report) -> List[Schema]:
    """Return the schemas with what is told of each."""
    tables, indexes = _by_schema(report.tables), _by_schema(report.indexes)
    runs = _by_schema(report.runs)
    return [
        Schema(
            name,
            tables.get(name, ()),
            tuple(sorted(indexes.get(name, ()), key=_notable_first)),
            sum(len(index.findings) for index in indexes.get(name, ())),
            sum(name in difference.schemas for difference in report.differences),
            sum(name in refused.schemas for refused in report.refusals),
            max(runs.get(name, ()), key=lambda run: run.run, default=None),
        )
        for name in report.shown
    ]


def _by_schema(items: Iterable[OfSchema]) -> Dict[str, Tuple[OfSchema, ...]]:
    groups = grouped(items, lambda item: item.schema)
    return {group[0].schema: group for group in groups}


def _notable_first(index: Index) -> Tuple[int, str, str]:
    rank = min((_rank(finding.kind) for finding in index.findings), default=len(KINDS) + 1)
    return rank, index.table, index.name


def _rank(kind: str) -> int:
    return list(KINDS).index(kind) if kind in KINDS else len(KINDS)


def findings(report: Report) -> List[Found]:
    """Return what is wrong with indexes, the gravest and then the largest first."""
    single = [(index, finding) for index in report.indexes for finding in index.findings]
    alike = grouped(single, lambda pair: (pair[1].kind, pair[0].table, pair[0].name))
    found = [
        Found(
            group[0][1].kind,
            *group[0],
            tuple(index.schema for index, _ in group),
            sum(index.bytes for index, _ in group),
            tuple(finding.statement for _, finding in group if finding.statement),
        )
        for group in alike
    ]
    return sorted(found, key=lambda one: (_rank(one.kind), -one.bytes, one.first.name))


def kind(finding: str) -> str:
    """Return the words for a kind of finding."""
    return KINDS.get(finding, finding.replace("_", " "))


def histories(report: Report) -> List[History]:
    """Return the histories, each with the schemas that share it."""
    by_schema = _by_schema(report.runs)
    alike = grouped(by_schema, lambda name: frozenset(map(_timeless, by_schema[name])))
    return [
        History(names, tuple(sorted(by_schema[names[0]], key=lambda run: -run.run)))
        for names in alike
    ]


def _timeless(run: Run) -> Run:
    return run._replace(schema="", started="", seconds=0 if run.seconds is not None else None)


def tree(plan: Sequence[Node]) -> Tuple[Branch, ...]:
    """Return the nodes of a plan, given with their depths, as a tree."""
    found: List[Branch] = []
    start = 0
    for end in range(1, len(plan) + 1):
        if end == len(plan) or plan[end].depth <= plan[start].depth:
            found.append(Branch(plan[start], tree(plan[start + 1 : end])))
            start = end
    return tuple(found)


def change(query: Query) -> Optional[Change]:
    """Return how a query's time differs from the previous run's, or None if one is not known."""
    if query.milliseconds is None or not query.before:
        return None
    ratio = query.milliseconds / query.before
    close = abs(query.milliseconds - query.before) < NOISE
    if close or 1 / NOTABLE < ratio < NOTABLE:
        return Change("about the same", "same")
    if ratio > 1:
        return Change(f"{ratio:,.1f} × as long", "worse")
    return Change(f"{1 / ratio:,.1f} × as fast", "better")


def begun(text: str) -> str:
    """Return a text with a capital."""
    return text[:1].upper() + text[1:]


def ended(text: str) -> str:
    """Return a text with a full stop, unless it has an end."""
    return text if text.endswith((".", ":", "!", "?")) else f"{text}."


def utc(text: Optional[str]) -> str:
    """Return an ISO 8601 time in UTC, to the second; a text that is none, as it is."""
    if not text:
        return "–"
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return text
    if time.tzinfo is None:
        return text
    return time.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
