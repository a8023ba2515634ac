"""Results: the summary at the end, tables, and putting them out."""

import logging
import os
import sys
import time
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Dict, FrozenSet, Iterator, List, NamedTuple, Sequence, Set, Tuple

from converge.errors import ConvergeError
from converge.text import duration, some, table, visible

if TYPE_CHECKING:
    from converge.steps import Done, Step

log = logging.getLogger(__name__)
LINE_EACH = 20  # up to so many schemas have a line of their own


class Stopwatch:
    """Times the steps of the flow, in their order; a step that runs again is added up."""

    def __init__(self) -> None:
        self.seconds: Dict[str, float] = {}
        self._lock = Lock()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            taken = time.monotonic() - started
            with self._lock:
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


class Counts(NamedTuple):
    """The names of what was done in a schema."""

    created: FrozenSet[str] = frozenset()  # tables
    altered: FrozenSet[str] = frozenset()
    indexed: FrozenSet[str] = frozenset()  # indexes
    touched: FrozenSet[str] = frozenset()  # tables


class Tally:
    """What was done in each schema, and which tables were changed and not analyzed since."""

    def __init__(self) -> None:
        self.by_schema: Dict[str, Counts] = {}
        self.undone = 0  # steps
        self._lock = Lock()
        self._changed: Dict[str, Set[str]] = {}
        self._same: Dict[FrozenSet[str], FrozenSet[str]] = {}  # of 10,000 schemas, one each

    def add(self, done: "Done") -> None:
        undone = sum(step.kind.undoes for step in done.steps)
        with self._lock:
            self.undone += undone
        for step in done.steps:
            old = self.by_schema.get(step.schema, Counts())
            if step.table:
                self._changed.setdefault(step.schema, set()).add(step.table)
                self.by_schema[step.schema] = self._with(old, step)
            else:
                self.by_schema.setdefault(step.schema, old)

    def _with(self, counts: Counts, step: "Step") -> Counts:
        kind = step.kind
        new = Counts(
            counts.created | {step.table} if kind.creates_table else counts.created,
            counts.altered if kind.changes_only_indexes else counts.altered | {step.table},
            counts.indexed | {step.name} if kind.completes_index else counts.indexed,
            counts.touched | {step.table},
        )
        return Counts(*(self._same.setdefault(names, names) for names in new))

    def changed(self, schemas: Sequence[str]) -> List[Tuple[str, str]]:
        """Return schema and name of the tables that were changed since this was asked."""
        changed = ((schema, self._changed.pop(schema, ())) for schema in schemas)
        return [(schema, table) for schema, tables in changed for table in tables]

    def __bool__(self) -> bool:
        return bool(self.by_schema)

    def of(self, schema: str, tables: int) -> Tuple[int, ...]:
        """Return how much was created, altered, indexed and left unchanged in a schema."""
        counts = self.by_schema.get(schema, Counts())
        altered = len(counts.altered - counts.created)
        unchanged = tables - len(counts.touched)
        return (len(counts.created), altered, len(counts.indexed), unchanged)


def summary(
    tally: Tally, schemas: Sequence[str], tables: Sequence[str], stopwatch: Stopwatch
) -> str:
    """Return what was created, altered, indexed and left unchanged in each schema.

    Of many schemas, those with the same numbers are one line.
    """
    alike: Dict[Tuple[int, ...], List[str]] = {}
    for schema in schemas:
        alike.setdefault(tally.of(schema, len(tables)), []).append(schema)
    if len(schemas) > LINE_EACH:
        body = [(some(these), *numbers) for numbers, these in alike.items()]
    else:
        body = [(schema, *tally.of(schema, len(tables))) for schema in schemas]
    head = ("schema", "created", "altered", "indexed", "unchanged")
    return f"{table(head, body)}\ntime: {stopwatch}"
