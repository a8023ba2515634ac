"""What the server would not take of drawn models is left out of them."""

from itertools import count
from typing import Callable, Iterator, Optional, Set, Tuple, TypeVar
from zlib import crc32

from tests.support.plain_models import (
    Check,
    Column,
    ForeignKey,
    Index,
    Models,
    Strings,
    Table,
    Unique,
)
from tests.support.plain_types import PLAIN, TEXT, Kind

One = TypeVar("One")
WHOLE = ("smallint", "integer", "bigint")
ORDERS = ("{0}", "{0} DESC", "{0} DESC NULLS LAST", "{0} NULLS FIRST")
WORDS_OF = "to_tsvector('simple'::regconfig, {0})"  # the text's, as a tsvector


def sound(models: Models) -> Models:
    """Return models that the server takes: without what has lost what it is about."""
    tables = tuple(_Sound(models, table).table() for table in models.tables)
    models = models._replace(tables=tables)
    # Keys that are referred to have to be there, so the foreign keys come last.
    return models._replace(
        tables=tuple(
            table._replace(foreign_keys=_kept(table.foreign_keys, _Sound(models, table).refers))
            for table in models.tables
        )
    )


def _kept(all_of_them: Tuple[One, ...], good: Callable[[One], Optional[One]]) -> Tuple[One, ...]:
    found = [good(one) for one in all_of_them]
    return tuple(one for one in found if one is not None)


def keys(table: Table) -> Iterator[Unique]:
    """Yield the keys that a foreign key may refer to."""
    yield from (k for k in (table.key, *table.uniques) if k.columns and not k.deferrable)


def shapes(models: Models, column: Column, *, all_true: bool = False) -> Strings:
    """Return the checks that a column may have; of all rows they are true, or not."""
    kind = PLAIN if column.computed else models.type(column.type).kind
    return kind.true if all_true else kind.true + kind.false


