"""The safety rules for columns: missing, another type, default or nullability."""

from typing import List, Optional, Tuple

import ddl
from catalog import Column
from difference import FROM_A_SEQUENCE, NEW_PREFIX, Difference, helper_name, rows_of
from plan import Lock, Run, counted
from type_rules import change_type, too_large

SERIAL = {"smallint": "SMALLSERIAL", "integer": "SERIAL", "bigint": "BIGSERIAL"}


def add_and_change(table: Difference) -> None:
    """Add the missing columns and change types and defaults; unknown columns are left alone."""
    missing = []
    for name, desired in table.desired.columns.items():
        live = table.live.columns.get(name)
        if live is None:
            missing.append((name, desired))
        elif live.generated:
            refuse_generated(table, name, desired)
        else:
            change_type(table, name, live, desired)
            change_default(table, name, live, desired)
    # Those computed from other columns last, when it is known what the others will hold.
    for name, desired in sorted(missing, key=lambda item: _computed(table, item[0])):
        add(table, name, desired)
    unmanaged = [name for name in table.live.columns if name not in table.desired.columns]
    if unmanaged:
        table.notes.append(f"columns of {table.relation}: {', '.join(unmanaged)}")


def refuse_generated(table: Difference, name: str, desired: Column) -> None:
    table.refuse(
        name,
        f"is a generated column, the model says a plain {desired.type}.",
        way_out=f"On PostgreSQL 13 or newer: {table.alter_column(name, 'DROP EXPRESSION')};",
    )


def add(table: Difference, name: str, desired: Column) -> None:
    """Add a missing column, without rewriting the table unless a sequence numbers its rows."""
    backfill = _backfill(table, name)
    if desired.default == FROM_A_SEQUENCE:
        add_numbered(table, name, desired)
        return
    if desired.not_null and desired.default is None:
        unknown = [c for c in (backfill.columns if backfill else []) if c not in table.values]
        if (backfill is None or unknown) and table.has_rows():
            refuse_without_backfill(table, name, desired, table.count())
            return
    statements, value = _addition(table, name, desired)
    table.values[name] = value
    if backfill is not None and backfill.computed:
        value = backfill.sql()  # in terms of the columns as they will be
    filled_otherwise = f"{ddl.quote(name)}::text IS DISTINCT FROM ({value})::text"
    table.step(
        "add column",
        name,
        "it is missing" if value == "NULL" else f"it is missing; older rows get {value}",
        statements,
        undo=[table.alter(f"DROP COLUMN {ddl.quote(name)}")],
        guard=f"SELECT count(*) FROM {table.relation} WHERE {filled_otherwise}",
    )


def _addition(table: Difference, name: str, desired: Column) -> Tuple[List[str], str]:
    """Return the statements that add a column, and what it then holds in older rows."""
    column = f"ADD COLUMN {ddl.quote(name)} {desired.type}"
    backfill = _backfill(table, name)
    if desired.default_sql is not None:
        null = " NOT NULL" if desired.not_null else ""
        statement = f"{column} DEFAULT {desired.default_sql}{null}"
        return [table.alter(statement)], desired.default_sql
    if not desired.not_null:
        return [table.alter(column)], "NULL"
    if backfill is None:
        return [table.alter(f"{column} NOT NULL")], "NULL"
    if backfill.computed:
        return [table.alter(column)], backfill.sql(table.values)
    # The constant is stored once, in the catalog: no row is touched.
    # https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES
    with_default = table.alter(f"{column} DEFAULT {backfill.sql()} NOT NULL")
    return [with_default, table.alter_column(name, "DROP DEFAULT")], backfill.sql()


