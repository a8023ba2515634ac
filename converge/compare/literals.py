"""Plain Python values as SQL, by the type of their column."""

import math
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Time,
    TypeDecorator,
)
from sqlalchemy import Enum as EnumType
from sqlalchemy import literal as bound
from sqlalchemy.dialects.postgresql import DOMAIN, Range
from sqlalchemy.exc import SQLAlchemyError

from converge.compare.ddl import DIALECT
from converge.quoting import literal

# Their literals read as the values do once they are stored; others are cast, so that they do.
AS_STORED = (Boolean, Integer, String, EnumType)
MOMENTS = (Date, DateTime, Time)  # whose values may be given as texts, as they may to the server

# What the processing of a type raises for a value that is none of it.
UNWRITTEN = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, SQLAlchemyError)


def needs_cast(kind: Any) -> bool:
    """Return whether a value of a type may read in another way than once it is stored."""
    return not isinstance(_implemented(_base(kind)), AS_STORED)


def value_written(value: Any, kind: Any) -> str:
    """Return a value as SQL. Raises `ValueError` if it is none of the type."""
    try:
        return _written(value, _base(kind))
    except UNWRITTEN as error:
        raise ValueError(f"{value!r} can't be written as {kind!r}") from error


def _written(value: Any, kind: Any) -> str:
    implemented, stored = _implemented(kind), _undecorated(value, kind)
    if value is None:
        return "NULL"
    if isinstance(stored, (list, tuple)) and isinstance(implemented, ARRAY):
        item = _base(implemented.item_type)
        inner = (_written(v, implemented if isinstance(v, (list, tuple)) else item) for v in stored)
        return f"ARRAY[{', '.join(inner)}]"
    if isinstance(stored, (bytes, memoryview)) and isinstance(implemented, LargeBinary):
        return literal("\\x" + bytes(stored).hex())
    if isinstance(implemented, (Numeric, Float)) and not math.isfinite(stored):
        return literal(str(stored))  # Python's nan and inf are names to SQL
    if isinstance(implemented, Integer) and not isinstance(stored, int):
        raise TypeError(value)  # int() would cut it
    is_text = isinstance(implemented, String) and not isinstance(implemented, EnumType)
    if is_text and len(stored) > (implemented.length or math.inf):
        raise ValueError(value)  # the server would refuse the first row
    if isinstance(value, str) and isinstance(kind, MOMENTS):
        value = implemented.python_type.fromisoformat(value)
    return _processed(value, kind, implemented)


def _base(kind: Any) -> Any:
    """Return the type below a domain."""
    return _base(kind.data_type) if isinstance(kind, DOMAIN) else kind


def has_literal(value: Any, kind: Any) -> bool:
    """Return whether SQLAlchemy may have a literal for a value of a type."""
    if isinstance(value, str):
        return not isinstance(kind, MOMENTS) and kind.literal_processor(DIALECT) is not None
    return not isinstance(value, (dict, list, bytes))


def _undecorated(value: Any, kind: Any) -> Any:
    """Return what a `TypeDecorator` makes of a value, which is what its type has to hold."""
    kind = kind.dialect_impl(DIALECT)
    if not isinstance(kind, TypeDecorator) or value is None:
        return value
    if kind._has_literal_processor:
        return kind.process_literal_param(value, DIALECT)
    return kind.process_bind_param(value, DIALECT) if kind._has_bind_processor else value


def _implemented(kind: Any) -> Any:
    """Return the type that the dialect makes of one, without what decorates it."""
    kind = kind.dialect_impl(DIALECT)
    return getattr(kind, "impl_instance", kind).dialect_impl(DIALECT)


def _processed(value: Any, kind: Any, implemented: Any) -> str:
    if implemented.literal_processor(DIALECT) is None:
        process = kind.dialect_impl(DIALECT).bind_processor(DIALECT)
        value = str(value) if isinstance(value, Range) else process(value) if process else value
        if not isinstance(value, str):
            raise TypeError(value)
        return literal(value)
    compiled = bound(value, kind).compile(dialect=DIALECT, compile_kwargs={"literal_binds": True})
    if isinstance(implemented, EnumType) and str(compiled) not in map(literal, implemented.enums):
        raise LookupError(value)
    return str(compiled)
