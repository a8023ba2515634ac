"""What is checked when the models are loaded: what no server can be asked, or nobody would notice.

PostgreSQL cuts long names without a word, and SQLAlchemy's events are `create_all`'s.
"""

import re
from collections import Counter
from reprlib import repr as shortened
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Sequence, Set

from sqlalchemy import Index, MetaData, Table
from sqlalchemy.dialects.postgresql import ENUM, CreateDomainType
from sqlalchemy.exc import IdentifierError, SQLAlchemyError
from sqlalchemy.schema import CreateTable, SetColumnComment, SetTableComment
from sqlalchemy.types import SchemaType

from converge.compare.backfills import Backfill
from converge.compare.ddl import DIALECT, final_name, index_written, written
from converge.errors import UnusableModels
from converge.names import NAME_BYTES

EVENTS = ("before_create", "after_create")
ANY = "public"  # a schema to write DDL for that nobody runs


def refuse_unusable(
    metadata: MetaData,
    types: Sequence[Any],
    sequences: Iterable[str],
    values: Mapping[str, str],
    indexes: Sequence[Any] = (),
) -> None:
    """Raise `UnusableModels` with all that is wrong with the models.

    `types` are the enums and domains of all columns, `sequences` the names of those that are made,
    `indexes` what is listed as such.
    """
    others = [*dict.fromkeys(str(kind.name) for kind in types), *sequences]
    found = [*_events("the metadata", metadata), *_same_names(metadata, others)]
    found += [*_same_types(types), *_circle("tables", metadata.tables.values())]
    for number, index in enumerate(indexes, 1):
        found += _listed(number, index)
    for kind in types:
        found += _of_type(kind)
    for table in metadata.tables.values():
        found += _of_table(table, values)
    if found:
        listed = "\n".join(f"  {problem}." for problem in dict.fromkeys(found))
        raise UnusableModels(
            f"the models can't be brought about:\n{listed}\n"
            "  Nothing was changed. Correct the models, then run again."
        )


def _listed(number: int, index: Any) -> Iterator[str]:
    """Yield why what is listed as an index is none, or none that would ever be built."""
    if not isinstance(index, Index):
        yield f"index {number} of the list is {shortened(index)}; it takes an Index"
    elif index.table is None:
        yield (
            f"index {index.name}: it is of no table; it takes columns of the models, not names "
            "of columns"
        )


def _of_type(kind: Any) -> Iterator[str]:
    subject = f"type {kind.name}"
    yield from _name(subject, str(kind.name))
    for label in kind.enums if isinstance(kind, ENUM) else ():
        yield from _name(f"{subject}: value {label}", label)


def _of_table(table: Table, values: Mapping[str, str]) -> Iterator[str]:
    yield from _name(f"table {table.name}", table.name)
    yield from _name(f"schema {table.schema}", table.schema or "")
    yield from _events(f"table {table.name}", table)
    for prefix in map(str, table._prefixes):
        if prefix.upper() != "UNLOGGED":
            yield f"table {table.name}: CREATE {prefix} TABLE is not supported"
    if table.dialect_options["postgresql"]["on_commit"]:
        yield f"table {table.name}: ON COMMIT is for temporary tables"
    yield from _renamed_from(f"table {table.name}", table.info)
    columns: Any = table.columns
    for column in columns:
        subject = f"{table.name}.{column.name}"
        yield from _name(subject, column.name)
        yield from _renamed_from(subject, column.info)
        for reason in _wrong_backfill(column, values):
            yield f"{subject}: its backfill can't be used: {reason}"
    yield from _circle(f"table {table.name}: columns", columns)
    yield from _unwritable(table)


def _name(subject: str, name: str) -> Iterator[str]:
    size = len(name.encode(errors="surrogatepass"))
    if size > NAME_BYTES:
        yield f"{subject}: its name has {size} bytes; PostgreSQL would cut it after {NAME_BYTES}"
    yield from _characters(subject, name)


def _characters(subject: str, text: str) -> Iterator[str]:
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        yield f"{subject}: it has a character that PostgreSQL can't hold"


def _renamed_from(subject: str, info: Mapping[Any, Any]) -> Iterator[str]:
    if not all(isinstance(name, str) and name for name in _formers(info)):
        given = info["renamed_from"]
        yield f"{subject}: renamed_from is {given!r}; it takes the old name, or a list of them"


def _formers(info: Mapping[Any, Any]) -> Sequence[Any]:
    given = info.get("renamed_from")
    if isinstance(given, (list, tuple)):
        return given
    return [] if given is None else [given]


def _circle(subject: str, parts: Iterable[Any]) -> Iterator[str]:
    """Yield the parts whose former names lead back to them: nobody could tell which is which."""
    older = {part.name: {*map(str, _formers(part.info))} - {part.name} for part in parts}
    older = {name: formers for name, formers in older.items() if formers}
    for _ in older:
        for formers in older.values():
            formers |= {name for known in formers for name in older.get(known, ())}
    circle = [name for name, formers in older.items() if name in formers]
    if circle:
        yield f"{subject} {', '.join(circle)}: their renamed_from lead in a circle"


