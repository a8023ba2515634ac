"""The table of constructs: all that models may say of a schema, and a change of each."""

from tests.support.constructs_of_backfills import BACKFILLS
from tests.support.constructs_of_columns import COLUMNS
from tests.support.constructs_of_constraints import CONSTRAINTS
from tests.support.constructs_of_domains import DOMAINS
from tests.support.constructs_of_exclusions import EXCLUSIONS
from tests.support.constructs_of_expressions import EXPRESSIONS
from tests.support.constructs_of_foreign_keys import FOREIGN_KEYS
from tests.support.constructs_of_indexes import INDEXES
from tests.support.constructs_of_names import NAMES
from tests.support.constructs_of_new_names import NEW_NAMES
from tests.support.constructs_of_own_schemas import OWN_SCHEMAS
from tests.support.constructs_of_own_types import OWN_TYPES
from tests.support.constructs_of_renames import RENAMES
from tests.support.constructs_of_tables import TABLES
from tests.support.constructs_of_types import TYPES

__all__ = ["CONSTRUCTS", "EVERYTHING", "EXPRESSIONS"]

CONSTRUCTS = (
    *INDEXES,
    *COLUMNS,
    *BACKFILLS,
    *OWN_TYPES,
    *DOMAINS,
    *OWN_SCHEMAS,
    *TYPES,
    *CONSTRAINTS,
    *EXCLUSIONS,
    *FOREIGN_KEYS,
    *TABLES,
    *RENAMES,
    *NAMES,
    *NEW_NAMES,
)
EVERYTHING = (*CONSTRUCTS, *EXPRESSIONS)
