"""What plain models mean to SQLAlchemy, and rows for their tables."""

from typing import Any, Dict, List

import sqlalchemy as sa
from sqlalchemy import literal_column, text
from sqlalchemy.sql.elements import TextClause

from converge.quoting import identifier, qualified
from tests.support.plain_models import Column, Index, Models, Table
from tests.support.plain_types import TYPES

AUTOINCREMENT: Dict[str, Any] = {"serial": True, "identity": "auto", "always": "auto"}
ROWS = 3
ROW = "number of the row"  # a column that the models do not know


def metadata(models: Models) -> sa.MetaData:
    """Return what SQLAlchemy makes of models."""
    found = sa.MetaData()
    natives: Dict[str, Any] = {
        enum.name: sa.Enum(*enum.values, name=enum.name, metadata=found)
        for enum in models.enums
        if enum.native
    }
    for table in models.tables:
        columns = [_column(models, natives, table, column, found) for column in table.columns]
        sa.Table(table.name, found, *columns, comment=table.comment or None)
    for table in models.tables:
        made = found.tables[table.name]
        for constraint in [*_keys(table), *_checks(table), *_foreign_keys(table, found)]:
            made.append_constraint(constraint)
        for index in table.indexes:
            _add_index(made, index)
    return found


def _column(
    models: Models, natives: Dict[str, Any], table: Table, column: Column, meta: sa.MetaData
) -> "sa.Column[Any]":
    kind: Any = natives.get(column.type) or _type(models, column)
    arguments: List[Any] = []
    default: Any = _text(column.default) if column.default else None
    if column.computed:
        computed = _in(column.source, column.computed)
        arguments.append(sa.Computed(computed, persisted=not column.virtual))
    elif column.numbered in ("identity", "always"):
        always = column.numbered == "always"
        arguments.append(sa.Identity(always=always, start=5, increment=2 if always else 1))
    elif column.numbered == "sequence":
        name = f"{table.name[:20]} {column.name[:20]} numbers"
        default = sa.Sequence(name, start=7, metadata=meta).next_value()
    value = models.type(column.type).value.replace("{n}", "1")
    return sa.Column(
        column.name,
        kind,
        *arguments,
        nullable=column.null,
        server_default=default,
        autoincrement=AUTOINCREMENT.get(column.numbered, False),
        comment=column.comment or None,
        info={"backfill": literal_column(value)} if column.backfill else {},
    )


def _type(models: Models, column: Column) -> Any:
    for enum in models.enums:
        if enum.name == column.type:
            name = f"{enum.name[:20]} {column.name[:20]}"
            return sa.Enum(*enum.values, name=name, native_enum=False, create_constraint=True)
    return TYPES[column.type].make()


def _text(sql: str) -> TextClause:
    """Return SQL as it is: a colon before a word is no parameter."""
    return text(sql.replace(":", "\\:"))


def _keys(table: Table) -> List[Any]:
    found: List[Any] = []
    for unique in (table.key, *table.uniques):
        options: Dict[str, Any] = {}
        if unique.include:
            options["postgresql_include"] = list(unique.include)
        if unique.nulls_not_distinct:
            options["postgresql_nulls_not_distinct"] = True
        make: Any = sa.PrimaryKeyConstraint if unique is table.key else sa.UniqueConstraint
        if unique.columns:
            found.append(
                make(*unique.columns, name=unique.name or None, **_deferring(unique), **options)
            )
    return found


def _deferring(key: Any) -> Dict[str, Any]:
    return {"deferrable": True, "initially": key.initially or None} if key.deferrable else {}


def _checks(table: Table) -> List[Any]:
    return [sa.CheckConstraint(_in(c.column, c.sql), name=c.name or None) for c in table.checks]


def _foreign_keys(table: Table, meta: sa.MetaData) -> List[Any]:
    return [
        sa.ForeignKeyConstraint(
            key.columns,
            [meta.tables[key.target].c[column] for column in key.target_columns],
            name=key.name or None,
            ondelete=key.on_delete or None,
            onupdate=key.on_update or None,
            **_deferring(key),
        )
        for key in table.foreign_keys
    ]


def _in(column: str, sql: str) -> TextClause:
    """Return SQL about a column."""
    return _text(sql.format(identifier(column)))


def _add_index(table: sa.Table, index: Index) -> None:
    parts: List[Any] = [
        table.c[column] if part == "{0}" else _in(column, part)
        for column, part in zip(index.columns, index.parts)
    ]
    options: Dict[str, Any] = {"postgresql_using": index.using, "unique": index.unique}
    if index.operator_class:
        options["postgresql_ops"] = {index.columns[0]: index.operator_class}
    if index.where:
        options["postgresql_where"] = _in(index.columns[0], index.where)
    if index.include:
        options["postgresql_include"] = list(index.include)
    if index.nulls_not_distinct:
        options["postgresql_nulls_not_distinct"] = True
    if index.fillfactor:
        options["postgresql_with"] = {"fillfactor": index.fillfactor}
    made = sa.Index(index.name or None, *parts, **options)
    if made.table is None:  # only expressions as text say nothing of it
        table.append_constraint(made)


def fill(models: Models, schema: str) -> List[str]:
    """Return what puts rows into the tables, and their numbers into a column of their own."""
    number = identifier(ROW)
    return [
        statement
        for table in models.tables
        for relation in [qualified(schema, table.name)]
        for statement in [
            f"ALTER TABLE {relation} ADD COLUMN {number} integer",
            _insert(models, table, relation),
        ]
    ]


def _insert(models: Models, table: Table, relation: str) -> str:
    given = [column for column in table.columns if not column.computed]
    names = [identifier(name) for name in (*(column.name for column in given), ROW)]
    values = [*(_value(models, column) for column in given), "n"]
    return (
        f"INSERT INTO {relation} ({', '.join(names)}) OVERRIDING SYSTEM VALUE "
        f"SELECT {', '.join(values)} FROM generate_series(1, {ROWS}) n"
    )


def _value(models: Models, column: Column) -> str:
    value = models.type(column.type).value
    if column.rows == "same":
        return value.replace("{n}", "1")
    value = value.replace("{n}", "n")
    return f"CASE WHEN n > 1 THEN {value} END" if column.rows == "nulls" else value
