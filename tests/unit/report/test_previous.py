"""The medians of the previous report, whatever is in its place."""

import json
from pathlib import Path

import pytest

from converge.report.previous import EMBEDDED, previous_medians
from converge.report.write import write
from tests.support import reports

QUERIES = [
    {"schema": "a", "name": "by mail", "milliseconds": 0.5},
    {"schema": "a", "name": "by day", "milliseconds": None},
]
DOCUMENT = json.dumps({"queries": QUERIES})


@pytest.mark.parametrize(
    ("text", "medians"),
    [
        (DOCUMENT, {("a", "by mail"): 0.5}),
        (f"<html>{EMBEDDED}{DOCUMENT}</script></html>", {("a", "by mail"): 0.5}),
        (f"<html>{EMBEDDED}</script></html>", {}),
        ("# A report", {}),
        ("{", {}),
        ("{}", {}),
        ('{"queries": 1}', {}),
        ('{"queries": [[]]}', {}),
        ("\0", {}),
    ],
)
def test_a_file_that_is_no_report_has_none(
    tmp_path: Path, text: str, medians: "dict[tuple[str, str], float]"
) -> None:
    """It is about to be overwritten, so nothing of it is an error."""
    (tmp_path / "report").write_text(text, "utf-8")
    assert previous_medians(str(tmp_path / "report")) == medians


@pytest.mark.parametrize("name", ["report.json", "report.html"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    """Whatever the queries are called."""
    file = str(tmp_path / name)
    query = reports.query("public", "</script> & <!--", 2.5, 1.0)
    write(reports.small()._replace(queries=(query,)), file)
    assert previous_medians(file) == {("public", "</script> & <!--"): 2.5}


def test_neither_has_one_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    """Nor a directory."""
    (tmp_path / "bytes").write_bytes(b"{\xff")
    for name in ("none", "bytes", "."):
        assert previous_medians(str(tmp_path / name)) == {}
