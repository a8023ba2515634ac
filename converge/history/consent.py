"""Who agrees to a rollback: somebody at a terminal, an option, or the models that are here."""

from converge.console.question import confirmed
from converge.errors import Refused
from converge.history.rollback import Rollback
from converge.names import PROGRAM
from converge.plan import Refusal, WayOut
from converge.quoting import identifier
from converge.settings.variables import Settings

NOT_CONFIRMED = Refusal("", "", "not confirmed.", WayOut("Answer y, or run with --yes."))


def ask(rollback: Rollback, settings: Settings) -> None:
    """Show what would go, and ask. Raises `Refused` unless the answer is yes."""
    goes = rollback.changes
    goes += [f"  {step}" for step in rollback.plan.steps]
    where = f"database {settings.database} on {settings.host}:{settings.port}"
    undoes = any(target.undone for target in rollback.targets)
    if undoes and not confirmed("\n".join([*goes, f"Undo this in {where}?"])):
        raise Refused.of(NOT_CONFIRMED)


def refuse_older(rollback: Rollback, models: str) -> None:
    """Refuse to undo a version that other models have made than those with this fingerprint.

    Whoever starts a rollback a second time by mistake would undo a second version.
    """
    undoing = [target for target in rollback.targets if target.undone]
    older = [target for target in undoing if target.undone[0].desired != models]
    if not older:
        return
    listed = ", ".join(
        f"version {target.undone[0].version} of {identifier(target.schema)}" for target in older
    )
    versions = {target.version for target in older}
    option = f"--to {min(versions)}" if len(versions) == 1 else "--yes"
    what = f"other models than these have made {listed}."
    advice = (
        f"--rollback --plan shows what would go. To undo it:\n    {PROGRAM} --rollback {option}"
    )
    raise Refused.of(Refusal("", "", what, WayOut(advice)))