def add_numbered(table: Difference, name: str, desired: Column) -> None:
    """Add a column whose sequence numbers the rows, which rewrites the table."""
    statement = table.alter(f"ADD COLUMN {ddl.quote(name)} {SERIAL[desired.type]} NOT NULL")
    if too_large(table, name, "is missing; a sequence numbers the rows.", statement):
        return
    table.values[name] = "ctid"  # unlike in every row, as the numbers will be
    table.step(
        "add column",
        name,
        "it is missing; a sequence numbers the rows",
        [statement],
        lock=Lock.REWRITE,
        undo=[table.alter(f"DROP COLUMN {ddl.quote(name)}")],
        guard=f"SELECT count(*) FROM {table.relation}",
    )


def change_default(table: Difference, name: str, live: Column, desired: Column) -> None:
    """Set the model's default; a live default where the model has none is left alone."""
    if desired.default is None or live.default == desired.default:
        return
    if desired.default == FROM_A_SEQUENCE:
        restore_sequence(table, name)
        return
    before = "DROP DEFAULT" if live.default_sql is None else f"SET DEFAULT {live.default_sql}"
    table.step(
        "set default",
        name,
        f"it is {live.default or 'missing'}, the model says {desired.default}",
        [table.alter_column(name, f"SET DEFAULT {desired.default_sql}")],
        undo=[table.alter_column(name, before)],
    )


def restore_sequence(table: Difference, name: str) -> None:
    """Let a column draw from its sequence again, from beyond the highest number in use."""
    sequence_name = f"{table.name}_{name}_seq"
    sequence = ddl.qualified(table.schema, sequence_name)
    column = ddl.quote(name)
    exists = table.relations.get(sequence_name) == "S"
    if sequence_name in table.relations and not exists:
        table.refuse_taken(sequence_name, "a sequence")
        return
    owner = f"OWNED BY {table.relation}.{column}"
    regclass = f"{ddl.text_literal(sequence)}::regclass"
    create = (
        f"ALTER SEQUENCE {sequence} {owner}" if exists else f"CREATE SEQUENCE {sequence} {owner}"
    )
    highest = f"COALESCE(max({column}), 0) + 1"
    go_on = f"SELECT setval({regclass}, {highest}, false) FROM {table.relation}"
    table.step(
        "set default",
        name,
        "it draws from no sequence",
        [
            f"LOCK TABLE {table.relation}",  # nobody may take a number between max() and setval()
            create,
            go_on,
            table.alter_column(name, f"SET DEFAULT nextval({regclass})"),
        ],
        undo=[table.alter_column(name, "DROP DEFAULT")]
        + ([] if exists else [f"DROP SEQUENCE {sequence}"]),
    )


def require_values(table: Difference) -> None:
    """Make every column NOT NULL that the models say so of: fill it, prove it, set it."""
    for name, desired in table.desired.columns.items():
        live = table.live.columns.get(name)
        added_with_values = live is None and not _computed(table, name)
        if added_with_values or name not in table.values:
            continue
        if live is not None and (live.not_null or not desired.not_null):
            _sweep_proof(table, name)
        elif desired.not_null and _filled(table, name, live):
            prove_not_null(table, name, is_new=live is None)


def _filled(table: Difference, name: str, live: Optional[Column]) -> bool:
    """Plan the backfill of a column, if rows have none; False if that was refused."""
    empty = "true" if live is None else f"{ddl.quote(name)} IS NULL"
    nulls = table.count(empty)
    if not nulls:
        return True
    backfill = _backfill(table, name)
    if backfill is None:
        what = "may be NULL, the model says NOT NULL and no value for older rows."
        table.refuse_rows(name, what, nulls, ("is NULL", "are NULL"), empty)
        return False
    value = backfill.sql(table.values)
    if backfill.computed:
        unknown = f"{empty} AND ({value}) IS NULL"
        unfilled = table.count(unknown)
        if unfilled:
            what = f"may be NULL, the model says NOT NULL and fills it with {backfill.sql()}."
            table.refuse_rows(name, what, unfilled, ("stays NULL", "stay NULL"), unknown)
            return False
    table.values[name] = f"COALESCE({table.values[name]}, {value})"
    column = ddl.quote(name)
    table.step(
        "backfill",
        name,
        f"{rows_of(nulls, table.count())} have no value",
        [f"UPDATE {table.relation} SET {column} = {backfill.sql()} WHERE {column} IS NULL"],
        run=Run.BATCHES,
        lock=Lock.ROWS,
    )
    return True


