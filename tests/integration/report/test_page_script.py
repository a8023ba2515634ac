"""What the script of the page adds, in a real browser."""

from pathlib import Path

import pytest

from converge.report.as_html import html
from tests.support import reports
from tests.support.browser import LOOKS, chromium, opened

pytestmark = pytest.mark.long

FIRST = "DROP INDEX CONCURRENTLY public.idx_alcohol_consumption_time;"


def test_it_copies_sorts_and_unfolds(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Statements as they are typed, numbers from the largest on, and all that is folded up."""
    if request.config.getoption("--without-chromium"):
        pytest.skip("--without-chromium")
    file = tmp_path / "small.html"
    report = reports.small()
    large = report.tables[3]._replace(bytes=10**12)
    file.write_text(html(report._replace(tables=(*report.tables[:3], large))), "utf-8")
    with chromium() as browser, opened(browser, file, LOOKS["desktop"]) as view:
        page = view.page
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.locator(".copying button").first.click()
        page.get_by_text("Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == FIRST
        size = page.get_by_role("button", name="size").first
        shown = page.locator("table.sort").first.locator("tbody th")
        size.click()
        assert shown.first.inner_text() == "total_for_day"
        size.click()
        assert shown.last.inner_text() == "total_for_day"
        folded = page.locator("details:not([open])")
        assert folded.count()
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert not folded.count()
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert folded.count()
        assert view.faults() == {}
