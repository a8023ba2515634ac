"""An empty copy of a live table, on which the server shows what it would do; it is rolled back."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import psycopg2
from psycopg2 import errors

from converge.compare.trial import Ask
from converge.names import TRIAL_TABLE
from converge.quoting import identifier
from converge.server.catalog import Former, Table
from converge.server.failures import is_transient
from converge.steps import Lock

COPY = f"pg_temp.{TRIAL_TABLE}"
CHECKS = f"""SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint
WHERE conrelid = '{COPY}'::regclass AND contype = 'c'"""
# The files of the copy and of its indexes: one that is written anew has another.
FILES = f"""SELECT array_agg(pg_relation_filenode(o.oid)) FROM (
  SELECT '{COPY}'::regclass::oid AS oid UNION ALL
  SELECT indexrelid FROM pg_index WHERE indrelid = '{COPY}'::regclass) o"""
BEFORE = f"{TRIAL_TABLE}.files"
REMEMBER = f"SELECT set_config('{BEFORE}', ({FILES})::text, true)"
WRITTEN = f"""SELECT
  pg_relation_filenode('{COPY}'::regclass) <> ALL (current_setting('{BEFORE}')::oid[]),
  NOT ({FILES}) <@ current_setting('{BEFORE}')::oid[]"""


class Copy(NamedTuple):
    """A copy of a relation, qualified and quoted, that each question makes for itself.

    `first` are the changes of ALTER TABLE that give it the names that the questions go by.

    What depends on a column is rebuilt with its new type there as on the live table, so the server
    says if an expression index, an operator class or a generated column does not go with it.
    """

    ask: Ask
    relation: str
    first: Sequence[str] = ()
    including: str = "INCLUDING ALL"

    def without_indexes(self) -> "Copy":
        return self._replace(including=f"{self.including} EXCLUDING INDEXES")

    def checks(self, changes: Sequence[str]) -> Dict[str, str]:
        """Return the checks after changes of ALTER TABLE, by name; raises what the server says."""
        return dict(self._asked([*map(_alter, changes), CHECKS]))

    def lock(self, changes: Sequence[str], *, after: Sequence[str] = ()) -> Optional[Lock]:
        """Return what changes do under their lock; None if the server does not take them.

        It writes the same files anew for no row as for many. `after` are changes before these.
        """
        # In UTC it takes a timestamp for one with a time zone, as it is: never without being told.
        zone = "SET LOCAL TIME ZONE 1"
        before, then = map(_alter, after), map(_alter, changes)
        try:
            ((table, anything),) = self._asked([zone, *before, REMEMBER, *then, WRITTEN])
        except errors.InsufficientPrivilege:
            raise
        except psycopg2.Error as error:
            if is_transient(error):
                raise
            return None
        return Lock.REWRITE if table else Lock.READ if anything else Lock.INSTANT

    def _asked(self, statements: Sequence[str]) -> List[Tuple[Any, ...]]:
        made = f"CREATE TEMP TABLE {TRIAL_TABLE} (LIKE {self.relation} {self.including})"
        return self.ask(
            "; ".join(["SET TRANSACTION READ WRITE", made, *map(_alter, self.first), *statements])
        )


def renames(former: Former, live: Table) -> List[str]:
    """Return the changes that give a copy of a table the names that the plan goes by."""
    checks = [name for name, constraint in live.constraints.items() if constraint.kind == "c"]
    renamed = [
        ("COLUMN", former.columns),
        ("CONSTRAINT", {k: v for k, v in former.constraints.items() if k in checks}),
    ]
    return [
        f"RENAME {what} {identifier(old)} TO {identifier(new)}"
        for what, names in renamed
        for new, old in names.items()
    ]


def _alter(change: str) -> str:
    return f"ALTER TABLE {COPY} {change}"
