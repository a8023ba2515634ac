"""A terminal as it looks: a pseudo-terminal, and what stands on its screen."""

import fcntl
import os
import pty
import re
import struct
import termios
import threading
from contextlib import contextmanager
from typing import Iterator, List

import pyte

ROWS = 24


class Terminal:
    """A pseudo-terminal whose output is read all the time; `theirs` is the end to write to.

    Like most of today's, it breaks lines anew when it becomes narrower.
    """

    def __init__(self, columns: int) -> None:
        self.ours, self.theirs = pty.openpty()
        self.screens: List[List[str]] = []  # after each part of the output
        self._lock = threading.Lock()
        self._show(columns)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _show(self, columns: int) -> None:
        self.screen = pyte.HistoryScreen(columns, ROWS, history=10_000)
        self._stream = pyte.ByteStream(self.screen)
        size = struct.pack("4H", ROWS, columns, 0, 0)
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, size)

    def resize(self, columns: int) -> None:
        """Change the width."""
        with self._lock:
            text = "\r\n".join(self._lines())
            self._show(columns)
            self._stream.feed(text.encode())

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self.ours, 4096)
            except OSError:  # Linux's way to end
                return
            with self._lock:
                self._stream.feed(part)
                self.screens.append(self._lines())

    def _lines(self) -> List[str]:
        """Return all lines, those that were scrolled away too, to the one with the cursor."""
        gone = ["".join(row[x].data for x in sorted(row)) for row in self.screen.history.top]
        lines = [*gone, *self.screen.display[: self.screen.cursor.y + 1]]
        return [line.rstrip() for line in lines]

    @property
    def lines(self) -> List[str]:
        """What stands there now."""
        with self._lock:
            return self._lines()

    def close(self) -> None:
        """End it; nobody may hold the other end any more."""
        os.close(self.theirs)
        self._reader.join(10)
        os.close(self.ours)


@contextmanager
def terminal(columns: int) -> Iterator[Terminal]:
    """Open one while the block runs."""
    opened = Terminal(columns)
    try:
        yield opened
    finally:
        opened.close()


def unlike(lines: List[str], *patterns: str) -> List[str]:
    """Return the lines that are nothing of this in whole."""
    return [line for line in lines if not any(re.fullmatch(one, line) for one in patterns)]
