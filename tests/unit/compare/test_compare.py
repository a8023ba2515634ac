"""The comparison on catalogs given as data: no server decides anything here."""

import re
from typing import Any, Dict, List, Tuple

import pytest

import chater
from converge.compare.compare import compare
from converge.compare.desired import Desired
from converge.compare.table import Given
from converge.plan import Managed, Plan
from converge.server.catalog import Column, Constraint, Index, Schema, Table
from converge.server.inspect import ExtensionFacts, ServerFacts
from converge.settings import loading as config
from converge.steps import Run
from tests.support.desired import METADATA
from tests.support.plans import rendered

SETTINGS = config.load_settings(
    {"POSTGRES_HOST": "h", "POSTGRES_DB": "d", "POSTGRES_USER": "u", "POSTGRES_PASSWORD": "p"},
    dotenv_path="no such file",
)
SERVER = ServerFacts(
    version=160000,
    platform="PostgreSQL 16 on linux",
    standby=False,
    user="u",
    database="d",
    superuser=False,
    can_create_schema=True,
    can_use_temp=True,
    home="public",
    ctype="C.UTF-8",
    extensions={"pg_trgm": ExtensionFacts("public", usable=True, available=True, trusted=True)},
    pooled=False,
)
KEY = {"weight_pkey": Constraint("p", "PRIMARY KEY (time)", columns=["time"])}
COLUMNS = {
    "time": Column("integer", not_null=True),
    "date": Column("character varying", not_null=True),
    "weight": Column("double precision", not_null=True, comment="kilograms"),
    "user_email": Column("character varying", not_null=True),
}
WEIGHT = Table(COLUMNS, KEY, {"idx_weight_date": Index(False, "btree (date)", columns=["date"])})


def ask_nothing(sql: str) -> List[Tuple[Any, ...]]:
    if "SELECT max(" in sql:  # the longest value of what an index is to be built on
        return [(4,)]
    if "CREATE TEMP TABLE" in sql:  # what a cast does to a copy
        return [(True, True)]
    if "<> (weight IS NULL)" in sql:  # what a conversion by hand leaves out
        return [(0,)]
    raise AssertionError(f"no row decides this: {sql}")


def ask_empty_table(_: str) -> List[Tuple[Any, ...]]:
    return [(0,)]


def planned(live: Table, desired: Table = WEIGHT, ask: Any = ask_nothing, **schema: Any) -> Plan:
    """Compare one table, whose indexes are the only other relations of its schema."""
    relations = {"weight": live.kind, **dict.fromkeys(live.indexes, "i")}
    models = Desired(
        METADATA,
        extensions=chater.EXTENSIONS,
        backfills={"default_user_email": "legacy@localhost"},
    )
    models.managed = Managed(("weight",))
    models.in_server_words["public"] = Schema({"weight": desired}, {})
    schemas = {"public": Schema({"weight": live}, relations, **schema)}
    return compare(schemas, Given(models, SETTINGS, SERVER, ask, ask))


def sql(found: Plan) -> List[str]:
    return [statement for step in found.steps for statement in step.statements]


def changed_column(name: str, **change: Any) -> Table:
    return WEIGHT._replace(columns={**COLUMNS, name: COLUMNS[name]._replace(**change)})


def without(items: Dict[str, Any], name: str) -> Dict[str, Any]:
    return {key: value for key, value in items.items() if key != name}


def test_equal_catalogs_give_an_empty_plan() -> None:
    """Nothing differs, nothing is asked, nothing is planned."""
    assert planned(WEIGHT).empty


def test_a_missing_column_is_added_without_touching_a_row() -> None:
    """A constant backfill is a default for as long as it takes to add the column."""
    live = WEIGHT._replace(columns=without(COLUMNS, "user_email"))
    assert sql(planned(live, ask=ask_empty_table)) == [
        "ALTER TABLE public.weight ADD COLUMN user_email character varying "
        "DEFAULT 'legacy@localhost' NOT NULL",
        "ALTER TABLE public.weight ALTER COLUMN user_email DROP DEFAULT",
    ]


def test_a_missing_index_is_built_concurrently() -> None:
    """Indexes of live tables block nobody."""
    found = planned(WEIGHT._replace(indexes={}))
    assert sql(found) == ["CREATE INDEX CONCURRENTLY idx_weight_date ON public.weight (date)"]
    assert [step.run for step in found.steps] == [Run.ONLINE]


def test_an_invalid_index_is_dropped_and_built_again() -> None:
    """An index that an interrupted build left is no index."""
    invalid = {"idx_weight_date": Index(False, "btree (date)", valid=False)}
    assert sql(planned(WEIGHT._replace(indexes=invalid))) == [
        "DROP INDEX CONCURRENTLY public.idx_weight_date",
        "CREATE INDEX CONCURRENTLY idx_weight_date ON public.weight (date)",
    ]


def test_another_index_is_replaced_by_a_swap_of_names() -> None:
    """There is no moment without an index: the old one goes when the new one serves."""
    other = {"idx_weight_date": Index(False, "btree (weight)")}
    assert sql(planned(WEIGHT._replace(indexes=other))) == [
        "CREATE INDEX CONCURRENTLY eater_new_idx_weight_date ON public.weight (date)",
        "ALTER INDEX public.idx_weight_date RENAME TO eater_old_idx_weight_date",
        "ALTER INDEX public.eater_new_idx_weight_date RENAME TO idx_weight_date",
        "DROP INDEX CONCURRENTLY public.eater_old_idx_weight_date",
    ]


