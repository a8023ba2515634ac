"""What goes into the image: the Dockerfile, its context and the lock."""

import json
import re
from typing import Dict, List

from packaging.requirements import Requirement

from tests.support.image import context
from tests.support.manifests import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)(.*)$", re.MULTILINE)


def instructions(name: str) -> List[str]:
    """Return the arguments of every instruction of that name."""
    return re.findall(rf"^{name} +(.*)$", DOCKERFILE, re.MULTILINE)


def test_nothing_is_let_in_but_what_is_copied() -> None:
    """Everything is shut out first; no .env, no test and no history can get into a layer."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert next(line for line in lines if not line.startswith("#")) == "*"
    copies = [line.split() for line in instructions("COPY") if "--from" not in line]
    sources = {source for line in copies for source in line[:-1]}
    assert sources == {"*.py", "converge", "LICENSE", "requirements.lock"}
    modules = {path.name for path in ROOT.glob("*.py")}
    assert context() == modules | {"converge", "LICENSE", "requirements.lock"}


def test_arguments_and_signals_reach_the_program() -> None:
    """The entry point is no shell: `--plan` can follow it, and SIGTERM is the program's."""
    [entrypoint] = instructions("ENTRYPOINT")
    assert json.loads(entrypoint) == ["python", "/app/create_tables.py"]
    assert not instructions("CMD")


def test_nobody_runs_it_as_root() -> None:
    """The user is a number, as Kubernetes can't tell from a name that it isn't root."""
    user = instructions("USER")[-1]
    assert re.fullmatch(r"[1-9]\d{4,}:[1-9]\d{4,}", user)


def test_everybody_may_read_what_is_copied() -> None:
    """Files that were cloned under an umask of 077 are their owner's only; the user is another."""
    [compiled] = [line for line in instructions("RUN") if "compileall" in line and "/app" in line]
    assert compiled.index("chmod -R a+rX /app") < compiled.index("compileall")


def test_all_that_starts_is_compiled() -> None:
    """Nobody can write byte code later; that of packages and library is never compared again."""
    compiled = r"compileall .*?--invalidation-mode (\S+).*?(/packages|/app|stdlib)"
    modes = [mode for line in instructions("RUN") for mode in re.findall(compiled, line)]
    assert modes == [
        ("unchecked-hash", "/packages"),
        ("checked-hash", "/app"),
        ("unchecked-hash", "stdlib"),
    ]


def test_nothing_is_kept_that_is_not_run() -> None:
    """Neither pip's cache nor its byte code, which has times in it and is compiled anew."""
    install = next(line for line in instructions("RUN") if "pip install" in line)
    assert "--no-cache-dir" in install
    assert "--no-compile" in install


def test_base_and_stages() -> None:
    """Both stages share one base, pinned by its digest, which an argument can replace."""
    base = r"PYTHON_IMAGE=python:3\.13-slim@sha256:[0-9a-f]{64}"
    assert re.fullmatch(base, instructions("ARG")[0])
    assert instructions("FROM") == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]


def test_packages_are_taken_by_their_hashes() -> None:
    """A package that was replaced on its way does not get in."""
    install = next(line for line in instructions("RUN") if "pip install" in line)
    for flag in ("--require-hashes", "--no-deps", "--only-binary :all:"):
        assert flag in install
    assert all("--hash=sha256:" in rest for _, _, rest in PIN.findall(LOCK))
    assert "://" not in LOCK


def test_the_lock_is_within_the_ranges() -> None:
    """`make lock` makes it of requirements.txt; whoever changes that runs it again."""
    pins: Dict[str, str] = {name: version for name, version, _ in PIN.findall(LOCK)}
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if line]
    assert [r.name for r in wanted if pins.get(r.name.lower(), "0") not in r.specifier] == []
    reasons = set(re.findall(r"# via (?:-r )?(\S+)", LOCK))
    assert reasons <= {"requirements.txt", *pins}
