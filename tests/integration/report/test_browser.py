"""The page of a report in a real browser: what is seen, and what it does that it should not."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Iterator

import pytest

from models import Base
from queries import QUERIES
from tests.support.browser import LOOKS, SCREENSHOTS, View, chromium, opened
from tests.support.catalogs import SAMPLE_ROWS
from tests.support.database import Database
from tests.support.job import Run
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
COUNT_FOLDED = """() => addEventListener("beforeprint", () => {
  window.folded = document.querySelectorAll("details:not([open])").length;
})"""
NARROW = 400  # pixels; the colours are those of a desktop
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


def drawn(view: View) -> str:
    """Return the words of the drawings that are seen."""
    return "\n".join(view.page.locator("svg text:visible").all_text_contents())


def test_a_small_database(initialised: Database, run: Run, views: Views, tmp_path: Path) -> None:
    """After a run that had something to do: its tables, indexes and queries, and what it did."""
    initialised.execute(SAMPLE_ROWS + "; DROP INDEX idx_dishes_name")
    file = tmp_path / "small.html"
    assert run(EATER_REPORT=str(file), ENABLE_PERFORMANCE_TEST="true").code == 0
    for view in views(file):
        assert view.faults() == {}
        view.unfold()
        assert view.faults() == {}
        assert view.look.width < NARROW or view.obstacles() == []
        assert all(name in drawn(view) for name in Base.metadata.tables)
        for name in ("idx_dishes_name", *(query.name for query in QUERIES)):
            assert name in view.text


def test_a_large_database(database: Database, run: Run, views: Views, tmp_path: Path) -> None:
    """Fifty schemas: folded up it is read as easily as one, and all of it is there."""
    file = tmp_path / "large.html"
    assert run(POSTGRES_SCHEMAS=",".join(SCHEMAS)).code == 0
    assert run("--report", str(file), POSTGRES_SCHEMAS="tenant_*").code == 0
    for view in views(file):
        assert view.faults() == {}
        if view.look.width < NARROW:  # where there is least room for all of it
            view.unfold()
            assert view.faults() == {}
            assert all(name in view.text for name in SCHEMAS)


def test_a_broken_database(database: Database, run: Run, views: Views, tmp_path: Path) -> None:
    """Refused, an invalid index, and names and values that are written for a browser."""
    database.execute(BROKEN.read_text("utf-8"))
    for number, text in enumerate(HOSTILE):
        name = text.replace('"', '""')
        database.execute(f'CREATE TABLE "{name}" (id integer PRIMARY KEY, "{name}" integer)')
        database.execute(f'CREATE INDEX ON "{name}" ("{name}")')
        database.execute(f'COMMENT ON TABLE "{name}" IS %s', (text,))
        values = (text[:10], f"2025-06-0{number + 1}")
        database.execute("UPDATE total_for_day SET today = %s WHERE date = %s", values)
    file = tmp_path / "broken.html"
    assert run(EATER_REPORT=str(file)).code == 4
    for view in views(file):
        assert view.faults() == {}
        view.unfold()
        assert view.faults() == {}
        assert view.look.width < NARROW or view.obstacles() == []
        for text in (*HOSTILE, "idx_weight_user_time", "total_for_day.today"):
            assert text in view.text
        assert view.page.evaluate("window.hacked") is None
        assert view.page.locator("img, svg[onload]").count() == 0


def test_it_is_printed(initialised: Database, run: Run, browser: "Browser", tmp_path: Path) -> None:
    """On a few pages, and with what is folded up, which on paper nobody could open."""
    file = tmp_path / "small.html"
    assert run("--report", str(file)).code == 0
    with opened(browser, file, LOOKS["desktop"]) as view:
        view.page.evaluate(COUNT_FOLDED)
        pdf = view.print()
        assert view.page.evaluate("window.folded") == 0
    SCREENSHOTS.mkdir(exist_ok=True)
    (SCREENSHOTS / "small.pdf").write_bytes(pdf)
    assert pdf.startswith(b"%PDF-")
    assert 1 <= pdf.count(b"/Type /Page\n") <= 12
