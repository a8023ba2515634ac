"""SHARD: the part of the schemas that is a run's, where several runs share them."""

from typing import NamedTuple, Optional

from converge.settings.checks import whole_number

# https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
MOST_SHARDS = 100_000


class Shard(NamedTuple):
    """One of so many parts; the first is 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def shard(value: str) -> Shard:
    """`3/8`: the third of eight."""
    number, _, of = value.partition("/")
    try:
        parts = whole_number(1, MOST_SHARDS)(of)
        return Shard(whole_number(1, parts)(number), parts)
    except ValueError:
        raise ValueError("must be one of all parts: 1/8, 2/8 and so on up to 8/8") from None


def shard_of_job(shards: int, index: Optional[int]) -> Shard:
    """Return the part of a pod of an Indexed Job; these count from 0."""
    if index is None:
        raise ValueError(
            "an Indexed Job sets JOB_COMPLETION_INDEX; elsewhere, set SHARD, as in 1/8"
        )
    if index >= shards:
        raise ValueError(f"JOB_COMPLETION_INDEX is {index}: the Job's completions must be as many")
    return Shard(index + 1, shards)
