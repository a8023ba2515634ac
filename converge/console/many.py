"""The progress of a run over many schemas: a bar on a terminal, elsewhere a line now and then."""

import logging
import time
from contextlib import ExitStack
from threading import Lock
from typing import Dict, List

from converge import task
from converge.console.logs import hushed
from converge.console.summary import LINE_EACH
from converge.display import DISPLAY
from converge.errors import ConvergeError, Refused
from converge.events import about
from converge.pacing import Clock, Pace, Schedule
from converge.text import whole_duration

log = logging.getLogger(__name__)

SECONDS_OF_A_STEP = 30.0  # after which one of many schemas is worth a line


class Progress:
    """Shows how many schemas are done. Up to `LINE_EACH` of them speak for themselves.

    Of more than that, the log's lines of each are left out; warnings stay, and what is said of a
    step that takes very long.
    """

    def __init__(self, total: int, clock: Clock = time.monotonic) -> None:
        self.total, self.done, self.refused, self.failed = total, 0, 0, 0
        self.shown = total > LINE_EACH
        self._stack = ExitStack()
        self._lock = Lock()
        self._pace, self._schedule = Pace(clock), Schedule(clock)

    def __enter__(self) -> "Progress":
        if self.shown:
            self._stack.enter_context(hushed(__name__, task.__name__))
            self._stack.enter_context(DISPLAY.showing(self, patience=SECONDS_OF_A_STEP))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def advance(self, by: int) -> None:
        """Count schemas that are done."""
        self._count(done=by)

    def fail(self, schema: str, error: ConvergeError) -> None:
        """Count a schema that is refused or has failed, and say why."""
        said = {"exit_code": error.exit_code, "error": error.event, **error.facts}
        extra = about("schema_failed", schema=schema, **said)
        log.warning("schema %s: %s", schema, error, extra=extra)
        if isinstance(error, Refused):
            self._count(refused=1)
        else:
            self._count(failed=1)

    def _count(self, *, done: int = 0, refused: int = 0, failed: int = 0) -> None:
        with self._lock:
            self.done += done
            self.refused += refused
            self.failed += failed
            self._pace.reach(self.so_far / self.total)
        DISPLAY.refresh()

    @property
    def so_far(self) -> int:
        return self.done + self.refused + self.failed

    def lines(self, width: int) -> List[str]:
        return [DISPLAY.bar(self._pace.percent or 0, str(self), width)]

    def say(self) -> None:
        if self._schedule.is_due():
            log.info("%s", self, extra=self._event())

    def __str__(self) -> str:
        counts = ((self.refused, "refused"), (self.failed, "failed"))
        undone = "".join(f", {count:,} {what}" for count, what in counts if count)
        left = f", {whole_duration(self._pace.left)} left" if self._pace.left else ""
        return f"{self.so_far:,} of {self.total:,} schemas{undone}{left}"

    def _event(self) -> Dict[str, object]:
        left = self._pace.left
        return about(
            "progress",
            count=self.so_far,
            total=self.total,
            refused=self.refused,
            failed=self.failed,
            percent=self._pace.percent,
            eta_s=None if left is None else round(left, 1),
        )
