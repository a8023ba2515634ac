"""The part of the schemas that is a shard's."""

from collections import Counter
from typing import List

import pytest

from converge.server.schemas import of_shard
from converge.settings.shard import Shard

NAMES = tuple(f"tenant_{number:05}" for number in range(10_000))


def parts(of: int) -> List[List[str]]:
    return [list(of_shard(NAMES, Shard(number, of))) for number in range(1, of + 1)]


@pytest.mark.parametrize("of", range(1, 9))
def test_shards_leave_none_out_and_share_none(of: int) -> None:
    """Each schema is one shard's, in the order of all, and the shards are about equally large."""
    found = parts(of)
    counts = Counter(name for part in found for name in part)
    assert counts == Counter(NAMES)
    assert all(part == sorted(part) for part in found)
    assert all(abs(len(part) - 10_000 / of) <= 0.15 * 10_000 / of for part in found)


def test_a_schema_stays_its_shards() -> None:
    """Whichever others there are, on any machine, in any version: a pod that comes back goes on."""
    assert of_shard(("public", "a", "größe", "tenant_00042"), Shard(3, 8)) == ("public", "a")
    assert of_shard(("größe", "tenant_00042", "a"), Shard(8, 8)) == ("größe",)


def test_without_a_shard_all_are_ones_own() -> None:
    """In their order."""
    assert of_shard(("b", "a"), None) == ("b", "a")
