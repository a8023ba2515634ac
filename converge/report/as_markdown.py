"""A report in Markdown, as one posts it; what is other people's in it means no mark-up."""

from typing import Iterable, Iterator, List, Optional, Sequence

from converge.console.markdown import fenced, head, prose, row
from converge.report.model import Difference, Index, Outcome, Query, Refused, Report, Server, Table
from converge.text import counted, duration, size, some, visible

WORST = 50  # indexes without a finding, the largest, that are listed
NOT_COMPARED = "It was not compared with the models, so what differs is not known."
KINDS = {"never_used": "never used"}


def markdown(report: Report) -> str:
    """Return the report as Markdown."""
    parts = [
        _head(report),
        _outcome(report.outcome),
        "" if report.compared else NOT_COMPARED,
        _section("Refused", map(_refused, report.refusals)),
        _section("Different", map(_difference, report.differences)),
        _section("Warnings", [_list(report.warnings)] if report.warnings else []),
        _section("Left alone", [_list(report.left_alone)] if report.left_alone else []),
        _section("Indexes to look at", _findings(report.indexes)),
        _section("Key queries", _queries(report.queries)),
        _section("Tables", _tables(report.tables)),
        _section("Indexes", _indexes(report.indexes)),
        _section("Runs", _runs(report)),
        _section("Server", _server(report.server)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(report: Report) -> str:
    where = f"{_said(report.server.database)} on {_said(report.server.address)}"
    version = f", version {report.version}" if report.version is not None else ""
    schemas = _said(some(report.schemas, one="schema")) if report.schemas else "no schema"
    return f"# Database {where}\n\n{schemas}{version}. Made {report.made} by {report.tool}."


def _outcome(outcome: Outcome) -> str:
    what = "The run ended" if outcome.ran else "It only looked, and ended"
    lines = [f"{what} with exit code {outcome.exit_code}: {outcome.meaning}."]
    if outcome.done:
        lines.append(f"Done: {', '.join(f'{kind} {count:,}' for kind, count in outcome.done)}.")
    if outcome.message:
        lines.append(_code(outcome.message, ""))
    if outcome.seconds:
        times = (f"{step} {duration(seconds)}" for step, seconds in outcome.seconds)
        lines.append(f"Time: {', '.join(times)}.")
    return "\n\n".join(lines)


def _section(title: str, parts: Iterable[str]) -> str:
    found = list(parts)
    return "\n\n".join([f"## {title}", *found]) if found else ""


def _refused(refused: Refused) -> str:
    lines = [f"**{_said(f'{refused.subject} {refused.what}'.strip())}**{_where(refused.schemas)}"]
    return "\n\n".join(
        [*lines, *map(_said, refused.why), _said(refused.advice), *_typed(refused.statements)]
    )


def _difference(difference: Difference) -> str:
    title = f"**{_said(difference.title)}**: {_said(difference.why)}{_where(difference.schemas)}"
    return "\n\n".join([title, *_typed(difference.statements)])


def _where(schemas: Sequence[str]) -> str:
    return f" (in {_said(some(schemas))})" if schemas[1:] else ""


def _typed(statements: Sequence[str]) -> List[str]:
    return [_code("\n".join(f"{statement};" for statement in statements))] if statements else []


def _findings(indexes: Sequence[Index]) -> Iterator[str]:
    for index in indexes:
        for finding in index.findings:
            kind = KINDS.get(finding.kind, finding.kind)
            name = _said(f"{index.schema}.{index.name}")
            yield f"**{name}**, {size(index.bytes)}, is {kind}: {_said(finding.why)}."
            yield _said(finding.advice)
            yield from _typed([finding.statement] if finding.statement else [])


def _queries(queries: Sequence[Query]) -> Iterator[str]:
    if queries:
        yield _table(
            ("schema", "query", "rows", "ms", "before", "by", "as expected"),
            (
                (
                    query.schema,
                    query.name,
                    _number(query.rows),
                    _milliseconds(query.milliseconds),
                    _milliseconds(query.before),
                    query.access,
                    "yes" if query.served else f"no: {' or '.join(query.expected)}",
                )
                for query in queries
            ),
        )
    for query in queries:
        if not query.served:
            tree = "\n".join(
                f"{'  ' * node.depth}{node.text}: {counted(node.rows, 'row')}, "
                f"{node.milliseconds:.3f} ms"
                for node in query.plan
            )
            yield f"{_said(query.name)} in {_said(query.schema)}:\n\n{_code(tree, '')}"


def _tables(tables: Sequence[Table]) -> Iterator[str]:
    if tables:
        yield _table(
            ("table", "of the models", "rows", "dead", "size", "vacuumed", "analyzed"),
            (
                (
                    f"{table.schema}.{table.name}",
                    "yes" if table.managed else "no",
                    _number(table.rows),
                    _number(table.dead_rows),
                    size(table.bytes),
                    table.vacuumed or "-",
                    table.analyzed or "-",
                )
                for table in tables
            ),
        )


def _indexes(indexes: Sequence[Index]) -> Iterator[str]:
    largest = sorted(indexes, key=lambda index: -index.bytes)[:WORST]
    if len(indexes) > WORST:
        yield f"The {WORST} largest of {counted(len(indexes), 'index')}:"
    if largest:
        yield _table(
            ("index", "table", "size", "scans", "since", "key queries"),
            (
                (
                    f"{index.schema}.{index.name}",
                    index.table,
                    size(index.bytes),
                    _number(index.scans),
                    index.since or "-",
                    ", ".join(index.queries) or "-",
                )
                for index in largest
            ),
        )


def _runs(report: Report) -> Iterator[str]:
    if report.runs:
        yield _table(
            ("schema", "run", "version", "action", "steps", "undone", "started", "took", "by"),
            (
                (
                    run.schema,
                    str(run.run),
                    str(run.version),
                    run.action,
                    f"{run.finished} of {run.steps}",
                    str(run.undone or "-"),
                    run.started,
                    "not verified" if run.seconds is None else duration(run.seconds),
                    f"{run.role}, {run.tool}",
                )
                for run in report.runs
            ),
        )


def _server(server: Server) -> Iterator[str]:
    collation = server.collation_version or "-"
    if server.collation_actual not in (None, server.collation_version):
        collation += (
            f", and the library has {server.collation_actual}: indexes of text are doubtful"
        )
    facts = (
        ("PostgreSQL", server.version),
        ("size", size(server.bytes)),
        ("encoding", server.encoding),
        ("locale", server.locale),
        ("version of the collation", collation),
        ("standby", "yes" if server.standby else "no"),
        ("replicas", _number(server.replicas)),
        ("extensions", ", ".join(f"{name} {number}" for name, number in server.extensions) or "-"),
    )
    yield _table(("", ""), facts)
    yield _table(("setting", "value", "why it matters"), server.settings)


def _table(names: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    return "\n".join([head(names), *(row([_said(cell) for cell in cells]) for cells in body)])


def _list(texts: Sequence[str]) -> str:
    return "\n".join(f"- {_said(text)}" for text in texts)


def _said(text: str) -> str:
    return prose(visible(text))


def _code(text: str, language: str = "sql") -> str:
    return fenced([visible(text)], language)


def _number(number: Optional[int]) -> str:
    return "-" if number is None else f"{number:,}"


def _milliseconds(number: Optional[float]) -> str:
    return "-" if number is None else f"{number:.3f}"
