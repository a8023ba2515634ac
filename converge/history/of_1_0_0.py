"""Histories that version 1.0.0 has written.

It stored no facts but SQL of its own and sentences, and reworded these once. So what its steps do
is read from its SQL, whose forms are known; where only a sentence tells, the careful reading is
taken.
"""

import re
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from converge.names import suffixed
from converge.quoting import identifier
from converge.steps import EVERY_ROW, IndexChange, Lock, Undo

NAME = r'(?:"((?:[^"]|"")+)"|([^\s".]+))'
RELATION = re.compile(rf"{NAME}\.{NAME}")
INDEX = re.compile(rf"(CREATE|DROP)(?: UNIQUE)? INDEX CONCURRENTLY (?:{NAME}\.)?{NAME}")
LEAVES = re.compile(rf"ALTER INDEX .* RENAME TO {NAME}\Z")
CREATES = re.compile(r"CREATE |ALTER INDEX .* RENAME TO |ALTER TABLE .* (SMALL|BIG)?SERIAL ")
CHANGES_TYPE = re.compile(r"ALTER TABLE .* ALTER COLUMN .* TYPE ", re.DOTALL)
FOR_AN_INSTANT = re.compile(r"ACCESS EXCLUSIVE on .* for an instant: readers and writers wait")


def undos(stored: Sequence[Dict[str, Any]]) -> List[Tuple[str, Undo, Optional[str]]]:
    """Return the table of each step that a run of version 1.0.0 stored, and what undoes it.

    The third is the column that this drops, or empty if it drops the table.
    """
    columns = [
        f"{step.get('relation')}.{column}"
        for step in stored
        for column in _dropped_columns(step.get("undo") or (), step.get("relation") or "")
    ]
    # Of columns that are dropped anyway, or that are kept under another name.
    needless = {f"COMMENT ON COLUMN {column} IS NULL" for column in columns}
    return [_undo(step, needless) for step in stored]


def _undo(stored: Dict[str, Any], needless: Set[str]) -> Tuple[str, Undo, Optional[str]]:
    statements = tuple(sql for sql in stored.get("undo") or () if sql not in needless)
    relation = stored.get("relation") or ""
    found = RELATION.fullmatch(relation)
    table = _unquoted(*found.groups()[2:]) if found else ""
    changes_type = any(CHANGES_TYPE.match(sql) for sql in statements)
    instant = FOR_AN_INSTANT.fullmatch(stored.get("undo_lock") or "")
    undo = Undo(
        tuple(_index(sql) for sql in stored.get("undo_online") or ()),
        statements,
        Lock.REWRITE if changes_type and not instant else Lock.INSTANT,
        any(CREATES.match(sql) for sql in statements),
        tuple(_unquoted(*match.groups()) for sql in statements for match in LEAVES.finditer(sql)),
        _guard(stored.get("guard"), relation, _dropped_columns(statements, relation)),
        _keep(statements, relation, table),
    )
    return table, undo, _dropped(statements, relation)


def _index(sql: str) -> IndexChange:
    found = INDEX.match(sql)
    assert found is not None, sql
    return IndexChange(_unquoted(*found.groups()[3:]), found.group(1) == "CREATE", sql)


def _guard(query: Optional[str], relation: str, dropped: Sequence[str]) -> Optional[str]:
    if query is None:
        return None
    _, _, condition = query.partition(f"SELECT count(*) FROM {relation} WHERE ")
    # Of a column that numbers the rows, each has a value; once it has another name, none is lost.
    return condition or (f"{dropped[0]} IS NOT NULL" if dropped else EVERY_ROW)


def _keep(statements: Sequence[str], relation: str, table: str) -> Tuple[str, ...]:
    """Return what puts the values of a table or column that is dropped under another name."""
    if f"DROP TABLE {relation}" in statements:
        return (f"ALTER TABLE {relation} RENAME TO {identifier(suffixed(table, '_saved'))}",)
    keep: List[str] = []
    for column in _dropped_columns(statements, relation):
        found = re.fullmatch(NAME, column)
        saved = identifier(suffixed(_unquoted(*found.groups()) if found else column, "_saved"))
        keep.append(f"ALTER TABLE {relation} RENAME COLUMN {column} TO {saved}")
        keep.append(f"ALTER TABLE {relation} ALTER COLUMN {saved} DROP NOT NULL")
    return tuple(keep)


def _dropped(statements: Sequence[str], relation: str) -> Optional[str]:
    if f"DROP TABLE {relation}" in statements:
        return ""
    found = [re.fullmatch(NAME, column) for column in _dropped_columns(statements, relation)]
    return next((_unquoted(*match.groups()) for match in found if match), None)


def _dropped_columns(statements: Sequence[str], relation: str) -> List[str]:
    """Return the columns that statements drop, as they are quoted there."""
    drop = f"ALTER TABLE {relation} DROP COLUMN "
    return [sql[len(drop) :] for sql in statements if sql.startswith(drop)]


def _unquoted(quoted: Optional[str], plain: Optional[str]) -> str:
    return plain if plain is not None else (quoted or "").replace('""', '"')
