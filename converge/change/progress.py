"""Watching what takes long: how far an index build or a backfill is, and whom it waits for.

On a terminal it is a progress bar, elsewhere a line every few seconds.
"""

import logging
import sys
import time
from contextlib import contextmanager
from typing import Callable, Iterator

from converge.events import about
from converge.server.connection import WATCH_SECONDS, Connection
from converge.server.messages import rows
from converge.server.sql import statement
from converge.server.waits import waits, whereabouts
from converge.steps import Step
from converge.text import visible

log = logging.getLogger(__name__)


@contextmanager
def build(connection: Connection, control: Connection, step: Step) -> Iterator[None]:
    """While the block waits for an index build on `connection`, say how far it is."""
    with progress(str(step), 100) as advance:
        shown = 0

        def look(_: float) -> None:
            nonlocal shown
            query = statement("change/progress.sql", **whereabouts(connection))
            query = f"SELECT pg_stat_clear_snapshot(); {query}"
            for phase, *counts in rows(control, query, shown="-- change/progress.sql"):
                done = _percent(*counts)
                found = "; ".join(map(str, waits(connection, control)))
                advance(max(0, done - shown), f"{phase}, waits for {found}" if found else phase)
                shown = max(shown, done)

        before, connection.watch = connection.watch, look
        try:
            yield
        finally:
            connection.watch = before


def _percent(blocks: int, blocks_total: int, tuples: int, tuples_total: int) -> int:
    """Return how far the phase is; each phase counts either blocks or tuples."""
    if tuples_total:
        return min(100, 100 * tuples // tuples_total)
    return min(100, 100 * blocks // blocks_total) if blocks_total else 0


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[..., None]]:
    """Show the progress of something; the yielded function takes an advance and a remark."""
    if sys.stderr.isatty():
        from tqdm import tqdm  # only here: a run that finds nothing to do has no use for it

        with tqdm(total=total, desc=title, leave=False, bar_format="{l_bar}{bar}|{postfix}") as bar:

            def draw(by: int, remark: str = "") -> None:
                bar.set_postfix_str(visible(remark).replace("\n", " "), refresh=False)
                bar.update(by)
                bar.refresh()

            yield draw
        return
    done, said = 0, time.monotonic()

    def write(by: int, remark: str = "") -> None:
        nonlocal done, said
        done += by
        if time.monotonic() - said >= WATCH_SECONDS:
            said = time.monotonic()
            percent = 100 * done // max(1, total)
            extra = about("progress", step=title, percent=percent, phase=remark)
            log.info("%s: %d %%%s", title, percent, remark and f", {remark}", extra=extra)

    yield write
