"""The report of a run: what it did or found, and how the database is at its end."""

import logging
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Callable, Dict, Iterator, List, Optional, Sequence

from converge import benchmark
from converge.console.advice import explained
from converge.console.help import EXIT_CODES
from converge.errors import ConnectionFailed, ConvergeError
from converge.events import about
from converge.names import APPLICATION_NAME
from job import Job

if TYPE_CHECKING:
    from converge.plan import Alike
    from converge.report.gather import Looked
    from converge.report.model import Outcome

log = logging.getLogger(APPLICATION_NAME)
Compare = Callable[[Job], "List[Alike]"]


class Overheard(logging.Handler):
    """Keeps what a run warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def reported(job: Job, compare: Compare) -> Iterator[None]:
    """Write a report, if one is asked for, at the end of what is done inside, however that ends.

    Without a connection there is none. A run that can't write it warns, and ends as it would have;
    who only looks is told by an error.
    """
    if not job.report_file:
        yield
        return
    overheard = Overheard()
    logging.getLogger().addHandler(overheard)
    try:
        with explained():
            yield
    except ConnectionFailed:
        _tell_none(job, "there is no connection")
        raise
    except ConvergeError as error:
        _try_to_write(job, compare, overheard.texts, error)
        raise
    else:
        failure = _try_to_write(job, compare, overheard.texts)
        if failure is not None and not _is_run(job):
            raise failure
    finally:
        logging.getLogger().removeHandler(overheard)


def _try_to_write(
    job: Job, compare: Compare, warnings: Sequence[str], error: Optional[ConvergeError] = None
) -> Optional[ConvergeError]:
    """Return what kept the report from being written; where that is not raised, it is logged."""
    try:
        with explained():
            _write(job, compare, warnings, error)
    except ConvergeError as failure:
        if error is not None or _is_run(job):
            _tell_none(job, str(failure))
        return failure
    extra = about("report_written", file=job.report_file)
    log.info("wrote the report %s", job.report_file, extra=extra)
    return None


def _tell_none(job: Job, reason: str) -> None:
    extra = about("report_failed", file=job.report_file, reason=reason)
    log.warning("no report: %s", reason, extra=extra)


def _write(
    job: Job, compare: Compare, warnings: Sequence[str], error: Optional[ConvergeError]
) -> None:
    from converge.report.gather import gather
    from converge.report.previous import previous_medians
    from converge.report.write import write

    looked = _looked(job, compare, error)
    looked = looked._replace(
        before=previous_medians(job.report_file),
        warnings=tuple(dict.fromkeys([*warnings, *looked.warnings])),
    )
    where = f"{job.settings.host}:{job.settings.port}"
    write(gather(job.connection, where, job.settings.schemas, looked), job.report_file)


def _looked(job: Job, compare: Compare, error: Optional[ConvergeError]) -> "Looked":
    """Return what the run has done and a comparison finds, and time the key queries."""
    from converge.report.gather import Looked

    looked = Looked(_outcome(job, error), queries=job.queries)
    if not job.settings.schemas:
        return looked
    try:
        with explained():
            compared = compare(job) if job.compared is None else job.compared
    except ConnectionFailed:
        raise
    except ConvergeError as failure:
        refusals = getattr(failure, "refusals", ())
        own = getattr(error, "refusals", ()) if refusals else ()
        same = own or str(failure) == str(error)
        with suppress(ConvergeError):
            job.comparison.desired  # noqa: B018 - it may have failed before the models were read
        return looked._replace(
            managed=job.tables,
            refusals=own or refusals,  # a run may need more than a look does
            warnings=() if same else (f"not compared: {failure}",),
        )
    return looked._replace(
        compared=compared, managed=job.tables, timings=job.timings or _timed(job, compared)
    )


def _timed(job: Job, compared: "Sequence[Alike]") -> Sequence[benchmark.Timing]:
    """Time the key queries in the schemas that have all tables."""
    lacking = {
        schema
        for alike in compared
        if any(step.kind.creates_table for step in alike.plan.steps) or not alike.plan.fingerprints
        for schema in alike.schemas
    }
    schemas = [schema for schema in job.settings.timed_schemas if schema not in lacking]
    return benchmark.timings(job.connection, job.queries, schemas)


def _is_run(job: Job) -> bool:
    return job.options.mode not in ("verify", "history") and not job.options.plan


def _outcome(job: Job, error: Optional[ConvergeError]) -> "Outcome":
    from converge.report.model import Outcome

    code = error.exit_code if error is not None else 0
    meanings: Dict[str, str] = {number: what for number, what, _ in EXIT_CODES}
    return Outcome(
        exit_code=code,
        meaning=meanings[str(code)],
        ran=_is_run(job),
        message=str(error or ""),
        done=tuple((kind.replace("_", " "), count) for kind, count in job.tally.done.items()),
        seconds=tuple((step, round(took, 3)) for step, took in job.stopwatch.seconds.items()),
    )
