"""What a database holds, in a form that tests compare."""

from typing import Any, Dict, List, Tuple

from converge.names import HISTORY_TABLE
from converge.server.sql import statement
from tests.support.database import Database
from tests.support.desired import DESIRED

Rows = Dict[str, List[Tuple[Any, ...]]]

# One row in every table, that breaks no rule of the models.
SAMPLE_ROWS = """
INSERT INTO "user" (email, register_date) VALUES ('ann@example.org', '2024-11-08');
INSERT INTO dishes (name, calories, weight, ingredients, contains, user_email)
  VALUES ('soup', 120, 300, '{water,salt}', '{"salt": 1}', 'ann@example.org');
INSERT INTO dishes_day VALUES (1731024000, '2024-11-08', 'soup', 120, '{water,salt}', 300,
  '{"salt": 1}', 'ann@example.org');
INSERT INTO total_for_day VALUES ('2024-11-08', 'ann@example.org', 120, '{water}', '{soup}', 300,
  '{"salt": 1}', '2024-11-08');
INSERT INTO weight VALUES (1731024000, '2024-11-08', 61.5, 'ann@example.org');
INSERT INTO alcohol_consumption VALUES (1731024000, '2024-11-08', 'cider', 90, 330,
  'ann@example.org');
INSERT INTO alcohol_for_day VALUES ('2024-11-08', 'ann@example.org', 1, 90, '{cider}');
"""


def described(database: Database, schema: str = "public") -> Dict[str, Any]:
    """Return the managed tables of a schema in the server's words, column order left out."""
    query = statement(
        "server/catalog.sql",
        schemas=[schema],
        names=DESIRED.names,
        history=HISTORY_TABLE,
        **DESIRED.managed._asdict(),
    )
    database.execute("SET search_path = ''")
    found = database.rows(query)
    database.execute("RESET search_path")
    described: Dict[str, Any] = found[0][0]["contents"]["tables"] or {}
    for table in described.values():
        del table["shape"]  # what others have tied to it; `attributes` counts dropped columns
        for column in table["columns"].values():
            del column["default_sql"]  # it names the schema; `default` says the same without
        for constraint in (table["constraints"] or {}).values():
            del constraint["sql"]  # it too
        indexes = table["indexes"] or {}
        for index in indexes.values():
            index["definition"] = index["unique"] * "UNIQUE " + index["using"]
        table["indexes"] = {n: i for n, i in indexes.items() if not i["constraint"]} or None
    return described


def everything(database: Database) -> Dict[str, str]:
    """Return where each row of each system catalog is, and which transaction wrote it.

    Whatever a statement changes in the schema, it writes a row there. Statistics are left out.
    """
    names = database.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace "
        "AND relkind = 'r' AND NOT relisshared AND relname NOT LIKE 'pg\\_statistic%'"
    )
    place = "SELECT '{0}', string_agg(concat(ctid, xmin), ' ' ORDER BY ctid) FROM pg_catalog.{0}"
    return dict(database.rows(" UNION ALL ".join(place.format(name) for (name,) in names)))


def all_rows(database: Database, schema: str = "public") -> Rows:
    """Return every row of the managed tables, as text and by column name."""
    found: Rows = {}
    for table in described(database, schema):
        rows = database.rows(f'SELECT to_jsonb(t)::text FROM "{schema}"."{table}" t ORDER BY 1')
        found[table] = rows
    return found


def files(database: Database, schema: str = "public") -> Dict[str, int]:
    """Return the file node of every relation of a schema: a rewrite changes it."""
    return dict(
        database.rows(
            "SELECT relname, relfilenode FROM pg_class WHERE relnamespace = %s::regnamespace "
            "AND relkind IN ('r', 'i')",
            (f'"{schema}"',),
        )
    )
