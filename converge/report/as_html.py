"""The report as one page of HTML, which needs nothing else: no script, no network, no font.

Names, texts and statements are other people's. Jinja2 escapes each, and what a terminal would obey,
as the mark that turns the direction of a text, is shown as an escape.
"""

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from converge.report import page
from converge.report.model import Report
from converge.text import counted, duration, size, some, visible

TEMPLATES = Path(__file__).with_name("templates")


def html(report: Report, data: str = "") -> str:
    """Return the page; `data` is JSON that it holds, if there is any."""
    style, script = _source("style.css"), _source("page.js")
    template = _environment().get_template("page.html.j2")
    return template.render(
        report=report,
        data=_in_script(data),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


@lru_cache(maxsize=None)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(page=page, counted=counted)
    environment.filters.update(
        duration=duration,
        size=size,
        some=some,
        utc=page.utc,
        number=_number,
        percent=_percent,
        begun=page.begun,
        ended=page.ended,
    )
    return environment


def _seen(value: Any) -> Any:
    """Return what is put out: a text without what a terminal would obey, our own HTML as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _source(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text("utf-8"))  # noqa: S704 - ours, with no value in it


def _in_script(data: str) -> Markup:
    """Return JSON for a script element: no `<` ends it, and JSON reads the escape as the same."""
    safe = data.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(safe)  # noqa: S704 - what HTML would read is escaped


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:,}"


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"
