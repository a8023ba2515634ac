"""Results: the summary at the end, tables, and putting them out."""

import logging
import os
import sys
import time
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Dict, FrozenSet, Iterator, List, NamedTuple, Sequence, Set, Tuple

from converge.console import logs
from converge.errors import ConvergeError
from converge.events import about
from converge.names import VERSION
from converge.text import duration, some, table, visible

if TYPE_CHECKING:
    from converge.steps import Done, Step

log = logging.getLogger(__name__)
COUNTED = ("created", "altered", "indexed", "unchanged")
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
            extra = about("run_step_done", step=name, duration_ms=round(1000 * taken))
            log.debug("step %s took %s", name, duration(taken), extra=extra)

    def __str__(self) -> str:
        return ", ".join(f"{name} {duration(seconds)}" for name, seconds in self.seconds.items())


def put(text: str, event: str = "result", *, level: int = logging.INFO, **fields: object) -> None:
    """Print a result to stdout, whatever letters that can show, and none that it would obey.

    With LOG_FORMAT=json it is a line with the event's fields (`converge.events`) and the text.
    Whoever closes the pipe has read enough. Raises `ConvergeError` if it can't be written for
    another reason, as to a full disk; what was done stays.
    """
    if logs.in_json():
        text = logs.as_line(text, event, level=level, **fields)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"  # stdout is None if it is closed
    try:
        print(visible(text).encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except OSError as error:
        # Else the interpreter writes what is left when it ends, and complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise ConvergeError(f"the output can't be written: {error.strerror}") from None


def put_at(level: int, text: str, event: str, **fields: object) -> None:
    """Print a result that nobody has asked for, where LOG_LEVEL lets it through."""
    if log.isEnabledFor(level):
        put(text, event, level=level, **fields)


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
        self.done: Dict[str, int] = {}  # how many steps of each kind
        self._lock = Lock()
        self._changed: Dict[str, Set[str]] = {}
        self._same: Dict[FrozenSet[str], FrozenSet[str]] = {}  # of 10,000 schemas, one each

    def add(self, done: "Done") -> None:
        undone = sum(step.kind.undoes for step in done.steps)
        with self._lock:
            self.undone += undone
            for step in done.steps:
                self.done[step.kind.value] = self.done.get(step.kind.value, 0) + 1
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

    @property
    def level(self) -> int:
        """How much it matters what was done: a run that did nothing says so, and no more."""
        return logging.INFO if self else logging.DEBUG

    def of(self, schema: str, tables: int) -> Tuple[int, ...]:
        """Return how much was created, altered, indexed and left unchanged in a schema."""
        counts = self.by_schema.get(schema, Counts())
        altered = len(counts.altered - counts.created)
        unchanged = tables - len(counts.touched)
        return (len(counts.created), altered, len(counts.indexed), unchanged)


class Ran:
    """What a run was, for its last line; `said` is how it has ended, if it is worth a line."""

    def __init__(self) -> None:
        self.stopwatch, self.tally = Stopwatch(), Tally()
        self.versions: Set[int] = set()  # that the schemas have, as far as it is known
        self.said = ""

    @property
    def facts(self) -> Dict[str, object]:
        """What is known, as the fields of an event."""
        return {
            "done": self.tally.done,
            "undone": self.tally.undone,
            "seconds": {name: round(took, 3) for name, took in self.stopwatch.seconds.items()},
            "program_version": VERSION,
            "versions": sorted(self.versions) or None,
        }


class Same(NamedTuple):
    """Schemas in which the same numbers were created, altered, indexed and left unchanged."""

    schemas: Sequence[str]
    counts: Tuple[int, ...]

    @property
    def facts(self) -> Dict[str, object]:
        """The fields of an event, with the first names."""
        known = {"schemas": list(self.schemas[:LINE_EACH]), "count": len(self.schemas)}
        return {**known, **dict(zip(COUNTED, self.counts))}


def put_summary(tally: Tally, schemas: Sequence[str], tables: int, stopwatch: Stopwatch) -> None:
    """Print what was created, altered, indexed and left unchanged in each schema."""
    body = same(tally, schemas, tables)
    text = table(("schema", *COUNTED), [(some(each.schemas), *each.counts) for each in body])
    put_at(
        tally.level,
        f"{text}\ntime: {stopwatch}",
        "summary",
        summary=[each.facts for each in body],
        seconds=stopwatch.seconds,
    )


def same(tally: Tally, schemas: Sequence[str], tables: int) -> List[Same]:
    """Return what was done in each schema; of many, those with the same numbers as one."""
    if len(schemas) <= LINE_EACH:
        return [Same((schema,), tally.of(schema, tables)) for schema in schemas]
    alike: Dict[Tuple[int, ...], List[str]] = {}
    for schema in schemas:
        alike.setdefault(tally.of(schema, tables), []).append(schema)
    return [Same(names, counts) for counts, names in alike.items()]
