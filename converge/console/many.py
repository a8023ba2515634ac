"""The progress of a run over many schemas: a bar on a terminal, elsewhere a line now and then."""

import logging
import sys
import time
from contextlib import ExitStack
from typing import Any, Optional

from converge.console.logs import hushed
from converge.console.summary import LINE_EACH
from converge.errors import ConvergeError, Refused
from converge.events import about
from converge.text import duration

log = logging.getLogger(__name__)

# After which a line is written, in seconds; then every SECONDS_BETWEEN.
FIRST_SECONDS = (3.0, 10.0, 30.0)
SECONDS_BETWEEN = 60.0


class Progress:
    """Shows how many schemas are done. Up to `LINE_EACH` of them speak for themselves.

    Of more than that, the log's lines of each are left out; warnings stay.
    """

    def __init__(self, total: int) -> None:
        self.total, self.done, self.refused, self.failed = total, 0, 0, 0
        self.shown = total > LINE_EACH
        self._stack = ExitStack()
        self._bar: Optional[Any] = None

    def __enter__(self) -> "Progress":
        self._started = time.monotonic()
        self._due = list(FIRST_SECONDS)
        if self.shown:
            self._stack.enter_context(hushed(__name__))
            if sys.stderr.isatty():
                from tqdm import tqdm  # only here: few runs have so many schemas

                self._bar = self._stack.enter_context(
                    tqdm(total=self.total, unit=" schemas", leave=False)
                )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def advance(self, by: int) -> None:
        """Count schemas that are done."""
        self.done += by
        self._show(by)

    def fail(self, schema: str, error: ConvergeError) -> None:
        """Count a schema that is refused or has failed, and say why."""
        if isinstance(error, Refused):
            self.refused += 1
        else:
            self.failed += 1
        said = {"exit_code": error.exit_code, "error": error.event, **error.facts}
        extra = about("schema_failed", schema=schema, **said)
        log.warning("schema %s: %s", schema, error, extra=extra)
        self._show(1)

    def _show(self, by: int) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(self._undone().strip(", "))
            self._bar.update(by)
            return
        seconds = time.monotonic() - self._started
        if self.shown and seconds >= self._due[0]:
            self._due = self._due[1:] or [seconds + SECONDS_BETWEEN]
            so_far = self._so_far()
            extra = about(
                "progress",
                count=so_far,
                total=self.total,
                refused=self.refused,
                failed=self.failed,
                percent=100 * so_far // self.total,
                eta_s=round(self._seconds_left(seconds), 1),
            )
            log.info("%s", self._line(seconds), extra=extra)

    def _line(self, seconds: float) -> str:
        so_far, seconds_left = self._so_far(), self._seconds_left(seconds)
        left = f", {duration(seconds_left)} left" if seconds_left else ""
        return f"{so_far:,} of {self.total:,} schemas{self._undone()}{left}"

    def _so_far(self) -> int:
        return self.done + self.refused + self.failed

    def _seconds_left(self, seconds: float) -> float:
        return seconds / self._so_far() * (self.total - self._so_far())

    def _undone(self) -> str:
        counts = ((self.refused, "refused"), (self.failed, "failed"))
        return "".join(f", {count:,} {what}" for count, what in counts if count)
