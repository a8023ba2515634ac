"""Backfills: what rows get that have no value for a column."""

import re
from typing import AbstractSet, Any, Dict, Iterable, Iterator, List, Mapping, Optional, Set

from sqlalchemy import Column, FromClause, Select, String, cast, column, literal_column
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import ColumnElement, visitors
from sqlalchemy.sql.elements import BindParameter, ClauseElement, ColumnClause, TextClause
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import SelectBase

from converge.compare.ddl import DIALECT, Schemas
from converge.compare.literals import has_literal, needs_cast, value_written
from converge.names import ROW
from converge.quoting import identifier, literal

Hidden = AbstractSet[FromClause]  # what the subqueries around an element select from


class Backfill:
    """A SQL value for the rows of a column.

    It is given as a plain value of the column's type, or as a SQL expression: of other columns of
    the row, functions, a subquery, which may refer to the row, parameters whose values are in
    `values`, or `text()`. Tables are found as `schemas` says. `columns` are those of the row that
    it refers to; `reads` has those too that a `text()` seems to read, which nobody knows.
    """

    def __init__(
        self, given: Any, target: "Column[Any]", values: Mapping[str, str], schemas: Schemas
    ) -> None:
        """Raises `ValueError` if it is none, with the reason. See `problems` for more."""
        self.values, self.schemas, self.table = values, schemas, target.table
        if not isinstance(given, ClauseElement) and hasattr(given, "__clause_element__"):
            given = given.__clause_element__()
        if isinstance(given, SelectBase):
            given = given.scalar_subquery()
        is_plain = not isinstance(given, ClauseElement)
        self.expression = _plain(given, target) if is_plain else _expression(given)
        self._elements: List[Any] = [] if is_plain else list(visitors.iterate(given))
        found = [] if is_plain else self._of_row(given, frozenset())
        self.columns = sorted({str(c.name) for c in found})
        texts = " ".join(str(e) for e in self._elements if _is_text(e))
        names = [str(column.name) for column in self.table.columns]
        self.reads = sorted({*self.columns, *mentioned(names, texts)})

    @property
    def computed(self) -> bool:
        """True if it may not be the same in every row, or is nothing for a column's default."""
        other = (FunctionElement, SelectBase)
        return bool(self.columns) or any(
            isinstance(e, other) or _is_text(e) for e in self._elements
        )

    @property
    def reads_unknown(self) -> bool:
        """True if nobody knows which columns it reads."""
        return any(map(_is_text, self._elements))

    def sql(self, values: Optional[Mapping[str, str]] = None) -> str:
        """Return it as SQL. `values` puts other SQL in the place of a column."""
        stand_ins: Mapping[str, str] = values or {}
        if stand_ins and self.reads_unknown:
            # Nobody knows which columns a text reads; it may call their table by its name.
            return self._beside(stand_ins, str(self.table.name))
        if self.columns and any(isinstance(e, SelectBase) for e in self._elements):
            own = {name: stand_ins.get(name, identifier(name)) for name in self.columns}
            return self._beside(own, ROW)
        return self._written(stand_ins)

    def _beside(self, values: Mapping[str, str], row: str) -> str:
        """Return it as SQL that finds the columns' values under the name of a row.

        A name without a table would be found among the tables of a subquery first.
        """
        name = identifier(row)
        listed = ", ".join(f"{sql} AS {identifier(column)}" for column, sql in values.items())
        value = self._written({column: f"{name}.{identifier(column)}" for column in values})
        # True, but of the row: what reads none of its columns would be computed once for all rows.
        each = f" WHERE num_nulls({name}.*) >= 0" if self.reads_unknown else ""
        return f"(SELECT {value} FROM (SELECT {listed}) AS {name}{each})"

    def _written(self, stand_ins: Mapping[str, str]) -> str:
        options: Dict[str, Any] = {"compile_kwargs": {"literal_binds": True}}
        if self.schemas:
            options.update(schema_translate_map=self.schemas, render_schema_translate=True)
        expression = self._replaced(self.expression, stand_ins, frozenset())
        return str(expression.compile(dialect=DIALECT, **options))

    def _replaced(self, element: Any, stand_ins: Mapping[str, str], hidden: Hidden) -> Any:
        """Return an element with the parameters and the columns of the row replaced."""

        traverse: Any = visitors.replacement_traverse

        def replace(found: Any, **_: Any) -> Any:
            if isinstance(found, Select) and found is not element:
                return self._replaced(found, stand_ins, hidden | self._selected_from(found))
            if isinstance(found, ColumnClause) and self._is_of_row(found, hidden):
                name = str(found.name)
                return literal_column(stand_ins[name]) if name in stand_ins else column(name)
            if isinstance(found, BindParameter) and found.key in self.values:
                return literal_column(literal(self.values[found.key]), String())
            if isinstance(found, BindParameter) and not (
                found.expanding or has_literal(found.value, found.type)
            ):
                return cast(literal_column(value_written(found.value, found.type)), found.type)
            return None

        return traverse(element, {}, replace)

    def _of_row(self, element: Any, hidden: Hidden) -> Iterator["ColumnClause[Any]"]:
        """Yield the columns that are the row's, not those of what a subquery selects from."""
        for found, around in self._columns(element, hidden):
            if self._is_of_row(found, around):
                yield found

    def _columns(self, element: Any, hidden: Hidden) -> Iterator[Any]:
        """Yield all columns, with what the subqueries around them select from."""
        if isinstance(element, Select):
            hidden = hidden | self._selected_from(element)
        if isinstance(element, ColumnClause):
            yield element, hidden
        for child in element.get_children():
            yield from self._columns(child, hidden)

    def _is_of_row(self, found: "ColumnClause[Any]", hidden: Hidden) -> bool:
        if found.is_literal:
            return False
        if found.table is None:
            return not any(found.name in source.columns for source in hidden)
        return found.table == self.table and self.table not in hidden

    def _selected_from(self, select: "Select[Any]") -> Hidden:
        """Return what stands behind FROM, as SQLAlchemy correlates a subquery in an UPDATE."""
        compiler = DIALECT.statement_compiler(DIALECT, None)
        state: Any = select._compile_state_factory(select, compiler)
        sources = state._get_display_froms([self.table], [self.table])
        return frozenset(part for source in sources for part in source._from_objects)

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with it: why the server or this program could not read it."""
        known = {str(c.name) for c in self.table.columns}
        yield from (f"the table has no column {name}" for name in self.columns if name not in known)
        if self._elements:
            for found, hidden in self._columns(self.expression, frozenset()):
                if found.table is not None and found.table not in {self.table, *hidden}:
                    yield f"{found} is of another table: it takes a subquery to read it"
        unknown = sorted({str(e.key) for e in self._elements if self._is_unknown(e)})
        yield from (f"no setting gives its parameter {name} a value" for name in unknown)
        if not unknown:
            try:
                if self.sql() == "NULL":
                    yield "NULL is no value"
            except (SQLAlchemyError, ValueError) as error:
                yield str(error.args[0]).partition("; see parent stack trace")[0]

    def _is_unknown(self, element: Any) -> bool:
        is_parameter = isinstance(element, BindParameter) and element.required
        return is_parameter and element.key not in self.values


def mentioned(names: Iterable[str], sql: str) -> Set[str]:
    """Return the names of columns that SQL mentions, quoted or not."""
    return {n for n in names if re.search(rf"(?<!\w){re.escape(identifier(n))}(?!\w)", sql)}


def _expression(given: Any) -> Any:
    if not isinstance(given, (ColumnElement, TextClause)):
        raise ValueError(f"{type(given).__name__} is no value")
    return given


def _plain(given: Any, target: "Column[Any]") -> "ColumnElement[Any]":
    if callable(given):
        raise ValueError("a function of Python is no value: the server fills the rows")
    value: ColumnElement[Any] = literal_column(value_written(given, target.type))
    return cast(value, target.type) if needs_cast(target.type) else value


def _is_text(element: Any) -> bool:
    """True if an element is SQL as it was typed."""
    return isinstance(element, TextClause) or getattr(element, "is_literal", False) is True
