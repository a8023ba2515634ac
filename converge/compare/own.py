"""The safety rules for what the models bring along besides tables: enums, domains, sequences.

https://www.postgresql.org/docs/current/sql-altertype.html
"""

from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from converge.compare.remade import Use, remade, uses
from converge.compare.table import Given
from converge.names import free_name
from converge.plan import Plan, WayOut, joined, refused
from converge.quoting import identifier, literal, qualified
from converge.server.catalog import OwnSequence, OwnType, Schema
from converge.steps import NO_UNDO, Kind, Lock, Run, Step, Undo
from converge.text import counted


def types_and_sequences(schema: str, live: Schema, desired: Schema, given: Given) -> Plan:
    """Bring the enums, domains and sequences that are there already to what the models say."""
    parts = []
    for name, wanted in desired.types.items():
        found, own = live.types.get(name), _Own(schema, name, live, given)
        if found is None and len(given.settings.every_schema) == 1:
            named = given.desired.types[name].schema is not None
            others = own.elsewhere(desired)
            parts += [_refuse_elsewhere(own, there, named=named) for there in others]
        elif found is not None and found != wanted:
            rule = _enum if found.kind == wanted.kind == "e" else _domain
            parts.append(rule(own, found, wanted))
    for name, numbers in desired.sequences.items():
        there = live.sequences.get(name)
        if there is not None and there != numbers:
            parts.append(_sequence(_Own(schema, name, live, given), there, numbers))
    parts += [Plan(notes=(_noted(schema, *there),)) for there in live.outside.items()]
    return joined(parts)


def _noted(schema: str, name: str, home: str) -> str:
    outside = f"type {qualified(home, name)} is not in schema {identifier(schema)}"
    return f"{outside}: the models say none for it"


class _Own:
    """A live type or sequence of the models."""

    def __init__(self, schema: str, name: str, live: Schema, given: Given) -> None:
        self.schema, self.name, self.live, self.ask = schema, name, live, given.ask
        self.sql = qualified(schema, name)

    def step(
        self,
        kind: Kind,
        why: str,
        statements: Sequence[str],
        run: Run,
        undo: Undo = NO_UNDO,
        *,
        change: Tuple[Optional[str], Optional[str]] = ("", ""),
    ) -> Plan:
        before, after = change
        step = Step(
            kind=kind,
            schema=self.schema,
            table="",
            name=self.name,
            why=why,
            statements=tuple(statements),
            run=run,
            lock=Lock.NONE,
            undo=undo,
            tried=tuple(statements),
            before=before or "",
            after=after or "",
        )
        return Plan((step,))

    def refuse(self, what: str, way_out: WayOut, *why: str) -> Plan:
        subject = f"{self.schema}.{self.name}"
        return refused(self.schema, what, way_out, *why, subject=subject)

    def uses(self) -> List[Use]:
        return list(uses(self.schema, self.name, self.live))

    def remade(self, labels: Sequence[str]) -> List[str]:
        """Return what makes it anew, with these values."""
        return list(remade(self.schema, self.name, self.live, labels))

    def elsewhere(self, desired: Schema) -> List[str]:
        """Return types of the same name in other schemas, which columns have in its place."""
        pairs = (
            (_element(table.columns[name].type), _element(column.type))
            for known, table in self.live.tables.items()
            if known in desired.tables
            for name, column in desired.tables[known].columns.items()
            if name in table.columns
        )
        its_name = f".{identifier(self.name)}"
        return sorted({has for has, wants in pairs if wants == self.sql and has.endswith(its_name)})


def _element(type_name: str) -> str:
    """Return the type of an array's elements, or the type itself."""
    return type_name[:-2] if type_name.endswith("[]") else type_name


def _refuse_elsewhere(own: _Own, there: str, *, named: bool) -> Plan:
    """Refuse to make a type again: `create_all` puts one of no schema where it happens."""
    what = f"is missing; columns have the type {there}."
    why = "The models name no schema for it, so it was made in the first of a search_path."
    advice = "Move it, in an instant; who names it without a schema needs that on the search_path:"
    move = f"ALTER TYPE {there} SET SCHEMA {identifier(own.schema)}"
    return own.refuse(what, WayOut(advice, (move,)), *([] if named else [why]))


