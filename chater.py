"""What is the Chater platform's own, besides its tables, indexes and queries.

Nothing here imports SQLAlchemy: a run that finds nothing to do needs this, and can't afford that.
"""

import os

from converge.settings.checks import text
from converge.settings.extension import Extension
from converge.settings.variables import Variable

ROOT = os.path.dirname(os.path.abspath(__file__))
# A new version of the schema starts where one of these has changed, or what they import from beside
# them or from an installed package. What they read without an `import` has to be named here.
MODELS = [os.path.join(ROOT, name) for name in ("models.py", "indexes.py")]

# What types, defaults and operator classes of the models need, in the order to create them in.
EXTENSIONS = (Extension("pg_trgm", ascii_only_under_c="e-mail autocomplete finds none of them"),)

# The shapes in which the platform has written dates as text; the first versions had the second.
DATE_SHAPES = ("YYYY-MM-DD", "DD-MM-YYYY")

# Its value is that of the bind parameter of the same name in the backfills of `models.py`.
VARIABLES = (
    Variable(
        "DEFAULT_USER_EMAIL",
        "default_user_email",
        "legacy@localhost",
        text,
        "owner of existing rows when user_email is added",
    ),
)
