"""Names, comments and texts with all that is special to SQL, Python's formats or SQLAlchemy."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Enum,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    literal,
    text,
)

from tests.support.catalogs import everything
from tests.support.database import Database
from tests.support.models import converged, rolled_back

ODD = "50% \"of\" 'it' :x %(y)s {z} \\n Ü"
UPPER, RESERVED = "MixedCase", "select"
QUOTED = '"' + ODD.replace('"', '""') + '"'

FOUND = """SELECT relname, attname, attnotnull, pg_get_expr(adbin, adrelid),
  obj_description(c.oid), pg_get_indexdef(c.oid),
  ARRAY(SELECT (conname, pg_get_constraintdef(oid)) FROM pg_constraint
    WHERE conrelid = c.oid AND contype <> 'n' ORDER BY 1)::text
FROM pg_class c JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
LEFT JOIN pg_attrdef ON adrelid = c.oid AND adnum = attnum
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')
  AND relname NOT LIKE 'eater%' ORDER BY relname, attnum"""


def models(*more: "Column[str]") -> MetaData:
    """Three tables; names of one kind differ by their last letter only."""
    metadata = MetaData()
    Table(
        ODD,
        metadata,
        Column(ODD, Integer, primary_key=True, comment=ODD),
        Column(UPPER, String, server_default=ODD, comment=f"{ODD}\nand on"),
        Column(RESERVED, Enum("a", ODD, name=f"{ODD} type"), server_default=ODD),
        Column("filled", String, nullable=False, info={"backfill": ODD}),
        *more,
        UniqueConstraint(UPPER, RESERVED, name=f"{ODD} unique", comment=ODD),
        Index(f"{ODD} index", UPPER, RESERVED),
        comment=ODD,
    )
    Table(
        UPPER,
        metadata,
        Column(ODD, Integer, primary_key=True, autoincrement=False),
        Column("user", Integer),
        ForeignKeyConstraint(["user"], [Table(ODD, metadata).c[ODD]], name=f"{ODD} key"),
        CheckConstraint(text("\"user\" <> 7 AND 'a\\:b%' LIKE '%b\\%'"), name=f"{ODD} check"),
    )
    Table(RESERVED, metadata, Column(UPPER, Integer, primary_key=True))
    return metadata


def test_they_are_created_verified_and_rolled_back(database: Database) -> None:
    """From empty; each name is as the models have it."""
    before = everything(database)
    converged(database, models())
    names = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    found = {name for (name,) in database.rows(names)}
    assert found >= {ODD, UPPER, RESERVED, f"{ODD} unique", f"{ODD} index"}
    comment = "SELECT obj_description(oid) FROM pg_class WHERE relname = %s"
    assert database.value(comment, (ODD,)) == ODD
    assert converged(database, models()).empty
    assert rolled_back(database) == []
    database.execute("DROP TABLE eater_schema_history")
    assert everything(database) == before


def test_what_is_missing_comes_back(database: Database) -> None:
    """Constraints, an index, a default, comments, NOT NULL and a column; and they go again."""
    converged(database, models())
    database.execute(f"INSERT INTO {QUOTED} ({QUOTED}, filled) VALUES (1, 'kept')")
    database.execute(
        f'ALTER TABLE {QUOTED} ALTER filled DROP NOT NULL, ALTER "{UPPER}" DROP DEFAULT'
    )
    named = QUOTED[:-1]
    database.execute(
        f'ALTER TABLE {QUOTED} DROP CONSTRAINT {named} unique"; DROP INDEX {named} index"; '
        f'ALTER TABLE "{UPPER}" DROP CONSTRAINT {named} key", DROP CONSTRAINT {named} check"; '
        f"COMMENT ON TABLE {QUOTED} IS NULL; INSERT INTO {QUOTED} ({QUOTED}) VALUES (2)"
    )
    changed = database.rows(FOUND)
    new = Column(f"{ODD} new", String, nullable=False, info={"backfill": literal(ODD)})
    converged(database, models(new), "2")
    rows = database.rows(
        f'SELECT {QUOTED}, "{UPPER}", filled, {named} new" FROM {QUOTED} ORDER BY 1'
    )
    assert rows == [(1, ODD, "kept", ODD), (2, None, ODD, ODD)]
    assert rolled_back(database) == []
    assert database.rows(FOUND) == changed


def test_what_an_earlier_version_left_under_a_name_that_it_cut_is_dropped(
    database: Database,
) -> None:
    """It cut a long name at its end; an index may be built already, a check may forbid rows."""
    long = "a_name_of_which_an_earlier_version_did_not_keep_its_end_"
    assert len(f"eater_new_{long}") > 63

    def wanted() -> MetaData:
        metadata = MetaData()
        required = Column(f"{long}c", Integer, nullable=False, info={"backfill": 1})
        Table("t", metadata, Column("id", Integer, primary_key=True), required)
        Index(f"{long}i", required)
        return metadata

    database.execute(
        f"CREATE TABLE t (id serial PRIMARY KEY, {long}c integer); INSERT INTO t VALUES (5, NULL);"
        f"CREATE INDEX {f'eater_new_{long}i'[:63]} ON t (id);"
        f"ALTER TABLE t ADD CONSTRAINT {f'eater_new_{long}c_not_null'[:63]} "
        f"CHECK ({long}c IS NOT NULL) NOT VALID, ADD CONSTRAINT eater_new_gone CHECK (id > 0)"
    )
    converged(database, wanted())
    assert database.rows("TABLE t") == [(5, 1)]
    left = "SELECT relname FROM pg_class WHERE relname LIKE 'eater_new%' UNION ALL "
    assert not database.rows(left + "SELECT conname FROM pg_constraint WHERE conname ~ 'eater_new'")
