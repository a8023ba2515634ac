"""Logging to stderr, for people or, with LOG_FORMAT=json, for machines.

Whoever logs says what it is about with `extra=`: `step`, `schema`, `object`, `duration_ms`. In JSON
these are fields of their own; in text the message has to say it all. Nobody logs a secret.
"""

import logging
import re
import sys
import time

HANDLER_NAME = "eater-init"
TEXT = "%(asctime)s %(levelname)-5s %(message)s"
JSON = "%(levelname)s %(name)s %(message)s"
JSON_NAMES = {"levelname": "level", "name": "logger", "exc_info": "exception"}


def set_up(level: str, format: str) -> None:  # noqa: A002 - as the setting is called
    """Log from `level` on, to what is sys.stderr now, as `text` or `json`.

    A second call replaces the first one's handler, and leaves those of others alone.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name(HANDLER_NAME)
    handler.setFormatter(_json_formatter() if format == "json" else _text_formatter())
    root = logging.getLogger()
    for earlier in root.handlers[:]:
        if earlier.get_name() == HANDLER_NAME:
            root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(level)


def visible(text: str) -> str:
    """Return a text with all that a terminal would obey as escapes, but line breaks and tabs.

    Names, defaults and queries are other people's, and may mean harm.
    """
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


class _TextFormatter(logging.Formatter):
    """Lets no message command a terminal, nor look like two lines of the log."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(re.sub(r"\n(?=\d\d:\d\d:\d\d )", "\n  ", super().format(record)))


def _text_formatter() -> logging.Formatter:
    formatter = _TextFormatter(TEXT, datefmt="%H:%M:%S")
    formatter.converter = time.gmtime  # Servers log in UTC: lines can be laid side by side.
    return formatter


def _json_formatter() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter  # Here: text, the usual format, is without.

    # One object a line, whatever is in the message; the time is ISO 8601 in UTC.
    return JsonFormatter(JSON, rename_fields=JSON_NAMES, timestamp=True)