def _enum(own: _Own, live: OwnType, desired: OwnType) -> Plan:
    """Add values at their places; one that the models do not know is left, unless rows have it."""
    have, want = live.labels or [], desired.labels or []
    removed = [label for label in have if label not in want]
    added = [label for label in want if label not in have]
    if removed and len(removed) == len(added):
        return _refuse_renamed(own, removed, added)
    parts = [_removed(own, removed)] if removed else []
    if [label for label in have if label in want] != [label for label in want if label in have]:
        parts.append(_refuse_order(own, have, want))
    if added:
        adding = list(_adding(own, want, added))
        why = f"the models say the values {', '.join(map(literal, added))}, too"
        parts.append(_of_tables(own, own.step(Kind.ADD_VALUE, why, adding, Run.AHEAD), have, added))
    return joined(parts)


def _adding(own: _Own, want: Sequence[str], added: Sequence[str]) -> Iterator[str]:
    """Yield what adds them, each behind the one before it in the models, which is there by then."""
    known = [label for label in want if label not in added]
    for number, label in enumerate(want):
        if label in added:
            place = f" AFTER {literal(want[number - 1])}" if number else ""
            if not number and known:
                place = f" BEFORE {literal(known[0])}"
            yield f"ALTER TYPE {own.sql} ADD VALUE {literal(label)}{place}"


def _of_tables(own: _Own, plan: Plan, have: Sequence[str], added: Sequence[str]) -> Plan:
    """Give the step what takes the values back: the type anew, unless a row has one of them."""
    [step], listed = plan.steps, ", ".join(map(literal, added))
    guards: Dict[str, List[str]] = {}
    for use in own.uses():
        has = f"{use.name}::text{use.many} {'&&' if use.many else '= ANY'} (ARRAY[{listed}])"
        guards.setdefault(use.table, []).append(has)
    undo = Undo(
        statements=tuple(own.remade(have)),
        lock=Lock.REWRITE if guards else Lock.NONE,
        creates=True,
    )
    if guards:
        (table, guard), *besides = [(name, " OR ".join(has)) for name, has in guards.items()]
        step = step._replace(table=table)
        undo = undo._replace(guard=guard, besides=tuple(besides))
    return Plan((step._replace(undo=undo),))


def _removed(own: _Own, removed: Sequence[str]) -> Plan:
    """Refuse values that rows have and the models do not know; others are noted."""
    listed = ", ".join(map(literal, removed))
    why, queries = [], []
    for use in own.uses():
        text, has = f"{use.name}::text{use.many}", "&&" if use.many else "= ANY"
        query = f"SELECT * FROM {use.relation} WHERE {text} {has} (ARRAY[{listed}])"
        rows = own.ask(f"SELECT count(*) FROM ({query}) AS found")[0][0]
        if rows:
            verb = "has" if rows == 1 else "have"
            why.append(f"{counted(rows, 'row')} of {use.relation} {verb} one in {use.name}.")
            queries.append(query)
    if not why:
        return Plan(notes=(f"values of {own.sql}: {listed}",))
    what = f"has values that the models do not know: {listed}."
    advice = "Give these rows another value, or the models these values; find them with:"
    return own.refuse(what, WayOut(advice, tuple(queries)), *why)


def _refuse_renamed(own: _Own, removed: Sequence[str], added: Sequence[str]) -> Plan:
    """Refuse as many new values as unknown ones: only a person knows if they were renamed."""
    what = (
        f"has {', '.join(map(literal, removed))}; the models say {', '.join(map(literal, added))}."
    )
    rename = tuple(
        f"ALTER TYPE {own.sql} RENAME VALUE {literal(old)} TO {literal(new)}"
        for old, new in zip(removed, added)
    )
    return own.refuse(what, WayOut("If that is the same by another name, rename it:", rename))


def _refuse_order(own: _Own, have: Sequence[str], want: Sequence[str]) -> Plan:
    """Refuse another order, by which values are compared: it takes the type anew."""
    labels = [*want, *(label for label in have if label not in want)]
    statements = ["BEGIN", *own.remade(labels), "COMMIT"]
    what = f"has the values {', '.join(map(literal, have))}; the models say "
    what += f"{', '.join(map(literal, want))}, in this order."
    advice = "In a maintenance window, as it writes the rows anew:"
    return own.refuse(what, WayOut(advice, tuple(statements)))


