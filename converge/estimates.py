"""How long a step takes, by the size of its table: the order of magnitude."""

import enum
from typing import Dict, Optional

from converge.steps import Kind, Lock, Run, Step


class Work(enum.Enum):
    """What takes as long as a table is large."""

    READ = "read"
    REWRITE = "rewrite"  # with its indexes
    BUILD = "build"  # an index in an order, such as a B-tree
    BUILD_PARTS = "build_parts"  # an index of the parts of its values, such as a GIN
    FILL = "fill"


# Of the table, without its indexes. The bounds are what `benchmarks/rates.py` found on two cores:
# for 5,000,000 rows while others kept both busy, and for 100,000 on a server that had them to
# itself. So the order of magnitude is all that an estimate gives.
BYTES_PER_SECOND: Dict[Work, float] = {
    Work.READ: 400e6,  # 338 to 534 MB
    Work.REWRITE: 25e6,  # 17 to 41 MB
    Work.BUILD: 20e6,  # 10 to 46 MB
    Work.BUILD_PARTS: 2e6,  # 1 to 4.9 MB
    Work.FILL: 4e6,  # 1.7 to 11 MB
}
ORDERED = ("btree", "brin", "hash")


def work_of(step: Step) -> Optional[Work]:
    """Return what makes a step take its time, if it takes any."""
    if step.method or (step.run is Run.ONLINE and step.creates):
        return Work.BUILD if step.method in ("", *ORDERED) else Work.BUILD_PARTS
    if step.run is Run.BATCHES:
        return Work.FILL
    if step.kind in (Kind.VALIDATE_CONSTRAINT, Kind.PROVE_NO_NULLS):
        return Work.READ
    return {Lock.REWRITE: Work.REWRITE, Lock.READ: Work.READ}.get(step.lock)
