"""What a run says of its settings and of its plan, in the log; and that a plan is refused."""

import logging
import os
from typing import TYPE_CHECKING, Iterable, Mapping, Sequence

from converge.errors import ConvergeError, Refused, SchemasFailed
from converge.events import about
from converge.names import APPLICATION_NAME
from converge.text import counted, some

if TYPE_CHECKING:
    from converge.plan import Alike, Plan
    from converge.settings.variables import Settings

log = logging.getLogger(APPLICATION_NAME)
GRAVEST = (1, 5, 4, 6)  # the exit codes of what ends a schema, not the run


def tell_dotenv(name: str, program: str) -> None:
    """Log which file of settings is not read, if somebody may think that it is.

    `name` is read in the current directory; `program` is that of the program.
    """
    beside = os.path.join(program, name)
    if os.path.exists(beside) and not os.path.exists(name):
        extra = about("dotenv_not_read", file=beside)
        log.warning("%s is not read: this was started in %s", beside, os.getcwd(), extra=extra)


def tell_settings(settings: "Settings", dotenv: str) -> None:
    """Log which file of settings was read, and what is set and read by nobody."""
    if os.path.exists(dotenv):
        read = os.path.abspath(dotenv)
        extra = about("dotenv_read", file=read)
        log.debug("what the environment does not say is read from %s", read, extra=extra)
    for doubt in settings.doubts:
        log.warning("%s", doubt, extra=about("setting_doubted", reason=doubt))


def tell_plan(plan: "Plan") -> None:
    """Log what is left alone and how much there is to do. Raises `Refused` if that is too much."""
    tell_left_alone(plan)
    tell_warnings(plan)
    refuse(plan)
    count = len(plan.steps)
    log.info("%s to do", counted(count, "step"), extra=about("planned", count=count))


def tell_left_alone(plan: "Plan") -> None:
    """Log what is no difference, and what of it a run has made: that could be dropped."""
    for note in plan.left_alone():
        log.info("left alone: %s", note, extra=about("left_alone", reason=note))


def tell_warnings(plan: "Plan") -> None:
    """Log what is no difference, and yet may lose rows."""
    for warning in plan.warnings:
        log.warning("%s", warning, extra=about("warned", reason=warning))


def refuse(plan: "Plan") -> None:
    """Raise `Refused` with all that the plan refuses, if anything."""
    if plan.refusals:
        raise Refused.of(*plan.refusals)


def refuse_any(found: "Sequence[Alike]") -> None:
    """Raise `Refused` with all that is refused in any schema; then nothing is done in any.

    It names every schema: each is somebody's to mend.
    """
    refused = [(alike, refusal) for alike in found for refusal in alike.plan.refusals]
    if refused:
        lines = [f"{what}{also_in(where, most=len(where.schemas))}" for where, what in refused]
        each = [what._replace(also=where.schemas[1:]) for where, what in refused]
        raise Refused("\n".join(lines), each)


def also_in(alike: "Alike", most: int = 3) -> str:
    """Return the line that names the other schemas of which the same is true."""
    others = alike.schemas[1:]
    return f"\n  The same in {some(others, 'other schema', 'schema', most)}" if others else ""


def tell_failed(
    failed: Mapping[str, ConvergeError],
    schemas: Sequence[str],
    again: str = "Safe to run again.",
) -> None:
    """Raise `SchemasFailed` if something ended schemas; each was logged with its reason."""
    if failed:
        listed = ", ".join(sorted(failed))  # all of them: each is a person's to look at
        raise SchemasFailed(
            f"{len(failed):,} of {counted(len(schemas), 'schema')} not done: {listed}\n"
            f"  The log names the reason of each; the others are done. {again}",
            failed,
            gravest(failed.values()),
        )


def gravest(errors: Iterable[ConvergeError]) -> int:
    """Return the exit code of a run in which these ended schemas."""
    return min((error.exit_code for error in errors), key=GRAVEST.index)
