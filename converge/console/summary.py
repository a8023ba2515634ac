"""Results: the summary at the end, tables, and putting them out."""

import logging
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Dict, Iterable, Iterator, Sequence

from converge.errors import ConvergeError
from converge.text import duration, table, visible

if TYPE_CHECKING:
    from converge.steps import Done

log = logging.getLogger(__name__)


class Stopwatch:
    """Times the steps of the flow, in their order; a step that runs again is added up."""

    def __init__(self) -> None:
        self.seconds: Dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            taken = time.monotonic() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + taken
            extra = {"step": name, "duration_ms": round(1000 * taken)}
            log.debug("step %s took %s", name, duration(taken), extra=extra)

    def __str__(self) -> str:
        return ", ".join(f"{name} {duration(seconds)}" for name, seconds in self.seconds.items())


def put(text: str) -> None:
    """Print a result to stdout, whatever letters that can show, and none that it would obey.

    Whoever closes the pipe has read enough. Raises `ConvergeError` if it can't be written for
    another reason, as to a full disk; what was done stays.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"  # stdout is None if it is closed
    try:
        print(visible(text).encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except OSError as error:
        # Else the interpreter writes what is left when it ends, and complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise ConvergeError(f"the output can't be written: {error.strerror}") from None


def summary(
    done: Iterable["Done"], schemas: Sequence[str], tables: Sequence[str], stopwatch: Stopwatch
) -> str:
    """Return what was created, altered, indexed and left unchanged in each schema."""
    steps = [step for item in done for step in item.steps if step.table]
    body = []
    for schema in schemas:
        ours = [step for step in steps if step.schema == schema]
        created = {step.table for step in ours if step.kind.creates_table}
        altered = {step.table for step in ours if not step.kind.changes_only_indexes} - created
        indexed = {step.name for step in ours if step.kind.completes_index}
        unchanged = len(tables) - len({step.table for step in ours})
        body.append((schema, len(created), len(altered), len(indexed), unchanged))
    head = ("schema", "created", "altered", "indexed", "unchanged")
    return f"{table(head, body)}\ntime: {stopwatch}"
