"""Watching what takes long: how far an index build or a backfill is, and whom it waits for.

On a terminal it is a progress bar, elsewhere a line every few seconds.
"""

import logging
import sys
import time
from contextlib import contextmanager
from typing import Callable, Iterator

from converge.plan import Step
from converge.server import locks
from converge.server.connection import WATCH_SECONDS, Connection
from converge.server.messages import rows
from converge.text import visible

log = logging.getLogger(__name__)

REMINDER_SECONDS = 10.0  # between two lines that say the same

# The row is found by the statement's text, because behind a pooler the process id that libpq knows
# is not the server's. https://www.postgresql.org/docs/current/progress-reporting.html
# The transaction that asks is the run lock's: without a new snapshot, and with now(), it would see
# everything as it was when the lock was taken.
PROGRESS_QUERY = f"""
SELECT pg_stat_clear_snapshot();
SELECT COALESCE(p.phase, a.state), COALESCE(p.blocks_done, 0), COALESCE(p.blocks_total, 0),
  COALESCE(p.tuples_done, 0), COALESCE(p.tuples_total, 0), (
    SELECT string_agg({locks.session("b")}, '; ')
    FROM pg_stat_activity b WHERE b.pid = ANY (pg_blocking_pids(a.pid)))
FROM pg_stat_activity a LEFT JOIN pg_stat_progress_create_index p USING (pid)
WHERE a.query <> '' AND strpos(%(statement)s, a.query) = 1 AND a.pid <> pg_backend_pid()
  AND a.state = 'active'
"""


@contextmanager
def build(
    connection: Connection, control: Connection, step: Step, statement: str
) -> Iterator[None]:
    """While the block waits for `statement` on `connection`, say how far it is."""
    with progress(str(step), 100) as advance:
        shown = 0

        def look() -> None:
            nonlocal shown
            for phase, *counts, waits_for in rows(
                control, PROGRESS_QUERY, {"statement": statement}
            ):
                done = _percent(*counts)
                advance(
                    max(0, done - shown), f"{phase}, waits for {waits_for}" if waits_for else phase
                )
                shown = max(shown, done)

        connection.watch = look
        try:
            yield
        finally:
            connection.watch = None


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
            log.info("%s: %d %%%s", title, 100 * done // max(1, total), remark and f", {remark}")

    yield write
