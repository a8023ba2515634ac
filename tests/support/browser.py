"""Debian's chromium, and what is seen of a page in it."""

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, NamedTuple

import pytest

from tests.support.program import ROOT

if TYPE_CHECKING:  # else every collection of tests would take half a second longer
    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page

HOW_TO_GET_ONE = (
    "There is no chromium here, which this test takes.\n"
    "  Debian, Ubuntu: make .chromium/chromium (without root). Elsewhere: install it.\n"
    "  To leave such tests out: --without-chromium."
)
SCREENSHOTS = ROOT / ".screenshots"
DARK = 60  # is darker, of 255
TALLEST = 8000  # pixels of a picture that anybody looks at
SCROLLS = """() => document.documentElement.scrollWidth > document.documentElement.clientWidth"""
# What sticks out to the right, and lies in nothing that scrolls or cuts it off.
STICKS_OUT = """() => [...document.body.querySelectorAll("*")].filter(element => {
  const box = element.getBoundingClientRect();
  if (box.width === 0 || box.right <= document.documentElement.clientWidth + 1) return false;
  for (let around = element; around; around = around.parentElement)
    if (getComputedStyle(around).overflowX !== "visible") return false;
  return true;
}).map(element => element.outerHTML.slice(0, 100))"""
# Letters of a drawing that lie outside of it, or outside of the box that they are in.
OUTSIDE = """() => [...document.querySelectorAll("svg text")].filter(text => {
  const box = text.getBoundingClientRect(), edge = (text.parentElement.tagName === "g"
    ? text.parentElement.querySelector("rect") : text.ownerSVGElement).getBoundingClientRect();
  return box.width > 0 && (box.left < edge.left - 1 || box.right > edge.right + 1
    || box.top < edge.top - 1 || box.bottom > edge.bottom + 1);
}).map(text => text.textContent)"""
BACKGROUND = """() =>
  getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).map(Number)"""


class Look(NamedTuple):
    """How a page is looked at."""

    width: int
    height: int
    dark: bool = False


LOOKS = {
    "desktop": Look(1280, 900),
    "phone": Look(375, 812),
    "dark": Look(1280, 900, dark=True),
}


class View:
    """A page that is open, and what it did meanwhile."""

    def __init__(self, page: "Page", file: Path, look: Look) -> None:
        self.page, self.file, self.look = page, file, look
        self.requests: List[str] = []
        self.complaints: List[str] = []  # of the console, of scripts, and of what asks the reader
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._asked)
        page.goto(file.as_uri())

    def _heard(self, message: "ConsoleMessage") -> None:
        self.complaints.append(message.text)

    def _asked(self, dialog: "Dialog") -> None:
        self.complaints.append(dialog.message)
        dialog.dismiss()

    @property
    def text(self) -> str:
        """What is seen; what is folded up is not."""
        return self.page.inner_text("body")

    def unfold(self) -> None:
        """Open all that is folded up; the first, as a reader does."""
        folded = self.page.locator("details:not([open])")
        before = folded.count()
        if before:
            folded.locator("> summary:visible").first.click()
            assert folded.count() == before - 1
        self.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")

    def print(self) -> bytes:
        """Return it as a PDF."""
        return self.page.pdf(format="A4", print_background=True)

    def keep(self, name: str) -> None:
        """Keep a picture of it for whoever wants to look."""
        SCREENSHOTS.mkdir(exist_ok=True)
        width = self.page.evaluate("document.documentElement.scrollWidth")
        height = min(TALLEST, self.page.evaluate("document.documentElement.scrollHeight"))
        self.page.screenshot(
            path=SCREENSHOTS / f"{name}.png",
            full_page=True,
            clip={"x": 0, "y": 0, "width": width, "height": height},
        )

    def faults(self) -> Dict[str, Any]:
        """Return what no page may do, by kind: empty if it is sound."""
        red, green, blue, *_ = self.page.evaluate(BACKGROUND)
        dark = 0.3 * red + 0.6 * green + 0.1 * blue < DARK
        found = {
            "asks others": [url for url in self.requests if url != self.file.as_uri()],
            "complains": self.complaints,
            "scrolls sideways": self.page.evaluate(SCROLLS),
            "sticks out": self.page.evaluate(STICKS_OUT),
            "lies outside": self.page.evaluate(OUTSIDE),
            "is as bright as it should not be": dark != self.look.dark,
        }
        return {kind: faults for kind, faults in found.items() if faults}

    def obstacles(self) -> List[str]:
        """Return what axe-core finds that keeps somebody from reading it, such as faint letters."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [f"{one['help']}: {node['html']}" for one in found for node in one["nodes"]]


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Yield a browser; without one the test fails and says how to get it."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium", path=str(ROOT / ".chromium"))
    if program is None:
        pytest.fail(HOW_TO_GET_ONE, pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser
        browser.close()


@contextmanager
def opened(browser: "Browser", file: Path, look: Look) -> Iterator[View]:
    """Yield a file as somebody sees it."""
    context = browser.new_context(
        viewport={"width": look.width, "height": look.height},
        color_scheme="dark" if look.dark else "light",
    )
    yield View(context.new_page(), file, look)
    context.close()
