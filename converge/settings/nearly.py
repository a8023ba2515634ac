"""Names that are nearly those of our variables: nobody reads them, and nobody would notice."""

import re
from typing import Iterable, Iterator, Mapping, Sequence, Tuple

ALIKE = 0.85  # of 1, as difflib measures it: LOG_LEVL and POSTGRES_PASS are, LOGNAME is not
# Of others: what Kubernetes says of a service, and what PostgreSQL's own image takes.
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
# https://hub.docker.com/_/postgres
OTHERS = re.compile(
    r".*_SERVICE_(HOST|PORT)(_\w+)?|.*_PORT_\d+_(TCP|UDP)(_\w+)?"
    r"|POSTGRES_(INITDB_ARGS|INITDB_WALDIR|HOST_AUTH_METHOD|USER|DB)(_FILE)?"
)


def nearly_ours(
    names: Iterable[str], ours: Sequence[str], given: Mapping[str, str]
) -> Iterator[Tuple[str, str]]:
    """Yield names that are not ours, each with ours that it is like and that is not given."""
    heads = {name[:3] for name in ours}
    for name in sorted(names):
        if name[:3].upper() in heads and name not in ours and not OTHERS.fullmatch(name):
            from difflib import get_close_matches  # where there is something to compare

            for meant in get_close_matches(name.upper(), ours, 1, ALIKE):
                if meant not in given:
                    yield name, meant