def _wrong_backfill(column: Any, values: Mapping[str, str]) -> Iterator[str]:
    given = column.info.get("backfill")
    if given is None:
        return
    try:
        yield from Backfill(given, column, values, {}).problems()
    except ValueError as error:
        yield str(error)


def _events(subject: str, target: Any) -> Iterator[str]:
    """Yield the listeners that `create_all` would call: nobody calls them here."""
    for event in EVENTS:
        for listener in getattr(target.dispatch, event):
            if _is_sqlalchemys(listener) or _is_another(listener):
                continue
            what = getattr(listener, "statement", None) or getattr(listener, "__name__", listener)
            yield (
                f"{subject}: nobody calls its {event} listener, {what}: let the models say what it "
                "does, or run that by hand and remove it"
            )


def _is_sqlalchemys(listener: Any) -> bool:
    """True if it is how a type creates itself."""
    method = getattr(listener, "func", listener)  # of a partial, from SQLAlchemy 2.1 on
    owner = getattr(method, "__self__", getattr(listener, "target", None))
    return isinstance(owner, SchemaType)


def _is_another(listener: Any) -> bool:
    """True if DDL is for another kind of server."""
    condition = getattr(listener, "_ddl_if", None)
    dialects = getattr(condition, "dialect", None)
    if dialects is None:
        return False
    return DIALECT.name not in ([dialects] if isinstance(dialects, str) else dialects)


def _unwritable(table: Table) -> Iterator[str]:
    """Yield what SQLAlchemy has no DDL for, and text in it that PostgreSQL can't hold."""
    try:
        # Before any key of the table is written, so that the message names what it refers to.
        for key in table.foreign_keys:
            assert key.column is not None
    except SQLAlchemyError as error:
        yield f"table {table.name}: {_reason(error)}"
        return
    where = dict.fromkeys((None, table.schema, table.metadata.schema), ANY)
    for key in table.foreign_keys:
        where[key.column.table.schema] = ANY
    elements: List[Any] = [CreateTable(table)]
    elements += [SetTableComment(table)] if table.comment is not None else []
    elements += [SetColumnComment(c) for c in table.columns if c.comment is not None]
    for thing in [*table.constraints, *table.indexes]:
        yield from _named(f"table {table.name}", thing)
    try:
        for element in elements:
            yield from _characters(f"table {table.name}", written(element, where))
        for index in table.indexes:
            yield from _characters(f"table {table.name}", index_written(index, where, {}))
    except IdentifierError:
        return  # of a name that is too long, see above
    except SQLAlchemyError as error:
        yield f"table {table.name}: {_reason(error)}"


def _named(subject: str, thing: Any) -> Iterator[str]:
    kind = "index" if thing.__visit_name__ == "index" else "constraint"
    try:
        yield from _name(f"{subject}: {kind} {thing.name}", final_name(thing) or "")
    except IdentifierError:
        yield from _name(f"{subject}: {kind} {thing.name}", str(thing.name))


def _reason(error: SQLAlchemyError) -> str:
    words = re.sub("Compiler <[^>]*>", "SQLAlchemy", str(error.args[0]))
    return " ".join(words.split()).rstrip(".")


def _same_types(types: Iterable[Any]) -> Iterator[str]:
    """Yield the names of types of which the models say different things."""
    said: Dict[str, Set[str]] = {}
    for kind in types:
        if not isinstance(kind, ENUM):
            create = CreateDomainType(kind).compile(dialect=DIALECT)
            said.setdefault(str(kind.name), set()).add(str(create))
        elif kind.enums:  # else it is only named there
            said.setdefault(str(kind.name), set()).add(repr(kind.enums))
    for name, different in said.items():
        if len(different) > 1:
            yield f"two types are called {name}"


def _same_names(metadata: MetaData, others: Sequence[str]) -> Iterator[str]:
    """Yield the names that more than one table or index has, or constraint of a table.

    So do `others`: a table is a type too, and a sequence a relation.
    """
    tables = metadata.tables.values()
    relations = [*others, *(table.name for table in tables)]
    for table in tables:
        made: List[Any] = [*table.indexes, *(k for k in table.constraints if _has_index(k))]
        relations += [str(thing.name) for thing in made if thing.name is not None]
        names = [str(key.name) for key in table.constraints if key.name is not None]
        for name in _repeated(names):
            yield f"table {table.name}: two constraints are called {name}"
    if len({table.schema for table in tables if table.schema}) <= 1:
        for name in _repeated(relations):
            yield f"two tables, indexes, types or sequences are called {name}"


def _has_index(constraint: Any) -> bool:
    kinds = ("primary_key_constraint", "unique_constraint", "exclude_constraint")
    return constraint.__visit_name__ in kinds


def _repeated(names: Iterable[str]) -> List[str]:
    return [name for name, times in Counter(names).items() if times > 1]
