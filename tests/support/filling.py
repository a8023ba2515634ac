"""Three rows in every table, with values by type; the same number refers to the same row."""

from typing import Any, Dict, List

from tests.support.database import Database

COLUMNS = """SELECT c.oid::regclass::text, quote_ident(a.attname),
  format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL),
  (SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped
JOIN pg_type t ON t.oid = atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = attnum
WHERE relkind IN ('r', 'p') AND NOT relispartition
  AND relname <> 'eater_schema_history' AND attgenerated = '' AND attidentity = ''
  AND coalesce(pg_get_expr(adbin, adrelid), '') NOT LIKE '%nextval%'
  AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
ORDER BY 1, attnum"""
ALL = """SELECT oid::regclass::text FROM pg_class
WHERE relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'eater_schema_history'
  AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)' ORDER BY oid"""
VALUES = {
    "boolean": "true",
    "date": "2024-01-0{n}",
    "timestamp without time zone": "2024-01-0{n} 10:00",
    "timestamp with time zone": "2024-01-0{n} 10:00+00",
    "time without time zone": "10:0{n}",
    "interval": "{n} days",
    "json": '{{"n": {n}}}',
    "jsonb": '{{"n": {n}}}',
    "bytea": "\\x0{n}",
    "uuid": "0000000{n}-0000-4000-8000-000000000000",
    "inet": "10.0.0.{n}",
    "tsvector": "word{n}",
    "int4range": "[{n},{n}]",
    "daterange": "[2024-01-0{n},2024-01-0{n}]",
    "tstzrange": "[2024-01-0{n} 10:00+00,2024-01-0{n} 11:00+00]",
    "point": "({n},{n})",
    "hstore": "n=>{n}",
    "bit": "1",
    "character varying": "abc{n}",
    "text": "abc{n}",
    "citext": "abc{n}",
    "character": "{n}",
}


def fill(database: Database) -> None:
    """Insert rows 1 to 3 into each table."""
    tables: Dict[str, List[Any]] = {name: [] for (name,) in database.rows(ALL)}
    for name, column, kind, labels in database.rows(COLUMNS):
        tables[name].append((column, kind, labels))
    database.execute("SET session_replication_role = replica")  # no foreign key is asked
    for name, columns in tables.items():
        for number in (1, 2, 3):
            database.execute(_insert(name, columns, number))
    database.execute("SET session_replication_role = DEFAULT")


def _insert(name: str, columns: List[Any], number: int) -> str:
    if not columns:
        return f"INSERT INTO {name} DEFAULT VALUES"
    names = ", ".join(column for column, _, _ in columns)
    values = ", ".join(f"'{_value(kind, labels, number)}'" for _, kind, labels in columns)
    return f"INSERT INTO {name} ({names}) VALUES ({values})"


def _value(kind: str, labels: Any, number: int) -> str:
    if labels:
        return str(labels[(number - 1) % len(labels)]).replace("'", "''")
    if kind.endswith("[]"):
        return "{" + _value(kind[:-2], labels, number) + "}"
    return VALUES.get(kind.strip('"'), "{n}").format(n=number)
