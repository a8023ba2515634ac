"""Declared renames: in an instant, with whatever else a release changes, and taken back."""

import enum
from typing import Any, List, Tuple

import pytest
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Constraint,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    UniqueConstraint,
    column,
    literal,
    text,
)

from converge.plan import Plan
from converge.steps import Kind, Step
from tests.support.changing import Changing, release
from tests.support.database import Database
from tests.support.waiting import holding

WAS_PRICE = {"renamed_from": "price"}
ROWS = [(1, 10), (2, None), (3, 30)]
PRICED = "INSERT INTO item (id, price) VALUES (1, 10), (2, NULL), (3, 30)"


def key() -> "Column[int]":
    return Column("id", Integer, primary_key=True, autoincrement=False)


def items(*parts: Any) -> MetaData:
    """Return models of one table, with more than its key."""
    return release(("item", key(), *parts))


def old() -> MetaData:
    return items(Column("price", Integer))


def new(*more: Any, type_: Any = Integer, **info: Any) -> MetaData:
    nullable = info.pop("nullable", True)
    amount: Column[Any] = Column("amount", type_, nullable=nullable, info={**WAS_PRICE, **info})
    return items(amount, *more)


def kinds(plan: Plan) -> List[Kind]:
    return [step.kind for step in plan.steps]


def renamed(plan: Plan) -> List[Step]:
    """Return the steps without what follows a rename: which names there are is up to the server."""
    return [step for step in plan.steps if step.kind is not Kind.FOLLOW_RENAME]


@pytest.fixture
def changing(database: Database) -> Changing:
    return Changing(database)


@pytest.fixture
def priced(changing: Changing) -> Changing:
    """The first release, with rows."""
    changing.apply(old())
    changing.database.execute(PRICED)
    return changing


def test_a_column(priced: Changing) -> None:
    """All rows keep their values; the second run does nothing."""
    plan = priced.apply(new())
    assert [sql for step in plan.steps for sql in step.statements] == [
        "ALTER TABLE public.item RENAME COLUMN price TO amount"
    ]
    assert priced.database.rows("SELECT id, amount FROM item ORDER BY id") == ROWS
    assert priced.apply(new()).empty


def test_the_plan_says_who_is_hit(priced: Changing) -> None:
    """Views follow, clients do not."""
    assert priced.text(new()) == (
        "-- warning: from its rename on, nobody finds public.item.price: views and foreign keys "
        "follow it, deployed services do not\n"
        "\n"
        "-- brief: alone in a transaction, under LOCK_TIMEOUT, until LOCK_PATIENCE is over\n"
        "\n"
        "-- 1. rename column public.item.amount: price -> amount\n"
        "--    brief, ACCESS EXCLUSIVE on public.item for an instant: readers and writers wait\n"
        "ALTER TABLE public.item RENAME COLUMN price TO amount;\n"
        "\n"
        "-- public.item  ~ column amount (was price)\n"
        "\n"
        "-- 1 step; the schema's history records them."
    )


def test_a_rollback_gives_the_name_back(priced: Changing) -> None:
    """And finds nothing else to do."""
    priced.apply(new())
    assert priced.rolled_back(1).refusals == ()
    assert priced.database.rows("SELECT id, price FROM item ORDER BY id") == ROWS
    assert priced.planned(old()).empty


def test_a_column_with_all_that_a_release_may_change(priced: Changing) -> None:
    """Type, NOT NULL, a column computed from it, checks, an index: one plan, asked before."""
    later = new(
        Column("twice", Integer, nullable=False, info={"backfill": column("amount") * 2}),
        CheckConstraint("amount < 100", name="affordable"),
        Index("dear", text("amount"), postgresql_where=text("amount > 20")),
        UniqueConstraint("amount", name="once"),
        type_=BigInteger,
        nullable=False,
        backfill=literal(5),
    )
    plan = priced.apply(later)
    assert kinds(plan)[0] is Kind.RENAME_COLUMN
    assert {Kind.CHANGE_TYPE, Kind.SET_NOT_NULL, Kind.ADD_KEY, Kind.CREATE_INDEX} <= set(
        kinds(plan)
    )
    found = priced.database.rows("SELECT id, amount, twice FROM item ORDER BY id")
    assert found == [(1, 10, 20), (2, 5, 10), (3, 30, 60)]
    assert priced.rolled_back(1).refusals == ()
    assert priced.planned(old()).empty


