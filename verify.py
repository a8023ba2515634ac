"""The proof at the end of a run: nothing differs, and the statistics are fresh."""

import logging
from typing import TYPE_CHECKING, Iterable, Sequence, Tuple

from converge.console.summary import put
from converge.errors import VerificationFailed
from converge.server import statistics
from converge.server.connection import Connection
from converge.settings.variables import Settings
from converge.text import counted

if TYPE_CHECKING:
    from converge.plan import Plan
    from converge.steps import Done

log = logging.getLogger(__name__)


def verify(plan: "Plan") -> None:
    """Print the differences and raise `VerificationFailed`, unless the plan is empty."""
    if not plan.empty:
        found = plan.differences()
        put("\n".join(found))
        raise VerificationFailed(
            f"{counted(len(found), 'difference')} between database and models, as printed above.\n"
            "  --plan prints what a run would do."
        )
    log.info("verified: every table, column, constraint and index is as the models describe")


def stale(
    connection: Connection, settings: Settings, plan: "Plan", done: Iterable["Done"]
) -> Tuple[Tuple[str, str], ...]:
    """Return schema and name of the tables that a run has changed, or that are stale anyway."""
    steps = [step for item in done for step in item.steps]
    changed = {(step.schema, step.table) for step in steps if step.table}
    if len(changed) < len(settings.schemas) * len(plan.tables):
        changed.update(statistics.stale(connection, settings.schemas, plan.tables))
    return tuple(sorted(changed))


def analyze(connection: Connection, tables: Sequence[Tuple[str, str]]) -> None:
    """ANALYZE tables, given as schema and name; the others' statistics are still fresh."""
    for warning in statistics.analyze(connection, tables):
        log.warning("ANALYZE: %s", warning)
    named = ", ".join(f"{schema}.{table}" for schema, table in tables)
    log.info("analyzed %s", named or "nothing: the statistics are fresh")
