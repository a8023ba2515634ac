"""How results are worded and laid out."""

import pytest

from converge.text import counted, duration, size, table, visible


@pytest.mark.parametrize(("number", "text"), [(0, "0 rows"), (1, "1 row"), (1200, "1,200 rows")])
def test_a_count_agrees_with_its_noun(number: int, text: str) -> None:
    """One row, two rows; thousands are told apart."""
    assert counted(number, "row") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0004, "0 ms"),
        (0.105, "105 ms"),
        (1.04, "1.0 s"),
        (59.9, "59.9 s"),
        (200, "3 min 20 s"),
        (7500.4, "2 h 5 min"),
    ],
)
def test_a_duration_is_as_exact_as_it_matters(seconds: float, text: str) -> None:
    """The same form in the log, the summary and the history."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (491_520, "480 kB"),
        (3_565_158, "3.4 MB"),
        (128_849_018_880, "120 GB"),
        (1_500_000_000_000_000, "1,364.2 TB"),
    ],
)
def test_a_size_has_three_digits(count: int, text: str) -> None:
    """In the units of psql, of 1,024 each."""
    assert size(count) == text


def test_a_table_is_aligned() -> None:
    """Words to the left, numbers and their heads to the right, no blanks at the end of a line."""
    body = [
        ("weight history", "1,200", 1.5, "1.0.0", "3 of 3"),
        ("dish", "-", "", "1.10.0", "refused"),
        ("x", 7, -20, "1.2.0", ""),
    ]
    assert table(("query", "rows", "ms", "by version", "steps"), body).splitlines() == [
        "query            rows   ms  by version  steps",
        "--------------  -----  ---  ----------  -------",
        "weight history  1,200  1.5  1.0.0       3 of 3",
        "dish                -       1.10.0      refused",
        "x                   7  -20  1.2.0",
    ]


def test_a_table_may_have_no_lines() -> None:
    """The heads are there all the same."""
    assert table(("query", "rows"), []) == "query  rows\n-----  ----"


def test_a_text_commands_no_terminal() -> None:
    """Escapes, directions of writing and lone surrogates are shown; line breaks and tabs stay."""
    assert visible("größe\t\n\x1b[2J\u202e\udce9") == "größe\t\n\\x1b[2J\\u202e\\udce9"