@pytest.mark.parametrize(("live", "noted"), [("bigint", "bigint"), ("integer", None)])
def test_a_wider_type_is_accepted_and_noted(live: str, noted: str) -> None:
    """What holds all that the model's type can is left alone."""
    found = planned(changed_column("time", type=live))
    assert found.empty
    assert found.notes == (
        (f'public.weight."time" is {noted}, which holds every integer',) if noted else ()
    )


def test_not_null_is_proven_before_it_is_set() -> None:
    """Each statement that locks everybody out takes an instant; the scan locks nobody out."""
    found = planned(changed_column("date", not_null=False), ask=ask_empty_table)
    assert [step.run for step in found.steps] == [Run.BRIEF] * 3
    assert sql(found) == [
        "ALTER TABLE public.weight ADD CONSTRAINT eater_new_date_not_null "
        "CHECK (date IS NOT NULL) NOT VALID",
        "ALTER TABLE public.weight VALIDATE CONSTRAINT eater_new_date_not_null",
        "ALTER TABLE public.weight ALTER COLUMN date SET NOT NULL",
        "ALTER TABLE public.weight DROP CONSTRAINT eater_new_date_not_null",
    ]


def test_a_comment_of_the_models_is_written() -> None:
    """Comments are part of the desired state."""
    assert sql(planned(changed_column("weight", comment=None))) == [
        "COMMENT ON COLUMN public.weight.weight IS 'kilograms'"
    ]


def test_what_the_models_do_not_know_is_left_alone() -> None:
    """Unknown columns, indexes and constraints are named, and nothing else."""
    live = Table(
        columns={**COLUMNS, "mood": Column("text", not_null=False)},
        constraints={**KEY, "weight_sane": Constraint("c", "CHECK ((weight > 0))")},
        indexes={**WEIGHT.indexes, "idx_mood": Index(False, "btree (mood)")},
    )
    found = planned(live)
    assert found.empty
    assert found.left_alone() == [
        "columns of public.weight: mood",
        "constraints of public.weight: weight_sane",
        "indexes of public.weight: idx_mood",
    ]


@pytest.mark.parametrize(
    ("live", "schema", "message"),
    [
        (
            WEIGHT._replace(kind="v"),
            {},
            "refused: public.weight is a view; the models say a table.\n"
            "  Nothing was changed. Rename the view:\n"
            "    ALTER VIEW public.weight RENAME TO weight_old;",
        ),
        (
            WEIGHT._replace(indexes={}, owned=False, owner="somebody"),
            {},
            "refused: public.weight needs a change, but belongs to somebody: "
            "create index public.weight.idx_weight_date.\n"
            "  Nothing was changed. Run as its owner, or let an administrator run:\n"
            "    ALTER TABLE public.weight OWNER TO u;",
        ),
        (
            WEIGHT._replace(indexes={}),
            {"can_create": False},
            "refused: public.weight needs a change that requires the right to create in its "
            "schema: create index public.weight.idx_weight_date.\n"
            "  Nothing was changed. Let an administrator run:\n"
            "    GRANT CREATE ON SCHEMA public TO u;",
        ),
        (
            changed_column("weight", type="json"),
            {},
            "refused: public.weight.weight is json; the model says double precision.\n"
            "  No conversion is known that is right for every row.\n"
            "  Nothing was changed. Convert it by hand, in a maintenance window, for example:\n"
            "    ALTER TABLE public.weight ALTER COLUMN weight TYPE double precision "
            "USING weight::double precision;",
        ),
        (
            changed_column("weight", generated="s"),
            {},
            "refused: public.weight.weight is a generated column; "
            "the model says a plain double precision.\n"
            "  Nothing was changed. Store them from now on:\n"
            "    ALTER TABLE public.weight ALTER COLUMN weight DROP EXPRESSION;",
        ),
    ],
    ids=["a view", "not the owner", "no right to create", "no conversion", "generated"],
)
def test_a_refusal_says_what_why_and_the_way_out(
    live: Table, schema: Dict[str, Any], message: str
) -> None:
    """Whoever reads it at night knows what to type."""
    assert [str(refusal) for refusal in planned(live, **schema).refusals] == [message]


def test_a_plan_prints_why_lock_and_how_before_each_statement() -> None:
    """`--plan` can be read, and run, by hand."""
    assert rendered(planned(WEIGHT._replace(indexes={}))).splitlines() == [
        "-- online: outside a transaction, each for as long as it takes; it blocks nobody",
        "",
        "-- 1. create index public.weight.idx_weight_date: it is missing",
        "--    online, SHARE UPDATE EXCLUSIVE on public.weight: readers and writers go on",
        "CREATE INDEX CONCURRENTLY idx_weight_date ON public.weight (date);",
        "",
        "-- public.weight  + index idx_weight_date",
        "",
        "-- 1 step; the schema's history records them.",
    ]


def test_a_name_cannot_end_a_comment_of_the_plan() -> None:
    """Whoever may create a table could else have SQL run by whoever runs the printed plan."""
    hostile = {"a\nDROP TABLE b;\rDROP TABLE c;": Column("integer", not_null=False)}
    printed = rendered(planned(WEIGHT._replace(columns={**COLUMNS, **hostile})))
    assert printed.startswith("-- left alone: columns of public.weight: a\n-- DROP TABLE b;\n-- DR")
    assert all(line.startswith("--") or not line for line in re.split("[\r\n]", printed))
