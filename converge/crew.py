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
from converge.events import about
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
            busy = self._all(_parts(rest, GROUP), wait=False)
            if busy:
                log.info(
                    "done last: %d schemas that another run is at work on",
                    len(busy),
                    extra=about("done_last", count=len(busy)),
                )
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
                if not _is_of_the_plan(error) or self.settings.on_refusal == "stop":
                    log.warning(
                        "schema %s is a canary (CANARY_SCHEMAS): no other is begun",
                        schema,
                        extra=about("canary_failed", schema=schema),
                    )
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

        If one of them is refused or fails, smaller parts are done for themselves: the others are
        right.
        """
        most = len(group) // 2  # to meet a refused plan or a busy schema again costs little
        try:
            if self._brought(hand, group, wait=wait):
                self.progress.advance(len(group))
                return []
        except OF_ALL:
            raise
        except ConvergeError as error:
            if not group[1:]:
                self._fail(group[0], error)
                return []
            if not _is_of_the_plan(error):  # a lock may take LOCK_PATIENCE each time
                most = 1
        if not group[1:]:
            return list(group)
        return [one for part in _parts(group, most) for one in self._tried(hand, part, wait=wait)]

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


def _is_of_the_plan(error: ConvergeError) -> bool:
    """Return whether a plan was refused, and so nothing was begun."""
    return isinstance(error, Refused) and not isinstance(error, StepRefused)


def _parts(schemas: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(schemas), most):
        yield schemas[start : start + most]
