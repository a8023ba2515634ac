"""The stock: what real databases did to a run, each as the SQL that follows a first run.

A case is named by its number in the list that they come from; with words, it is a sibling of it.
"""

from typing import List

from tests.support.case import START, Case, End
from tests.support.cases_of_dependents import DEPENDENTS, NOTED, PRINTED
from tests.support.cases_of_steps import GIVEN_UP, REPLICATED
from tests.support.cases_of_tables import RELATED
from tests.support.cases_of_values import NUMBERS, SEQUENCES

__all__ = ["CASES", "START", "Case", "End"]

CASES: List[Case] = [
    *NUMBERS,
    *SEQUENCES,
    *REPLICATED,
    *GIVEN_UP,
    *RELATED,
    *DEPENDENTS,
    *PRINTED,
    *NOTED,
]