class _Sound:
    """What is sound in a table of the models."""

    def __init__(self, models: Models, table: Table) -> None:
        self.models, self.of = models, table

    def table(self) -> Table:
        key = self.key(self.of.key) or Unique(self.of.key.name)
        self.of = self.of._replace(key=key._replace(nulls_not_distinct=False))
        self.of = self.of._replace(columns=tuple(map(self.column, self.of.columns)))
        return self.of._replace(
            uniques=_kept(self.of.uniques, self.key),
            checks=_kept(self.of.checks, self.check),
            indexes=tuple(self._named(_kept(self.of.indexes, self.index))),
        )

    def _named(self, indexes: Tuple[Index, ...]) -> Iterator[Index]:
        """Yield them with names where SQLAlchemy would give two the same, or none of a column."""
        unnamed: Set[str] = set()
        table = crc32(self.of.name.encode())  # which is short
        known = {index.name for index in indexes}  # a change may have moved one of these
        names = (f"index {number} of {table}" for number in count())
        free = (name for name in names if name not in known)
        for index in indexes:
            first = index.columns[0]
            if index.name or (index.parts[0] == "{0}" and first not in unnamed):
                yield index
            else:
                yield index._replace(name=next(free))
            if not index.name:
                unnamed.add(first)

    def kind(self, column: str) -> Kind:
        found = self.of.column(column)
        assert found is not None
        return self.models.type(found.type).kind

    def has(self, columns: Strings, *, stored: bool = False, given: bool = False) -> bool:
        """Return whether the columns are there, stored, or not computed."""
        found = [self.of.column(name) for name in columns]
        return len(set(columns)) == len(columns) and all(
            column and not (stored and column.virtual) and not (given and column.computed)
            for column in found
        )

    def column(self, column: Column) -> Column:
        facts, in_key = self.models.type(column.type), column.name in self.of.key.columns
        if column.default not in facts.defaults:
            column = column._replace(default="")
        if column.numbered and (
            column.type not in WHOLE
            or (column.numbered == "serial" and self.of.key.columns != (column.name,))
        ):
            column = column._replace(numbered="")
        if not self._is_computed(column):
            column = column._replace(computed="", source="", virtual=False)
        else:
            column = column._replace(default="", numbered="", null=True, backfill=False)
        if column.numbered:
            column = column._replace(default="", null=column.numbered == "sequence")
        null = column.null and not in_key
        rows = column.rows if null or column.rows != "nulls" else "distinct"
        return column._replace(null=null, rows=rows, backfill=column.backfill and not null)

    def _is_computed(self, column: Column) -> bool:
        source = self.of.column(column.source)
        if source is None or source.computed or column.name in self.of.key.columns:
            return False
        if column.type == "tsvector":
            return self.kind(source.name) is TEXT and column.computed == WORDS_OF
        return column.type == source.type and column.computed in self.kind(source.name).computed

    def key(self, key: Unique) -> Optional[Unique]:
        if not (key.columns and self._unique(key.columns)):
            return None
        free = not key.deferrable  # what is deferrable is no key for anybody else
        good = tuple(name for name in key.include if name not in key.columns)
        include = good if self.has(good, stored=True) and free else ()
        return key._replace(include=include, initially=key.initially * key.deferrable)

    def _unique(self, columns: Strings) -> bool:
        """Return whether the rows differ in the columns, and B-tree takes them."""
        return (
            self.has(columns, given=True)
            and all("btree" in self.kind(name).methods for name in columns)
            and any(self.distinct(name) for name in columns)
        )

    def distinct(self, column: str) -> bool:
        found = self.of.column(column)
        return bool(found and self.models.type(found.type).distinct and found.rows == "distinct")

    def check(self, check: Check) -> Optional[Check]:
        column = self.of.column(check.column)
        return check if column and check.sql in shapes(self.models, column) else None

    def refers(self, key: ForeignKey) -> Optional[ForeignKey]:
        target = self.models.table(key.target)
        if target is None or not self.has(key.columns, given=True):
            return None
        order = [table.name for table in self.models.tables]
        if not key.name and order.index(key.target) >= order.index(self.of.name):
            return None
        if key.target_columns not in [unique.columns for unique in keys(target)]:
            return None
        pairs = [
            (self.of.column(ours), target.column(theirs))
            for ours, theirs in zip(key.columns, key.target_columns)
        ]
        same = all(a and b and a.type == b.type for a, b in pairs)
        filled = all(a and a.rows != "same" and b and b.rows == "distinct" for a, b in pairs)
        key = key._replace(initially=key.initially * key.deferrable)
        return key if same and filled else None

    def index(self, index: Index) -> Optional[Index]:
        if not self.has(index.columns, stored=True):
            return None
        kinds = [self.kind(name) for name in index.columns]
        parts = tuple(
            part if part in (*ORDERS, *kind.expressions) else "{0}"
            for part, kind in zip(index.parts, kinds)
        )
        if not all(index.using in kind.methods for kind in kinds):
            return None
        plain = index.using != "btree"
        if plain:
            index = index._replace(unique=False, include=())
            parts = ("{0}",) * len(parts)
        if index.using == "hash":
            index = index._replace(columns=index.columns[:1])
        if index.unique and not self._unique(index.columns):
            index = index._replace(unique=False)
        return self._with_options(index._replace(parts=parts[: len(index.columns)]), kinds[0])

    def _with_options(self, index: Index, kind: Kind) -> Index:
        """Return the index with those of its options that are for such a one."""
        first_is_plain = index.parts[0] == "{0}" and index.using == (*kind.methods, "")[-1]
        text = kind is TEXT and index.parts[0] == "{0}" and index.using == "btree"
        has_class = index.operator_class in kind.classes and (first_is_plain or text)
        include = tuple(name for name in index.include if name not in index.columns)
        return index._replace(
            operator_class=index.operator_class if has_class else "",
            where=index.where if index.where in kind.true[: kind.immutable] else "",
            include=include if self.has(include, stored=True) else (),
            nulls_not_distinct=index.nulls_not_distinct and index.unique,
            fillfactor=index.fillfactor if index.using in ("btree", "hash", "gist") else 0,
        )