def prove_not_null(table: Difference, name: str, *, is_new: bool) -> None:
    """SET NOT NULL without a scan under its lock: a validated CHECK is proof enough to it.

    https://www.postgresql.org/docs/current/sql-altertable.html (SET NOT NULL), since 12.
    """
    proof, column = helper_name(NEW_PREFIX, f"{name}_not_null"), ddl.quote(name)
    known = table.live.constraints.get(proof)
    if known is None:
        check = f"ADD CONSTRAINT {ddl.quote(proof)} CHECK ({column} IS NOT NULL) NOT VALID"
        why = "no new NULL from here on"
        table.step("forbid new nulls", name, why, [table.alter(check)])
    if known is None or not known.valid:
        table.step(
            "prove no nulls",
            name,
            "no older row is NULL either",
            [table.alter(f"VALIDATE CONSTRAINT {ddl.quote(proof)}")],
            lock=Lock.SHARED,
        )
    table.step(
        "set not null",
        name,
        "the model says NOT NULL",
        [
            table.alter_column(name, "SET NOT NULL"),
            table.alter(f"DROP CONSTRAINT {ddl.quote(proof)}"),
        ],
        undo=() if is_new else [table.alter_column(name, "DROP NOT NULL")],
    )


def _sweep_proof(table: Difference, name: str) -> None:
    proof = helper_name(NEW_PREFIX, f"{name}_not_null")
    if proof in table.live.constraints:
        drop = table.alter(f"DROP CONSTRAINT {ddl.quote(proof)}")
        table.step("sweep", proof, "an interrupted run left it", [drop])


def allow_nulls(table: Difference) -> None:
    """Drop NOT NULL where the model says nullable; after the keys, which may have held it."""
    for name, desired in table.desired.columns.items():
        live = table.live.columns.get(name)
        if live is not None and live.not_null and not desired.not_null:
            table.step(
                "drop not null",
                name,
                "the model says nullable",
                [table.alter_column(name, "DROP NOT NULL")],
                undo=[table.alter_column(name, "SET NOT NULL")],
                guard=f"SELECT count(*) FROM {table.relation} WHERE {ddl.quote(name)} IS NULL",
            )


def comments(table: Difference) -> None:
    """Write the models' comments; a live comment where the model has none is left alone."""
    statements, undo = [], []
    wanted = [("TABLE " + table.relation, table.desired.comment, table.live.comment)]
    for name, desired in table.desired.columns.items():
        live = table.live.columns.get(name)
        column = f"COLUMN {table.relation}.{ddl.quote(name)}"
        if live is not None or name in table.values:
            wanted.append((column, desired.comment, live.comment if live else None))
    for target, text, before in wanted:
        if text is not None and text != before:
            statements.append(f"COMMENT ON {target} IS {ddl.text_literal(text)}")
            old = "NULL" if before is None else ddl.text_literal(before)
            undo.append(f"COMMENT ON {target} IS {old}")
    if statements:
        why = "they differ from the models"
        table.step("comment", "comments", why, statements, lock=Lock.SHARED, undo=undo)


def refuse_without_backfill(table: Difference, name: str, desired: Column, rows: int) -> None:
    nullable = table.alter(f"ADD COLUMN {ddl.quote(name)} {desired.type}")
    table.refuse(
        name,
        "is missing, the model says NOT NULL and no value for older rows.",
        f"The table has {counted(rows, 'row')}.",
        way_out=f"Add it, fill every row, then run again:\n    {nullable};",
    )


def _backfill(table: Difference, name: str) -> Optional[ddl.Backfill]:
    return ddl.backfill(table.name, name, default_user_email=table.settings.default_user_email)


def _computed(table: Difference, name: str) -> bool:
    backfill = _backfill(table, name)
    return backfill is not None and backfill.computed
