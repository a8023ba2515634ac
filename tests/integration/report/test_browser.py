"""The page of a report in a real browser: what is seen, and what it does that it should not."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Iterator

import pytest

from tests.support.browser import LOOKS, SCREENSHOTS, View, chromium, opened
from tests.support.program import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.long

BROKEN = ROOT / "tests/support/states/altered_by_hand.sql"
HOSTILE = (
    "<script>window.hacked = 1</script>",
    "\"><img src=x onerror='window.hacked = 1'>",
    "</style></svg><svg onload=alert(1)>",
    "{{ 7 * 7 }}${7 * 7}",
)
BAD_PAGE = """<!DOCTYPE html><html lang="en"><title>bad</title>
<meta name="viewport" content="width=device-width"><body style="background: white"><main>
<p style="color: #ddd">faint</p><p style="width: 3000px">wide</p>
<svg width="50" height="20"><text x="40" y="15">outside</text></svg>
<img alt="a picture" src="http://127.0.0.1:9/picture.png">
<script>alert("asked"); undefined.property</script></main>"""
SCHEMAS = [f"tenant_{number:02}" for number in range(1, 51)]
Views = Callable[[Path], Iterator[View]]


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator["Browser"]:
    """One for all tests; each view has a profile of its own."""
    if request.config.getoption("--without-chromium"):
        pytest.skip("--without-chromium")
    with chromium() as started:
        yield started


@pytest.fixture
def views(browser: "Browser", record_property: Callable[[str, Any], None]) -> Views:
    """See a file in every look, and keep pictures of it, whatever becomes of the test."""
    record_property("screenshots", str(SCREENSHOTS.relative_to(ROOT)))

    def of_file(file: Path) -> Iterator[View]:
        for name, look in LOOKS.items():
            with opened(browser, file, look) as view:
                view.keep(f"{file.stem}-{name}")
                yield view

    return of_file


def test_what_a_page_may_not_do_is_noticed(browser: "Browser", tmp_path: Path) -> None:
    """The looks see what they are there for."""
    file = tmp_path / "bad.html"
    file.write_text(BAD_PAGE)
    with opened(browser, file, LOOKS["dark"]) as view:
        found = view.faults()
        assert "asked" in found["complains"]
        assert len(found.pop("complains")) == 3  # The dialog, the script, and the picture.
        assert found == {
            "asks others": ["http://127.0.0.1:9/picture.png"],
            "scrolls sideways": True,
            "sticks out": ['<p style="width: 3000px">wide</p>'],
            "lies outside": ["outside"],
            "is as bright as it should not be": True,
        }
        assert [one for one in view.obstacles() if "faint" in one]