REFUSED = {
    "a check": (new(CheckConstraint("amount < 20", name="cheap")), "SELECT id, amount FROM"),
    "NOT NULL": (new(nullable=False), "SELECT id, amount FROM"),
    "a key": (new(UniqueConstraint("amount", name="once")), "SELECT amount, count(*) FROM"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_else_is_refused_can_be_asked_before(priced: Changing, what: str) -> None:
    """The query goes by the live name, as it is typed before the rename has run."""
    priced.database.execute("INSERT INTO item VALUES (4, 30)")
    later, begins = REFUSED[what]
    [refusal] = priced.planned(later).refusals
    [query] = refusal.way_out.statements
    assert query.startswith(begins)
    assert priced.database.rows(query) != []
    assert priced.database.rows("SELECT id, price FROM item ORDER BY id") == [*ROWS, (4, 30)]


def test_a_change_that_is_to_be_typed_begins_with_the_rename(priced: Changing) -> None:
    """As it comes first in a run: typed whole, nothing is left to do."""
    priced.settings = priced.settings._replace(rewrite_max_rows=2)
    later = new(type_=BigInteger)
    [refusal] = priced.planned(later).refusals
    assert refusal.way_out.statements[0] == "ALTER TABLE public.item RENAME COLUMN price TO amount"
    for statement in refusal.way_out.statements:
        priced.database.execute(statement)
    assert priced.planned(later).empty


def test_what_has_the_column_in_its_words_follows(changing: Changing) -> None:
    """Checks, keys, indexes and foreign keys are no differences; their default names follow."""
    changing.apply(
        release(
            ("shop", Column("code", String, primary_key=True)),
            (
                "item",
                key(),
                Column("price", Integer, server_default="1", index=True, unique=False),
                Column("shop", ForeignKey("shop.code")),
                CheckConstraint("price > 0 AND price IN (10, 20, 30)", name="known"),
                UniqueConstraint("shop", "price"),
                Index("low", text("(price + 1)"), postgresql_where=text("price < 20")),
            ),
        )
    )
    later = release(
        (
            "shop",
            Column("number", String, primary_key=True, info={"renamed_from": "code"}),
        ),
        (
            "item",
            key(),
            Column("amount", Integer, server_default="1", index=True, info=WAS_PRICE),
            Column("seller", ForeignKey("shop.number"), info={"renamed_from": "shop"}),
            CheckConstraint("amount > 0 AND amount IN (10, 20, 30)", name="known"),
            UniqueConstraint("seller", "amount"),
            Index("low", text("(amount + 1)"), postgresql_where=text("amount < 20")),
        ),
    )
    plan = changing.apply(later)
    assert all(step.kind.renames for step in renamed(plan))
    assert {step.name: step.former for step in renamed(plan)} == {
        "number": "code",
        "amount": "price",
        "seller": "shop",
        "ix_item_amount": "ix_item_price",
        "item_seller_fkey": "item_shop_fkey",
        "item_seller_amount_key": "item_shop_price_key",
    }


def users(name: str = "user", **options: Any) -> Tuple[Any, ...]:
    mail: Column[Any] = Column("mail", String, unique=True)
    return (name, Column("id", Integer, primary_key=True), mail, options)


def orders(target: str) -> Tuple[Any, ...]:
    return ("order", key(), Column("buyer", ForeignKey(f"{target}.mail")))


def accounts() -> Tuple[Any, ...]:
    return users("account", info={"renamed_from": "user"})


FILLED = (
    """INSERT INTO "user" VALUES (1, 'ann'), (2, 'bob'); INSERT INTO "order" VALUES (7, 'bob')"""
)


@pytest.fixture
def used(changing: Changing) -> Changing:
    """A table that another refers to, with rows."""
    changing.apply(release(users(), orders("user")))
    changing.database.execute(FILLED)
    return changing


def test_a_table(used: Changing) -> None:
    """Keys follow with their names, so that a table of the old name may be created again."""
    used.database.execute('CREATE VIEW names AS SELECT mail FROM "user"')
    later = release(accounts(), orders("account"))
    plan = used.apply(later)
    assert [str(step) for step in renamed(plan)] == [
        "rename table public.account",
        "rename constraint public.account.account_mail_key",
        "rename constraint public.account.account_pkey",
    ]
    assert used.database.rows("SELECT * FROM names ORDER BY 1") == [("ann",), ("bob",)]
    assert used.apply(later).empty
    again = release(accounts(), orders("account"), ("user", key()))
    used.apply(again)
    assert used.database.value('SELECT count(*) FROM account, "order"') == 2
    assert used.planned(again).empty


def test_a_table_and_its_columns_are_taken_back(used: Changing) -> None:
    """Newest first, so that the older steps find their names."""
    mail: Column[Any] = Column("email", String, unique=True, info={"renamed_from": "mail"})
    account = ("account", Column("id", Integer, primary_key=True), mail)
    later = release(
        (*account, Column("city", String), {"info": {"renamed_from": ["client", "user"]}}),
        ("order", key(), Column("buyer", ForeignKey("account.email"))),
    )
    used.apply(later)
    assert used.database.rows("SELECT id, email FROM account ORDER BY id") == [
        (1, "ann"),
        (2, "bob"),
    ]
    assert used.rolled_back(1).refusals == ()
    assert used.planned(release(users(), orders("user"))).empty


def test_rows_of_older_steps_are_asked_for_by_the_names_that_there_are(used: Changing) -> None:
    """What keeps them is said once the newer versions are undone: it goes by the older names."""
    used.apply(release(accounts(), orders("account")))
    assert str(used.rolled_back(0).refusals[1]) == (
        "refused: undoing 'create table public.user' would lose the values of 2 rows.\n"
        "  Nothing was changed. Undo the newer versions first: create_tables.py --rollback --to 1\n"
        "  Then --rollback says what to type."
    )
    assert used.rolled_back(1).refusals == ()
    lost = [str(refusal).splitlines()[0] for refusal in used.rolled_back(0).refusals]
    assert "refused: undoing 'create table public.user' would lose the values of 2 rows." in lost


def test_values_are_looked_for_across_renames(priced: Changing) -> None:
    """Through several versions, of which each has another name for a column."""
    cost: Column[Any] = Column("cost", BigInteger, info={"renamed_from": ["amount", "price"]})
    latest = release(("ware", key(), cost, {"info": {"renamed_from": "item"}}))
    priced.database.execute("DELETE FROM item")
    priced.apply(items(Column("price", BigInteger)))
    priced.apply(new(type_=BigInteger))
    priced.apply(latest)
    priced.database.execute("INSERT INTO ware VALUES (1, 3000000000)")
    [refusal] = priced.rolled_back(1).refusals
    assert "the values of 1 row would not fit" in refusal.what
    priced.database.execute("UPDATE ware SET cost = 3")
    assert priced.rolled_back(1).refusals == ()
    assert priced.planned(old()).empty


def test_an_empty_table_is_taken_back_across_its_rename(changing: Changing) -> None:
    """Steps without rows to ask for are found under the names that they will have again."""
    changing.apply(old())
    changing.apply(items(Column("price", Integer), Index("dear", text("price"))))
    changing.apply(new(Index("dear", text("amount"))))
    assert changing.rolled_back(1).refusals == ()
    assert changing.planned(old()).empty


def test_a_new_table_refers_to_a_renamed_one(used: Changing) -> None:
    """The key between them comes last; a key that is to be dropped refers to it as well."""
    mail: Column[Any] = Column("email", String, unique=True, info={"renamed_from": "mail"})
    account = ("account", Column("id", Integer, primary_key=True), mail)
    later = release(
        ("basket", key(), Column("owner", ForeignKey("account.email"))),
        (*account, {"info": {"renamed_from": "user"}}),
        ("order", key(), Column("buyer", ForeignKey("account.email")),
         Column("payer", ForeignKey("account.email"))),
    )  # fmt: skip
    used.apply(later)
    used.database.execute("INSERT INTO basket VALUES (1, 'ann')")
    assert used.apply(later).empty


@pytest.mark.parametrize("value", ["'eve'", "'bob'"])
def test_a_foreign_key_to_a_renamed_table_is_proven(used: Changing, value: str) -> None:
    """Its rows are asked for by the names that are there, so are those of what it refers to."""
    used.database.execute('ALTER TABLE "order" ADD COLUMN giver varchar')
    used.database.execute(f'UPDATE "order" SET giver = {value}')
    mail: Column[Any] = Column("email", String, unique=True, info={"renamed_from": "mail"})
    by: Column[Any] = Column("payer", ForeignKey("account.email"), info={"renamed_from": "giver"})
    later = release(
        (
            "account",
            Column("id", Integer, primary_key=True),
            mail,
            {"info": {"renamed_from": "user"}},
        ),
        ("order", key(), Column("buyer", ForeignKey("account.email")), by),
    )
    if value == "'bob'":
        used.apply(later)
        return
    [refusal] = used.planned(later).refusals
    assert refusal.why == ("1 row violates it, e.g. id=7 'eve'.",)
    assert used.database.rows(*refusal.way_out.statements) == [(7, "eve")]


def test_numbers_go_on(changing: Changing) -> None:
    """Whatever draws them: the sequence has the name that a new one would have."""
    for number, parts in enumerate(([], [Identity()])):
        one: Column[Any] = Column("id", Integer, *parts, primary_key=True)
        two: Column[Any] = Column(
            "number", Integer, *parts, primary_key=True, info={"renamed_from": "id"}
        )
        info = {"info": {"renamed_from": f"old{number}"}}
        changing.apply(release((f"old{number}", one, Column("x", Integer))))
        changing.database.execute(f"INSERT INTO old{number} (x) VALUES (1)")
        plan = changing.apply(release((f"new{number}", two, Column("x", Integer), info)))
        assert all(step.kind.renames for step in renamed(plan))
        named = f"SELECT pg_get_serial_sequence('new{number}', 'number')"
        assert changing.database.value(named) == f"public.new{number}_number_seq"
        changing.database.execute(f"INSERT INTO new{number} (x) VALUES (1)")
        assert changing.database.rows(f"SELECT number FROM new{number}") == [(1,), (2,)]


def test_what_is_generated_from_a_column_follows(changing: Changing) -> None:
    """Its expression is worded by the server, and no difference."""
    twice = Column("twice", Integer, Computed("price * 2", persisted=True))
    changing.apply(items(Column("price", Integer), twice))
    changing.database.execute(PRICED)
    later = new(Column("twice", Integer, Computed("amount * 2", persisted=True)))
    assert kinds(changing.apply(later)) == [Kind.RENAME_COLUMN]


class Mood(enum.Enum):
    """Values of a type of the models' own."""

    good = 1
    bad = 2


def test_values_of_an_own_type_are_asked_for(changing: Changing) -> None:
    """In the column as it is called until the run."""
    mood: Column[Any] = Column("mood", Enum("good", "bad", "odd", name="moods"))
    changing.apply(items(mood, Column("price", Integer)))
    changing.database.execute("INSERT INTO item VALUES (1, 'odd', 5)")
    felt: Column[Any] = Column(
        "felt", Enum(Mood, name="moods"), server_default="good", info={"renamed_from": "mood"}
    )
    later = release(("ware", key(), felt, Column("price", Integer), {
        "info": {"renamed_from": "item"}
    }))  # fmt: skip
    [refusal] = changing.planned(later).refusals
    assert changing.database.rows(*refusal.way_out.statements) == [(1, "odd", 5)]
    changing.database.execute("UPDATE item SET mood = 'good'")
    changing.apply(later)
    assert changing.database.rows("SELECT id, felt FROM ware") == [(1, "good")]


def test_the_column_of_a_partition_key(changing: Changing) -> None:
    """How a table is partitioned is no difference then."""
    how = {"postgresql_partition_by": "RANGE (day, price)"}
    changing.apply(release(("item", Column("day", Integer), Column("price", Integer), how)))
    how = {"postgresql_partition_by": "RANGE (day, amount)"}
    amount: Column[Any] = Column("amount", Integer, info=WAS_PRICE)
    plan = changing.apply(release(("item", Column("day", Integer), amount, how)))
    assert kinds(plan) == [Kind.RENAME_COLUMN]


def test_a_chain_over_several_releases(changing: Changing) -> None:
    """A database that skipped one is renamed at once; a fresh one has nothing to rename."""
    info = {"renamed_from": ["amount", "price"]}
    later = items(Column("cost", Integer, info=info))
    assert kinds(changing.planned(later)) == [Kind.CREATE_TABLE]
    changing.apply(old())
    changing.database.execute(PRICED)
    assert changing.apply(later).steps[0].former == "price"
    assert changing.database.rows("SELECT id, cost FROM item ORDER BY id") == ROWS


BOTH = {
    "amount = NULL": (0, "they differ in 2 rows, e.g. id=1 '10', id=3 '30'", "amount"),
    "amount = price + 1": (2, "they differ in 2 rows, e.g. id=1 '10', id=3 '30'", "amount"),
    "amount = COALESCE(price, 4)": (3, "they differ in 1 row, e.g. id=2", "price"),
    "amount = price": (2, "they do not differ", "price"),
}


@pytest.mark.parametrize("filled", BOTH)
def test_both_columns_are_there(priced: Changing, filled: str) -> None:
    """It is said what is in each; typed, no value is lost and the next run goes on."""
    priced.database.execute("ALTER TABLE item ADD COLUMN amount integer")
    priced.database.execute(f"UPDATE item SET {filled}")
    values, differ, aside = BOTH[filled]
    assert priced.refused(new()) == [
        "refused: public.item.amount is there beside price, which the models say it was.\n"
        f"  amount has a value in {values} of 3 rows, price has a value in 2 of 3 rows; {differ}.\n"
        "  Nothing was changed. Take renamed_from out of the models, or set the one aside that is "
        "not wanted, e.g.:\n"
        f"    ALTER TABLE public.item RENAME COLUMN {aside} TO {aside}_saved;"
    ]
    [refusal] = priced.planned(new()).refusals
    for statement in refusal.way_out.statements:
        priced.database.execute(statement)
    assert kinds(priced.apply(new())) == ([Kind.RENAME_COLUMN] if aside == "amount" else [])


def test_a_column_set_aside_takes_rows_without_it(changing: Changing) -> None:
    """INSERTs will not name it."""
    changing.apply(items(Column("price", Integer, nullable=False)))
    changing.database.execute("ALTER TABLE item ADD COLUMN amount integer")
    [refusal] = changing.planned(new()).refusals
    for statement in refusal.way_out.statements:
        changing.database.execute(statement)
    changing.apply(new())
    changing.database.execute("INSERT INTO item (id, amount) VALUES (1, 5)")
    assert changing.database.rows("SELECT amount, price_saved FROM item") == [(5, None)]


@pytest.mark.parametrize("rows", [0, 2])
def test_both_tables_are_there(used: Changing, rows: int) -> None:
    """It is said how many rows are in each."""
    if not rows:
        used.database.execute('DELETE FROM "order"; DELETE FROM "user"')
    used.database.execute("CREATE TABLE account (id serial PRIMARY KEY, mail varchar UNIQUE)")
    used.database.execute("INSERT INTO account (mail) VALUES ('eve')")
    later = release(accounts(), ("note", key()))
    aside = "account" if rows else '"user"'
    saved = "account_saved" if rows else "user_saved"
    assert used.refused(later) == [
        'refused: public.account is there beside public."user", which the models say it was.\n'
        f'  account has 1 row, "user" has {rows} rows.\n'
        "  Nothing was changed. Take renamed_from out of the models, or set the one aside that is "
        "not wanted, e.g.:\n"
        f"    ALTER TABLE public.{aside} RENAME TO {saved};"
    ]
    used.database.execute(f"ALTER TABLE public.{aside} RENAME TO {saved}")
    plan = used.planned(later)
    assert (plan.refusals, Kind.RENAME_TABLE in kinds(plan)) == ((), bool(rows))


def test_a_view_of_the_old_name_is_in_nobodys_way(used: Changing) -> None:
    """It lets deployed services go on reading."""
    later = release(accounts(), orders("account"))
    used.apply(later)
    used.database.execute('CREATE VIEW "user" AS SELECT * FROM account')
    assert used.apply(later).empty


def test_the_models_have_both(used: Changing) -> None:
    """Whether the live one is the old or the new one can't be told, so it is typed."""
    used.database.execute('DROP TABLE "order"')
    later = release(accounts(), ("user", key()))
    assert used.refused(later)[:1] == [
        'refused: public.account is missing; the models say that it was "user", and have that as '
        "well.\n  Nothing was changed. If it is so, rename it by hand; else take renamed_from out "
        "of the models:\n"
        '    ALTER TABLE public."user" RENAME TO account;'
    ]
    used.database.execute('ALTER TABLE public."user" RENAME TO account')
    assert used.apply(later).steps != ()
    assert used.database.value("SELECT count(*) FROM account") == 2


def test_the_models_have_both_columns(priced: Changing) -> None:
    """The same."""
    later = new(Column("price", Integer))
    [refusal] = priced.planned(later).refusals
    assert refusal.what == "is missing; the models say that it was price, and have that as well."
    for statement in refusal.way_out.statements:
        priced.database.execute(statement)
    assert kinds(priced.apply(later)) == [Kind.ADD_COLUMN]
    assert priced.database.rows("SELECT id, amount FROM item ORDER BY id") == ROWS


def test_declared_names_of_indexes_and_constraints(changing: Changing) -> None:
    """Their own `info` says it; a definition that changed as well is then replaced as always."""
    price: Column[Any] = Column("price", Integer)
    changing.apply(
        items(
            price,
            Index("low", text("price")),
            Index("high", text("price DESC")),
            CheckConstraint("price > 0", name="some"),
            UniqueConstraint("price", name="once"),
        )
    )
    later = items(
        Column("price", Integer),
        Index("cheap", text("price"), info={"renamed_from": "low"}),
        Index("dear", text("(price + 1)"), info={"renamed_from": "high"}),
        CheckConstraint("price > 0", name="positive", info={"renamed_from": "some"}),
        UniqueConstraint("price", name="unlike", info={"renamed_from": "once"}),
    )
    plan = changing.apply(later)
    renamed = {step.name: step.former for step in plan.steps if step.kind.renames}
    assert renamed == {"cheap": "low", "dear": "high", "positive": "some", "unlike": "once"}
    built = {step.name for step in plan.steps if step.kind.builds_index}
    assert built == {"eater_new_dear"}
    assert changing.apply(later).empty
    assert changing.rolled_back(1).refusals == ()


def test_what_differs_only_in_its_name_is_renamed(priced: Changing) -> None:
    """It is found by its definition: an index is not built a second time."""
    priced.database.execute("CREATE INDEX theirs ON item (price)")
    plan = priced.apply(new(Index("ours", text("amount"))))
    assert kinds(plan) == [Kind.RENAME_COLUMN, Kind.RENAME_INDEX]
    assert priced.rolled_back(1).refusals == ()
    assert priced.database.value("SELECT to_regclass('theirs') IS NOT NULL")


@pytest.mark.parametrize("definition", ["CHECK (price > 0)", "FOREIGN KEY (price) REFERENCES item"])
def test_an_unproven_constraint_is_renamed_and_proven(priced: Changing, definition: str) -> None:
    """In one run."""
    ours: Constraint = CheckConstraint("price > 0", name="ours")
    if "REFERENCES" in definition:
        ours = ForeignKeyConstraint(["price"], ["item.id"], name="ours")
    priced.database.execute("UPDATE item SET price = 1")
    priced.database.execute(f"ALTER TABLE item ADD CONSTRAINT theirs {definition} NOT VALID")
    plan = priced.apply(items(Column("price", Integer), ours))
    assert kinds(plan) == [Kind.RENAME_CONSTRAINT, Kind.VALIDATE_CONSTRAINT]


def test_what_a_dump_words_otherwise_is_renamed(changing: Changing) -> None:
    """As it is known again under its own name."""
    known = text("mail IN ('a', 'b')")
    mail: Column[Any] = Column("mail", String)
    changing.apply(items(mail))
    changing.database.execute(
        "CREATE INDEX theirs ON item (id) WHERE ((mail)::text = ANY ((ARRAY['a'::varchar, "
        "'b'::varchar])::text[])); ALTER TABLE item ADD CONSTRAINT their_check CHECK (((mail)::text"
        " = ANY ((ARRAY['a'::varchar, 'b'::varchar])::text[])))"
    )
    plan = changing.apply(
        items(
            Column("mail", String),
            Index("ours", "id", postgresql_where=known),
            CheckConstraint(known, name="our_check"),
        )
    )
    assert kinds(plan) == [Kind.RENAME_CONSTRAINT, Kind.RENAME_INDEX]


def test_a_replica_identity_keeps_its_index(changing: Changing) -> None:
    """Also where another index gets the name that it had."""
    changing.apply(
        items(Column("price", Integer, nullable=False), Index("k", "price", unique=True))
    )
    changing.database.execute(
        "ALTER TABLE item REPLICA IDENTITY USING INDEX k; ALTER TABLE item CLUSTER ON k"
    )
    price: Column[Any] = Column("price", Integer, nullable=False)
    plan = changing.apply(items(price, Index("k", "id"), Index("l", "price", unique=True)))
    assert kinds(plan) == [Kind.RENAME_INDEX, Kind.CREATE_INDEX]
    kept = (
        "SELECT indisreplident AND indisclustered FROM pg_index WHERE indexrelid = '{}'::regclass"
    )
    assert changing.database.value(kept.format("l"))
    assert changing.rolled_back(1).refusals == ()
    assert changing.database.value(kept.format("k"))


def test_a_partitioned_table_is_renamed_with_its_parts(changing: Changing) -> None:
    """Its constraints and indexes; those of its partitions follow, or have their own names."""
    changing.database.execute(
        "CREATE TABLE item (id integer NOT NULL, price integer CONSTRAINT k CHECK (price > 0), "
        "CONSTRAINT pk PRIMARY KEY (id)) PARTITION BY RANGE (id); CREATE INDEX i ON item (price); "
        "CREATE TABLE item_a PARTITION OF item DEFAULT"
    )
    later = release(
        (
            "item",
            Column("id", Integer, autoincrement=False),
            Column("price", Integer),
            CheckConstraint("price > 0", name="l"),
            CheckConstraint("price > 1", name="k"),
            Index("j", "price"),
            PrimaryKeyConstraint("id", name="key"),
            {"postgresql_partition_by": "RANGE (id)"},
        )
    )
    plan = changing.apply(later)
    assert {step.name: step.former for step in plan.steps if step.kind.renames} == {
        "l": "k",
        "key": "pk",
        "j": "i",
    }
    checks = (
        "SELECT string_agg(conname, ' ' ORDER BY conname) FROM pg_constraint WHERE contype = 'c'"
    )
    assert changing.database.value(f"{checks} AND conrelid = 'item_a'::regclass") == "k l"
    assert changing.rolled_back(0).refusals == ()
    assert changing.database.value(f"{checks} AND conrelid = 'item_a'::regclass") == "k"


def unique(name: str, of: str) -> Tuple[Any, ...]:
    return (name, key(), Column("a", Integer), UniqueConstraint("a", name=of))


@pytest.mark.parametrize("name", ["n", "c1"])
def test_a_new_table_takes_a_name_that_a_rename_frees(changing: Changing, name: str) -> None:
    """It comes before all renames; typed ahead, as is said, these leave the name free."""
    two = [key(), Column("a", Integer), Column("b", Integer)]
    changing.apply(release(("o", *two, Index(name, "a"), Index("c2", "b"))))
    later = release(
        ("o", *(column._copy() for column in two), Index("c2", "a"), Index("c3", "b")),
        unique("n", "c1"),
    )
    [refusal] = changing.planned(later).refusals
    assert str(refusal) == (
        f"refused: public.n needs {'a table' if name == 'n' else 'an index'} named {name}, but "
        "something else has that name until it is renamed.\n"
        "  Nothing was changed. Rename that, then run again:\n"
        "    ALTER INDEX public.c2 RENAME TO c3;\n"
        f"    ALTER INDEX public.{name} RENAME TO c2;"
    )
    for statement in refusal.way_out.statements:
        changing.database.execute(statement)
    assert not any(step.kind.renames for step in changing.apply(later).steps)


def test_indexes_of_two_tables_change_their_names(changing: Changing) -> None:
    """Each is in the way of the other; once set aside, as is said, they are renamed."""
    changing.apply(release(unique("o", "c1"), unique("p", "c2")))
    later = release(unique("o", "c2"), unique("p", "c1"))
    for refusal in changing.planned(later).refusals:
        changing.database.execute(*refusal.way_out.statements)
    assert set(kinds(changing.apply(later))) == {Kind.RENAME_CONSTRAINT}


def test_an_interrupted_run_is_completed(used: Changing) -> None:
    """Whatever was renamed already."""
    later = release(accounts(), orders("account"))
    for left in (2, 1):  # the first is what is new: the run's own record
        assert len(renamed(used.apply(later, steps=2))) == left + 1
    assert [str(step) for step in renamed(used.apply(later))] == [
        "rename constraint public.account.account_pkey"
    ]
    assert used.rolled_back(1).refusals == ()
    assert used.planned(release(users(), orders("user"))).empty


def test_each_schema_for_itself(database: Database) -> None:
    """One is there already, one is behind, one is new."""
    database.execute("CREATE SCHEMA a; CREATE SCHEMA b; CREATE SCHEMA c")
    for schemas, models in (("a,b", old()), ("a", new())):
        Changing(database, POSTGRES_SCHEMAS=schemas).apply(models)
    database.execute("INSERT INTO a.item VALUES (1, 1); INSERT INTO b.item VALUES (1, 2)")
    every = Changing(database, POSTGRES_SCHEMAS="a,b,c")
    plan = every.apply(new())
    assert [(step.schema, step.kind) for step in plan.steps] == [
        ("b", Kind.RENAME_COLUMN),
        ("c", Kind.CREATE_TABLE),
    ]
    assert database.rows("SELECT amount FROM b.item") == [(2,)]
    assert every.apply(new()).empty


FUNCTION = """CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN NEW.price := {}; RETURN NEW; END $$;
CREATE TRIGGER noted BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION noted()"""


def test_functions_that_mention_an_old_name_are_named(priced: Changing) -> None:
    """The server keeps their text as it is."""
    priced.database.execute(FUNCTION.format("NEW.price + 1"))
    priced.database.execute(
        "CREATE FUNCTION total() RETURNS bigint LANGUAGE sql AS 'SELECT sum(price) FROM item'; "
        "CREATE FUNCTION other() RETURNS text LANGUAGE sql AS $$ SELECT 'price' $$; "
        "CREATE FUNCTION priceless() RETURNS text LANGUAGE sql AS $$ SELECT 'prices of item' $$"
    )
    assert priced.planned(new()).warnings[1:] == (
        "from its rename on, nobody finds public.item.price, which the text of public.noted(), "
        "public.total() "
        "seems to mention",
    )


def test_subscribers_are_to_be_changed_first(priced: Changing) -> None:
    """They go by names, whatever columns are listed."""
    priced.database.execute("CREATE PUBLICATION p FOR TABLE item")
    note = "public.item is published by p: change the tables of the subscribers first"
    assert priced.planned(new()).notes == (note,)


SHAPED = {
    "a partitioned table": "CREATE TABLE item (id integer NOT NULL PRIMARY KEY, price integer) "
    "PARTITION BY RANGE (id); CREATE TABLE item_a PARTITION OF item DEFAULT",
    "a parent": "CREATE TABLE item (id integer NOT NULL PRIMARY KEY, price integer); "
    "CREATE TABLE toy () INHERITS (item)",
    "a table with row security": "CREATE TABLE item (id integer NOT NULL PRIMARY KEY, "
    "price integer); CREATE POLICY dear ON item USING (price > 0); "
    "ALTER TABLE item ENABLE ROW LEVEL SECURITY",
    "a table with a view, a rule and statistics": "CREATE TABLE item (id integer NOT NULL PRIMARY "
    "KEY, price integer); CREATE MATERIALIZED VIEW v AS SELECT price FROM item; CREATE RULE r AS "
    "ON DELETE TO item DO ALSO SELECT OLD.price; CREATE STATISTICS s ON id, price FROM item",
    "a row type": "CREATE TABLE item (id integer NOT NULL PRIMARY KEY, price integer); "
    "CREATE TABLE kept (it item)",
    "a table with a generated column": "CREATE TABLE item (id integer NOT NULL PRIMARY KEY, "
    "price integer, twice integer GENERATED ALWAYS AS (price * 2) STORED)",
    "a table with an exclusion": "CREATE TABLE item (id integer NOT NULL PRIMARY KEY, "
    "price integer, EXCLUDE USING btree (price WITH =))",
}


@pytest.mark.parametrize("shape", SHAPED)
def test_a_table_is_renamed_with_what_hangs_on_it(changing: Changing, shape: str) -> None:
    """In whatever shape, with a fill of the column under its new name."""
    changing.database.execute(SHAPED[shape])
    changing.database.execute(PRICED)
    amount: Column[Any] = Column(
        "amount", Integer, nullable=False, info={**WAS_PRICE, "backfill": literal(7)}
    )
    later = release(("ware", key(), amount, {"info": {"renamed_from": "item"}}))
    changing.apply(later)
    found = changing.database.rows("SELECT id, amount FROM ware ORDER BY id")
    assert found == [(1, 10), (2, 7), (3, 30)]
    assert changing.rolled_back(0).refusals == ()
    assert changing.database.value("SELECT count(price) FROM item") == 3


def test_a_partition_leaves_its_columns_to_its_parent(changing: Changing) -> None:
    """Typed there, as the way out says, nothing is left to do."""
    changing.database.execute(
        "CREATE TABLE items (id integer NOT NULL PRIMARY KEY, price integer) PARTITION BY RANGE "
        "(id); CREATE TABLE item PARTITION OF items DEFAULT"
    )
    [refusal] = changing.planned(new()).refusals
    assert refusal.why == ("It is a partition of public.items, which has its columns.",)
    for statement in refusal.way_out.statements:
        changing.database.execute(statement)
    assert changing.planned(new()).empty


@pytest.fixture
def reader(priced: Changing, role: str) -> Changing:
    """Somebody who may look at the rows of another's table."""
    priced.database.execute(f"GRANT SELECT ON item TO {role}; GRANT ALL ON SCHEMA public TO {role}")
    return Changing(priced.database, POSTGRES_USER=role)


def test_another_role_is_told_what_lets_it(reader: Changing) -> None:
    """The table goes by its live name, as the statement is typed before the rename."""
    later = release(("ware", key(), Column("amount", Integer, info=WAS_PRICE), {
        "info": {"renamed_from": "item"}
    }))  # fmt: skip
    owner = reader.planned(later).refusals[0].way_out.statements
    assert owner == (f"ALTER TABLE public.item OWNER TO {reader.settings.user}",)


def test_who_waits_for_the_rename_is_told_for_whom(priced: Changing) -> None:
    """The table goes by its live name until then."""
    later = release(("ware", key(), Column("price", Integer), {"info": {"renamed_from": "item"}}))
    held = holding(priced.database, "LOCK item IN ACCESS SHARE MODE", name="a reader")
    priced.settings = priced.settings._replace(lock_patience=0.5)
    with pytest.raises(Exception, match=r"a lock on public\.item held by pid \d+ \(a reader\)"):
        priced.apply(later)
    held.close()
