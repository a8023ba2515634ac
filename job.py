"""One run: its settings, its connections, the comparison with the models, and what it has done."""

import logging
from contextlib import ExitStack, closing
from copy import copy
from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Sequence

import chater
import converge
from converge import benchmark
from converge.console.command_line import Options
from converge.console.importing import importing
from converge.console.summary import Ran
from converge.errors import ConvergeError
from converge.events import about
from converge.history.look import fingerprints
from converge.names import APPLICATION_NAME
from converge.server import retries
from converge.server.connection import Connection
from converge.settings.variables import Settings

if TYPE_CHECKING:
    from converge.benchmark import Timing
    from converge.compare.alike import Comparison
    from converge.plan import Alike

log = logging.getLogger(APPLICATION_NAME)
# What is done in schemas, with `wait` even if another run is at work on them: see `crew.Hand`.
Work = Callable[["Job", Sequence[str], bool], bool]


class Job:
    """One run, or what works beside it on a connection of its own (`another`)."""

    def __init__(self, settings: Settings, options: Options, ran: Ran) -> None:
        self.settings, self.options = settings, options
        self.fingerprints = fingerprints(chater.MODELS, [chater.__file__])
        self.ran = ran
        self.queries = load_queries(settings)
        self.stopwatch, self.tally = ran.stopwatch, ran.tally
        self.step = self.stopwatch.step
        self.approved = converge.read_plan(options.file) if options.mode == "apply" else None
        self.failed: Dict[str, ConvergeError] = {}  # by schema
        self.tables: Sequence[str] = ()  # of the models, once they are known
        self.compared: Optional[List[Alike]] = None  # by a mode that only looks
        self.timings: Sequence[Timing] = ()  # of the key queries
        self._connection: Optional[Connection] = None
        self._comparison: Optional[Comparison] = None

    @property
    def connection(self) -> Connection:
        """The open connection; a new one, with retries, if there is none or it was lost."""
        if self._connection is None or self._connection.closed:
            with self.step("connect"):
                self._connection = retries.connect(self.settings)
            converge.watch(self._connection, self.settings)
            host, port, name = self.settings.host, self.settings.port, self.settings.database
            extra = about("connected", host=host, port=port, database=name)
            log.info("connected to %s:%s, database %s", host, port, name, extra=extra)
        return self._connection

    @property
    def comparison(self) -> "Comparison":
        """The comparison with the models, which are imported once it is needed."""
        if self._comparison is None:
            self._comparison = load_models(self.settings)
            self.tables = self._comparison.desired.managed.tables
        return self._comparison

    @property
    def report_file(self) -> str:
        """Where a report of the run goes; empty: there is to be none."""
        return self.options.report or self.settings.report or ""

    def another(self) -> "Job":
        """Return one that works beside this, and adds to the same numbers."""
        other = copy(self)
        other._connection, other._comparison = None, self.comparison
        return other

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class Hand:
    """One of those who work on many schemas, with a job of its own (`converge.crew.Hand`)."""

    def __init__(self, job: Job, work: Work) -> None:
        self.job, self._work = job, work

    def work(self, schemas: Sequence[str], *, wait: bool) -> bool:
        return self._work(self.job, schemas, wait)

    def close(self) -> None:
        self.job.close()


def share_out(job: Job, schemas: Sequence[str], work: Work) -> None:
    """Do some work on many schemas, on PARALLEL connections: each schema for itself.

    What ended the work on some is in `job.failed`. Raises what `converge.Crew.settle` does.
    """
    parallel = job.settings.parallel
    if parallel > 1 and job.connection.pooled:  # `locks.run_lock` lets one run at a time work there
        extra = about("pooled", setting="PARALLEL")
        log.warning("PARALLEL=%d counts as 1 behind a pooler", parallel, extra=extra)
        parallel = 1
    with ExitStack() as closed:
        others = (job.another() for _ in range(1, parallel))
        hands = [closed.enter_context(closing(Hand(other, work))) for other in others]
        crew = converge.Crew(job.settings, [Hand(job, work), *hands])
        crew.settle(schemas)
    job.failed.update(crew.failed)


def load_queries(settings: Settings) -> Sequence[benchmark.Query]:
    """Return the key queries. A mistake in them ends a run before anything is changed."""
    with importing(chater.MODELS[0], settings.password, "the key queries"):
        from queries import QUERIES
    return QUERIES


def load_models(settings: Settings) -> "Comparison":
    """Return the comparison with the models.

    It is the one door to SQLAlchemy, whose import takes ten times the whole look.
    """
    with importing(chater.MODELS[0], settings.password):
        from indexes import INDEXES
        from models import Base
    from converge.compare.alike import Comparison
    from converge.compare.desired import Desired

    desired = Desired(
        Base.metadata,
        indexes=INDEXES,
        extensions=chater.EXTENSIONS,
        backfills=settings.own,
        date_shapes=chater.DATE_SHAPES,
    )
    return Comparison(desired)
