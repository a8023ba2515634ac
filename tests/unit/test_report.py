"""How results are worded."""

import pytest

from converge.console.summary import duration


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
