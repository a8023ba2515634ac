"""Models drawn at random, and a change of them."""

from typing import Callable, NamedTuple

from hypothesis import strategies as st

from tests.support.plain_models import Models, Table, Unique
from tests.support.plain_types import TYPES
from tests.support.random_models import COMMENTS, LABELS, PARTS, Drawing, replaced, with_parts
from tests.support.sound_models import sound


class Pair(NamedTuple):
    """Models, and others that they are changed to."""

    first: Models
    second: Models
    compared: bool  # the first with what SQLAlchemy itself creates


def pairs(version: int) -> "st.SearchStrategy[Pair]":
    """Draw models for a server (`server_version_num`), and a change of them."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Pair:
        drawing = _Changing(draw, version)
        first = sound(drawing.models())
        second = first
        drawing.changing = True
        for _ in range(draw(st.integers(1, 5))):
            second = sound(drawing.changed(second))
        return Pair(first, second, drawing.rarely())

    return drawn()


def _retyped(models: Models, table: str, column: str, new: str) -> Models:
    """Return models in which a column has a type, and so what refers to it or it refers to."""
    found, more = {(table, column)}, True
    while more:
        pairs = {
            frozenset([(t.name, ours), (key.target, theirs)])
            for t in models.tables
            for key in t.foreign_keys
            for ours, theirs in zip(key.columns, key.target_columns)
        }
        reached = found.union(*(pair for pair in pairs if pair & found))
        more, found = reached != found, reached
    for t in models.tables:
        columns = [c._replace(type=new) if (t.name, c.name) in found else c for c in t.columns]
        models = replaced(models, t._replace(columns=tuple(columns)))
    return models


class _Changing(Drawing):
    """Draws one change at a time."""

    def changed(self, models: Models) -> Models:
        table = self.pick(models.tables)
        change: Callable[[Models, Table], Models] = self.pick(
            (
                *(self.with_column, self.without_column, self.with_other_column),
                *(self.with_more, self.without_part, self.with_other_part),
                *(self.with_other_type, self.with_other_key, self.with_other_enum),
                *(self.with_comment, self.with_or_without_table),
            )
        )
        return change(models, table)

    def with_column(self, models: Models, table: Table) -> Models:
        new = self.column(models, table)
        return replaced(models, table._replace(columns=(*table.columns, new)))

    def without_column(self, models: Models, table: Table) -> Models:
        gone = self.pick(table.columns)
        left = tuple(column for column in table.columns if column is not gone)
        return replaced(models, table._replace(columns=left or table.columns))

    def with_other_column(self, models: Models, table: Table) -> Models:
        old = self.pick(table.columns)
        new = self.with_attribute(models, table, old)
        columns = tuple(new if column is old else column for column in table.columns)
        return replaced(models, table._replace(columns=columns))

    def with_other_type(self, models: Models, table: Table) -> Models:
        column = self.pick(table.columns)
        kind = models.type(column.type).kind
        alike = [name for name in self.types if TYPES[name].kind == kind]
        new = self.pick(alike) if alike and not self.rarely() else self.pick(self.types)
        return _retyped(models, table.name, column.name, new)

    def with_more(self, models: Models, table: Table) -> Models:
        return self.with_part(models, table, self.pick(PARTS))

    def without_part(self, models: Models, table: Table) -> Models:
        part = self.pick([part for part in PARTS if getattr(table, part)] or PARTS)
        left = getattr(table, part)[1:]
        return replaced(models, with_parts(table, part, left))

    def with_other_part(self, models: Models, table: Table) -> Models:
        """Return the models with another constraint or index of the same name."""
        part = self.pick([part for part in PARTS if getattr(table, part)] or PARTS)
        old = list(getattr(table, part))
        if not old:
            return models
        one = old.pop(self.draw(st.integers(0, len(old) - 1)))
        if part == "foreign_keys":
            table, [new] = self.foreign_key(models, table)
        else:
            new = self.one(models, table, part)
        field = self.pick(new._fields[1:])  # as it is, but for this; or all else
        new = (
            one._replace(**{field: getattr(new, field)})
            if self.maybe()
            else new._replace(name=one.name)
        )
        return replaced(models, with_parts(table, part, (*old, new)))

    def with_other_key(self, models: Models, table: Table) -> Models:
        new = self.unique(models, table)._replace(name=table.key.name)
        return replaced(models, table._replace(key=self.pick((new, Unique()))))

    def with_other_enum(self, models: Models, _: Table) -> Models:
        if not models.enums:
            return models
        enum = self.pick(models.enums)
        values = [*enum.values]
        more = [label for label in LABELS if label not in values]
        if more and not self.rarely():
            values.insert(self.draw(st.integers(0, len(values))), self.pick(more))
        elif len(values) > 1:
            del values[self.draw(st.integers(0, len(values) - 1))]
        new = enum._replace(values=tuple(values))
        return models._replace(enums=tuple(new if e is enum else e for e in models.enums))

    def with_comment(self, models: Models, table: Table) -> Models:
        return replaced(models, table._replace(comment=self.pick(("", *COMMENTS))))

    def with_or_without_table(self, models: Models, table: Table) -> Models:
        if self.maybe() or len(models.tables) == 1:
            return self.with_table(models)
        return models._replace(tables=tuple(t for t in models.tables if t is not table))
