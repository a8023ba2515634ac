"""Where the models' words find what they name: the schema itself, and those of the extensions."""

from typing import List, Optional

from converge.compare.desired import Desired
from converge.compare.missing import missing
from converge.compare.placed import placed
from converge.compare.table import Given
from converge.errors import Refused
from converge.plan import Refusal, WayOut
from converge.quoting import identifier
from converge.server.catalog import Schema
from converge.server.messages import search_path
from converge.settings.variables import Settings


def refuse_other_schemas(settings: Settings, desired: Desired) -> None:
    """Raise `Refused` if the models put something into a schema that is not the one of the run.

    Each schema of POSTGRES_SCHEMAS has all of the models, so they may name no other.
    """
    named = desired.named_schemas
    if not named or (len(named) == 1 and tuple(named) == settings.every_schema):
        return
    tables = [table for table in desired.tables.values() if table.schema]
    listed = ", ".join(f"{identifier(str(t.schema))}.{identifier(t.name)}" for t in tables)
    what = f"the models put into a schema of their own: {listed or ', '.join(named)}."
    why = f"POSTGRES_SCHEMAS is {','.join(settings.every_schema)}, and each has all of the models."
    advice = f"Leave schema= out of the models, or run with POSTGRES_SCHEMAS={named[0]}."
    if len(named) > 1:
        advice = "Leave schema= out of the models: POSTGRES_SCHEMAS says where they go."
    raise Refused.of(Refusal("", "", what, WayOut(advice), (why,)))


def looking_along(schema: str, live: Optional[Schema], given: Given) -> Given:
    """Return what a comparison of a schema is made with: it finds and words what the models name.

    What they bring along is made before a question, and rolled back after it, where it is missing.
    """
    outside = {} if live is None else live.outside
    given = given._replace(desired=given.desired.with_types_outside(outside))
    homes = given.facts.homes(given.facts.new_home(given.settings))
    path = tuple(dict.fromkeys([schema, *outside.values(), *homes]))
    ask, again, before = given.ask, given.again, [f"SET LOCAL {search_path(path)}"]
    if live is not None:
        needed = _needed(schema, live, given)
        before += ["SET TRANSACTION READ WRITE", *needed] if needed else []
    return given._replace(
        path=path,
        ask=lambda sql: ask(";\n".join([*before, sql])),
        again=lambda: placed(again(), schema, outside),
    )


def _needed(schema: str, live: Schema, given: Given) -> List[str]:
    home = given.facts.new_home(given.settings)
    created = given.desired.create_all(schema, missing(live, given.desired)._replace(tables=()))
    lacking = [name for name in given.facts.lacking if given.facts.permits(name)]
    extensions = [given.desired.create_extension(name, home) for name in lacking]
    return [*extensions, *(sql for creation in created for sql in creation.statements)]
