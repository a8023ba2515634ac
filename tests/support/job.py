"""The job, as the fixtures `run` and `spawn` start it."""

import subprocess
from typing import Callable, NamedTuple


class Result(NamedTuple):
    """How a run ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]  # in this process
Spawn = Callable[..., "subprocess.Popen[str]"]  # as a process of its own
