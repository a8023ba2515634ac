"""Proofs under the lock: that a statement loses nothing, asked again right before it.

Between a look at the rows and the statement that relies on it, clients write. So the look is
repeated in the statement's own transaction, once its lock keeps everybody out.
"""

from typing import List

import psycopg2

from converge.names import PROOF_FAILED
from converge.quoting import literal
from converge.server.messages import ALL_ROWS


def no_row(relation: str, condition: str) -> List[str]:
    """Return statements that lock a table, and fail if the condition is true for a row of it.

    `relation` is qualified and quoted. They end the transaction by an error, see `has_failed`.
    """
    found = f"EXISTS (SELECT FROM {relation} WHERE {condition})"
    message = literal("a client wrote rows whose values would be lost")
    raises = f"RAISE EXCEPTION USING ERRCODE = {literal(PROOF_FAILED)}, MESSAGE = {message}"
    return [
        f"LOCK TABLE {relation} IN ACCESS EXCLUSIVE MODE",
        ALL_ROWS.rstrip("; "),
        f"DO {literal(f'BEGIN IF {found} THEN {raises}; END IF; END')}",
    ]


def has_failed(error: psycopg2.Error) -> bool:
    """Return whether it is a proof that failed: nothing of its transaction stays."""
    return error.pgcode == PROOF_FAILED
