"""What it is for a row to violate a constraint, as SQL: what several rules need."""

from typing import Mapping

from converge.quoting import identifier, qualified
from converge.server.catalog import Constraint

# As in `pg_constraint`. https://www.postgresql.org/docs/current/catalog-pg-constraint.html
ACTIONS = {"r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def violation(schema: str, constraint: Constraint, values: Mapping[str, str]) -> str:
    """Return SQL that is true for a row that violates a check or foreign key.

    `values` has the SQL for what each column holds.
    """
    if constraint.kind == "c":
        return f"NOT ({constraint.expression})"
    columns, targets = constraint.columns or [], constraint.target_columns or []
    present = " AND ".join(f"{values[column]} IS NOT NULL" for column in columns)
    # Under names of their own: a column of the target would hide the row's of the same name.
    keys = [f"key_{number}_of_target" for number, _ in enumerate(targets, 1)]
    selected = ", ".join(f"{identifier(name)} AS {key}" for name, key in zip(targets, keys))
    target = f"SELECT {selected} FROM {qualified(schema, constraint.target or '')}"
    same = " AND ".join(f"{key} = {values[column]}" for key, column in zip(keys, columns))
    return f"{present} AND NOT EXISTS (SELECT FROM ({target}) AS target WHERE {same})"


def foreign_key(schema: str, constraint: Constraint) -> str:
    """Return a foreign key's definition, with its target in the schema."""
    columns = ", ".join(map(identifier, constraint.columns or []))
    targets = ", ".join(map(identifier, constraint.target_columns or []))
    target = qualified(schema, constraint.target or "")
    parts = [f"FOREIGN KEY ({columns}) REFERENCES {target}({targets})"]
    if constraint.match == "f":
        parts.append("MATCH FULL")
    for event, action in (("UPDATE", constraint.on_update), ("DELETE", constraint.on_delete)):
        if action in ACTIONS:
            parts.append(f"ON {event} {ACTIONS[action]}")
    parts += ["DEFERRABLE"] * constraint.deferrable + ["INITIALLY DEFERRED"] * constraint.deferred
    return " ".join(parts)
