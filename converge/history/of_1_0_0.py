"""Histories that version 1.0.0 has written.

It stored no facts but SQL of its own and sentences, and reworded these once. So what its steps do
is read from its SQL, whose forms are known; where only a sentence tells, the careful reading is
taken.
"""

import re
from typing import Any, Dict, Optional, Tuple

from converge.plan import EVERY_ROW, IndexChange, Lock, Undo

NAME = r'(?:"((?:[^"]|"")+)"|([^\s".]+))'
RELATION = re.compile(rf"{NAME}\.{NAME}")
INDEX = re.compile(rf"(CREATE|DROP)(?: UNIQUE)? INDEX CONCURRENTLY (?:{NAME}\.)?{NAME}")
LEAVES = re.compile(rf"ALTER INDEX .* RENAME TO {NAME}\Z")
CREATES = re.compile(r"CREATE |ALTER INDEX .* RENAME TO |ALTER TABLE .* (SMALL|BIG)?SERIAL ")
CHANGES_TYPE = re.compile(r"ALTER TABLE .* ALTER COLUMN .* TYPE ", re.DOTALL)
FOR_AN_INSTANT = re.compile(r"ACCESS EXCLUSIVE on .* for an instant: readers and writers wait")


def table_and_undo(stored: Dict[str, Any]) -> Tuple[str, Undo]:
    """Return the table of a step that version 1.0.0 stored, and what undoes it."""
    statements = tuple(stored.get("undo") or ())
    relation = stored.get("relation") or ""
    found = RELATION.fullmatch(relation)
    changes_type = any(CHANGES_TYPE.match(sql) for sql in statements)
    instant = FOR_AN_INSTANT.fullmatch(stored.get("undo_lock") or "")
    undo = Undo(
        tuple(_index(sql) for sql in stored.get("undo_online") or ()),
        statements,
        Lock.REWRITE if changes_type and not instant else Lock.INSTANT,
        any(CREATES.match(sql) for sql in statements),
        tuple(_unquoted(*match.groups()) for sql in statements for match in LEAVES.finditer(sql)),
        _guard(stored.get("guard"), relation),
    )
    return _unquoted(*found.groups()[2:]) if found else "", undo


def _index(sql: str) -> IndexChange:
    found = INDEX.match(sql)
    assert found is not None, sql
    return IndexChange(_unquoted(*found.groups()[3:]), found.group(1) == "CREATE", sql)


def _guard(query: Optional[str], relation: str) -> Optional[str]:
    if query is None:
        return None
    _, _, condition = query.partition(f"SELECT count(*) FROM {relation} WHERE ")
    return condition or EVERY_ROW


def _unquoted(quoted: Optional[str], plain: Optional[str]) -> str:
    return plain if plain is not None else (quoted or "").replace('""', '"')
