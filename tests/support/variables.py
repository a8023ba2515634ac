"""Every variable that a run reads: the engine's, and the platform's own."""

import chater
from converge.settings import variables

VARIABLES = (*variables.VARIABLES, *chater.VARIABLES)
