"""What has a name of ours, and is somebody else's."""

from converge.names import HISTORY_TABLE, suffixed
from converge.plan import Refusal, WayOut
from converge.quoting import identifier, qualified

HISTORY_COLUMNS = {"run", "version", "action", "steps", "finished"}  # in every version of it


def taken_history(schema: str) -> Refusal:
    """Return the refusal of a table that has the history's name, and not its columns."""
    new = identifier(suffixed(HISTORY_TABLE, "_old"))
    rename = f"ALTER TABLE {qualified(schema, HISTORY_TABLE)} RENAME TO {new}"
    what = "is a table with other columns; it is to record what runs change."
    return Refusal(
        schema, f"{schema}.{HISTORY_TABLE}", what, WayOut("Rename the table:", (rename,))
    )
