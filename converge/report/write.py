"""A report, written to a file: the ending of its name says how."""

import os
import shutil

from converge.errors import ConvergeError
from converge.report.model import Report
from converge.report.previous import kept_medians


def write(report: Report, path: str) -> None:
    """Write a report; whoever opens the file meanwhile has the whole of the old or of the new one.

    The new one may be read by whom the old one could; a link stays one. Raises `ConvergeError` if
    it can't be written: the old one is still there then.
    """
    text = _rendered(report, path)
    target = os.path.realpath(path)
    # Others may write beside it, as pods do in which each process has the same number.
    temporary = os.path.join(os.path.dirname(target), f".{os.urandom(8).hex()}.part")
    try:
        try:
            with open(temporary, "x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if os.path.exists(target):
                shutil.copymode(target, temporary)
            os.replace(temporary, target)
        finally:
            if os.path.exists(temporary):
                os.remove(temporary)
    except OSError as error:
        raise ConvergeError(f"the report {path} can't be written: {error.strerror}") from None


def _rendered(report: Report, path: str) -> str:
    """Return the text; what makes it is imported only where it is asked for."""
    ending = os.path.splitext(path)[1].lower()
    if ending == ".md":
        from converge.report.as_markdown import markdown

        return markdown(report)
    if ending == ".json":
        from converge.report.as_json import as_json

        return as_json(report)
    from converge.report.as_html import html

    return html(report, kept_medians(report))
