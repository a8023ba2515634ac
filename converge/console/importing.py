"""What to say of models that can't be imported: the error and its place in them, never a secret."""

import logging
import os
import re
import traceback
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Iterator, Optional
from urllib.parse import quote, quote_plus

from converge.errors import UnusableModels

printed = logging.getLogger("stdout")
IN_A_URL = re.compile(r"(://[^\s/:@]*:)\S*@")
NOT_BESIDE = ("site-packages", "dist-packages", "converge")  # parts of a path


@contextmanager
def importing(models: str, password: str, what: str = "the models") -> Iterator[None]:
    """Turn whatever the models raise into `UnusableModels`. `models` is the path of their file.

    Also their `sys.exit()`: it would end the run as if it were done. What they print goes to the
    log, as stdout is for results.
    """
    said = StringIO()
    try:
        with redirect_stdout(said):
            yield
    except (Exception, SystemExit) as error:  # noqa: BLE001 - they are other people's code
        place = _place(error, os.path.dirname(models))
        at = f"\n  At {place}." if place else ""
        raise UnusableModels(
            f"{what} can't be imported: {_said(error, password)}.{at}\n"
            f"  Nothing was changed. Correct {what}, then run again."
        ) from None
    finally:
        for line in said.getvalue().splitlines():
            printed.info("%s", line)


def _place(error: BaseException, directory: str) -> Optional[str]:
    """Return the innermost line of theirs by which the error came, as `models.py:12`."""
    if isinstance(error, SyntaxError) and error.filename:
        lines = [(error.filename, error.lineno)]
    else:  # the first two frames are ours: of the door, and of `importing`
        frames = list(traceback.walk_tb(error.__traceback__))[2:]
        lines = [(frame.f_code.co_filename, number) for frame, number in frames]
    for file, number in reversed(lines):
        name = os.path.relpath(file, directory)
        if not {os.pardir, *NOT_BESIDE} & set(name.split(os.sep)) and os.path.isfile(file):
            return f"{name}:{number}"
    return None


def _said(error: BaseException, password: str) -> str:
    """Return the error's name and message; no message where that may hold the password."""
    name, message = type(error).__name__, IN_A_URL.sub(r"\1***@", str(error)).strip().rstrip(".")
    ways = (
        password,
        repr(password)[1:-1],
        quote(password),
        quote(password, ""),
        quote_plus(password),
    )
    if not message or (password and any(way in message for way in ways)):
        return name
    return f"{name}: {message}"
