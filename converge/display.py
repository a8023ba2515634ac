"""What lasts is shown: at the bottom of a terminal, elsewhere by a line of the log now and then."""

import os
import textwrap
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Iterator, List, Optional, Protocol, TextIO, Tuple, Union

from converge.text import visible

WITHOUT_SIZE = 80, 24  # columns, rows


class Part(Protocol):
    """Something that is shown."""

    def lines(self, width: int) -> List[str]:
        """Return what to show on a terminal; what is wider is cut off."""
        ...

    def say(self) -> None:
        """Log a line, if it is time to, where there is no terminal."""
        ...


class Display:
    """Shows parts on a terminal, or lets each log what is due.

    It is the log's stream there: what is written comes above what is shown. Any thread may call it.
    """

    def __init__(self) -> None:
        self.terminal: Optional[TextIO] = None
        self.patience = 0.0  # seconds before a single step is worth a line
        self.parts: List[Part] = []
        self._lock = RLock()
        self._drawn: List[str] = []

    def set_up(self, stream: Optional[TextIO], *, bars: bool) -> "Union[TextIO, Display, None]":
        """Return where to write a log that is for `stream`, so that no line lands in a bar."""
        able = stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
        self.terminal, self._drawn = stream if bars and able else None, []
        return self if self.terminal else stream

    @contextmanager
    def showing(self, part: Part, *, patience: float = 0.0) -> Iterator[None]:
        """Show a part while the block runs; a step beside it only after `patience` seconds."""
        before = self.patience
        with self._lock:
            self.parts.append(part)
            self.patience = max(before, patience)
        try:
            yield
        finally:
            with self._lock:
                self.parts.remove(part)
                self.patience = before
                self._draw()

    def refresh(self) -> None:
        """Show what has changed, and what lasts."""
        with self._lock:
            self._draw()
            for part in self.parts if self.terminal is None else ():
                part.say()

    def write(self, text: str) -> None:
        """Write whole lines."""
        with self._lock:
            self._draw(text)

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""

    def isatty(self) -> bool:
        return self.terminal is not None

    def _draw(self, above: str = "") -> None:
        if self.terminal is None:
            return
        columns, rows = _size(self.terminal)
        lines = [line for part in self.parts for line in part.lines(columns - 1)]
        # A line that fills the last column would leave open in which row the cursor is.
        drawn = [_cut(line, columns - 1) for line in lines[: rows - 1]]
        if above or drawn or self._drawn:
            with suppress(OSError):  # a terminal that is gone ends no run
                self.terminal.write(self._erased(columns) + above + "\n".join(drawn))
                self.terminal.flush()
            self._drawn = drawn

    def _erased(self, columns: int) -> str:
        """Return what takes away what is drawn, also if the terminal is narrower since."""
        if not self._drawn:
            return ""
        up = sum(max(1, -(-_width(line) // columns)) for line in self._drawn) - 1
        return "\r" + f"\x1b[{up}A" * bool(up) + "\x1b[J"

    def bar(self, percent: int, behind: str, width: int) -> str:
        """Return a bar with a text behind it, for a part's lines."""
        from tqdm import tqdm  # only here: a run that finds nothing to do has no use for it

        form = "{percentage:3.0f} % |{bar}| {desc}"
        plain = not _shows_blocks(self.terminal)
        found: str = tqdm.format_meter(
            percent, 100, 0, ncols=width, prefix=behind, bar_format=form, ascii=plain
        )
        return found


DISPLAY = Display()


def broken(text: str, width: int) -> List[str]:
    """Return a text in lines that are not wider; nothing in it commands the terminal."""
    lines = visible(text).expandtabs().splitlines()
    wrap = textwrap.TextWrapper(max(width, 10), subsequent_indent="  ", break_on_hyphens=False)
    return [part for line in lines for part in wrap.wrap(line)]


def _shows_blocks(stream: Optional[TextIO]) -> bool:
    try:
        "█▏".encode(getattr(stream, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _width(line: str) -> int:
    from tqdm.utils import disp_len  # some letters take two columns

    return int(disp_len(line))


def _cut(line: str, width: int) -> str:
    from tqdm.utils import disp_trim

    return str(disp_trim(line, width))


def _size(terminal: TextIO) -> Tuple[int, int]:
    """Return columns and rows."""
    try:
        columns, rows = os.get_terminal_size(terminal.fileno())
    except (OSError, ValueError):
        return WITHOUT_SIZE
    return columns or WITHOUT_SIZE[0], rows or WITHOUT_SIZE[1]
