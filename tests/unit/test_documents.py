"""README and docs point at what exists, and each command in them is typed or explained."""

import re
import signal
from pathlib import Path
from typing import Iterator, List, Set, Tuple

import pytest

import create_tables
from converge.console.help import EXIT_CODES
from converge.errors import ConvergeError, Terminated
from tests.support.documents import section
from tests.support.program import ROOT
from tools.transcripts import COMMAND, EVENT, NOT_TYPED
from tools.transcripts import DOCUMENTS as TYPED

DOCS = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [*(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")), *DOCS]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]

OPTION = re.compile(r"--[a-z]+")
LINK = re.compile(r"\]\(([^)]+)\)")
FILE = re.compile(r"`((?:\w[\w.-]*/)*[\w-]+\.(?:py|md|txt|toml|ya?ml))`")
DIRECTORY = re.compile(r"\btests/\w+/")
# By their first words: what takes more than a server to be seen, and the test that has its words.
MESSAGES = {
    "would lose values that a client has": "integration/change/test_proofs.py",
    "cannot be lifted behind a pooler": "integration/server/test_pooler.py",
    "the connection was lost": "integration/server/test_outages.py",
    "the server has no space left": "integration/change/test_full_disk.py",
    "waits for a lock on": "integration/server/test_waits.py",
    "33 % |█": "unit/test_display.py",
    "25 %, building index": "unit/test_task.py",
}


def test_every_option_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    """The modes are those of the command line, no more and no less."""
    assert create_tables.main(["--help"]) == 0
    options = set(OPTION.findall(capsys.readouterr().out))
    assert set(OPTION.findall(section("Modes", "README.md"))) == options


def test_every_exit_code_is_said() -> None:
    """Whoever is woken by an exit code finds what to do, in the table that comes from this one."""
    codes = {0, ConvergeError.exit_code}
    codes |= {error.exit_code for error in ConvergeError.__subclasses__()}
    codes |= {Terminated(number, "").exit_code for number in (signal.SIGINT, signal.SIGTERM)}
    assert [int(c) for row in EXIT_CODES for c in row[0].split(", ")] == sorted(codes)


def test_the_readme_is_short() -> None:
    """It leads to docs/, which has the rest."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 200


@pytest.mark.parametrize("name", NAMES)
def test_what_a_document_points_at_exists(name: str) -> None:
    """No file is promised that is not there, and no link leads nowhere."""
    path = ROOT / name
    text = path.read_text(encoding="utf-8")
    named = {*FILE.findall(text), *DIRECTORY.findall(text)}
    assert [file for file in sorted(named) if not (ROOT / file).exists()] == []
    for link in LINK.findall(text):
        file, _, anchor = link.partition("#")
        if "://" not in link:
            target = path.parent / file if file else path
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def anchors(path: Path) -> Set[str]:
    """Return where links to a document can lead, as GitHub makes them of its headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def blocks(name: str) -> Iterator[Tuple[str, str, bool]]:
    """Yield the language of each block, its text, and whether it is pasted somewhere."""
    pasted = False
    for event in EVENT.finditer((ROOT / name).read_text(encoding="utf-8")):
        if event["language"]:
            yield event["language"], event["text"], pasted
        pasted = event["file"] is not None


@pytest.mark.parametrize("name", [str(path.relative_to(ROOT)) for path in TYPED])
def test_every_block_is_typed_or_a_message_of_a_test(name: str) -> None:
    """A block in another language, or one that nobody tries, can be wrong for years."""
    for language, text, pasted in blocks(name):
        if language == "console":
            assert text.startswith("$ "), text
        elif language == "python":
            assert pasted, text
        elif language == "text":
            [file] = {file for words, file in MESSAGES.items() if words in text}
            [words] = {words for words in MESSAGES if words in text}
            assert words in (ROOT / "tests" / file).read_text(encoding="utf-8"), text
        else:
            assert language in ("sql", "mermaid", "yaml"), language


def test_a_message_is_shown_below_its_heading() -> None:
    """A transcript is renewed, whatever was printed: where the trouble did not come up, too."""
    for part in section("Troubleshooting", "docs/operating.md").split("\n### ")[1:]:
        heading, _, below = part.partition("\n")
        shown = "\n".join(event["text"] or "" for event in EVENT.finditer(below))
        if " INFO " in shown or " ERROR " in shown:
            assert [w for w in heading.split("…") if w.strip(" :") not in shown] == []


def test_what_is_not_typed_is_in_some_document() -> None:
    """A reason for a command that is no longer there would hide the next one like it."""
    commands: List[str] = []
    for name in NAMES:
        for language, text, _ in blocks(name):
            typed = [command["typed"] for command in COMMAND.finditer(text)]
            commands += typed if language == "console" else [text]
    assert [one for one in NOT_TYPED if not any(c.startswith(one) for c in commands)] == []
