"""A step that runs, as it is shown: how far it is, for how long, and whom it waits for."""

import logging
import time
from typing import Dict, List, Mapping, Optional, Protocol, Sequence, Tuple

from converge.display import DISPLAY, broken
from converge.events import about
from converge.pacing import Clock, Pace, Schedule
from converge.text import roughly, whole_duration

log = logging.getLogger(__name__)

UNSEEN_SECONDS = 0.5  # what is done sooner leaves no trace on a terminal
FORESEEN_SECONDS = 3.0  # an estimate of less is worth nothing


class Blocker(Protocol):
    """Whom a step waits for, in words."""

    @property
    def cause(self) -> Tuple[object, ...]:
        """What stays the same while it is the same wait."""
        ...

    @property
    def facts(self) -> Mapping[str, object]:
        """What is known, for machines."""
        ...


class Task:
    """A step, `number` of `of`; `subject` is what an event has of it."""

    def __init__(
        self,
        title: str,
        number: int = 1,
        of: int = 1,
        *,
        subject: Optional[Mapping[str, object]] = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.head = f"step {number} of {of}: {title}" if of > 1 else title
        self.subject = {**(subject or {}), "number": number or None, "total": of or None}
        self.clock, self.started = clock, clock()
        self.pace, self._schedule = Pace(clock), Schedule(clock)
        self.phase = ""
        self.foreseen: Optional[float] = None  # seconds
        self.waits: Tuple[Blocker, ...] = ()
        self._grave = False

    def look(
        self,
        share: Optional[float] = None,
        *,
        phase: Optional[str] = None,
        waits: Sequence[Blocker] = (),
        grave: bool = False,
    ) -> None:
        """Show how far it is now; share and phase are as before where they are not given.

        To wait is `grave` for what gives up after LOCK_PATIENCE; a build just takes longer.
        """
        self.phase = self.phase if phase is None else phase
        self.waits, self._grave = tuple(waits), grave
        self.pace.reach(share, waiting=bool(waits))
        DISPLAY.refresh()

    def expect(self, seconds: float) -> None:
        """Show how long it takes in all by the size of its table, where nothing else is known."""
        if seconds >= FORESEEN_SECONDS:
            self.foreseen = seconds
            self.pace.expect(seconds)

    def blocked(self, waits: Sequence[Blocker]) -> None:
        """Show who has the lock that it needs; nobody if it has it."""
        self.look(waits=waits, grave=bool(waits))

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return self.clock() - self.started

    def lines(self, width: int) -> List[str]:
        if not self.waits and self.elapsed < UNSEEN_SECONDS:
            return []
        times, percent = ", ".join(self._times()), self.pace.percent
        below = [self.phase, *(f"waits for {wait}" for wait in self.waits)]
        return [
            *broken(self.head, width),
            times if percent is None else DISPLAY.bar(percent, times, width),
            *(line for text in below for line in broken(text, width)),
        ]

    def say(self) -> None:
        if not self.waits and self.elapsed < DISPLAY.patience:
            return
        if not self._schedule.is_due(tuple(wait.cause for wait in self.waits)):
            return
        if self._grave:
            for wait in self.waits:
                extra = self._event("blocked", blocked_by=[wait.facts])
                log.warning("%s waits for %s", self.head, wait, extra=extra)
        else:
            log.info("%s", self, extra=self._event("progress", **self._facts()))

    def __str__(self) -> str:
        percent = self.pace.percent
        elapsed, *left = self._times()
        facts = [
            "" if percent is None else f"{percent} %",
            self.phase,
            f"for {elapsed}",
            *left,
            f"waits for {'; '.join(map(str, self.waits))}" if self.waits else "",
        ]
        return f"{self.head}: {', '.join(fact for fact in facts if fact)}"

    def _times(self) -> List[str]:
        elapsed, left = whole_duration(self.elapsed), self.pace.left
        if self.foreseen:
            return [f"{elapsed} of {roughly(self.foreseen)}, estimated from its size"]
        return [elapsed, f"{whole_duration(left)} left"] if left else [elapsed]

    def _facts(self) -> Dict[str, object]:
        left = self.pace.left
        return {
            "percent": self.pace.percent,
            "phase": self.phase or None,
            "elapsed_s": round(self.elapsed, 1),
            "eta_s": None if left is None else round(left, 1),
            "blocked_by": [wait.facts for wait in self.waits] or None,
        }

    def _event(self, event: str, **facts: object) -> Dict[str, object]:
        return about(event, **self.subject, **facts)
