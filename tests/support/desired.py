"""What the platform's models say should be, as a run has it."""

from contextlib import contextmanager
from typing import Any, Iterator

from sqlalchemy import Constraint

import chater
import indexes
import models
from converge.compare.desired import Desired

METADATA = models.Base.metadata
INDEXES = indexes.INDEXES
DESIRED = Desired(
    METADATA,
    indexes=INDEXES,
    extensions=chater.EXTENSIONS,
    backfills={"default_user_email": "legacy@localhost"},
    date_shapes=chater.DATE_SHAPES,
)


@contextmanager
def also(table: str, constraint: Constraint) -> Iterator[None]:
    """Let the models say a constraint more."""
    METADATA.tables[table].append_constraint(constraint)
    yield
    columns: Any = METADATA.tables[table].columns
    for column in columns:
        for key in list(column.foreign_keys):
            column.foreign_keys.discard(key)
            METADATA.tables[table].foreign_keys.discard(key)
    METADATA.tables[table].constraints.discard(constraint)
    METADATA._fk_memos.clear()
