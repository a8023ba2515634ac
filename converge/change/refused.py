"""What to say of a step that the server refuses: why, and the way out."""

import psycopg2
from psycopg2 import errors

from converge.names import NOT_STORED
from converge.plan import OUT_OF_THE_WAY, Refusal, Step, WayOut
from converge.server.failures import raised_by, said
from converge.server.proofs import has_failed


def refusal(step: Step, error: psycopg2.Error) -> Refusal:
    """Return the refusal of a step, from what the server says of it."""
    if has_failed(error):
        return Refusal(
            step.schema,
            str(step),
            "would lose values that a client has written since it was planned.",
            WayOut("Run again: then the refusal says which rows, and what to type."),
        )
    why = f"The server says: {said(error)}."
    return Refusal(step.schema, str(step), "is refused.", _way_out(step, error), (why,))


def _way_out(step: Step, error: psycopg2.Error) -> WayOut:
    raised = error.pgcode == NOT_STORED or raised_by(error) is not None
    if step.fires and (raised or isinstance(error, errors.CheckViolation)):
        disable = tuple(f"ALTER TABLE {step.relation} DISABLE TRIGGER {it}" for it in step.fires)
        return WayOut("Disable what keeps it from its work, run again, enable it again:", disable)
    if isinstance(error, errors.DependentObjectsStillExist):
        return OUT_OF_THE_WAY
    if raised:
        return WayOut("Change that function, or disable the trigger that calls it; run again.")
    return WayOut("Once the server takes this, run again:", step.tried or step.statements)
