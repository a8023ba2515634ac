"""What a report tells of indexes: how they are used, and what is wrong with them."""

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from converge.benchmark import Query, Timing
from converge.report.asking import Asking
from converge.report.findings import (
    ENOUGH_DAYS,
    Counting,
    Facts,
    findings,
    is_unused,
    is_young,
    with_others,
)
from converge.report.model import Index
from converge.text import counted


class Indexes(NamedTuple):
    """What the catalog does not know of them."""

    asking: Asking
    managed: "frozenset[str]"  # the tables of the models
    unmanaged: Mapping[str, Set[Tuple[str, str, str]]]  # by schema: noun, table and name
    counting: Counting
    since: Optional[str]  # when scans began to be counted
    built: Mapping[Tuple[str, str], Tuple[float, str]]  # by our runs: seconds ago, and when
    queries: Sequence[Query]
    timings: Sequence[Timing]

    def all(self) -> Tuple[Index, ...]:
        found = [self._facts(row) for row in self.asking.file("the indexes", "indexes.sql")]
        young = sum(is_unused(index) and is_young(self._counting(index)) for index in found)
        if young and self.counting.on:
            self.asking.warnings.append(
                f"{counted(young, 'index')} without a scan not called unused: they were built, or "
                f"scans are counted, for less than {ENOUGH_DAYS} days"
            )
        users = self._users()
        return tuple(
            Index(
                *index[:6],
                self._since(index),
                tuple(users.get((index.schema, index.name), ())),
                index.managed,
                findings(index, others, self._counting(index)),
                index.last_scan,
            )
            for index, others in with_others(found)
        )

    def _facts(self, row: Tuple[Any, ...]) -> Facts:
        index = Facts(*row)
        strange = self.unmanaged.get(index.schema, set())
        nouns = ("index", "constraint")
        known = strange.isdisjoint((noun, index.table, index.name) for noun in nouns)
        return index._replace(managed=known and index.table in self.managed)

    def _built(self, index: Facts) -> Optional[Tuple[float, str]]:
        found = [self.built.get((index.schema, name)) for name in (index.name, index.table)]
        return min((one for one in found if one is not None), default=None)

    def _counting(self, index: Facts) -> Counting:
        built = self._built(index)
        if built is None or (self.counting.seconds or 0.0) < built[0]:
            return self.counting
        return self.counting._replace(seconds=built[0])

    def _since(self, index: Facts) -> Optional[str]:
        built = self._built(index)
        known = [when for when in (self.since, built and built[1]) if when]
        return max(known, default=None)

    def _users(self) -> Dict[Tuple[str, str], List[str]]:
        """Return the key queries of each index, by its schema and name."""
        found: Dict[Tuple[str, str], List[str]] = {}
        timed = {(timing.schema, timing.query): timing for timing in self.timings}
        for schema in self.asking.shown:
            for query in self.queries:
                timing = timed.get((schema, query.name))
                used = timing.indexes if timing else ()
                for index in dict.fromkeys([*used, *query.indexes]):
                    found.setdefault((schema, index), []).append(query.name)
        return found
