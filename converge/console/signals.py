"""Signals: SIGTERM and SIGINT cancel the running statement and end the run."""

import os
import signal
from contextlib import contextmanager
from types import FrameType
from typing import Iterator, Optional

from converge.errors import Terminated


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into `Terminated`, once: a second signal ends the process at once."""
    numbers = (signal.SIGTERM, signal.SIGINT)

    def stop(number: int, _: Optional[FrameType]) -> None:
        for each in numbers:
            signal.signal(each, end_at_once)
        name = signal.Signals(number).name
        raise Terminated(
            number,
            f"stopped by {name}: the running statement was cancelled.\n"
            "  Finished steps stay; the next run continues from there.",
        )

    def end_at_once(number: int, _: Optional[FrameType]) -> None:
        os._exit(128 + number)  # the default would do nothing to a process 1

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
