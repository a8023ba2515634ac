"""The proof at the end of a run: nothing differs, and the statistics are fresh."""

import logging
from typing import TYPE_CHECKING, Iterable, List, Sequence, Tuple

from converge.console.summary import put
from converge.console.telling import also_in
from converge.errors import VerificationFailed
from converge.events import about
from converge.server import statistics
from converge.server.connection import Connection
from converge.text import counted

if TYPE_CHECKING:
    from converge.plan import Alike

log = logging.getLogger(__name__)

SHOWN_TABLES = 100


def verify(found: "Sequence[Alike]") -> None:
    """Print the differences and raise `VerificationFailed`, unless there are none."""
    differences = [text + also_in(alike) for alike in found for text in alike.plan.differences()]
    if differences:
        put("\n".join(differences), "differences", differences=differences)
        raise VerificationFailed(
            f"{counted(len(differences), 'difference')} between database and models, as printed "
            "above.\n  --plan prints what a run would do."
        )
    extra = about("verified")
    log.info(
        "verified: every table, column, constraint and index is as the models describe", extra=extra
    )


def stale(
    connection: Connection,
    schemas: Sequence[str],
    tables: Sequence[str],
    changed: Iterable[Tuple[str, str]],
) -> List[Tuple[str, str]]:
    """Return schema and name of the tables that a run has changed, or that are stale anyway."""
    found = set(changed)
    if len(found) < len(schemas) * len(tables):
        found.update(statistics.stale(connection, schemas, tables))
    return sorted(found)


def analyze(connection: Connection, tables: Sequence[Tuple[str, str]]) -> None:
    """ANALYZE tables, given as schema and name; the others' statistics are still fresh."""
    for warning in statistics.analyze(connection, tables):
        # Another run analyzes it, or the next one does; in other languages it is a warning.
        level = logging.INFO if warning.endswith("lock not available") else logging.WARNING
        log.log(level, "ANALYZE: %s", warning, extra=about("analyze_notice", reason=warning))
    names = [f"{schema}.{table}" for schema, table in tables[:SHOWN_TABLES]]
    rest = len(tables) - SHOWN_TABLES
    more = f" and {counted(rest, 'more table')}" if rest > 0 else ""
    named = ", ".join(names) or "nothing: the statistics are fresh"
    log.info("analyzed %s%s", named, more, extra=about("analyzed", tables=names, count=len(tables)))
