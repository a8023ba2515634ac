"""The safety rules for identity columns, and for sequences that the models name.

https://www.postgresql.org/docs/current/ddl-identity-columns.html
"""

from typing import List, Optional, Tuple

from converge.compare import ddl
from converge.compare.conversions import BITS
from converge.compare.refusals import refuse_large
from converge.compare.table import ColumnPair, ComparedTable
from converge.compare.words import default_written
from converge.plan import WayOut
from converge.quoting import identifier, literal, qualified
from converge.server.catalog import Column
from converge.steps import Kind, Lock, Undo

OPTIONS = {
    "start": "START WITH",
    "increment": "INCREMENT BY",
    "cache": "CACHE",
    "minimum": "MINVALUE",
    "maximum": "MAXVALUE",
}
IDENTITY = {"a": "ALWAYS", "d": "BY DEFAULT"}  # as in `pg_attribute.attidentity`


def identities(table: ComparedTable) -> None:
    """Make identity columns of those that the models say so of, once they are NOT NULL."""
    for name, desired in table.desired.columns.items():
        live = table.live.columns.get(name)
        if live is None or not desired.identity or not table.is_readable(name):
            continue
        pair = table.pair(name)
        if live.identity:
            _set_identity(table, pair)
        else:
            _add_identity(table, pair)


def _set_identity(table: ComparedTable, pair: ColumnPair) -> None:
    """Change what an identity column's sequence does, and whether rows may bring a number."""
    name, live, desired = pair
    to, back = _identity_options(live, desired), _identity_options(desired, live)
    if to:
        change, undo = (
            table.alter_column(name, " ".join(f"SET {option}" for option in options))
            for options in (to, back)
        )
        why = f"it is {', '.join(back)}; the model says {', '.join(to)}"
        converted = table.values[name] != identifier(name)  # by then: its sequence is longer
        table.step(
            Kind.SET_IDENTITY,
            name,
            why,
            [change],
            undo=Undo(statements=(undo,)),
            tried=() if converted else None,
            change=(", ".join(back), ", ".join(to)),
        )


def _identity_options(live: Column, desired: Column) -> List[str]:
    """Return what makes of one identity column's options another's, as ALTER COLUMN says it."""
    assert live.sequence is not None
    assert desired.sequence is not None
    found = []
    if live.identity != desired.identity:
        found.append(f"GENERATED {IDENTITY[desired.identity]}")
    for field, words in OPTIONS.items():
        has, wants = getattr(live.sequence, field), getattr(desired.sequence, field)
        follows = live.type != desired.type and _is_end(live, has) and _is_end(desired, wants)
        if has != wants and not follows:
            found.append(f"{words} {wants}")
    if live.sequence.cycle != desired.sequence.cycle:
        found.append("CYCLE" if desired.sequence.cycle else "NO CYCLE")
    return found


def _is_end(column: Column, number: int) -> bool:
    """True if it is the first or last number of a column's type.

    A sequence that ends there goes on to the end of a new type.
    https://www.postgresql.org/docs/current/sql-altersequence.html
    """
    end = 1 << BITS[column.type]
    return number in (-end, end - 1)


def _add_identity(table: ComparedTable, pair: ColumnPair) -> None:
    """Number the rows by the column's own sequence, from beyond the numbers that they have."""
    name, live, _ = pair
    before, back = _let_go(table, pair)
    if before is None:
        return
    words = ddl.computed_written(table.models.column(table.name, name))
    # The name that the server gives the sequence: the one that was let go had it, mostly.
    own = f"pg_get_serial_sequence({literal(table.relation)}, {literal(name)})"
    column, indexed = identifier(name), is_indexed(table, name)
    on = f"SELECT setval({own}, max({column}) + 1, false) FROM {table.relation} "
    on += f"HAVING max({column}) IS NOT NULL"
    statements = [
        f"LOCK TABLE {table.relation}",
        *before,
        table.alter_column(name, f"ADD {words}"),
        on,
    ]
    if not indexed and refuse_large(
        table, name, "is no identity column.", statements, does="reads"
    ):
        return
    table.step(
        Kind.SET_IDENTITY,
        name,
        f"it is {live.default_sql or 'without a sequence'}; the model says {words}",
        statements,
        lock=Lock.INSTANT if indexed else Lock.READ,
        creates=True,
        undo=Undo(statements=(table.alter_column(name, "DROP IDENTITY"), *back), creates=True),
        tried=(),
        change=(live.default_sql, words),
    )


