"""The job, started by somebody who sits at a terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Dict

from tests.support.job import Result
from tests.support.program import ROOT


def typed(directory: Path, environment: Dict[str, str], answer: str, *arguments: str) -> Result:
    """Run the job with stdin and stderr at a terminal, where `answer` is typed; in no colours."""
    ours, theirs = pty.openpty()
    process = started(directory, {**environment, "NO_COLOR": "1"}, theirs, *arguments)
    os.close(theirs)
    os.write(ours, answer.encode())
    shown = _read(ours)
    out = process.communicate(timeout=60)[0]
    os.close(ours)
    return Result(process.returncode, out, shown.replace("\r\n", "\n"))


def started(
    directory: Path, environment: Dict[str, str], terminal: int, *arguments: str
) -> "subprocess.Popen[str]":
    """Start the job with stdin and stderr at a terminal, and stdout at a pipe."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "create_tables.py"), *arguments],
        cwd=directory,
        env={**os.environ, "TERM": "xterm", **environment},
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
    )


def _read(terminal: int) -> str:
    """Read until the last process has closed its end."""
    shown = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # Linux's way to end
            return shown.decode()
        if not part:
            return shown.decode()
        shown += part
