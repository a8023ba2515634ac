"""The tables of README and docs, from the code: `make docs` writes them, `make lint` compares."""

from typing import Any, Iterable, Iterator, List, Mapping

from sqlalchemy import Column, Index, Table
from sqlalchemy.dialects import postgresql

import chater
from converge.console.help import EXIT_CODES
from converge.events import EVENTS, Field
from converge.settings.variables import VARIABLES
from indexes import INDEXES
from models import Base
from tools.matrix import PYTHONS, SERVERS

DEFAULTS = {None: "required", "": "none"}
DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy has no type for it
OWNER = "user_email"


def table(*rows: Iterable[str]) -> str:
    """Return a table in Markdown; the first row is its head."""
    head, *others = map(list, rows)
    return "\n".join(map(_row, [head, ["---"] * len(head), *others]))


def _row(cells: List[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def versions() -> str:
    """Return which servers and Pythons `make test-matrix` pairs."""
    servers, pythons = SERVERS.split(), PYTHONS.split()
    return (
        f"Tested on PostgreSQL {servers[0]} to {servers[-1]} "
        f"and with Python {pythons[0]} to {pythons[-1]}."
    )


def variables() -> str:
    rows = [
        (f"`{one.name}`", DEFAULTS.get(one.default, f"`{one.default}`"), one.meaning)
        for one in (*VARIABLES, *chater.VARIABLES)
    ]
    return table(("variable", "default", "meaning"), *rows)


def exit_codes() -> str:
    return table(("code", "what happened", "what to do"), *EXIT_CODES)


def indexes() -> str:
    return table(("index", "on", "finds", "used for"), *map(_index, INDEXES))


def _index(index: Index) -> List[str]:
    assert index.table is not None
    method = index.dialect_options["postgresql"]["using"]
    columns = ", ".join(column.name for column in index.columns)
    on = f"`{index.table.name}` ({columns}){', ' + method.upper() if method else ''}"
    return [f"`{index.name}`", on, index.info["purpose"], index.info["use_case"]]


def diagram() -> str:
    """Return the tables, and by which column the services join them, as Mermaid."""
    tables = list(Base.metadata.tables.values())
    joins = [f'    user ||..o{{ {one.name} : "{OWNER}"' for one in tables if OWNER in one.columns]
    boxes = [line for one in tables for line in _box(one)]
    return "\n".join(["```mermaid", "erDiagram", *joins, *boxes, "```"])


def _box(one: Table) -> Iterator[str]:
    yield f"    {one.name} {{"
    yield from (f"        {_column(column)}" for column in one.columns)
    yield "    }"


def _column(column: "Column[Any]") -> str:
    kind = column.type.compile(DIALECT).lower()
    if column is column.table.autoincrement_column:
        kind = "serial"
    default = column.server_default
    said = [
        column.comment,
        f"default '{default.arg}'" if default is not None else "",  # type: ignore[attr-defined]
        "nullable" if column.nullable else "",
    ]
    note = ", ".join(filter(None, said))
    key = " PK" if column.primary_key else ""
    return f"{kind} {column.name}{key}" + (f' "{note}"' if note else "")


def events() -> str:
    rows = [
        (f"`{name}`", event.meaning, ", ".join(f"`{field}`" for field in event.fields))
        for name, event in EVENTS.items()
    ]
    return table(("event", "what happened", "fields"), *rows)


def fields(of: Mapping[str, Field]) -> str:
    rows = [(f"`{name}`", kind(field.schema), field.meaning) for name, field in of.items()]
    return table(("field", "type", "what it is"), *rows)


def kind(schema: Mapping[str, Any]) -> str:
    """Return the type of a field in words."""
    if schema["type"] == "array":
        return f"list of {kind(schema['items'])}s"
    if "properties" in schema:
        return f"object ({', '.join(f'`{name}`' for name in schema['properties'])})"
    numbers = schema["type"] == "object" and "additionalProperties" in schema
    return "object of numbers" if numbers else str(schema["type"])
