"""When to speak of what lasts, and how long it will still take."""

import time
from typing import Callable, Optional, Tuple

# After which a line is written, in seconds; then every `SECONDS_BETWEEN`.
FIRST_SECONDS: Tuple[float, ...] = (3.0, 10.0, 30.0)
SECONDS_BETWEEN = 60.0
SECONDS_OF_PEACE = 3.0  # after a line, whatever changes
SHORTEST = 0.5  # seconds; of less than that, nothing is said
KNOWN_SHARE = 0.02  # from which on it tells how long the rest will take

Clock = Callable[[], float]


class Schedule:
    """When to say what lasts: after `FIRST_SECONDS`, then every `SECONDS_BETWEEN`.

    What changes is said at once, and the times begin anew, without the first.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self._since, self._due = clock(), FIRST_SECONDS
        self._said: Optional[float] = None
        self._about: Tuple[object, ...] = ()

    def is_due(self, about: Tuple[object, ...] = ()) -> bool:
        """Return whether to say it now; then it counts as said. `about` is what may change."""
        now = self.clock()
        if self._said is not None and now - self._said < SECONDS_OF_PEACE:
            return False
        if about and about != self._about:
            self._about, self._since, self._due = about, now, FIRST_SECONDS[1:]
        elif now - self._since < self._due[0]:
            return False
        while now - self._since >= self._due[0]:
            self._due = self._due[1:] or (self._due[0] + SECONDS_BETWEEN,)
        self._said = now
        return True


class Pace:
    """How much is done, and how long the rest will take; waiting for others is no work."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self.share: Optional[float] = None  # of all, from 0 to 1; it never falls
        self._looked, self._worked = clock(), 0.0
        self._end: Optional[float] = None

    def reach(self, share: Optional[float], *, waiting: bool = False) -> None:
        """Take note of how much is done by now; None if that is not known anew."""
        now = self.clock()
        passed, self._looked = now - self._looked, now
        if not waiting:
            self._worked += passed
        elif self._end is not None:
            self._end += passed
        if share is not None and (self.share is None or share > self.share):
            self.share = share
            if share >= KNOWN_SHARE:
                self._end = now + self._worked * (1 - share) / share

    def expect(self, seconds: float) -> None:
        """Take what is left from somebody else's estimate."""
        self._end = self.clock() + seconds

    @property
    def percent(self) -> Optional[int]:
        """How much is done, rounded down; while it lasts, not all of it is."""
        return None if self.share is None else min(99, int(100 * self.share))

    @property
    def left(self) -> Optional[float]:
        """Seconds; None if nobody knows, as when it takes longer than it should have."""
        left = None if self._end is None else self._end - self.clock()
        return left if left is not None and left >= SHORTEST else None
