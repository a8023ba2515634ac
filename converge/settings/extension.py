"""An extension that the models need."""

from typing import NamedTuple


class Extension(NamedTuple):
    """An extension, by its name.

    `ascii_only_under_c` says what does not work in a database whose LC_CTYPE is C, where the
    extension ignores every letter that is not ASCII; empty if it does not mind.
    """

    name: str
    ascii_only_under_c: str = ""
