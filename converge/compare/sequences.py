"""The safety rules for sequences: one never goes back, and none is taken from another column."""

from contextlib import suppress
from itertools import count
from typing import Sequence, Tuple

from psycopg2 import errors

from converge.compare.conversions import BITS
from converge.compare.table import FROM_A_SEQUENCE, ColumnPair, ComparedTable
from converge.names import sequence_name
from converge.plan import Kind, Lock, Undo, WayOut
from converge.quoting import identifier, literal, qualified
from converge.server.catalog import SequenceFacts, sequence_facts
from converge.server.inspect import ADMINISTRATOR
from converge.server.sql import statement


def draw_numbers(table: ComparedTable, pair: ColumnPair) -> None:
    """Let a column draw its numbers from a sequence that has as many as the models say."""
    if pair.live.default != FROM_A_SEQUENCE:
        if table.is_readable(pair.name) and not _refuse_used_up(table, pair):
            _restore(table, pair)
    elif pair.live.sequence is not None:
        _widen(table, pair, pair.live.sequence)
        _warn_if_behind(table, pair, pair.live.sequence)


def _refuse_used_up(table: ComparedTable, pair: ColumnPair) -> bool:
    """Refuse a sequence beyond the last number that the column can hold."""
    last = f"{table.values[pair.name]} >= {_wanted(pair).maximum}"
    bad = table.count(last)
    if bad:
        verbs = ("has the last number", "have the last number")
        table.refuse_rows(pair.name, "draws from no sequence.", bad, verbs, last)
    return bool(bad)


def _restore(table: ComparedTable, pair: ColumnPair) -> None:
    """Take the column's own sequence, or make one, under the first name that a serial could get."""
    for number in count():
        name = sequence_name(table.name, pair.name, number)
        sequence = qualified(table.schema, name)
        found = table.ask(
            statement("server/taken.sql", relation=table.relation, column=pair.name, name=name)
        )
        if not found:
            _draw_from_new(table, pair, sequence)
            return
        [(kind, may_alter, same_owner, document)] = found
        if kind != "S" and number == 0:
            table.refuse_taken(name, "a sequence")
            return
        if kind != "S" or not _is_its_own(sequence_facts(document)):
            continue
        if not may_alter:
            _refuse_foreign(table, pair, sequence)
            return
        if same_owner:  # without which OWNED BY is refused
            _draw_from_old(table, pair, sequence, sequence_facts(document))
            return


def _is_its_own(facts: SequenceFacts) -> bool:
    """True if a sequence of the right name is nobody else's, and counts as a serial's does."""
    return not facts.others and not facts.cycle and facts.increment > 0


def _draw_from_new(table: ComparedTable, pair: ColumnPair, sequence: str) -> None:
    made = [f"CREATE SEQUENCE {sequence} AS {_wanted(pair).type}"]
    if table.live.owner != table.facts.user:  # else OWNED BY is refused
        made.append(f"ALTER SEQUENCE {sequence} OWNER TO {identifier(table.live.owner)}")
    undo = Undo(statements=(f"DROP SEQUENCE {sequence}",))
    _draw_from(table, pair, sequence, made, undo, creates=True)


def _draw_from_old(
    table: ComparedTable, pair: ColumnPair, sequence: str, facts: SequenceFacts
) -> None:
    made = _widening(pair, sequence, facts)
    undo = _narrowing(sequence, facts) if made else Undo()
    if not facts.owned:
        undo = undo._replace(
            statements=(f"ALTER SEQUENCE {sequence} OWNED BY NONE", *undo.statements)
        )
    _draw_from(table, pair, sequence, made, undo)


def _draw_from(
    table: ComparedTable,
    pair: ColumnPair,
    sequence: str,
    made: Sequence[str],
    undo: Undo,
    *,
    creates: bool = False,
) -> None:
    """Plan to draw from a sequence, which some statements have made fit, from here on."""
    name, live, desired = pair
    highest, regclass = f"max({identifier(name)})", f"{literal(sequence)}::regclass"
    # Only forward, and last of all: if the transaction is rolled back, setval() is not.
    forward = (
        f"SELECT setval({regclass}, {highest} + 1, false) FROM {table.relation} "
        f"HAVING {highest} >= (SELECT last_value FROM {sequence})"
    )
    before = "DROP DEFAULT" if live.default_sql is None else f"SET DEFAULT {live.default_sql}"
    drawing = [
        f"LOCK TABLE {table.relation}",  # nobody may take a number between max() and setval()
        *made,
        f"ALTER SEQUENCE {sequence} OWNED BY {table.relation}.{identifier(name)}",
        table.alter_column(name, f"SET DEFAULT nextval({regclass})"),
    ]
    statements, indexed = [*drawing, forward], _is_indexed(table, name)
    if not indexed and table.refuse_large(
        name, "draws from no sequence.", statements, does="reads"
    ):
        return
    table.step(
        Kind.SET_DEFAULT,
        name,
        "it draws from no sequence",
        statements,
        lock=Lock.INSTANT if indexed else Lock.READ,
        creates=creates,
        undo=undo._replace(statements=(table.alter_column(name, before), *undo.statements)),
        tried=drawing if live.type == desired.type else (),
    )


