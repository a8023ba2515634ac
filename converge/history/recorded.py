"""Runs as the history has them: read, and their steps as what undoes them."""

import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from converge.names import HISTORY_TABLE
from converge.plan import EVERY_ROW, IndexChange, Lock, Undo
from converge.quoting import qualified
from converge.server.connection import Connection
from converge.server.messages import rows

RUNS = "SELECT run, version, action, desired, steps, finished FROM {table} ORDER BY run DESC"


class RecordedStep(NamedTuple):
    """A step of an earlier run. `title` and `why` are for people only."""

    title: str
    why: str
    table: str
    undo: Undo


class RecordedRun(NamedTuple):
    """A run of one schema."""

    run: int
    version: int
    action: str
    desired: str
    steps: List[RecordedStep]
    finished: int  # so many of the steps are in effect


def runs(connection: Connection, schema: str) -> List[RecordedRun]:
    """Return the runs of a schema, newest first; none if it has no history."""
    table = qualified(schema, HISTORY_TABLE)
    exists = "SELECT to_regclass(%(table)s) IS NOT NULL"
    if not rows(connection, exists, {"table": table})[0][0]:
        return []
    return [
        RecordedRun(run, version, action, desired, [_step(step) for step in steps], finished)
        for run, version, action, desired, steps, finished in rows(
            connection, RUNS.format(table=table)
        )
    ]


def _step(stored: Dict[str, Any]) -> RecordedStep:
    if "kind" not in stored:
        return RecordedStep(stored["step"], stored.get("why", ""), *_of_1_0_0(stored))
    undo = stored["undo"]
    return RecordedStep(
        stored["step"],
        stored["why"],
        stored["table"],
        Undo(
            tuple(IndexChange(**change) for change in undo["indexes"]),
            tuple(undo["statements"]),
            Lock(undo["lock"]),
            undo["creates"],
            tuple(undo["leaves"]),
            undo["guard"],
            tuple(undo["keep"]),
        ),
    )


# Version 1.0.0 stored no facts but SQL of its own and sentences, and reworded these once. So what
# its steps do is read from its SQL, whose forms are known; where only a sentence tells, the careful
# reading is taken. https://www.postgresql.org/docs/current/sql-altertable.html
NAME = r'(?:"((?:[^"]|"")+)"|([^\s".]+))'
RELATION = re.compile(rf"{NAME}\.{NAME}")
INDEX = re.compile(rf"(CREATE|DROP)(?: UNIQUE)? INDEX CONCURRENTLY (?:{NAME}\.)?{NAME}")
LEAVES = re.compile(rf"ALTER INDEX .* RENAME TO {NAME}\Z")
CREATES = re.compile(r"CREATE |ALTER INDEX .* RENAME TO |ALTER TABLE .* (SMALL|BIG)?SERIAL ")
CHANGES_TYPE = re.compile(r"ALTER TABLE .* ALTER COLUMN .* TYPE ", re.DOTALL)
FOR_AN_INSTANT = re.compile(r"ACCESS EXCLUSIVE on .* for an instant: readers and writers wait")


def _of_1_0_0(stored: Dict[str, Any]) -> Tuple[str, Undo]:
    statements = tuple(stored.get("undo") or ())
    relation = stored.get("relation") or ""
    found = RELATION.fullmatch(relation)
    changes_type = any(CHANGES_TYPE.match(sql) for sql in statements)
    instant = FOR_AN_INSTANT.fullmatch(stored.get("undo_lock") or "")
    undo = Undo(
        tuple(_index_of_1_0_0(sql) for sql in stored.get("undo_online") or ()),
        statements,
        Lock.REWRITE if changes_type and not instant else Lock.INSTANT,
        any(CREATES.match(sql) for sql in statements),
        tuple(_unquoted(*match.groups()) for sql in statements for match in LEAVES.finditer(sql)),
        _guard_of_1_0_0(stored.get("guard"), relation),
    )
    return _unquoted(*found.groups()[2:]) if found else "", undo


def _index_of_1_0_0(sql: str) -> IndexChange:
    found = INDEX.match(sql)
    assert found is not None, sql
    return IndexChange(_unquoted(*found.groups()[3:]), found.group(1) == "CREATE", sql)


def _guard_of_1_0_0(query: Optional[str], relation: str) -> Optional[str]:
    if query is None:
        return None
    _, _, condition = query.partition(f"SELECT count(*) FROM {relation} WHERE ")
    return condition or EVERY_ROW


def _unquoted(quoted: Optional[str], plain: Optional[str]) -> str:
    return plain if plain is not None else (quoted or "").replace('""', '"')
