"""Processes that start at once, forked from one that has imported all of the job."""

import multiprocessing
import os
import sys
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Lock
from typing import Any, Callable, Dict, Tuple

# What a run imports only when it comes to it is imported once, for all.
import tenacity  # noqa: F401

import create_tables
import indexes  # noqa: F401
from tests.support.program import ROOT

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.support.forked"])
# Who starts a process looks at all that have ended; two who read an exit code at once get one 255.
_LOOKING = Lock()


def start(
    directory: Path, environment: Dict[str, str], arguments: Tuple[str, ...] = ()
) -> BaseProcess:
    """Run the job in `directory`, where the file `output` gets what it prints."""
    return call(_run, directory, environment, arguments)


def call(function: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Call a module's function in a process of its own."""
    process = _FORKS.Process(target=function, args=arguments, daemon=True)
    with _LOOKING:
        _serve()
        process.start()
    return process


def _serve() -> None:
    """Start who forks, if it is not there yet, where it finds what it has to import."""
    here = os.getcwd()
    os.chdir(ROOT)
    forkserver.ensure_running()
    os.chdir(here)


def join(process: BaseProcess, seconds: float) -> None:
    """Wait for the end of a process, while other threads start and join theirs."""
    wait([process.sentinel], seconds)
    with _LOOKING:
        process.join(0)


def _run(directory: Path, environment: Dict[str, str], arguments: Tuple[str, ...]) -> None:
    os.chdir(directory)
    output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(environment)
    sys.exit(create_tables.main(list(arguments)))
