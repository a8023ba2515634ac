"""The page: whatever it tells of, it asks nobody for anything, and runs nobody's script."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Callable, Dict, List, Optional, Set, Tuple

import pytest

from converge.report.as_html import html
from converge.report.model import Outcome, Report
from tests.support import reports
from tests.support.reports import HOSTILE, with_each_text

Attributes = List[Tuple[str, Optional[str]]]
SAMPLES = [reports.small, reports.broken, reports.large]
EMPTY = {"meta", "link"}
PAYLOAD = "\"'><script>alert(1)</script><b onload=x>{{ 7 * 7 }}</style></title></pre>\u202e&lt;"


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: List[Tuple[str, Dict[str, str]]] = []
        self.texts: Dict[str, str] = {}
        self.open: List[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data

    @property
    def kinds(self) -> Set[Tuple[str, Tuple[str, ...]]]:
        """The elements, with the names of their attributes."""
        return {(tag, tuple(attributes)) for tag, attributes in self.elements}

    @property
    def words(self) -> str:
        shown = (text for tag, text in self.texts.items() if tag not in ("script", "style"))
        return " ".join(" ".join(shown).split())


@pytest.mark.parametrize("refused", [False, True])
def test_what_is_refused_stands_first(refused: bool) -> None:
    """It keeps the rest from being done; where nothing is, that is said behind what differs."""
    report = reports.broken()
    report = report if refused else report._replace(refusals=())
    page = Page(html(report))
    targets = [one.get("href", "") for tag, one in page.elements if tag == "a"]
    places = [one.get("id", "") for _, one in page.elements]
    wanted = ["refusals", "drift"] if refused else ["drift", "refusals"]
    assert [one for one in places if one in wanted] == wanted
    assert [one[1:] for one in targets if one[1:] in wanted] == wanted


@pytest.mark.parametrize("sample", SAMPLES)
def test_it_is_well_formed_and_asks_for_nothing(sample: Callable[[], Report]) -> None:
    """Every element is closed, every id is one, and no attribute leads out of the page."""
    page = Page(html(sample()))
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:
        assert not {"src", "srcset", "action", "style", "xlink:href"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        if "href" in attributes:
            target = attributes["href"]
            assert target == "data:," if tag == "link" else target[1:] in ids
    assert "url(" not in page.texts["style"]
    assert "@import" not in page.texts["style"]


def test_only_its_own_style_and_script_are_allowed() -> None:
    """The policy names them by their hashes, and allows nothing else but the empty icon."""
    page = Page(html(reports.small()))
    [policy] = [a["content"] for _, a in page.elements if "http-equiv" in a]
    hashes = {
        name: base64.b64encode(hashlib.sha256(page.texts[name].encode()).digest()).decode()
        for name in ("style", "script")
    }
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; "
        f"script-src 'sha256-{hashes['script']}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def test_no_text_becomes_an_element() -> None:
    """Each text of a report is harmful once: the page has no element or attribute more."""
    report = reports.broken()
    one_of_each = report._replace(
        tables=(
            report.tables[0],
            report.tables[-1]._replace(columns=report.tables[-1].columns[:1]),
        ),
        references=report.references[:1],
        indexes=report.indexes[2:4],
        queries=report.queries[-1:],
        runs=report.runs[-2:],
    )
    clean = {kind for sample in SAMPLES for kind in Page(html(sample())).kinds}
    tried = 0
    for where, harmful in with_each_text(one_of_each, PAYLOAD):
        page = Page(html(harmful))
        assert page.kinds <= clean, where
        assert page.open == [], where
        assert "\u202e" not in page.words, where
        tried += 1
    assert tried > 100


def test_harmful_names_are_shown() -> None:
    """As they are; a mark that turns the direction of a text as an escape."""
    words = Page(html(reports.broken())).words
    for name in HOSTILE:
        shown = name.replace("\u202e", "\\u202e")
        assert shown in words
    assert "7 * 7" not in Page(html(reports.broken())).words


def test_json_in_the_page_is_read_back() -> None:
    """Whoever reads the page as HTML finds the same JSON; nothing in it ends the element."""
    data = {"name": "</script><!-- <script> & \u2028"}
    text = html(reports.small(), json.dumps(data, ensure_ascii=False))
    [found] = re.findall(r'<script type="application/json" id="report">(.*?)</script>', text)
    assert json.loads(found) == data
    assert "<" not in found


@pytest.mark.parametrize(
    ("outcome", "heading", "sub"),
    [
        (Outcome(0, "done, or there was nothing to do", True, "", (("create table", 7),)),
         "Done: the database is as the models describe",
         "Exit code 0: done, or there was nothing to do."),
        (Outcome(0, "done, or there was nothing to do", True, ""),
         "In order: the database is as the models describe",
         "Exit code 0: done, or there was nothing to do."),
        (Outcome(4, "refused: a person has to act; the message says how", True, "m"),
         "Refused: a person has to act",
         "Exit code 4; the message says how."),
        (Outcome(3, "no connection, or it was lost", True, "m"),
         "No connection, or it was lost",
         "Exit code 3."),
    ],
)  # fmt: skip
def test_the_heading_says_how_it_stands(outcome: Outcome, heading: str, sub: str) -> None:
    """The exit code's meaning, once."""
    page = Page(html(reports.small()._replace(outcome=outcome)))
    assert page.texts["h1"].strip() == heading
    assert sub in page.words


def test_nothing_is_said_of_what_was_not_looked_at() -> None:
    """Without a comparison, no drift that was found is not the same as none."""
    refused = Outcome(4, "refused: a person has to act; the message says how", True, "m")
    words = Page(html(reports.small()._replace(outcome=refused, compared=False))).words
    assert words.count("Not known: it did not come as far as to compare.") == 2


def test_what_was_not_compared_is_not_in_order() -> None:
    """A look at the history may end well where a comparison can't be made."""
    page = Page(html(reports.small()._replace(compared=False)))
    heading = "Whether the database is as the models describe is not known"
    assert page.texts["h1"].strip() == heading


def test_a_name_turns_no_text_around_it() -> None:
    """Behind a Hebrew table's name, `8.0 kB` stays in this order."""
    index = next(one for one in reports.broken().indexes if one.findings)
    report = reports.broken()._replace(indexes=(index._replace(table="שלום"),))
    assert "on <bdi>שלום</bdi>, " in html(report)


def test_a_report_with_nothing_in_it() -> None:
    """A new database: every section says so."""
    empty = reports.small()._replace(
        tables=(), indexes=(), queries=(), runs=(), schemas=(), shown=()
    )
    words = Page(html(empty)).words
    for text in (
        "There is no table.",
        "There is no index.",
        "None was timed.",
        "No run has changed anything yet.",
    ):
        assert text in words


def test_many_schemas_are_told_of_together() -> None:
    """One drawing a shape, one finding an index, and the page stays small."""
    page = Page(html(reports.large()))
    assert len([a for _, a in page.elements if a.get("class") == "er"]) == 2
    assert len([a for _, a in page.elements if a.get("class") == "card act"]) == 3
    assert "in 50 schemas: tenant_0001, tenant_0002, tenant_0003 …" in page.words
    assert len(html(reports.large())) < 1_000_000
