"""The README says what the code does: each of its tables is compared with what it describes."""

import re
import signal
from typing import Dict, List, Set

import pytest

import create_tables
from converge.console.help import EXIT_CODES
from converge.errors import ConvergeError, Terminated
from indexes import INDEXES
from models import Base
from tests.support.program import ROOT
from tests.support.readme import README, section
from tests.support.variables import VARIABLES

DOCUMENTS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")

ROW = re.compile(r"^\| (.*) \|$", re.MULTILINE)
VARIABLE = re.compile(r"`([A-Z]+_[A-Z_]+)`")
OPTION = re.compile(r"--[a-z]+")
LINK = re.compile(r"\]\(([^)]+)\)")
FILE = re.compile(r"`((?:\w[\w.-]*/)*[\w-]+\.(?:py|md|txt|toml|ya?ml))`")
DIRECTORY = re.compile(r"\btests/\w+/")
ENTITY = re.compile(r"^    (\w+) \{\n(.*?)^    \}", re.MULTILINE | re.DOTALL)


def table(title: str) -> List[List[str]]:
    """Return the cells of the tables in a section, without their heads."""
    rows = [row.split(" | ") for row in ROW.findall(section(title))]
    return [row for number, row in enumerate(rows) if number > 1]


def test_every_variable_is_there_with_its_default() -> None:
    """A setting that nobody can read of does not exist; a wrong default is worse."""
    words = {None: "required", "": "none"}
    expected = [(f"`{v.name}`", words.get(v.default, f"`{v.default}`")) for v in VARIABLES]
    assert [(name, default) for name, default, _ in table("Configuration")] == expected


def test_no_other_variable_has_a_row() -> None:
    """A variable that the code does not read would be set in vain."""
    first_cells = "\n".join(row.split(" | ")[0] for row in ROW.findall(README))
    names = {variable.name for variable in VARIABLES}  # a single word may be PostgreSQL's as well
    assert set(VARIABLE.findall(first_cells)) == {name for name in names if "_" in name}


def test_every_option_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    """The modes are those of the command line, no more and no less."""
    with pytest.raises(SystemExit):
        create_tables.main(["--help"])
    options = set(OPTION.findall(capsys.readouterr().out))
    assert set(OPTION.findall(section("Modes"))) == options


def test_every_exit_code_is_there() -> None:
    """Whoever is woken by an exit code finds what to do."""
    codes = {0, ConvergeError.exit_code}
    codes |= {error.exit_code for error in ConvergeError.__subclasses__()}
    codes |= {Terminated(number, "").exit_code for number in (signal.SIGINT, signal.SIGTERM)}
    assert [int(row[0]) for row in table("Exit codes")] == sorted(codes)
    assert [int(c) for row in EXIT_CODES for c in row[0].split(", ")] == sorted(codes)


def test_every_index_is_there_with_its_columns_and_purpose() -> None:
    """The table of indexes is the list in indexes.py, row by row."""
    expected = [
        [
            f"`{index.name}`",
            f"`{index.table.name if index.table is not None else ''}` "
            f"({', '.join(column.name for column in index.columns)})",
            index.info["purpose"],
            index.info["use_case"],
        ]
        for index in INDEXES
    ]
    assert table("Indexes") == expected


def test_every_table_is_in_the_diagram_with_its_columns() -> None:
    """The diagram is the models: the same tables, the columns in the same order."""
    shown: Dict[str, List[str]] = {}
    for name, lines in ENTITY.findall(section("Tables")):
        shown[name] = [line.split()[1] for line in lines.splitlines()]
    models = {t.name: [column.name for column in t.columns] for t in Base.metadata.tables.values()}
    assert shown == models


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_points_at_exists(name: str) -> None:
    """No file is promised that is not there, and no link leads nowhere."""
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in LINK.findall(text) if "://" not in link]
    files = {*FILE.findall(text), *DIRECTORY.findall(text)}
    files |= {link.split("#")[0] for link in links if not link.startswith("#")}
    assert [file for file in sorted(files) if not (ROOT / file).exists()] == []
    assert {link[1:] for link in links if link.startswith("#")} <= anchors(text)


def anchors(text: str) -> Set[str]:
    """Return where links within a document can lead, as GitHub makes them of its headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
