"""Models drawn at random."""

from itertools import count
from typing import Any, Iterable, List, Sequence, Tuple, TypeVar

from hypothesis import strategies as st

from tests.support.plain_models import (
    Check,
    Column,
    Enum,
    ForeignKey,
    Index,
    Models,
    Strings,
    Table,
    Unique,
)
from tests.support.plain_types import TEXT, TYPES
from tests.support.sound_models import ORDERS, WHOLE, WORDS_OF, keys, shapes, sound

One = TypeVar("One")
WORDS = (
    *("a", "b", "c", "user", "MixedCase", "50%", "two words", "größe", 'q"uote', "a:b"),
    *("back\\slash", "select", "it's", "x" * 63),
)
LABELS = ("low", "high", "50%", "it's", "Größe", "a:b", "")
COMMENTS = ("said", "it's 50%", "a:b \\ ü")
ACTIONS = ("", "CASCADE", "SET NULL", "RESTRICT", "SET DEFAULT")
NUMBERED = ("", "serial", "identity", "always", "sequence")
PARTS = ("uniques", "checks", "foreign_keys", "indexes")


def replaced(models: Models, table: Table) -> Models:
    tables = [table if table.name == one.name else one for one in models.tables]
    return models._replace(tables=tuple(tables))


def with_parts(table: Table, part: str, value: Any) -> Table:
    changes: Any = {part: value}
    return table._replace(**changes)


