"""A document of docs/: its commands, and its blocks of YAML."""

import re
from pathlib import Path
from typing import Dict, List

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r" {2,}# .*")


class Document:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")

    def section(self, title: str) -> str:
        """Return what stands between a heading and the next of its level."""
        return self.text.split(f"\n## {title}\n")[1].split("\n## ")[0]

    def commands(self) -> List[str]:
        """Return what is typed: each command once, with its continued lines, without comments."""
        found: List[str] = []
        for language, block in BLOCK.findall(self.text):
            if language == "console":
                found += re.findall(r"^\$ (.*(?:\n(?!\$ ).+)*)", block, re.MULTILINE)
        typed = (COMMENT.sub("", command).replace("\\\n", "") for command in found)
        return list(dict.fromkeys(" ".join(command.split()) for command in typed))

    def yaml(self) -> Dict[str, str]:
        """Return the blocks of YAML by the comment that each begins with."""
        blocks = [block for language, block in BLOCK.findall(self.text) if language == "yaml"]
        named = {block.splitlines()[0].lstrip("# "): block for block in blocks}
        assert len(named) == len(blocks)
        return named
