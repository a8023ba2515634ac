"""Verification, and ANALYZE of what needs it."""

import logging
from typing import Iterable, List, Sequence, Tuple

from psycopg2.extensions import quote_ident

from converge.errors import VerificationFailed
from converge.plan import Plan
from converge.server.connection import Connection, rows, transaction
from converge.settings.variables import Settings
from converge.text import counted

log = logging.getLogger(__name__)

# The part of a table's rows that may have changed since its last ANALYZE: autovacuum's own default.
STALE_FRACTION = 0.1

# Of a table `c` with statistics `s`. A standby gets its primary's.
STALE = f"""(c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'USAGE')
  AND NOT pg_is_in_recovery() AND (
  COALESCE(s.last_analyze, s.last_autoanalyze) IS NULL
  OR s.n_mod_since_analyze > {STALE_FRACTION} * GREATEST(s.n_live_tup, 1)))"""

STALE_QUERY = f"""
SELECT n.nspname, c.relname FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE n.nspname = ANY (%(schemas)s) AND c.relname = ANY (%(tables)s) AND {STALE}
"""


def verify(plan: Plan) -> None:
    """Raise `VerificationFailed` unless the plan, made after the run, is empty."""
    if not plan.empty:
        listed = "".join(f"\n  {difference}" for difference in plan.differences())
        raise VerificationFailed(
            f"{counted(len(plan.differences()), 'difference')} between database and models:{listed}"
        )
    log.info("verified: every table, column, constraint and index is as the models describe")


def stale(
    connection: Connection, settings: Settings, tables: Sequence[str]
) -> List[Tuple[str, str]]:
    """Return schema and name of the tables never analysed, or changed a lot since."""
    names = {"schemas": list(settings.schemas), "tables": list(tables)}
    return [(schema, table) for schema, table in rows(connection, STALE_QUERY, names)]


def analyze(connection: Connection, tables: Iterable[Tuple[str, str]]) -> None:
    """ANALYZE tables, given as schema and name; the others' statistics are still good.

    Tables that are locked are left to the next run or to autovacuum: it never waits.
    """
    names = [
        f"{quote_ident(schema, connection)}.{quote_ident(table, connection)}"
        for schema, table in sorted(set(tables))
    ]
    if names:
        del connection.notices[:]
        transaction(connection, [f"ANALYZE (SKIP_LOCKED) {', '.join(names)}"])
        for notice in connection.notices:
            if not notice.startswith(("DEBUG", "LOG")):  # these, if client_min_messages asks
                log.warning("ANALYZE: %s", notice.strip())
    named = ", ".join(f"{schema}.{table}" for schema, table in sorted(set(tables)))
    log.info("analyzed %s", named or "nothing: the statistics are fresh")
