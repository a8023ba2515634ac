"""Proofs under the lock: that a statement loses nothing, asked again right before it.

Between a look at the rows and the statement that relies on it, clients write. So the look is
repeated in the statement's own transaction, once its lock keeps everybody out.
"""

from typing import List

import psycopg2

from converge.names import APPLICATION_NAME, NOT_STORED, PROOF_FAILED, TRIAL_TABLE
from converge.quoting import identifier, literal
from converge.server.messages import ALL_ROWS

# What the server's log says of the row at which a trial ends.
AT_A_ROW = (
    f"{APPLICATION_NAME} tries what the server takes, up to the first row: nothing is changed"
)
# A column may have the name of a variable. https://www.postgresql.org/docs/current/plpgsql-implementation.html
STORE_ONE = """#variable_conflict use_column
<<trial>> DECLARE address tid; stored boolean;
BEGIN
  SELECT ctid INTO address FROM ONLY {relation} WHERE {column} IS NULL
    LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF FOUND THEN
    UPDATE ONLY {relation} SET {column} = {value} WHERE ctid = trial.address
      RETURNING {column} IS NOT NULL INTO stored;
    IF trial.stored IS NOT TRUE THEN {otherwise}; END IF;
  END IF;
END"""


def no_row(relation: str, condition: str) -> List[str]:
    """Return statements that lock a table, and fail if the condition is true for a row of it.

    `relation` is qualified and quoted. They end the transaction by an error, see `has_failed`.
    """
    found = f"EXISTS (SELECT FROM {relation} WHERE {condition})"
    raises = _raise(PROOF_FAILED, "a client wrote rows whose values would be lost")
    return [
        f"LOCK TABLE {relation} IN ACCESS EXCLUSIVE MODE",
        ALL_ROWS.rstrip("; "),
        f"DO {literal(f'BEGIN IF {found} THEN {raises}; END IF; END')}",
    ]


def stores(relation: str, column: str, value: str) -> str:
    """Return a statement that fails if an UPDATE does not store a value in one row that has none.

    It is for a transaction that is rolled back. `relation` is qualified and quoted, `value` is SQL.
    """
    values = {
        "relation": relation,
        "column": identifier(column),
        "value": value,
        "otherwise": _raise(NOT_STORED, "an UPDATE does not store its value"),
    }
    return f"DO {literal(STORE_ONE.format(**values))}"


def _raise(code: str, message: str) -> str:
    return f"RAISE EXCEPTION USING ERRCODE = {literal(code)}, MESSAGE = {literal(message)}"


def ending_at_a_row(column: str) -> str:
    """Return SQL for a number, which ends a rewrite of a table at its first row with an error.

    Before that, the server has gone through all that it would refuse because of its catalog.
    `column` is any of the row's, quoted: what is constant is computed earlier.
    """
    return f"concat({literal(AT_A_ROW)}, left({column}::text, 0))::integer"


def to_a_row(alter: str) -> str:
    """Return an ALTER TABLE that writes each row so that it ends at the first."""
    return f"{alter}, ADD CONSTRAINT {TRIAL_TABLE} CHECK ({ending_at_a_row('tableoid')} = 0)"


def ended_at_a_row(error: psycopg2.Error) -> bool:
    """Return whether a statement came as far as to a row, where it was to end."""
    return AT_A_ROW in str(error)


def has_failed(error: psycopg2.Error) -> bool:
    """Return whether it is a proof that failed: nothing of its transaction stays."""
    return error.pgcode == PROOF_FAILED
