"""Models as plain data, which print as Python text, and what they mean to SQLAlchemy.

Models((Table("a", (Column("id", "integer"),), key=Unique("", ("id",))),))
"""

from typing import Any, NamedTuple, Optional, Tuple

import sqlalchemy as sa

from converge.quoting import identifier
from tests.support.plain_types import FEW, TYPES, Type

Strings = Tuple[str, ...]


def shown(one: Any) -> str:
    """Return the text that makes a named tuple, without what is said by default."""
    defaults = one._field_defaults
    said = [(name, value) for name, value in one._asdict().items() if value != defaults.get(name)]
    return f"{type(one).__name__}({', '.join(f'{name}={value!r}' for name, value in said)})"


class Column(NamedTuple):
    """A column; `type` is a key of TYPES or the name of an enum.

    `numbered` is serial, sequence, identity or always; `rows` what its rows hold: distinct values,
    the same one, or some nulls.
    """

    name: str
    type: str
    null: bool = True
    default: str = ""
    computed: str = ""  # from `{0}`, which is `source`
    source: str = ""
    virtual: bool = False
    numbered: str = ""
    comment: str = ""
    backfill: bool = False
    rows: str = "distinct"

    def __repr__(self) -> str:
        return shown(self)


class Unique(NamedTuple):
    """A primary key or unique constraint; without a name the server gives one."""

    name: str = ""
    columns: Strings = ()
    deferrable: bool = False
    initially: str = ""
    include: Strings = ()
    nulls_not_distinct: bool = False

    def __repr__(self) -> str:
        return shown(self)


class Check(NamedTuple):
    """A check; `{0}` in `sql` is the column."""

    name: str
    column: str
    sql: str

    def __repr__(self) -> str:
        return shown(self)


class ForeignKey(NamedTuple):
    """A foreign key to a table of the models."""

    name: str
    columns: Strings
    target: str
    target_columns: Strings
    on_delete: str = ""
    on_update: str = ""
    deferrable: bool = False
    initially: str = ""

    def __repr__(self) -> str:
        return shown(self)


class Index(NamedTuple):
    """An index; for each of the columns `parts` says how, as `{0} DESC` does.

    Its predicate is about the first. Without a name SQLAlchemy gives one.
    """

    name: str
    columns: Strings
    parts: Strings
    unique: bool = False
    using: str = "btree"
    operator_class: str = ""
    where: str = ""
    include: Strings = ()
    nulls_not_distinct: bool = False
    fillfactor: int = 0

    def __repr__(self) -> str:
        return shown(self)


class Table(NamedTuple):
    name: str
    columns: Tuple[Column, ...]
    key: Unique = Unique()
    uniques: Tuple[Unique, ...] = ()
    checks: Tuple[Check, ...] = ()
    foreign_keys: Tuple[ForeignKey, ...] = ()
    indexes: Tuple[Index, ...] = ()
    comment: str = ""

    def __repr__(self) -> str:
        return shown(self)

    def column(self, name: str) -> Optional[Column]:
        return next((column for column in self.columns if column.name == name), None)


class Enum(NamedTuple):
    """An enum: a type of its own, or a text with a check."""

    name: str
    values: Strings
    native: bool = True

    def __repr__(self) -> str:
        return shown(self)


class Models(NamedTuple):
    tables: Tuple[Table, ...]
    enums: Tuple[Enum, ...] = ()

    def __repr__(self) -> str:
        return shown(self)

    def table(self, name: str) -> Optional[Table]:
        return next((table for table in self.tables if table.name == name), None)

    def type(self, name: str) -> Type:
        """Return the type of a column."""
        for enum in self.enums:
            if enum.name == name:
                return _enum_type(enum)
        return TYPES[name]


def _enum_type(enum: Enum) -> Type:
    values = ", ".join(f"'{value}'" for value in (v.replace("'", "''") for v in enum.values))
    value = f"(ARRAY[{values}])[1 + {{n}} % {len(enum.values)}]"
    if enum.native:
        value += f"::{identifier(enum.name)}"
    default = "'" + enum.values[0].replace("'", "''") + "'"
    return Type(sa.Text, value, FEW, distinct=False, defaults=(default,))