def draw_from_named(table: ComparedTable, pair: ColumnPair) -> None:
    """Draw from a sequence that the models name, from beyond the numbers that rows have."""
    name, live, desired = pair
    assert desired.sequence is not None
    sequence = qualified(table.schema, desired.sequence.name)
    if not table.is_readable(name):
        return
    before, back = _let_go(table, pair)
    if before is None:
        return
    statements = [
        f"LOCK TABLE {table.relation}",
        *before,
        table.alter_column(name, f"SET DEFAULT {default_written(table, name)}"),
        forward(table, name, sequence),
    ]
    if not is_indexed(table, name) and refuse_large(
        table, name, "draws from another sequence.", statements, does="reads"
    ):
        return
    table.step(
        Kind.SET_DEFAULT,
        name,
        f"it is {live.default_sql or 'no sequence'}; the model says {desired.default_sql}",
        statements,
        lock=Lock.INSTANT if is_indexed(table, name) else Lock.READ,
        undo=Undo(statements=(table.alter_column(name, "DROP DEFAULT"), *back)),
        tried=(),
        change=(live.default_sql, desired.default_sql),
    )


def _let_go(table: ComparedTable, pair: ColumnPair) -> Tuple[Optional[List[str]], Tuple[str, ...]]:
    """Return what takes a column's default and own sequence away, and what brings them back.

    None if the sequence is another's too, which is refused.
    """
    name, live, _ = pair
    if live.identity:
        drop, own = [table.alter_column(name, "DROP IDENTITY")], live.sequence
    else:
        drop = [table.alter_column(name, "DROP DEFAULT")] if live.default_sql is not None else []
        own = live.sequence if live.sequence is not None and live.sequence.owned else None
    if own is None:
        back = f"SET DEFAULT {live.default_sql}" if live.default_sql is not None else ""
        return drop, (table.alter_column(name, back),) if back else ()
    sequence = qualified(own.schema or table.schema, own.name)
    if own.others:
        why = f"{sequence} is used by {', '.join(own.others)}, too."
        keep = (f"ALTER SEQUENCE {sequence} OWNED BY NONE",)
        table.refuse(name, "draws from a sequence.", why, way_out=WayOut("Let it go:", keep))
        return None, ()
    made = (
        f"CREATE SEQUENCE {sequence} AS {own.type} INCREMENT BY {own.increment} "
        f"MINVALUE {own.minimum} MAXVALUE {own.maximum} START WITH {own.start} "
        f"CACHE {own.cache} {'CYCLE' if own.cycle else 'NO CYCLE'}"
    )
    regclass = f"{literal(sequence)}::regclass"
    if live.identity:
        words = f"ADD GENERATED {IDENTITY[live.identity]} AS IDENTITY"
        return drop, (table.alter_column(name, words),)
    back_again = [made]
    if table.live.owner != table.facts.user:  # else OWNED BY is refused
        back_again.append(f"ALTER SEQUENCE {sequence} OWNER TO {identifier(table.live.owner)}")
    return (
        [*drop, f"DROP SEQUENCE {sequence}"],
        (
            *back_again,
            f"ALTER SEQUENCE {sequence} OWNED BY {table.relation}.{identifier(name)}",
            table.alter_column(name, f"SET DEFAULT nextval({regclass})"),
            forward(table, name, sequence),
        ),
    )


def forward(table: ComparedTable, name: str, sequence: str) -> str:
    """Return what moves a sequence beyond the numbers that rows have; it never goes back.

    Last of all in a transaction: if that is rolled back, setval() is not.
    """
    highest = f"max({identifier(name)})"
    return (
        f"SELECT setval({literal(sequence)}::regclass, {highest} + 1, false) FROM {table.relation} "
        f"HAVING {highest} >= (SELECT last_value FROM {sequence})"
    )


def is_indexed(table: ComparedTable, column: str) -> bool:
    """True if the highest number is the last of an index."""
    owned = [constraint.owned_index for constraint in table.live.constraints.values()]
    return any(
        index.valid
        and index.using.startswith("btree ")
        and index.predicate is None
        and (index.columns or [""])[0] == column
        for index in [*table.live.indexes.values(), *filter(None, owned)]
    )
