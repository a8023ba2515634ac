"""The commands of README and docs print what stands there, on the server of `make run`."""

import sys
from typing import Iterator

import pytest

from tools.transcripts import DOCUMENTS, Sandbox, Wrong, renewed, sandbox


@pytest.fixture(scope="module")
def where() -> Iterator[Sandbox]:
    """A copy of the program with a server of its own; it has no wheel for Python 3.8."""
    if sys.version_info < (3, 9):
        pytest.skip("there is no embedded PostgreSQL for Python 3.8")
    with sandbox() as made:
        yield made


@pytest.mark.long
def test_the_documents_show_what_their_commands_print(where: Sandbox) -> None:
    """Top to bottom, as a reader types them; `make docs` renews what they print.

    One test for all: of the parameters of a test, `make test` tries a few.
    """
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        assert renewed(text, where) == text, path


def test_a_stale_output_is_renewed(where: Sandbox) -> None:
    """Only what differs in more than times and numbers of processes; dots stand for any lines."""
    kept = "```console\n$ echo took 3 ms\ntook 5 ms\n$ seq 4\n1\n…\n4\n```\n"
    assert renewed(kept, where) == kept
    stale = "```console\n$ echo new\nold\n```\n"
    assert renewed(stale, where) == stale.replace("old", "new")


def test_a_command_that_shows_nothing_has_to_succeed(where: Sandbox) -> None:
    """Neither it nor a preparation nor a statement can fail unseen."""
    for failing in ("```console\n$ false\n```", "<!-- $ false -->", "```sql\nSELECT 1 / 0;\n```"):
        with pytest.raises(Wrong):
            renewed(failing + "\n", where)


def test_a_block_of_python_goes_to_its_place(where: Sandbox) -> None:
    """At the end of a class or a list; a place that is not there is a mistake."""
    pasted = "<!-- paste into {}: {} -->\n```python\nnew = 1\n```\n"
    renewed(pasted.format("models.py", "Dish"), where)
    assert "\n    new = 1\n\n\nclass DishDay(" in (where.directory / "models.py").read_text("utf-8")
    with pytest.raises(Wrong):
        renewed(pasted.format("models.py", "Nothing"), where)
