"""Plain Python values as SQL, by the type of their column."""

import math
from typing import Any

from sqlalchemy import ARRAY, Boolean, Float, Integer, LargeBinary, Numeric, String
from sqlalchemy import Enum as EnumType
from sqlalchemy import literal as bound
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import SQLAlchemyError

from converge.compare.ddl import DIALECT
from converge.quoting import literal

# Their literals read as the values do once they are stored; others are cast, so that they do.
AS_STORED = (Boolean, Integer, String, EnumType)

# What the processing of a type raises for a value that is none of it.
UNWRITTEN = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, SQLAlchemyError)


def needs_cast(kind: Any) -> bool:
    """Return whether a value of a type may read in another way than once it is stored."""
    return not isinstance(_implemented(kind), AS_STORED)


def value_written(value: Any, kind: Any) -> str:
    """Return a value as SQL. Raises `ValueError` if it is none of the type."""
    try:
        return _written(value, kind)
    except UNWRITTEN as error:
        raise ValueError(f"{value!r} can't be written as {kind!r}") from error


def _written(value: Any, kind: Any) -> str:
    implemented = _implemented(kind)
    if value is None:
        return "NULL"
    if isinstance(value, (list, tuple)) and isinstance(implemented, ARRAY):
        item = implemented.item_type
        inner = (_written(v, kind if isinstance(v, (list, tuple)) else item) for v in value)
        return f"ARRAY[{', '.join(inner)}]"
    if isinstance(value, (bytes, memoryview)) and isinstance(implemented, LargeBinary):
        return literal("\\x" + bytes(value).hex())
    if isinstance(implemented, (Numeric, Float)) and not math.isfinite(value):
        return literal(str(value))  # Python's nan and inf are names to SQL
    if isinstance(implemented, Integer) and not isinstance(value, int):
        raise TypeError(value)  # int() would cut it
    return _processed(value, kind, implemented)


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
    if isinstance(implemented, EnumType):
        if str(compiled) not in map(literal, implemented.enums):
            raise LookupError(value)
    elif isinstance(implemented, String) and len(value) > (implemented.length or math.inf):
        raise ValueError(value)  # the server would refuse the first row
    return str(compiled)
