"""Plans: printed, and as they were approved before they are carried out."""

import json
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence

import converge
from converge.console import logs
from converge.console.summary import put
from converge.console.telling import refuse, refuse_any
from converge.errors import Refused, VerificationFailed
from converge.server.connection import Connection
from converge.server.place import Moment, here_and_now
from converge.text import counted
from job import Job

if TYPE_CHECKING:
    from converge.console.review import Review
    from converge.plan import Alike, Plan, Refusal

JSON, MARKDOWN = "json", "markdown"


def asked_at(job: Job) -> Optional[Moment]:
    """Return where and when a plan is made, before it is, if it is printed with that."""
    is_json = job.options.format == JSON or logs.in_json()
    return here_and_now(job.connection) if is_json else None


def print_whole(
    job: Job,
    found: "Sequence[Alike]",
    at: Optional[Moment],
    versions: Sequence[Dict[str, Any]] = (),
) -> None:
    """Print plans in the format that is asked for; `versions` are those of a rollback.

    Raises `Refused` if something is refused, and with --exit-code `VerificationFailed` if there is
    something to do.
    """
    reviews = converge.review(job.connection, found)
    _put(job, reviews, at, versions)
    refused = [
        refusal._replace(also=one.schemas[1:]) for one in found for refusal in one.plan.refusals
    ]
    if refused:
        what = f"{counted(len(refused), 'difference')} refused, as printed above"
        raise Refused(what, refused)
    steps = sum(len(one.plan.steps) * len(one.schemas) for one in found)
    if steps and job.options.exit_code:
        raise VerificationFailed(f"{counted(steps, 'step')} to do, as printed above")


def _put(
    job: Job,
    found: "Sequence[Review]",
    at: Optional[Moment],
    versions: Sequence[Dict[str, Any]],
) -> None:
    """Print plans; where the log is JSON, a line of it has the document and the text."""
    if at is None:
        put(_text(job, found), "plan")
        return
    plan = converge.document(
        found, converge.Heading(job.options.mode, at, *job.fingerprints, versions)
    )
    if logs.in_json():
        put(_text(job, found), "plan", plan=plan)
    else:
        put(json.dumps(plan, indent=2), "plan")


def _text(job: Job, found: "Sequence[Review]") -> str:
    skips = job.options.mode == "run" and job.settings.on_refusal == "skip"
    if job.options.format == MARKDOWN:
        differs = VerificationFailed.exit_code if job.options.exit_code else 0
        return converge.render_markdown(found, skips=skips, differs=differs)
    return converge.render_all(found, skips=skips)


def require_place(job: Job) -> None:
    """Raise `Refused` if the plan that was approved is of another database, or other schemas."""
    if job.approved is not None:
        refuse(converge.place_differs(job.approved, job.connection, job.settings))


def require_approved(job: Job, connection: Connection, plan: "Plan") -> None:
    """Raise `Refused` if what is about to be carried out is not as it was approved.

    Of a run without such a plan, nothing is required.
    """
    if job.approved is not None:
        schemas = dict.fromkeys(step.schema for step in plan.steps)
        found = (_differs(job, connection, schema, plan).refusals for schema in schemas)
        refusals = [refusal for of_schema in found for refusal in of_schema]
        if refusals:
            raise Refused("\n".join(_said(job, refusal) for refusal in refusals), refusals)


def _said(job: Job, refusal: "Refusal") -> str:
    """Return what is said of a refusal, which may come when a run plans again."""
    begun = refusal.schema in job.tally.by_schema
    return refusal.after("Finished steps stay." if begun else "Nothing was changed.")


def require_all_approved(job: Job, found: "Sequence[Alike]") -> None:
    """Raise `Refused` if anything that a run would do in many schemas is not as it was approved."""
    if job.approved is not None:
        differ = (
            (schema, _differs(job, job.connection, schema, one.of(schema)))
            for one in found
            for schema in converge.differing(job.approved, one)
        )
        refuse_any(converge.alike(differ))


def _differs(job: Job, connection: Connection, schema: str, plan: "Plan") -> "Plan":
    assert job.approved is not None
    return converge.plan_differs(job.approved, connection, schema, plan, job.fingerprints)