def _domain(own: _Own, live: OwnType, desired: OwnType) -> Plan:
    """Change a domain's default, or drop its NOT NULL; what every row has to prove is refused."""
    alter, parts = f"ALTER DOMAIN {own.sql}", []
    if live.kind != desired.kind or live.base != desired.base:
        return _refuse_base(own, live, desired)
    if live.default != desired.default:
        sql, back = (f"{alter} {_set_default(value)}" for value in (desired.default, live.default))
        why = f"its default is {live.default}; the models say {desired.default}"
        undo, change = Undo(statements=(back,)), (live.default, desired.default)
        parts.append(own.step(Kind.SET_DEFAULT, why, [sql], Run.BRIEF, undo, change=change))
    if live.not_null and not desired.not_null:
        sql, back = f"{alter} DROP NOT NULL", f"{alter} SET NOT NULL"
        why, undo = "it is NOT NULL; the models say nullable", Undo(statements=(back,))
        turns = ("NOT NULL", "nullable")
        parts.append(own.step(Kind.DROP_NOT_NULL, why, [sql], Run.BRIEF, undo, change=turns))
    proven = [f"{alter} SET NOT NULL"] if desired.not_null and not live.not_null else []
    have, want = live.checks or {}, desired.checks or {}
    for name in [name for name in have if have[name] not in want.values()]:
        proven.append(f"{alter} DROP CONSTRAINT {identifier(name)}")
    for name in [name for name in want if want[name] not in have.values()]:
        proven.append(f"{alter} ADD CONSTRAINT {identifier(name)} {want[name]}")
    if proven:
        advice = "It reads every row of its columns while they can't be written; in a quiet hour:"
        way_out = WayOut(advice, tuple(proven))
        parts.append(own.refuse("is a domain with other constraints than the models say.", way_out))
    return joined(parts)


def _set_default(value: Optional[str]) -> str:
    return "DROP DEFAULT" if value is None else f"SET DEFAULT {value}"


def _refuse_base(own: _Own, live: OwnType, desired: OwnType) -> Plan:
    said = {"e": "an enum"}
    has, wants = (said.get(t.kind, f"a domain over {t.base}") for t in (live, desired))
    new = identifier(free_name(own.name, "_old", own.live.relations))
    way_out = WayOut(
        "Rename it, run again, and give its columns the new type:",
        (f"ALTER {'DOMAIN' if live.kind == 'd' else 'TYPE'} {own.sql} RENAME TO {new}",),
    )
    return own.refuse(f"is {has}; the models say {wants}.", way_out)


def _sequence(own: _Own, live: OwnSequence, desired: OwnSequence) -> Plan:
    """Change a sequence's options; it never goes back."""
    last = own.ask(f"SELECT last_value FROM {own.sql}")[0][0]
    differing = [pair for pair in zip(OwnSequence._fields, live, desired) if pair[1] != pair[2]]
    changes = [f"{name} is {old}; the models say {new}" for name, old, new in differing]
    to, back = (f"ALTER SEQUENCE {own.sql} {_options(numbers)}" for numbers in (desired, live))
    if not desired.minimum <= last <= desired.maximum:
        way_out = WayOut(
            "Change the models, or let it go on from another number:", (f"{to} RESTART",)
        )
        why = f"It has come to {last:,}."
        return own.refuse(f"cannot be changed: {'; '.join(changes)}.", way_out, why)
    why, undo = "; ".join(changes), Undo(statements=(back,))
    before = ", ".join(f"{name} {old}" for name, old, _ in differing)
    after = ", ".join(f"{name} {new}" for name, _, new in differing)
    return own.step(Kind.ALTER_SEQUENCE, why, [to], Run.BRIEF, undo, change=(before, after))


def _options(numbers: OwnSequence) -> str:
    cycle = "CYCLE" if numbers.cycle else "NO CYCLE"
    return (
        f"AS {numbers.type} INCREMENT BY {numbers.increment} MINVALUE {numbers.minimum} "
        f"MAXVALUE {numbers.maximum} START WITH {numbers.start} CACHE {numbers.cache} {cycle}"
    )
