"""A question to whoever sits at the terminal."""

import sys

from converge.text import visible


def on_terminal() -> bool:
    """Return whether somebody can read a question on stderr and answer it on stdin."""
    # Either is None where it was closed before the start.
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def confirmed(question: str) -> bool:
    """Ask, and return whether the answer is yes; the end of the input is a no."""
    print(visible(question), "[y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
