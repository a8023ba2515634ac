"""Logging to stderr, for people or, with LOG_FORMAT=json, for machines.

In JSON every line of stdout and stderr is one object, whose fields are in `converge.events`. In
text the message has to say it all.
"""

import json
import logging
import os
import re
import sys
import time
from contextlib import contextmanager, suppress
from typing import Dict, Iterator, List, Mapping, Optional, TextIO

from converge.display import DISPLAY
from converge.events import about
from converge.names import APPLICATION_NAME
from converge.text import visible

TEXT = "%(asctime)s %(levelname)-5s %(message)s"
# On a terminal, somebody is there today. Both are in UTC, as servers log: lines can be laid side by
# side; and each is one word, and sorts.
TODAY, ANY_DAY = "%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"
FORGED = re.compile(r"\n(?=(\d{4}-\d\d-\d\dT)?\d\d:\d\d:\d\dZ? )")
COLOURS = {logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "1;31"}
DONE, GREEN = "done", "32"
# As in a shell, or in a file `.env`.
FORMAT = re.compile(r"^\s*(?:export\s+)?LOG_FORMAT\s*=\s*[\"']?(\w+)", re.MULTILINE)


def set_up(level: str, format: str) -> None:  # noqa: A002 - as the setting is called
    """Log from `level` on, to what is sys.stderr now, as `text` or `json`.

    A second call replaces the first one's handler, and leaves those of others alone.
    """
    handler = logging.StreamHandler(DISPLAY.set_up(sys.stderr, bars=format != "json"))
    handler.set_name(APPLICATION_NAME)
    text = _TextFormatter(sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else text)
    root = logging.getLogger()
    for earlier in _handlers():
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)


def first_format(environ: Mapping[str, str], dotenv: str) -> str:
    """Return the format before the settings are read: that they are wrong is a line already."""
    given = environ.get("LOG_FORMAT") or ""
    if not given and os.path.exists(dotenv):
        with suppress(OSError), open(dotenv, encoding="utf-8", errors="replace") as file:
            given = "".join(FORMAT.findall(file.read())[-1:])
    return given.strip().lower()


def in_json() -> bool:
    """Return whether the log, and so all that is printed, is for machines."""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in _handlers())


def as_line(message: str, event: str, *, level: int = logging.INFO, **fields: object) -> str:
    """Return in JSON what is no record of the log, but a result."""
    return JsonFormatter().format(_record(message, level, about(event, **fields)))


def finish(said: str, exit_code: int, **fields: object) -> None:
    """Log the last line: in JSON always, in text if there is something to say."""
    message = said or f"finished with exit code {exit_code}"
    record = _record(message, logging.INFO, about("finished", exit_code=exit_code, **fields))
    root = logging.getLogger()
    if in_json() or (said and root.isEnabledFor(record.levelno)):
        root.handle(record)


@contextmanager
def hushed(*but: str) -> Iterator[None]:
    """Leave out what others than the loggers `but` say at INFO, while the block runs."""

    def heard(record: logging.LogRecord) -> bool:
        return record.levelno != logging.INFO or record.name in but

    handlers = _handlers()
    for handler in handlers:
        handler.addFilter(heard)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(heard)


def _handlers() -> List[logging.Handler]:
    """Return ours; there is one at most."""
    return [h for h in logging.getLogger().handlers if h.get_name() == APPLICATION_NAME]


def _record(message: str, level: int, extra: Mapping[str, object]) -> logging.LogRecord:
    log = logging.getLogger(APPLICATION_NAME)
    return log.makeRecord(log.name, level, "", 0, message, (), None, extra=extra)


class _TextFormatter(logging.Formatter):
    """Lets no message command a terminal, nor look like two lines of the log."""

    def __init__(self, stream: Optional[TextIO]) -> None:
        super().__init__(TEXT, datefmt=TODAY if on_terminal(stream) else ANY_DAY)
        self.converter = time.gmtime
        self._coloured = coloured(stream, os.environ)

    def format(self, record: logging.LogRecord) -> str:
        text = visible(FORGED.sub("\n  ", super().format(record)))
        done = getattr(record, "event", None) == "finished"
        word, colour = (DONE, GREEN) if done else (record.levelname, COLOURS.get(record.levelno))
        if not self._coloured or colour is None:
            return text
        return text.replace(word, f"\x1b[{colour}m{word}\x1b[0m", 1)


def on_terminal(stream: Optional[TextIO]) -> bool:
    """Return whether what is written there is seen at once; it is None if it was closed."""
    return stream is not None and stream.isatty()


def coloured(stream: Optional[TextIO], environ: Mapping[str, str]) -> bool:
    """Return whether to write in colours: https://no-color.org, https://force-color.org."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return on_terminal(stream) and environ.get("TERM") != "dumb"


class JsonFormatter(logging.Formatter):
    """One object a line: JSON escapes line breaks, control characters and all but ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        level = logging.getLevelName(10 * max(1, min(5, record.levelno // 10)))
        line: Dict[str, object] = {
            "timestamp": _timestamp(record.created),
            "level": level,
            "severity": level,
            "logger": APPLICATION_NAME,
            "message": record.getMessage(),
        }
        line.update(_event(record))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _event(record: logging.LogRecord) -> Dict[str, object]:
    event = getattr(record, "event", None)
    if event is None:
        return {"event": "log", "source": record.name}
    return {"event": event, **getattr(record, "fields", {})}


def _timestamp(seconds: float) -> str:
    """Return seconds since 1970 as ISO 8601 in UTC, to the microsecond."""
    whole, fraction = divmod(round(1e6 * seconds), 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{fraction:06}+00:00"
