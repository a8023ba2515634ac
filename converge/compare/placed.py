"""The desired state in the words that the server would have for it in a schema.

In `pg_temp`, own types and sequences read without a schema; where they are live, with it.
"""

import re
from typing import Any, Callable, Mapping, Optional

from converge.quoting import identifier, qualified
from converge.server.catalog import Column, Constraint, Index, Schema, Table

Words = Callable[[Optional[str]], Any]  # a text, or None, with its names qualified


def placed(trial: Schema, schema: str, outside: Mapping[str, str]) -> Schema:
    """Return what was read in `pg_temp` as it would read in a schema, but for types `outside`."""
    if not trial.types and not trial.sequences:
        return trial
    words = _words(trial, schema, outside)
    types = {
        name: value._replace(
            base=words(value.base),
            default=words(value.default),
            checks={n: words(check) for n, check in (value.checks or {}).items()} or None,
        )
        for name, value in trial.types.items()
    }
    tables = {name: _table(table, words) for name, table in trial.tables.items()}
    return trial._replace(types=types, tables=tables)


def _table(table: Table, words: Words) -> Table:
    return table._replace(
        columns={name: _column(column, words) for name, column in table.columns.items()},
        constraints={name: _constraint(k, words) for name, k in table.constraints.items()},
        indexes={name: _index(index, words) for name, index in table.indexes.items()},
    )


def _column(column: Column, words: Words) -> Column:
    return column._replace(
        type=words(column.type),
        default=words(column.default),
        default_sql=words(column.default_sql),
    )


def _constraint(constraint: Constraint, words: Words) -> Constraint:
    owned = constraint.owned_index
    return constraint._replace(
        definition=words(constraint.definition),
        sql=words(constraint.sql),
        expression=words(constraint.expression),
        owned_index=owned and _index(owned, words),
    )


def _index(index: Index, words: Words) -> Index:
    columns = list(map(identifier, index.columns or []))  # one may have the name of its type
    return index._replace(
        using=words(index.using),
        keys=[key if key in columns else words(key) for key in index.keys],
        predicate=words(index.predicate),
    )


def _words(trial: Schema, schema: str, outside: Mapping[str, str]) -> Words:
    homes = {identifier(name): identifier(outside.get(name, schema)) for name in trial.types}
    types = "|".join(map(re.escape, homes)) or "(?!)"
    sequences = {identifier(name): qualified(schema, name) for name in trial.sequences}
    # A literal, maybe of a sequence's name; a cast to a type; a type that stands alone.
    pattern = re.compile(rf"('(?:[^']|'')*')(::regclass)?|(^|::)({types})(?![\w$.\"(])")

    def replaced(found: "re.Match[str]") -> str:
        text, regclass, before, name = found.groups()
        if name is not None:
            return f"{before}{homes[name]}.{name}"
        sequence = sequences.get(text[1:-1].replace("''", "'")) if regclass else None
        # As `pg_get_expr()` quotes it: a backslash is one among others.
        quoted = sequence and sequence.replace("'", "''")
        return f"'{quoted}'::regclass" if quoted else found.group()

    return lambda text: None if text is None else pattern.sub(replaced, text)
