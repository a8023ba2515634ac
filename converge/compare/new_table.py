"""A table that is not there yet: its keys to live tables lock these, and are steps of their own."""

from typing import Any, Optional

from converge.compare.table import ComparedTable, Given
from converge.server.catalog import Schema


class NewTable(ComparedTable):
    """A table that the same run creates, as the models say but for its keys to other tables."""

    def __init__(self, schema: str, name: str, live: Schema, desired: Schema, given: Given) -> None:
        super().__init__(schema, name, live, desired, given)
        kept = {
            name: constraint
            for name, constraint in self.desired.constraints.items()
            if constraint.kind != "f" or constraint.target not in live.tables
        }
        self.live = self.live._replace(constraints=kept)

    def step(self, *args: Any, **options: Any) -> None:
        super().step(*args, **{**options, "tried": ()})  # it is not there yet

    def count(self, _: str = "true", __: Optional[str] = None) -> int:
        return 0
