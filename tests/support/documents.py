"""README and docs, by their sections."""

from tests.support.program import ROOT


def section(title: str, document: str) -> str:
    """Return what stands between a heading and the next of its level."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]
