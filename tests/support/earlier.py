"""Earlier states of the platform: SQL files, and what has to become of each of their rows."""

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from tests.support.catalogs import all_rows, described
from tests.support.database import Database

Row = Dict[str, Any]
Rows = Dict[str, List[Row]]
OWNER = "legacy@localhost"
# What rows without a value get, stated a second time.
FILLED: Dict[str, Dict[str, Any]] = {
    "dishes": {"name": "", "calories": 0, "weight": 0, "ingredients": [], "contains": {}},
    "dishes_day": {
        "dish_name": "",
        "estimated_avg_calories": 0,
        "ingredients": [],
        "total_avg_weight": 0,
        "contains": {},
    },
    "total_for_day": {
        "total_calories": 0,
        "ingredients": [],
        "dishes_of_day": [],
        "total_avg_weight": 0,
        "contains": {},
    },
    "weight": {"weight": 0},
    "alcohol_consumption": {"drink_name": "", "calories": 0, "quantity": 0},
    "alcohol_for_day": {"total_drinks": 0, "total_calories": 0, "drinks_of_day": []},
}
DATES = [("dishes_day", "date"), ("total_for_day", "date"), ("total_for_day", "today")]
# What a live column may be where the models say something narrower.
WIDER = {"bigint": "integer", "text": "character varying", "text[]": "character varying[]"}
LEFTOVER = re.compile(r"eater_(new|old)_|idx_\w+_ccnew")
# What others have made of the managed tables, and the files of their own tables.
SURROUNDINGS = """
SELECT 'view', c.oid::regclass::text, pg_get_viewdef(c.oid) FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE relkind IN ('v', 'm') AND nspname NOT IN ('pg_catalog', 'information_schema')
UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'policy', polname, pg_get_expr(polqual, polrelid) FROM pg_policy
UNION ALL SELECT 'statistics', stxname, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
UNION ALL SELECT 'file', c.oid::regclass::text, relfilenode::text FROM pg_class c
WHERE c.oid > 16383 AND relkind = 'r' AND relname <> 'eater_schema_history'
  AND (relnamespace <> %s::regnamespace OR relname <> ALL (%s))
  AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)
ORDER BY 1, 2, 3
"""


class State(NamedTuple):
    """A file in `states/`, and the schema that it is about."""

    path: Path
    schema: str

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def setting(self) -> str:
        """It, as POSTGRES_SCHEMAS reads it."""
        return f'"{self.schema}"'

    def load(self, database: Database) -> None:
        database.execute(self.path.read_text("utf-8"))
        database.close()  # what it has set for the session


def _state(path: Path) -> State:
    return State(path, {"restored_tenant": "Tenant 7"}.get(path.stem, "public"))


GROWN_APART = State(Path(__file__).parent / "states" / "refused" / "grown_apart.sql", "public")
STATES = [_state(path) for path in sorted((Path(__file__).parent / "states").glob("*.sql"))]


def surroundings(database: Database, state: State) -> List[Any]:
    """Return what belongs to others and has to stay as it is."""
    return database.rows(SURROUNDINGS, (f'"{state.schema}"', ["user", *FILLED]))


def rows(database: Database, state: State) -> Rows:
    """Return every row of the managed tables, in an order that depends on no value we change."""
    found = {
        table: [json.loads(text) for (text,) in texts]
        for table, texts in all_rows(database, state.schema).items()
    }
    for listed in found.values():
        for row in listed:
            for derived in ("updated_at", "kilograms"):  # by a trigger, and by an expression
                row.pop(derived, None)
        listed.sort(key=_place)
    return found


def expected(before: Rows) -> Rows:
    """Return what has to become of rows: each value is kept, and each missing one is filled."""
    return {
        table: sorted((_row(table, row) for row in listed), key=_place)
        for table, listed in before.items()
    }


def given_back(before: Rows) -> Rows:
    """Return what a rollback leaves of rows: the columns of before, with what was filled in."""
    after = expected(before)
    known = {table: listed[0] for table, listed in before.items() if listed}
    kept = {t: [{name: row[name] for name in known[t]} for row in after[t]] for t in known}
    return {table: sorted(kept.get(table, []), key=_place) for table in before}


def with_dates(found: Rows) -> Rows:
    """Return rows with each day in the one form that a date has, whatever it is written like."""
    for table, name in DATES:
        for row in found.get(table, []):
            row.update({name: _iso(row[name])} if name in row else {})
    return found


def _row(table: str, row: Row) -> Row:
    full = {**row}
    for name, value in _filled(table, row).items():
        if row.get(name) is None:
            full[name] = value
    for name in [name for of_table, name in DATES if of_table == table]:
        full[name] = _iso(full[name])
    return full


def _filled(table: str, row: Row) -> Row:
    """Return what a row gets where it has no value."""
    if table == "user":
        return {} if "language" in row else {"language": "en"}
    values = {**FILLED[table], "user_email": OWNER}
    if "time" in row:
        values["date"] = datetime.fromtimestamp(row["time"], timezone.utc).strftime("%Y-%m-%d")
    if table == "total_for_day":
        day = row.get("date") or row.get("today")
        values.update(date=day, today=day)
    return values


def _iso(text: Optional[str]) -> Optional[str]:
    """Return a day as YYYY-MM-DD; it was that, a timestamp, or DD-MM-YYYY."""
    found = re.match(r"(\d\d)-(\d\d)-(\d{4})$", text or "")
    if found:
        return "-".join(reversed(found.groups()))
    return text[:10] if text else text


def _place(row: Row) -> str:
    """Return what sorts rows alike before and after: their key, whatever it is written like."""
    key = [row.get(name) for name in ("time", "id", "email")]
    return repr([*key, _iso(row.get("today") or row.get("date")), row.get("user_email")])


def lasting(database: Database, state: State) -> Dict[str, Any]:
    """Return the catalog without what interrupted runs and builds have left in it."""
    tables = described(database, state.schema)
    for table in tables.values():
        for part in ("indexes", "constraints"):
            found = (table[part] or {}).items()
            table[part] = {
                name: one
                for name, one in found
                if not LEFTOVER.match(name) and (part != "indexes" or one["valid"])
            }
    return tables


def known(database: Database, state: State, fresh: Dict[str, Any]) -> Dict[str, Any]:
    """Return the part of the catalog that the models know, to be compared with `fresh`.

    Types that hold more are accepted, so are keys and NOT NULL under other names, defaults where
    the models have none, and an identity column in the place of a serial.
    """
    tables = described(database, state.schema)
    for name, table in tables.items():
        del table["referenced_by"]
        for column in table["columns"].values():
            del column["used_by"]
        for part in ("columns", "indexes"):
            found = table[part] or {}
            table[part] = {key: found[key] for key in fresh[name][part] or {} if key in found}
        for key, column in table["columns"].items():
            column["type"] = WIDER.get(column["type"], column["type"])
            if column["identity"] == "d":  # which numbers rows as a serial does
                column["identity"] = fresh[name]["columns"][key]["identity"]
            for part in ("default", "sequence", "not_null_name"):
                column[part] = column[part] and fresh[name]["columns"][key][part]
        for index in table["indexes"].values():  # the extension may live elsewhere
            for part in ("using", "definition"):
                index[part] = index[part].replace("extensions.", "public.")
        keys = [found for found in table["constraints"].values() if found["kind"] == "p"]
        table["constraints"] = {key["definition"]: key["valid"] for key in keys}
    return tables
