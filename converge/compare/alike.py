"""Schemas in the same state are one thing: planned once, for all of them.

A plan is a function of a schema's state (`server/states.py`) and of what its rows answer. So
another schema in that state has the same plan, with its own name, where its rows answer the same.
That the name means nothing but the schema, wherever a plan has it, is proven by the second schema
of a state: it is planned in full too, and both plans have to be the same. A schema whose name the
plan has for something else, as a column, is planned for itself.
"""

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import psycopg2

from converge.compare.compare import make_plan
from converge.compare.declared import former_tables
from converge.compare.desired import Desired
from converge.plan import Alike, Managed, Plan, joined, named, renamed
from converge.quoting import identifier
from converge.server.connection import Connection
from converge.server.inspect import NO_RIGHT_TO_EXTENSION, ServerFacts
from converge.server.messages import ask, in_a_row
from converge.server.states import State, states
from converge.settings.variables import Settings
from converge.steps import Kind

STATES = 64  # that are remembered; and the plans of one, by what the rows answer
ANSWERS = 8
# What SQL, or a pattern, may read as something else than a part of a name.
ODD = re.compile(r"[^\w $@.-]")


class Key(NamedTuple):
    """What a plan depends on besides rows; `state` is None where the schema is missing."""

    state: Optional[State]
    quoted: bool  # its name is, in SQL
    facts: str  # of the server
    extensions: bool  # the plan creates those that are missing


class Asked:
    """Asks about live rows, and remembers the answers."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.answers: Dict[str, Any] = {}

    def __call__(self, sql: str) -> List[Tuple[Any, ...]]:
        try:
            self.answers[sql] = ask(self.connection, sql)
        except psycopg2.Error as error:
            self.answers[sql] = _said(error)
            raise
        found: List[Tuple[Any, ...]] = self.answers[sql]
        return found


class Known:
    """A plan, the schema that it was made for, and what its rows have answered."""

    def __init__(self, schema: str, plan: Plan, answers: Dict[str, Any]) -> None:
        self.schema, self.plan, self.answers = schema, plan, answers
        self.proven: Optional[bool] = None  # to be that of others too; None: not tried yet
        self._text = repr(plan)

    def has_word(self, name: str) -> bool:
        """Return whether the plan names something else so, which no schema's name may stand for."""
        return name != self.schema and named(name).search(self._text) is not None

    def of(self, schema: str) -> Plan:
        return Alike(self.plan, (self.schema,)).of(schema)

    def answered_by(self, schema: str, connection: Connection) -> bool:
        """Return whether the rows of a schema answer the same."""
        for sql, answer in self.answers.items():
            try:
                found: Any = ask(connection, renamed(sql, self.schema, schema))
            except psycopg2.Error as error:
                if connection.closed:
                    raise
                found = _said(error)
            if found != renamed(answer, self.schema, schema):
                return False
        return True


