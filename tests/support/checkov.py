"""checkov, which `uvx` fetches at its first use: 290 MB, 30 s. It needs no network then."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List, NoReturn, Set

import pytest
import yaml

from tests.support.manifests import Manifest

VERSION = "3.3.30"  # The next may have other checks.
CHECK = re.compile(r"CKV2?_K8S_\d+")
NOT_TRIED = f"NOT TRIED: this needs checkov=={VERSION}, fetched by uvx.\n  "


def failed(manifests: List[Manifest], directory: Path) -> Set[str]:
    """Return the checks that any of the manifests fails; `directory` is empty."""
    for number, manifest in enumerate(manifests):
        text = yaml.safe_dump(manifest)
        (directory / f"{number}.yaml").write_text(text, encoding="utf-8")
    scan = ["-d", str(directory), "--framework", "kubernetes", "--skip-download", "-o", "json"]
    report = json.loads(_run([*scan, "--soft-fail"]))
    assert report["summary"]["resource_count"] >= len(manifests)
    assert report["summary"]["parsing_errors"] == 0
    return {check["check_id"] for check in report["results"]["failed_checks"]}


def _run(arguments: List[str]) -> str:
    beside = str(Path(sys.executable).parent)
    uvx = shutil.which("uvx", path=os.pathsep.join((beside, os.environ.get("PATH", ""))))
    if not uvx:
        _not_tried("It comes with requirements-dev.txt.")
    command = [uvx, "--from", f"checkov=={VERSION}", "checkov", *arguments]
    kept = {**os.environ, "UV_CACHE_DIR": os.path.join(tempfile.gettempdir(), "eater-init-uv")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=kept)
    if done.returncode:
        _not_tried(done.stderr)
    return done.stdout


def _not_tried(why: str) -> NoReturn:
    """Skip, and say what was not tried: an index that pip reaches need not be one that uv knows."""
    pytest.skip(NOT_TRIED + why)
