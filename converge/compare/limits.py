"""What the length, the digits or the precision of a type leaves of a value."""

import re
from typing import Optional

TEXT = r"text|character varying(\(\d+\))?|character\(\d+\)"
# What is true where a type holds a value `{v}`, by the type; `{0}` and on are its numbers. A cast
# cuts off or rounds what is more, without a word.
LIMITS = {
    r"character varying\((\d+)\)": "char_length({v}) <= {0}",
    # Blanks at the end are padding.
    r"character\((\d+)\)": "char_length({v}) <= {0} AND {v} = rtrim({v})",
    r"bit varying\((\d+)\)": "length({v}) <= {0}",
    r"numeric\((\d+),(-?\d+)\)": (
        "CASE WHEN {v}::text IN ('Infinity', '-Infinity') THEN false "
        "WHEN {v}::text = 'NaN' THEN true "
        "ELSE {v} = round({v}, {1}) AND abs({v}) < 1e{digits} END"
    ),
    r"(?:timestamp|time|interval).*\((\d)\).*": "{v}::{type} = {v}",
}


def within(value: str, type_name: str) -> Optional[str]:
    """Return SQL that is true where a type holds a value; None: it has no limit."""
    for pattern, condition in LIMITS.items():
        limit = re.fullmatch(pattern, type_name)
        if limit:
            numbers = limit.groups()
            digits = int(numbers[0]) - int(numbers[-1])  # before the point
            return condition.format(*numbers, v=value, type=type_name, digits=digits)
    return None


def short_enough(text: str, type_name: str) -> Optional[str]:
    """Return SQL that is true where a type holds a text; None: its length is not limited."""
    return within(text, type_name) if re.fullmatch(TEXT, type_name) else None


def without(type_name: str) -> str:
    """Return the type without its limit, so that a cast to it keeps the value."""
    if re.fullmatch(TEXT, type_name):
        return "text"  # a plain `character` is one of length 1
    return re.sub(r"\([\d,-]+\)", "", type_name)
