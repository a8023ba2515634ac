"""What becomes of the file that a report replaces."""

import stat
from pathlib import Path

from converge.report.write import write
from tests.support import reports


def test_a_report_that_was_private_stays_so(tmp_path: Path) -> None:
    """It names tables, roles and statements; who may read it is decided once."""
    file = tmp_path / "a.md"
    file.touch(0o600)
    write(reports.small(), str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text("utf-8").startswith("# Database ")


def test_a_link_leads_to_the_new_report(tmp_path: Path) -> None:
    """As one from a web server's directory does."""
    (tmp_path / "kept").mkdir()
    file, link = tmp_path / "kept" / "a.md", tmp_path / "a.md"
    link.symlink_to(file)
    write(reports.small(), str(link))
    assert link.is_symlink()
    assert file.read_text("utf-8") == link.read_text("utf-8") != ""
    assert [path.name for path in file.parent.iterdir()] == ["a.md"]
