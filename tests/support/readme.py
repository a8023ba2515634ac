"""The README, by its sections."""

from tests.support.program import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """Return what stands between a heading and the next of its level."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]
