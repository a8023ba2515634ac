"""What to say of a step that the server refuses: why, and the way out."""

import psycopg2
from psycopg2 import errors

from converge.names import NOT_STORED
from converge.plan import OUT_OF_THE_WAY, Refusal, WayOut
from converge.server.failures import raised_by, said
from converge.server.proofs import has_failed
from converge.steps import Kind, Step

# Of a column that a view, trigger, policy, row type or, as a syntax error up to 14, a generated
# column at a child uses.
USED = (errors.FeatureNotSupported, errors.SyntaxError)


def refusal(step: Step, error: psycopg2.Error) -> Refusal:
    """Return the refusal of a step, from what the server says of it."""
    if has_failed(error):
        return Refusal(
            step.schema,
            str(step),
            "would lose values that a client has written since it was planned.",
            WayOut("Run again: then the refusal says which rows, and what to type."),
        )
    why = [f"The server says: {said(error)}."]
    if _by_trigger(step, error):
        fired = "trigger" if len(step.fires) == 1 else "triggers"
        why.append(f"An UPDATE fires the {fired} {', '.join(step.fires)}.")
    return Refusal(step.schema, str(step), "is refused.", _way_out(step, error), (*why,))


def _by_trigger(step: Step, error: psycopg2.Error) -> bool:
    kept = error.pgcode == NOT_STORED or isinstance(error, errors.CheckViolation)
    return bool(step.fires) and (kept or raised_by(error) is not None)


def _way_out(step: Step, error: psycopg2.Error) -> WayOut:
    if _by_trigger(step, error):
        disable = tuple(f"ALTER TABLE {step.relation} DISABLE TRIGGER {it}" for it in step.fires)
        return WayOut("Disable what keeps it from its work, run again, enable it again:", disable)
    used = step.kind is Kind.CHANGE_TYPE and isinstance(error, USED)
    if used or isinstance(error, errors.DependentObjectsStillExist):
        return OUT_OF_THE_WAY
    if raised_by(error) is not None:
        return WayOut("Change that function, or disable the trigger that calls it; run again.")
    return WayOut("Change what is in its way, then run again.")