def _widen(table: ComparedTable, pair: ColumnPair, facts: SequenceFacts) -> None:
    """Let a sequence go on for as long as the column can."""
    sequence = qualified(facts.schema or table.schema, facts.name)
    statements = _widening(pair, sequence, facts)
    if not statements:
        return
    ends = f"its numbers end at {facts.maximum:,}; the model's at {_wanted(pair).maximum:,}"
    if facts.others:
        why, advice = f"It is used by {', '.join(facts.others)}, too.", "Widen it for all:"
    elif not facts.owned and not _may_alter(table, sequence):
        why, advice = f"{sequence} belongs to another role.", ADMINISTRATOR
    else:
        undo = _narrowing(sequence, facts)
        table.step(Kind.WIDEN_SEQUENCE, pair.name, ends, statements, undo=undo)
        return
    what = f"draws from a sequence that is too short: {ends}."
    table.refuse(pair.name, what, why, way_out=WayOut(advice, statements))


def _widening(pair: ColumnPair, sequence: str, facts: SequenceFacts) -> Tuple[str, ...]:
    """Return what gives a sequence as many numbers as the models say, if it has fewer."""
    wanted = _wanted(pair)
    if facts.increment < 0 or facts.maximum >= wanted.maximum:
        return ()
    wide = max(facts.type, wanted.type, key=lambda name: BITS[name])
    return (f"ALTER SEQUENCE {sequence} AS {wide} NO MAXVALUE",)


def _narrowing(sequence: str, facts: SequenceFacts) -> Undo:
    """Return what gives a sequence its former end, unless it has gone on beyond."""
    return Undo(
        statements=(f"ALTER SEQUENCE {sequence} AS {facts.type} MAXVALUE {facts.maximum}",),
        guard=f"(SELECT last_value FROM {sequence}) > {facts.maximum}",
    )


def _wanted(pair: ColumnPair) -> SequenceFacts:
    assert pair.desired.sequence is not None
    return pair.desired.sequence


def _may_alter(table: ComparedTable, sequence: str) -> bool:
    owner = f"SELECT relowner FROM pg_class WHERE oid = {literal(sequence)}::regclass"
    return bool(table.ask(f"SELECT pg_has_role(({owner}), 'USAGE')")[0][0])


def _refuse_foreign(table: ComparedTable, pair: ColumnPair, sequence: str) -> None:
    own = f"ALTER SEQUENCE {sequence} OWNER TO {identifier(table.live.owner)}"
    what = f"draws from no sequence, and {sequence} belongs to another role."
    table.refuse(pair.name, what, way_out=WayOut(ADMINISTRATOR, (own,)))


def _warn_if_behind(table: ComparedTable, pair: ColumnPair, facts: SequenceFacts) -> None:
    """Warn of a sequence that will give out numbers that are in use, where an index tells."""
    name, live, _ = pair
    if facts.increment < 0 or live.type not in BITS or not _is_indexed(table, name):
        return
    sequence, column = qualified(facts.schema or table.schema, facts.name), identifier(name)
    query = (
        "SELECT highest::text, next::text FROM ("
        f"SELECT (SELECT max({column}) FROM {table.relation}) AS highest, "
        f"last_value::numeric + CASE WHEN is_called THEN {facts.increment} ELSE 0 END AS next "
        f"FROM {sequence}) AS numbers WHERE highest >= next"
    )
    with suppress(errors.InsufficientPrivilege):  # nothing depends on it
        for highest, following in table.ask(query):
            forward = f"SELECT setval({literal(sequence)}, max({column})) FROM {table.relation}"
            table.warnings.append(
                f"{sequence} will give out numbers that are in use: its next is {following}, and "
                f"{table.relation}.{column} has {highest} already. To put it right: {forward};"
            )


def _is_indexed(table: ComparedTable, column: str) -> bool:
    """True if the highest number is the last of an index."""
    owned = [constraint.owned_index for constraint in table.live.constraints.values()]
    return any(
        index.valid
        and index.using.startswith("btree ")
        and index.predicate is None
        and (index.columns or [""])[0] == column
        for index in [*table.live.indexes.values(), *filter(None, owned)]
    )
