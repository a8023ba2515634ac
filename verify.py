"""Verification, and ANALYZE of what needs it."""

import logging
from typing import Iterable, List, Sequence

import psycopg2.extensions

from config import Settings
from database import Connection, rows
from errors import VerificationFailed
from plan import Plan

log = logging.getLogger(__name__)

# The part of a table's rows that may have changed since its last ANALYZE: autovacuum's own default.
STALE_FRACTION = 0.1

STALE_QUERY = """
SELECT n.nspname, c.relname FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE n.nspname = ANY (%(schemas)s) AND c.relname = ANY (%(tables)s) AND c.relkind IN ('r', 'p')
  AND pg_has_role(c.relowner, 'USAGE')
  AND (n.nspname || '.' || c.relname = ANY (%(changed)s)
    OR COALESCE(s.last_analyze, s.last_autoanalyze) IS NULL
    OR s.n_mod_since_analyze > %(fraction)s * GREATEST(s.n_live_tup, 1))
ORDER BY 1, 2
"""


def verify(plan: Plan) -> None:
    """Raise `VerificationFailed` unless the plan, made after the run, is empty."""
    if not plan.empty:
        listed = "".join(f"\n  {difference}" for difference in plan.differences())
        raise VerificationFailed(
            f"the database differs from the models in {len(plan.differences())} ways:{listed}"
        )
    log.info("verified: every table, column, constraint and index is as the models describe")


def analyze(
    connection: Connection, settings: Settings, tables: Sequence[str], changed: Iterable[str]
) -> List[str]:
    """ANALYZE the tables that changed, were never analysed, or have changed a lot since.

    Tables that are locked are left to the next run or to autovacuum: it never waits.
    """
    stale = rows(
        connection,
        STALE_QUERY,
        {
            "schemas": list(settings.schemas),
            "tables": list(tables),
            "changed": list(changed),
            "fraction": STALE_FRACTION,
        },
    )
    quote = psycopg2.extensions.quote_ident
    names = [f"{quote(s, connection)}.{quote(t, connection)}" for s, t in stale]
    if names:
        del connection.notices[:]
        rows(connection, f"ANALYZE (SKIP_LOCKED) {', '.join(names)}")
        for notice in connection.notices:
            log.warning("ANALYZE: %s", notice.strip())
    log.info("analyzed %d of the tables", len(names))
    return names