class Comparison:
    """Compares schemas with the models, those in the same state once.

    What it knows is kept: the schemas of the next call are compared with it too.
    """

    def __init__(self, desired: Desired) -> None:
        self.desired = desired
        self._known: Dict[Key, List[Known]] = {}

    def plan(self, connection: Connection, facts: ServerFacts, settings: Settings) -> Plan:
        """Return what brings the schemas of `settings` to the models, as `make_plan` does.

        It proves nothing that could be recorded.
        """
        if len(settings.every_schema) == 1:
            return _Making(connection, facts, settings, self.desired).plan(settings.schemas, {})
        found = self.survey(connection, facts, settings)
        plans = {schema: alike for alike in found for schema in alike.schemas}
        return joined(plans[schema].of(schema) for schema in settings.schemas)

    def survey(self, connection: Connection, facts: ServerFacts, settings: Settings) -> List[Alike]:
        """Return the plans of the schemas, one for those that have the same; nothing is touched.

        Raises `Refused` as `make_plan` does.
        """
        making = _Making(connection, facts, settings, self.desired)
        if len(settings.every_schema) == 1:
            return [Alike(making.plan(settings.schemas), settings.schemas)]
        seen = _states(connection, settings.schemas, self.desired)
        found: Dict[Known, List[str]] = {}
        there = [one for one in settings.schemas if one in seen or settings.source.creates(one)]
        with in_a_row(connection):
            for schema in there:
                extensions = bool(facts.lacking) and schema == there[0]
                state, quoted = seen.get(schema), _is_quoted(schema)
                key = Key(state, quoted, _facts(facts, schema), extensions)
                found.setdefault(self._of(key, schema, making), []).append(schema)
        alike = [Alike(known.of(these[0]), tuple(these)) for known, these in found.items()]
        gone = [one for one in settings.schemas if one not in there]
        return alike + [Alike(_gone(schema), (schema,)) for schema in gone]

    def _of(self, key: Key, schema: str, making: "_Making") -> Known:
        """Return the plan of a schema: one that is known, or a new one."""
        if ODD.search(schema):
            return making.known(key, schema)
        candidates, new = self._known.setdefault(key, []), None
        for old in list(self._known)[:-STATES]:  # as others may do at the same time
            self._known.pop(old, None)
        for known in candidates:
            own = known.schema == schema
            if not own and (known.proven is False or known.has_word(schema)):
                continue
            if not known.answered_by(schema, making.connection):
                continue
            if not own and known.proven is None:
                new = new or making.known(key, schema)
                known.proven = known.of(schema) == new.plan
            if own or known.proven:
                return known
        new = new or making.known(key, schema)
        candidates[:] = [new, *candidates[: ANSWERS - 1]]
        return new


class _Making(NamedTuple):
    """What a plan is made with."""

    connection: Connection
    facts: ServerFacts
    settings: Settings
    desired: Desired

    def plan(
        self,
        schemas: Sequence[str],
        fingerprints: Optional[Mapping[str, str]] = None,
        asking: Optional[Asked] = None,
    ) -> Plan:
        return make_plan(
            self.connection,
            self.facts,
            settings=self.settings.of(schemas),
            desired=self.desired,
            asking=asking,
            fingerprints=fingerprints,
        )

    def known(self, key: Key, schema: str) -> Known:
        asked = Asked(self.connection)
        fingerprints = {} if key.state is None else {schema: key.state.managed}
        plan = self.plan([schema], fingerprints, asked)
        if not key.extensions:  # those are the first schema's
            plan = _without_extensions(plan)
        return Known(schema, plan, asked.answers)


def _states(connection: Connection, schemas: Sequence[str], desired: Desired) -> Dict[str, State]:
    """Return the states of schemas, and around them those of the tables that are to be renamed."""
    seen = states(connection, schemas, desired.managed)
    former = former_tables(desired)
    if not former:
        return seen
    formers = states(connection, schemas, Managed(tuple(former)))
    return {
        schema: state._replace(around=f"{state.around} {formers.get(schema)}")
        for schema, state in seen.items()
    }


def _gone(schema: str) -> Plan:
    return Plan(notes=(f"schema {identifier(schema)}, which is gone since a pattern found it",))


def _without_extensions(plan: Plan) -> Plan:
    steps = tuple(step for step in plan.steps if step.kind is not Kind.CREATE_EXTENSION)
    refusals = tuple(one for one in plan.refusals if one.lacks != NO_RIGHT_TO_EXTENSION)
    return plan._replace(steps=steps, refusals=refusals).numbered()


def _facts(facts: ServerFacts, schema: str) -> str:
    """Return what a plan may depend on of the server, and of a schema's place on it."""
    if facts.citus is None:
        return str(facts)
    copies = sorted(table for found, table in facts.citus.copies if found == schema)
    place = (facts.citus.distributes, schema in facts.citus.distributed, copies)
    return f"{facts._replace(citus=None)} {place}"


def _is_quoted(name: str) -> bool:
    return identifier(name) != name


def _said(error: psycopg2.Error) -> Tuple[Optional[str], str]:
    return error.pgcode, str(error)