class Drawing:
    """Draws one thing at a time; the first of its choices is the simplest."""

    def __init__(self, draw: st.DrawFn, version: int) -> None:
        self.draw, self.version = draw, version
        self.types = [name for name, facts in TYPES.items() if version >= facts.since]
        self.changing = False  # then what not every row obeys may be drawn

    def pick(self, choices: Sequence[One]) -> One:
        return self.draw(st.sampled_from(choices))

    def maybe(self) -> bool:
        return self.draw(st.booleans())

    def rarely(self) -> bool:
        return self.draw(st.integers(0, 5)) == 5

    def some(self, names: Sequence[str], most: int) -> Strings:
        chosen = st.lists(st.sampled_from(names), min_size=1, max_size=most, unique=True)
        return tuple(self.draw(chosen))

    def word(self, taken: Iterable[str]) -> str:
        used = set(taken)
        return self.pick([word for word in WORDS if word not in used])

    def name(self, models: Models) -> str:
        """Return a name that no constraint or index of the models has; empty to be given one."""
        if self.rarely():
            return ""
        parts = [part for table in models.tables for kind in PARTS for part in getattr(table, kind)]
        taken = {*(part.name for part in parts), *(table.key.name for table in models.tables)}
        word = self.pick(WORDS)[:55]
        return next(name for n in count() for name in [f"{word} {n}"] if name not in taken)

    def models(self) -> Models:
        enums = [self.enum("own kind", native=True), self.enum("Other 50%", native=self.maybe())]
        models = Models((), tuple(enums[: self.pick((0, 0, 0, 1, 2))]))
        for _ in range(self.pick((1, 1, 2, 2, 3, 4))):
            models = self.with_table(models)
        if self.rarely():  # in a circle, maybe
            models = self.with_part(models, models.tables[0], "foreign_keys")
        return models

    def enum(self, name: str, *, native: bool) -> Enum:
        return Enum(name, self.some(LABELS, 4), native)

    def with_table(self, models: Models) -> Models:
        name = self.word(table.name for table in models.tables)
        table = Table(name, (), comment=self.pick(COMMENTS) if self.rarely() else "")
        if self.maybe():
            table = self.with_numbers(models, table)
        for _ in range(self.draw(st.integers(1 - len(table.columns), 4))):
            table = table._replace(columns=(*table.columns, self.column(models, table)))
        if not table.key.columns:
            table = table._replace(key=self.unique(models, table))
        models = sound(models._replace(tables=(*models.tables, table)))
        for part in PARTS:
            for _ in range(self.pick((0, 0, 1, 2))):
                models = self.with_part(models, models.tables[-1], part)
        return models

    def with_numbers(self, models: Models, table: Table) -> Table:
        """Return the table with a key of whole numbers."""
        column = Column(self.word(()), self.pick(WHOLE), null=False, numbered=self.pick(NUMBERED))
        return table._replace(columns=(column,), key=Unique(self.name(models), (column.name,)))

    def with_part(self, models: Models, table: Table, part: str) -> Models:
        """Return the models with a constraint or an index more."""
        if part == "foreign_keys":
            table, more = self.foreign_key(models, table)
        else:
            more = [self.one(models, table, part)]
        table = with_parts(table, part, (*getattr(table, part), *more))
        return sound(replaced(models, table))

    def one(self, models: Models, table: Table, part: str) -> Any:
        draw = {"uniques": self.unique, "checks": self.check, "indexes": self.index}
        return draw[part](models, table)

    def column(self, models: Models, table: Table) -> Column:
        column = Column(self.word(c.name for c in table.columns), "integer")
        enums = [enum.name for enum in models.enums]
        column = column._replace(type=self.pick([*self.types, *enums]))
        if self.maybe():
            column = column._replace(null=False, backfill=not self.rarely())
        for _ in range(self.draw(st.integers(0, 2))):
            column = self.with_attribute(models, table, column)
        return column._replace(rows=self.pick(("distinct", "distinct", "same", "nulls")))

    def with_attribute(self, models: Models, table: Table, column: Column) -> Column:
        """Return the column with something else drawn anew."""
        what = self.pick(("null", "default", "comment", "backfill", "computed", "numbered"))
        if what == "null":
            return column._replace(null=not column.null)
        if what == "default":
            return column._replace(default=self.pick(("", *models.type(column.type).defaults)))
        if what == "comment":
            return column._replace(comment=self.pick(("", *COMMENTS)))
        if what == "backfill":
            return column._replace(null=False, backfill=True)
        if what == "computed":
            return self.computed(models, table, column)
        whole = column if column.type in WHOLE else column._replace(type="integer")
        return whole._replace(numbered=self.pick(NUMBERED))

    def computed(self, models: Models, table: Table, column: Column) -> Column:
        """Return the column computed from another, if there is one to compute it from."""
        found = [
            column._replace(source=source.name, type=type_name, computed=sql)
            for source in table.columns
            for kind in [models.type(source.type).kind]
            for type_name, expressions in [
                (source.type, kind.computed),
                ("tsvector", [WORDS_OF] if kind is TEXT else []),
            ]
            for sql in expressions
        ]
        virtual = self.version >= 180000 and self.maybe()
        return self.pick(found or [column])._replace(virtual=virtual)

    def unique(self, models: Models, table: Table) -> Unique:
        names = [column.name for column in table.columns]
        return Unique(
            self.name(models),
            self.some(names, 2),
            deferrable=self.rarely(),
            initially=self.pick(("", "DEFERRED")),
            include=self.some(names, 1) if self.rarely() else (),
            nulls_not_distinct=self.version >= 150000 and self.rarely(),
        )

    def check(self, models: Models, table: Table) -> Check:
        column = self.pick(table.columns)
        chosen = self.pick(shapes(models, column, all_true=not self.changing))
        return Check(self.name(models), column.name, chosen)

    def index(self, models: Models, table: Table) -> Index:
        columns = self.some([column.name for column in table.columns], 3)
        facts = {column.name: models.type(column.type).kind for column in table.columns}
        kind = facts[columns[0]]
        return Index(
            self.name(models),
            columns,
            tuple(self.pick((*ORDERS, *facts[name].expressions)) for name in columns),
            unique=self.rarely() or self.rarely(),
            using=self.pick(kind.methods or ("btree",)),
            operator_class=self.pick(("", *kind.classes)),
            where=self.pick(("", "", *kind.true)),
            include=self.some(list(facts), 1) if self.rarely() else (),
            nulls_not_distinct=self.version >= 150000 and self.rarely(),
            fillfactor=self.pick((0, 0, 0, 70)),
        )

    def foreign_key(self, models: Models, table: Table) -> Tuple[Table, List[ForeignKey]]:
        """Return the table with the columns that a foreign key takes, and the key."""
        targets = [(t.name, key.columns) for t in models.tables for key in keys(t)]
        if not targets:
            return table, []
        target, columns = self.pick(targets)
        ours: List[str] = []
        for name in columns:
            theirs = next(
                c for t in models.tables if t.name == target for c in t.columns if c.name == name
            )
            new = Column(
                self.word(c.name for c in table.columns),
                theirs.type,
                null=self.maybe(),
                backfill=True,
            )
            own = [c for c in table.columns if c.type == theirs.type and c.name not in ours]
            column = self.pick([new, *own])
            ours.append(column.name)
            if column is new:
                table = table._replace(columns=(*table.columns, new))
        return table, [
            ForeignKey(
                self.name(models),
                tuple(ours),
                target,
                columns,
                on_delete=self.pick(ACTIONS),
                on_update=self.pick(ACTIONS),
                deferrable=self.rarely(),
                initially=self.pick(("", "DEFERRED")),
            )
        ]
