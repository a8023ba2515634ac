"""Where a run is in its plan."""

from typing import NamedTuple, Sequence

from converge.steps import Step


class Place(NamedTuple):
    """Where a run is: at step `number` of `of` that a plan shows, without those that record it."""

    number: int = 0
    of: int = 0

    def after(self, steps: Sequence[Step]) -> "Place":
        return self._replace(number=self.number + numbered(steps))


def numbered(steps: Sequence[Step]) -> int:
    """Return how many steps are those of a plan that is shown."""
    return sum(step.number > 0 for step in steps)
