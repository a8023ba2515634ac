"""A managed table as a partitioned one, as some administrator has made it."""

from tests.support.database import Database

OWN = """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = %s::regclass AND contype = 'p'"""
INDEXES = """SELECT pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = %s::regclass AND NOT indisprimary ORDER BY 1"""


def partition(database: Database, table: str, by: str, *partitions: str, key: str = "") -> None:
    """Put a table's rows into a partitioned one of its name, with all its indexes.

    `partitions` are what creates them. `key` are the key's columns, if not those of before.
    """
    [(name, definition)] = database.rows(OWN, (table,))
    indexes = [sql for (sql,) in database.rows(INDEXES, (table,))]
    comment = database.value("SELECT obj_description(%s::regclass)", (table,))
    database.execute(
        f"ALTER TABLE {table} RENAME TO plain; "
        f"CREATE TABLE {table} (LIKE plain INCLUDING ALL EXCLUDING INDEXES) PARTITION BY {by}; "
        f"{'; '.join(partitions)}; INSERT INTO {table} SELECT * FROM plain; DROP TABLE plain; "
        f"ALTER TABLE {table} ADD CONSTRAINT {name} "
        + (f"PRIMARY KEY ({key})" if key else definition)
    )
    database.execute("; ".join(sql.replace(" ON ONLY ", " ON ") for sql in indexes))
    database.execute(f"COMMENT ON TABLE {table} IS %s", (comment,))
