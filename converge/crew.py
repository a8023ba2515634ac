"""Many schemas: worked on in groups, on several connections, each for itself.

What goes wrong in one schema ends that schema, not the run. A schema that another run holds is done
last, so that runs of the same schemas share them.
"""

import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Deque, Dict, Iterable, Iterator, List, Protocol, Sequence

from converge.console.advice import explained
from converge.console.many import Progress
from converge.errors import (
    ConnectionFailed,
    ConvergeError,
    Refused,
    StepRefused,
    Terminated,
    UnusableModels,
)
from converge.server import retries
from converge.server.connection import Connection
from converge.settings.variables import Settings

log = logging.getLogger(__name__)

# Locked, looked at and verified together. Their run locks and those of the one in work are some 80
# entries of the server's lock table.
GROUP = 20
OF_ALL = (ConnectionFailed, UnusableModels)  # what no schema is to blame for ends the run


class Hand(Protocol):
    """One who brings schemas to where they should be, on connections of its own."""

    def work(self, schemas: Sequence[str], *, wait: bool) -> bool:
        """Do it. Return False if another run is at work on them and this should not `wait`."""
        ...

    def close(self) -> None: ...


class Crew:
    """Brings schemas to the models; `failed` is what came of those for which that failed."""

    def __init__(self, settings: Settings, hands: Sequence[Hand]) -> None:
        self.settings, self.hands = settings, hands
        self.failed: Dict[str, ConvergeError] = {}

    def settle(self, schemas: Sequence[str]) -> None:
        """Bring all schemas to the models, first those of the canary.

        Raises what ends the run: the error of a canary, and `OF_ALL`. What was finished stays; the
        next run does what is left.
        """
        with Progress(len(schemas)) as self.progress:
            rest = self._beyond_canaries(schemas)
            busy = self._all(_groups(rest), wait=False)
            if busy:
                log.info("done last: %d schemas that another run is at work on", len(busy))
                self._all([[schema] for schema in busy], wait=True)

    def _beyond_canaries(self, schemas: Sequence[str]) -> Sequence[str]:
        """Bring the canaries to the models, and return the schemas behind them.

        With ON_REFUSAL=skip, the next takes the place of one whose plan is refused: that proves
        nothing, and may stay so for long.
        """
        wanted = self.settings.canary_schemas
        for place, schema in enumerate(schemas):
            if not wanted:
                return schemas[place:]
            try:
                self._brought(self.hands[0], [schema], wait=True)
            except ConvergeError as error:
                plan = isinstance(error, Refused) and not isinstance(error, StepRefused)
                if not plan or self.settings.on_refusal == "stop":
                    log.warning("schema %s is a canary (CANARY_SCHEMAS): no other is begun", schema)
                    raise
                self._fail(schema, error)
            else:
                wanted -= 1
                self.progress.advance(1)
        return ()

    def _fail(self, schema: str, error: ConvergeError) -> None:
        self.failed[schema] = error
        self.progress.fail(schema, error)

    def _all(self, groups: Iterable[Sequence[str]], *, wait: bool) -> List[str]:
        """Bring all groups to the models, and return the schemas that another run holds."""
        left = deque(groups)

        def work(hand: Hand) -> List[str]:
            busy: List[str] = []
            for group in _taken(left):
                busy += self._tried(hand, group, wait=wait)
            return busy

        if len(self.hands) == 1:
            return work(self.hands[0])
        with ThreadPoolExecutor(len(self.hands)) as pool:
            futures = [pool.submit(work, hand) for hand in self.hands]
            try:
                return [schema for future in futures for schema in future.result()]
            except BaseException as error:
                left.clear()  # nothing is begun any more
                if isinstance(error, Terminated):
                    Connection.interrupted = error
                raise

    def _tried(self, hand: Hand, group: Sequence[str], *, wait: bool) -> List[str]:
        """Bring a group to the models; return what another run holds of it.

        If one of them is refused or fails, each is done for itself: the others are right.
        """
        try:
            done = self._brought(hand, group, wait=wait)
        except OF_ALL:
            raise
        except ConvergeError as error:
            done = False
            if len(group) == 1:
                self._fail(group[0], error)
                return []
        if done:
            self.progress.advance(len(group))
            return []
        if len(group) == 1:
            return list(group)
        return [one for each in group for one in self._tried(hand, [each], wait=wait)]

    def _brought(self, hand: Hand, group: Sequence[str], *, wait: bool) -> bool:
        with explained():
            settings = self.settings.of(group)
            return retries.until_done(settings, partial(hand.work, group, wait=wait))


def _taken(left: "Deque[Sequence[str]]") -> Iterator[Sequence[str]]:
    """Yield one after the other, while others may take some too."""
    while True:
        try:
            group = left.popleft()
        except IndexError:
            return
        yield group


def _groups(schemas: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(schemas), GROUP):
        yield schemas[start : start + GROUP]
