"""Names of ours that others may rely on: they are a contract and outlive a version of the tool."""

import zlib
from typing import Container

VERSION = "1.0.0"
PROGRAM = "create_tables.py"
APPLICATION_NAME = "eater-init"  # what the server's views call a session of ours

REPORT_VARIABLE = "EATER_REPORT"

HISTORY_TABLE = "eater_schema_history"
NOTE_KEY = APPLICATION_NAME  # how the comment on it begins, if it is our note
# Objects that exist only between two steps. A run sweeps what an interrupted one left of them.
NEW_PREFIX, OLD_PREFIX = "eater_new_", "eater_old_"
# These exist only inside a transaction that is rolled back.
AGAIN_PREFIX = "eater_again_"
TRIAL_SCHEMA = TRIAL_TABLE = "eater_init_trial"

ROW = "eater_row"  # what the subquery of a backfill calls the row that gets its value

# The first key of all advisory locks of this tool; the second is the schema's, or 0 for what is
# database-wide.
LOCK_CLASS = zlib.crc32(APPLICATION_NAME.encode()) & 0x7FFFFFFF
DATABASE_WIDE = 0

# SQLSTATE of a proof that fails under its lock: of a class that PostgreSQL leaves to others.
PROOF_FAILED = "EI004"
NOT_STORED = "EI005"  # of an UPDATE that a rule or a trigger keeps from storing its value

NAME_BYTES = 63  # the server cuts longer identifiers without a word


def helper_name(prefix: str, name: str) -> str:
    """Return the name of an object of ours that exists only between two steps.

    Where it is cut, it ends in a hash: two long names may differ in nothing but their ends.
    """
    whole = prefix + name
    fits = len(whole.encode()) <= NAME_BYTES
    return whole if fits else suffixed(whole, f"_{zlib.crc32(name.encode()):08x}")


def suffixed(name: str, suffix: str) -> str:
    """Return a name for what somebody is told to rename: the server would cut off the suffix."""
    cut = name.encode()[: NAME_BYTES - len(suffix)].decode(errors="ignore")
    return cut + suffix


def sequence_name(table: str, column: str, number: int = 0) -> str:
    """Return the name of a column's sequence; those after the first are for where one is taken."""
    return suffixed(f"{table}_{column}", f"_seq{number or ''}")


def chosen_name(table: str, column: str, label: str) -> str:
    """Return the name that the server gives to what belongs to a column: the longer part is cut.

    `makeObjectName` in PostgreSQL's src/backend/commands/indexcmds.c.
    """
    parts = [table.encode(), column.encode()]
    while len(b"_".join([*parts, label.encode()])) > NAME_BYTES:
        longer = 0 if len(parts[0]) > len(parts[1]) else 1
        parts[longer] = parts[longer][:-1]
    return "_".join([*(part.decode(errors="ignore") for part in parts), label])


def free_name(name: str, suffix: str, taken: Container[str]) -> str:
    """Return the name with a suffix, and a number behind it if that name is taken."""
    found, number = suffixed(name, suffix), 2
    while found in taken:
        found, number = suffixed(name, f"{suffix}_{number}"), number + 1
    return found


def lock_key(schema: str) -> int:
    """Return a schema's second advisory lock key: a signed 32-bit number, never 0."""
    key = zlib.crc32(schema.encode()) or 1
    return key - (1 << 32) if key >= 1 << 31 else key
