"""What a database holds, whoever made it: every fact that `pg_dump --schema-only` would write."""

from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Set, Tuple

from tests.support.database import Database

QUERY = Path(__file__).with_suffix(".sql").read_text("utf-8")
Rows = Dict[str, List[Dict[str, Any]]]
TABLES = """SELECT c.oid::regclass::text, (
  SELECT jsonb_object_agg(attname, format_type(atttypid, atttypmod)) FROM pg_attribute
  WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
  AND attgenerated = '')
FROM pg_class c WHERE relkind IN ('r', 'p') AND relname <> 'eater_schema_history'
  AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)' ORDER BY 1"""


class Contents:
    """The rows of a database's tables, and the types of their columns that are not generated."""

    def __init__(self, database: Database) -> None:
        database.execute("SET search_path = ''")
        self.types: Dict[str, Dict[str, str]] = dict(database.rows(TABLES))
        self.rows: Rows = {
            table: [
                row
                for (row,) in database.rows(
                    f"SELECT to_jsonb(whole_row) FROM ONLY {table} AS whole_row"
                )
            ]
            for table in self.types
        }
        database.execute("RESET search_path")

    def lost_in(self, later: "Contents") -> List[str]:
        """Return what is said about rows that are no longer as they were.

        A column whose type was changed may hold its values in other words.
        """
        found = []
        for table, rows in self.rows.items():
            before, after = self.types[table] or {}, later.types.get(table) or {}
            same = {column for column in before if after.get(column) == before[column]}
            ours, theirs = _counted(rows, same), _counted(later.rows.get(table, []), same)
            if ours - theirs:
                found.append(f"rows of {table} lost: {sorted(ours - theirs)[:2]}")
        return found


def _counted(rows: List[Dict[str, Any]], columns: Set[str]) -> "Counter[str]":
    return Counter(str({name: _value(row[name]) for name in sorted(columns)}) for row in rows)


def _value(value: Any) -> Any:
    """Return 1 and 1.00 as the same."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def dump(database: Database) -> Set[Tuple[str, str, str]]:
    """Return the facts: kind, name, and what it is."""
    database.execute("SET search_path = ''")
    found = set(database.rows(QUERY))
    database.execute("RESET search_path")
    return found


def differences(
    found: Set[Tuple[str, str, str]],
    wanted: Set[Tuple[str, str, str]],
    *,
    more_is_right: bool = False,
) -> List[str]:
    """Return the facts in which they differ, those that are found too much in front."""
    too_much = set() if more_is_right else found - wanted
    return [f"+ {' '.join(f)}" for f in sorted(too_much)] + [
        f"- {' '.join(f)}" for f in sorted(wanted - found)
    ]
