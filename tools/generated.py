"""Files of docs that are made from the code: `make docs` writes them, and `make lint` compares."""

import sys
from pathlib import Path
from typing import List

DOCS = Path(__file__).resolve().parent.parent / "docs"


def renewed(name: str, text: str, arguments: List[str]) -> int:
    """Write a file or, with `--check`, say that it is stale; return the exit code."""
    path = DOCS / name
    if arguments != ["--check"]:
        path.write_text(text, encoding="utf-8")
    elif path.read_text(encoding="utf-8") != text:
        print(f"docs/{name} is stale: `make docs` renews it.", file=sys.stderr)
        return 1
    return 0
