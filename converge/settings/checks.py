"""What the text of a setting may be: each check turns it into a value, or says what is allowed.

Every check raises ValueError with a message that continues `NAME='value': `.
"""

import os
import re
from typing import Callable

LONGEST_SHOWN = 60  # characters of a wrong value
LARGEST_PASSWORD_FILE = 65536  # bytes; what is larger is not a password

REPORTS = (".html", ".md", ".json")
SECONDS = {"ms": 0.001, "": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0}

# A mistake that may well have a password in it.
CREDENTIALS = re.compile(r"://|password\s*=", re.IGNORECASE)
NUMBER = re.compile(r"0*([0-9]{1,19})")
DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) *([a-z]*)")


def text(value: str) -> str:
    """Any one line in which there is nothing hidden."""
    if CREDENTIALS.search(value):
        raise ValueError("must not be a URL or a connection string")
    if any(character in value for character in "\r\n"):
        raise ValueError("must be one line; a file or a secret often ends with a line break")
    if not value.strip():
        raise ValueError("must not be blank")
    for character in value:
        if not character.isprintable():
            raise ValueError(f"must not hold {character!a}, which nobody sees")
    return value


def host(value: str) -> str:
    if CREDENTIALS.search(value):
        raise ValueError("must be a host name, an address or the directory of a socket, not a URL")
    return text(value)


def password_file(path: str) -> str:
    """The password in a file, without one line break at its end."""
    found = content(
        path, LARGEST_PASSWORD_FILE, "the file is larger than 64 KiB, which no password is"
    )
    password = re.sub(r"\r?\n\Z", "", found)
    if not password:
        raise ValueError("the file is empty")
    if "\0" in password:
        raise ValueError("the file holds a NUL byte, which no password can")
    return password


def content(path: str, most: int, too_large: str) -> str:
    """Return the text of a file of at most so many bytes."""
    found = _read(text(path), most + 1)
    if len(found) > most:
        raise ValueError(too_large)
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8") from None


def certificate(value: str) -> str:
    """A file that can be read, or libpq's word for the certificates of the system."""
    if value != "system":
        _read(text(value), 1)
    return value


def _read(path: str, size: int) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from None


def whole_number(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        match = NUMBER.fullmatch(value.strip())
        if match is None or not least <= int(match.group(1)) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(match.group(1))

    return parse


def duration(*, least: float, most: float, allowed: str) -> Callable[[str], float]:
    def parse(value: str) -> float:
        match = DURATION.fullmatch(value.strip().lower())
        unit = SECONDS.get(match.group(2)) if match else None
        if match is None or unit is None or not least <= float(match.group(1)) * unit <= most:
            raise ValueError(f"must be a duration such as 500ms, 2s, 2min or 1h, {allowed}")
        return float(match.group(1)) * unit

    return parse


def one_of(*allowed: str, **also: str) -> Callable[[str], str]:
    """Make a check for one of these words, in any case; `also` are others for them."""
    words = {word.lower(): word for word in allowed}
    words.update((other.lower(), word) for other, word in also.items())

    def parse(value: str) -> str:
        found = words.get(value.strip().lower())
        if found is None:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return found

    return parse


def boolean(value: str) -> bool:
    word = value.strip().lower()
    if word not in ("true", "1", "yes", "on", "false", "0", "no", "off"):
        raise ValueError("must be true, 1, yes, on, false, 0, no or off")
    return word in ("true", "1", "yes", "on")


def report_file(value: str) -> str:
    """A file to write a report to, whose ending says how, in a directory that is there."""
    if os.path.splitext(text(value))[1].lower() not in REPORTS:
        raise ValueError(f"must end in {', '.join(REPORTS[:-1])} or {REPORTS[-1]}")
    directory = os.path.dirname(value) or os.curdir
    if not os.path.isdir(directory):
        raise ValueError(f"there is no directory {directory}")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ValueError(f"this user may not write to the directory {directory}")
    if os.path.isdir(value):
        raise ValueError("is a directory")
    return value


def shortened(value: str) -> str:
    if len(value) <= LONGEST_SHOWN:
        return repr(value)
    return f"{value[:LONGEST_SHOWN]!r}... ({len(value)} characters)"
