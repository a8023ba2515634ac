"""Reading the catalog: the facts of `catalog.py`, as `catalog.sql` finds them.

One query reads the live schemas and, in the same round trip, the desired one: the models' DDL,
created in `pg_temp` inside a transaction that is always rolled back. Both sides were thus worded
by the same server, and comparing them needs no normaliser of ours.
"""

from typing import Any, Dict, Sequence

from converge.names import HISTORY_TABLE
from converge.plan import Managed
from converge.server.catalog import (
    Column,
    Constraint,
    Index,
    OwnSequence,
    OwnType,
    Publication,
    Reference,
    Schema,
    SequenceFacts,
    Shape,
    Table,
    User,
)
from converge.server.connection import Connection
from converge.server.messages import begin, rolled_back, rows
from converge.server.sql import statement


def read(
    connection: Connection,
    *,
    schemas: Sequence[str],
    managed: Managed,
    names: Sequence[str],
    desired_ddl: Sequence[str] = (),
) -> Dict[str, Schema]:
    """Read the schemas that exist, by name, in one round trip; nothing stays behind.

    What is `managed` is read in full, of `names` only whether something has them. `desired_ddl`
    creates it all in `pg_temp`, which is then read too, as `""`: in a transaction that is rolled
    back in every case.
    """
    query = statement(
        "server/catalog.sql",
        schemas=schemas,
        names=names,
        history=HISTORY_TABLE,
        **managed._asdict(),
    )
    # Behind a pooler, another client's temporary tables may have the names of ours: they are back
    # when the transaction is rolled back. With an empty search path the server qualifies whatever
    # is not its own.
    discard = ["DISCARD TEMP"] if desired_ddl and connection.pooled else []
    messages = [*discard, *desired_ddl, "SET LOCAL search_path = ''", query]
    with rolled_back(connection):
        found = rows(connection, begin(connection) + ";\n".join(messages))
    return {document["name"]: _schema(document) for (document,) in found}


def _schema(document: Dict[str, Any]) -> Schema:
    foreign, hidden = document["foreign"] or [], document["hidden"] or []
    contents = document["contents"]
    return Schema(
        tables={
            name: _table(value)._replace(owned=name not in foreign, rows_hidden=name in hidden)
            for name, value in (contents["tables"] or {}).items()
        },
        relations=document["relations"] or {},
        types={name: OwnType(**value) for name, value in (contents["types"] or {}).items()},
        sequences={n: OwnSequence(**value) for n, value in (contents["sequences"] or {}).items()},
        can_create=document["can_create"],
        foreign=foreign,
        history=document["history"],
        unmanaged=document["unmanaged"] or {},
    )


def _table(document: Dict[str, Any]) -> Table:
    indexes = {
        name: Index(**{**value, "options": value["options"] or ()})
        for name, value in (document["indexes"] or {}).items()
    }
    owners = {index.constraint: index for index in indexes.values()}
    parts = {
        **document,
        "options": document["options"] or (),
        "shape": Shape(**{k: v for k, v in document["shape"].items() if v is not None}),
        "columns": {n: _column(value) for n, value in (document["columns"] or {}).items()},
        "constraints": {
            name: Constraint(**value, owned_index=owners.get(name))
            for name, value in (document["constraints"] or {}).items()
        },
        "indexes": {n: index for n, index in indexes.items() if index.constraint is None},
        "referenced_by": [Reference(**value) for value in document["referenced_by"] or []],
        "publications": [Publication(**value) for value in document["publications"] or []],
    }
    return Table(**parts)


def _column(document: Dict[str, Any]) -> Column:
    used_by = [User(**user) for user in document["used_by"] or []]
    numbers = document["sequence"]
    sequence = sequence_facts(numbers) if numbers else None
    return Column(**{**document, "used_by": used_by, "sequence": sequence})


def sequence_facts(document: Dict[str, Any]) -> SequenceFacts:
    """Return what `sequence.sql` has found."""
    return SequenceFacts(**{**document, "others": document["others"] or ()})
