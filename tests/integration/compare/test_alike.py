"""One plan for schemas in the same state: the one that each of them would have for itself."""

from contextlib import closing
from typing import Any, List, Sequence, Tuple

from sqlalchemy import Column, Integer, MetaData, Text

from converge.compare.alike import Comparison
from converge.compare.compare import make_plan
from converge.compare.desired import Desired
from converge.plan import Plan
from converge.server.inspect import inspect
from converge.server.retries import connect
from converge.settings.loading import load_settings
from tests.support.changing import release
from tests.support.database import Database

SCHEMAS = [f"t{number}" for number in range(1, 7)]
ID = Column("id", Integer, primary_key=True)


def surveyed(database: Database, metadata: MetaData, schemas: Sequence[str]) -> List[List[str]]:
    """Return the schemas that share plans; each has the plan that it has alone."""
    names = {"POSTGRES_SCHEMAS": ",".join(schemas)}
    settings = load_settings({**database.environment, **names}, "none")
    with closing(connect(settings)) as work:
        facts = inspect(work, settings, ())
        found = Comparison(Desired(metadata)).survey(work, facts, settings)
        for alike in found:
            for schema in alike.schemas:
                own = make_plan(
                    work, facts, settings=settings.of([schema]), desired=Desired(metadata)
                )
                assert _said(alike.of(schema)) == _said(own), schema
    return [list(alike.schemas) for alike in found]


def _said(plan: Plan) -> Tuple[Any, ...]:
    return plan.steps, plan.refusals, plan.notes, plan.warnings, plan.unmanaged, plan.fingerprints


def test_tables_to_be_renamed_are_looked_at(database: Database) -> None:
    """What a table is counts before it has its new name."""
    for schema in SCHEMAS:
        made = f"CREATE TABLE {schema}.stuff (id int PRIMARY KEY, a int, b text)"
        database.execute(f"CREATE SCHEMA {schema}; {made}")
    database.execute("ALTER TABLE t3.stuff DROP b")
    database.execute("ALTER TABLE t4.stuff ALTER a TYPE text")
    database.execute("ALTER TABLE t5.stuff ADD z int")
    columns = [ID._copy(), Column("a", Integer), Column("b", Text)]
    new = release(("things", *columns, {"info": {"renamed_from": "stuff"}}))
    assert surveyed(database, new, SCHEMAS) == [["t1", "t2", "t6"], ["t3"], ["t4"], ["t5"]]


def test_a_schemas_name_in_a_text_stays(database: Database) -> None:
    """It is the default of all, and no other schema has the plan of the one that it names."""
    schemas = ["t1", "t2", "t3"]
    for schema in schemas:
        made = f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.things (id int PRIMARY KEY)"
        database.execute(made)
    new = release(("things", ID._copy(), Column("a", Text, nullable=False, server_default="t2")))
    assert surveyed(database, new, schemas) == [["t1", "t3"], ["t2"]]
    assert surveyed(database, new, ["t2", "t1", "t3"]) == [["t2"], ["t1", "t3"]]
