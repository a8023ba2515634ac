"""A real Helm: the program on the PATH, or the same engine in the PyPI package helm-python-sdk."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, NoReturn, Optional, Protocol

import pytest
import yaml

Values = Dict[str, Any]
NAMESPACE = "chater"
NOT_TRIED = (
    "NOT TRIED: this needs a Helm engine.\n"
    "  On Python 3.10 or newer: python -m pip install helm-python-sdk\n"
    "  Or, for all but tests/unit/test_release.py: the program helm on the PATH."
)


class Refused(Exception):
    """What Helm says when it refuses values."""


class Engine(Protocol):
    def lint(self, chart: Path, values: Values) -> None: ...
    def render(self, chart: Path, values: Values, release: str) -> str: ...


class Program:
    """The `helm` of the machine."""

    def __init__(self, path: str) -> None:
        self.path = path

    def lint(self, chart: Path, values: Values) -> None:
        self._run("lint", "--strict", str(chart), values=values)

    def render(self, chart: Path, values: Values, release: str) -> str:
        return self._run("template", release, str(chart), values=values)

    def _run(self, *arguments: str, values: Values) -> str:
        done = subprocess.run(
            [self.path, *arguments, "--namespace", NAMESPACE, "--values", "-"],
            input=json.dumps(values),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Refused(done.stdout + done.stderr)
        return done.stdout


class Library:
    """The engine of helm-python-sdk."""

    def __init__(self) -> None:
        import helm_python  # from Python 3.10 on

        self.helm = helm_python

    def lint(self, chart: Path, values: Values) -> None:
        report = self.helm.lint(chart, values, strict=True, namespace=NAMESPACE)
        if report["errors"]:
            raise Refused("\n".join(report["errors"]))

    def render(self, chart: Path, values: Values, release: str) -> str:
        files = self.files(chart, values, release)
        texts = [text for name, text in sorted(files.items()) if not name.endswith("NOTES.txt")]
        return "\n---\n".join(texts)

    def files(self, chart: Path, values: Values, release: str, revision: int = 1) -> Dict[str, str]:
        """Return what becomes of each template, also of the notes, at an install or an upgrade.

        `helm template` prints no notes, and knows the first revision only.
        """
        try:
            with self.helm.Chart.load(chart) as loaded:
                files: Dict[str, str] = loaded.render(
                    values,
                    name=release,
                    namespace=NAMESPACE,
                    revision=revision,
                    is_install=revision == 1,
                    is_upgrade=revision > 1,
                )
        except self.helm.HelmError as error:
            raise Refused(str(error)) from None
        return files


class Helm:
    """What the tests ask of either engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def lint(self, chart: Path, values: Optional[Values] = None) -> None:
        """Raise `Refused` for errors and warnings."""
        self.engine.lint(chart, values or {})

    def render(
        self, chart: Path, values: Optional[Values] = None, release: str = "demo"
    ) -> List[Dict[str, Any]]:
        """Return the manifests, or raise `Refused`."""
        documents = yaml.safe_load_all(self.engine.render(chart, values or {}, release))
        return [document for document in documents if document]


def find() -> Helm:
    """Return a Helm; without one, see `_not_tried`."""
    program = shutil.which("helm")
    return Helm(Program(program) if program else library())


def library() -> Library:
    """Return the engine of helm-python-sdk; without it, see `_not_tried`."""
    try:
        return Library()
    except ImportError:
        _not_tried()


def _not_tried() -> NoReturn:
    """Fail in CI, where an engine can be had; elsewhere skip, and say what was not tried."""
    if os.environ.get("CI") and sys.version_info >= (3, 10):
        pytest.fail(NOT_TRIED, pytrace=False)
    pytest.skip(NOT_TRIED)
