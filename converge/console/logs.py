"""Logging to stderr, for people or, with LOG_FORMAT=json, for machines.

Whoever logs says what it is about with `extra=`: `step`, `schema`, `object`, `duration_ms`. In JSON
these are fields of their own; in text the message has to say it all. Nobody logs a secret.
"""

import json
import logging
import re
import sys
import time
from contextlib import contextmanager
from typing import Dict, Iterator

from converge.names import APPLICATION_NAME
from converge.text import visible

TEXT = "%(asctime)s %(levelname)-5s %(message)s"
ABOUT = ("step", "schema", "object", "duration_ms")


def set_up(level: str, format: str) -> None:  # noqa: A002 - as the setting is called
    """Log from `level` on, to what is sys.stderr now, as `text` or `json`.

    A second call replaces the first one's handler, and leaves those of others alone.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name(APPLICATION_NAME)
    handler.setFormatter(_JsonFormatter() if format == "json" else _text_formatter())
    root = logging.getLogger()
    for earlier in root.handlers[:]:
        if earlier.get_name() == APPLICATION_NAME:
            root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(level)


@contextmanager
def hushed(but: str) -> Iterator[None]:
    """Leave out what others than the logger `but` say at INFO, while the block runs."""

    def heard(record: logging.LogRecord) -> bool:
        return record.levelno != logging.INFO or record.name == but

    handlers = [h for h in logging.getLogger().handlers if h.get_name() == APPLICATION_NAME]
    for handler in handlers:
        handler.addFilter(heard)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(heard)


class _TextFormatter(logging.Formatter):
    """Lets no message command a terminal, nor look like two lines of the log."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(re.sub(r"\n(?=\d\d:\d\d:\d\d )", "\n  ", super().format(record)))


def _text_formatter() -> logging.Formatter:
    formatter = _TextFormatter(TEXT, datefmt="%H:%M:%S")
    formatter.converter = time.gmtime  # Servers log in UTC: lines can be laid side by side.
    return formatter


class _JsonFormatter(logging.Formatter):
    """One object a line: JSON escapes line breaks, control characters and all but ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        fields: Dict[str, object] = {
            "timestamp": _timestamp(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        given = vars(record)
        fields.update((name, given[name]) for name in ABOUT if name in given)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


def _timestamp(seconds: float) -> str:
    """Return seconds since 1970 as ISO 8601 in UTC, to the microsecond."""
    whole, fraction = divmod(round(1e6 * seconds), 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{fraction:06}+00:00"
