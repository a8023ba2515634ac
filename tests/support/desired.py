"""What the platform's models say should be, as a run has it."""

import chater
import indexes
import models
from converge.compare.desired import Desired

METADATA = models.Base.metadata
INDEXES = indexes.INDEXES
DESIRED = Desired(
    METADATA,
    indexes=INDEXES,
    extension=chater.EXTENSION,
    backfills={"default_user_email": "legacy@localhost"},
    date_shapes=chater.DATE_SHAPES,
)
