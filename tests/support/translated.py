"""Where the programs are of a PostgreSQL that has translations."""

from pathlib import Path
from typing import Optional

from tests.support.program import ROOT

INSTALLED, KEPT = Path("/usr/lib/postgresql"), ROOT / ".translated"
GERMAN = Path("/usr/share/locale/de/LC_MESSAGES")
HOW_TO_GET_ONE = (
    "There is no PostgreSQL with translations here, which this test takes.\n"
    "  Debian, Ubuntu: make .translated/initdb (without root), or install postgresql.\n"
    "  To leave such tests out: --without-translations."
)


def programs() -> Optional[Path]:
    """Return the directory of Debian's: of what is installed, or of what `make` has fetched."""
    found = [INSTALLED / path.stem.split("-")[-1] / "bin" for path in GERMAN.glob("postgres-*.mo")]
    return next(
        (directory for directory in [*found, KEPT] if (directory / "initdb").exists()), None
    )
