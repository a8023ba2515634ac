"""The manifests are valid, restricted, and say what the code says."""

import copy
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Set, Tuple

import kubernetes_validate
import pytest
from kubernetes_validate.utils import all_versions

from converge.errors import ConvergeError
from tests.support import manifests
from tests.support.manifests import (
    ROOT,
    Manifest,
    environment,
    exit_codes,
    ours,
    patched,
    pod,
    read,
)
from tests.support.variables import VARIABLES

JOB = "eater_init_job.yaml"
DEPLOYMENT = "examples/init-container.yaml"
PATCHES = ("indexed-job", "mesh", "password-file", "report", "sidecar", "tls")
WHOLE_JOBS = (JOB, *(name for name in PATCHES if name != "indexed-job"))
KUBECTL = shutil.which("kubectl")
VERSIONS = all_versions()
SINCE = {
    "sidecar": "1.29.0",  # https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
    "indexed-job": "1.29.0",  # https://kubernetes.io/docs/concepts/workloads/controllers/job/
}

ALL: Dict[str, Manifest] = {
    JOB: read(JOB),
    DEPLOYMENT: read(DEPLOYMENT),
    **{name: patched(read(JOB), read(f"examples/{name}.yaml")) for name in PATCHES},
}
every_manifest = pytest.mark.parametrize("name", ALL)

SOMEBODY_MUST_ACT = [2, 4, 5]
TRIED_AGAIN = [1, 3, 6, 130, 143]


def test_every_example_is_tried() -> None:
    """An example that no test knows would grow wrong unseen."""
    files = {path.name for path in (ROOT / "examples").iterdir()}
    assert files == {Path(DEPLOYMENT).name, *(f"{name}.yaml" for name in PATCHES)}


@every_manifest
def test_oldest_and_newest_kubernetes_take_it(name: str) -> None:
    """Strictly: a field that does not exist is a mistake, not a remark."""
    for version in (SINCE.get(name, VERSIONS[0]), VERSIONS[-1]):
        kubernetes_validate.validate(ALL[name], version, strict=True)


@pytest.mark.parametrize("name", PATCHES)
def test_kubectl_patches_as_these_tests_do(name: str) -> None:
    """What is held here is what the command in the example's head makes."""
    command = [KUBECTL or "", "patch", "--local", "--output=json", "-f", JOB]
    patch = f"--patch-file=examples/{name}.yaml"
    if not KUBECTL:
        pytest.skip("NOT TRIED: this needs kubectl on the PATH.")
    made = subprocess.run([*command, patch], capture_output=True, check=True, cwd=ROOT).stdout
    kubectl, here = json.loads(made), copy.deepcopy(ALL[name])
    for manifest in (kubectl, here):  # It puts what the patch names first.
        ours(manifest)["env"].sort(key=lambda entry: str(entry["name"]))
    assert kubectl == here


@every_manifest
def test_it_meets_the_restricted_standard(name: str) -> None:
    """A namespace that enforces the restricted Pod Security Standard admits it."""
    assert manifests.violations(ALL[name]) == []
    assert ours(ALL[name])["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod(ALL[name])["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("where", "change", "violation"),
    [
        ("pod", {"hostNetwork": True}, "pod: hostNetwork"),
        ("pod", {"volumes": [{"name": "x", "hostPath": {}}]}, "pod: volume hostPath"),
        ("pod", {"securityContext": {"runAsUser": 0}}, "eater-init: may run as root"),
        (
            "container",
            {"allowPrivilegeEscalation": True},
            "eater-init: allowPrivilegeEscalation is not false",
        ),
        ("container", {"capabilities": {"add": ["SYS_ADMIN"]}}, "eater-init: adds SYS_ADMIN"),
        ("container", {"privileged": True}, "eater-init: is privileged"),
        (
            "container",
            {"seccompProfile": {"type": "Unconfined"}},
            "eater-init: has no seccomp profile",
        ),
    ],
)
def test_what_is_not_restricted_is_noticed(where: str, change: Manifest, violation: str) -> None:
    """The check itself sees what it is there for."""
    container = {"name": "eater-init", "securityContext": change}
    spec = change if where == "pod" else {"containers": [container]}
    worse = patched(ALL[JOB], {"spec": {"template": {"spec": spec}}})
    assert manifests.violations(worse) == [violation]


@every_manifest
def test_every_variable_exists_and_all_that_must_be_are_given(name: str) -> None:
    """A variable that config.py does not know would be set in vain."""
    given = environment(ours(ALL[name]))
    assert set(given) - {"POD_NAME"} <= {variable.name for variable in VARIABLES}
    for required in (v for v in VARIABLES if v.default is None):
        alternatives = {v.name for v in VARIABLES if v.field == required.field}
        assert len(alternatives & set(given)) == 1
    assert given["LOG_FORMAT"] == "json"


@every_manifest
def test_values_that_are_set_are_valid(name: str) -> None:
    """What the program would refuse with exit 2 is not handed out as an example."""
    given = environment(ours(ALL[name]))
    # There in the container only.
    files = ("POSTGRES_PASSWORD_FILE", "POSTGRES_SSLROOTCERT", "EATER_REPORT")
    for variable in VARIABLES:
        if isinstance(given.get(variable.name), str) and variable.name not in files:
            variable.parse(given[variable.name])


@every_manifest
def test_no_service_of_the_namespace_sets_a_variable(name: str) -> None:
    """A Service called postgres would set POSTGRES_PORT to tcp://…"""
    assert pod(ALL[name])["enableServiceLinks"] is False
    assert environment(ours(ALL[name]))["POSTGRES_PORT"] == "5432"


def test_the_job_ends_whatever_happens() -> None:
    """It is tried again, but neither for ever nor for longer than a deadline, and cleaned up."""
    spec = ALL[JOB]["spec"]
    assert spec["backoffLimit"] == 3
    assert spec["activeDeadlineSeconds"] == 3600
    assert spec["ttlSecondsAfterFinished"] == 86400
    assert pod(ALL[JOB])["terminationGracePeriodSeconds"] == 10
    assert set(ours(ALL[JOB])["resources"]) == {"requests", "limits"}


@pytest.mark.parametrize("name", WHOLE_JOBS)
def test_attempts_that_are_in_vain_are_not_made(name: str) -> None:
    """Somebody must act first; all else counts as an attempt, but for a pod that was evicted."""
    failed, evicted = ALL[name]["spec"]["podFailurePolicy"]["rules"]
    codes = {"containerName": ours(ALL[name])["name"], "operator": "In"}
    codes["values"] = SOMEBODY_MUST_ACT
    assert failed == {"action": "FailJob", "onExitCodes": codes, "onPodConditions": []}
    disruption = {"type": "DisruptionTarget", "status": "True"}
    assert evicted == {"action": "Ignore", "onPodConditions": [disruption]}
    assert pod(ALL[name])["restartPolicy"] == "Never"  # With another the server refuses the policy.


def test_shards_are_those_of_the_chart() -> None:
    """As many as the variable says; a refused one ends alone, a wrong setting ends all."""
    spec = ALL["indexed-job"]["spec"]
    shards = int(environment(ours(ALL["indexed-job"]))["SHARDS"])
    assert (spec["completionMode"], spec["completions"]) == ("Indexed", shards)
    assert (spec["parallelism"], spec["maxFailedIndexes"]) == (shards, shards)
    assert spec["backoffLimitPerIndex"] == 3
    assert "backoffLimit" not in spec
    all_end, one_ends, evicted = spec["podFailurePolicy"]["rules"]
    assert (all_end["action"], one_ends["action"]) == ("FailJob", "FailIndex")
    codes = [*all_end["onExitCodes"]["values"], *one_ends["onExitCodes"]["values"]]
    assert codes == SOMEBODY_MUST_ACT
    assert evicted["action"] == "Ignore"


def test_the_init_container_is_the_job_without_the_benchmark() -> None:
    """Whoever changes one of the two changes both."""
    job, init = ours(ALL[JOB]), ours(ALL[DEPLOYMENT])
    assert init in pod(ALL[DEPLOYMENT])["initContainers"]
    given = environment(init)
    assert given.pop("ENABLE_PERFORMANCE_TEST") == "false"
    assert given == environment(job)
    assert {**init, "env": None} == {**job, "env": None}


@every_manifest
def test_user_and_password_are_from_a_secret(name: str) -> None:
    """No manifest has a password in it, and the last lines of a failed run are kept."""
    given = environment(ours(ALL[name]))
    assert "secretKeyRef" in given["POSTGRES_USER"]
    assert "secretKeyRef" in given.get("POSTGRES_PASSWORD", {"secretKeyRef": "in a file"})
    assert ours(ALL[name])["terminationMessagePolicy"] == "FallbackToLogsOnError"


@every_manifest
def test_files_are_mounted(name: str) -> None:
    """Every path that a variable names is in a volume of the pod."""
    container = ours(ALL[name])
    mounts = {m["mountPath"]: m["name"] for m in container.get("volumeMounts", [])}
    paths = [v for v in environment(container).values() if isinstance(v, str) and v.startswith("/")]
    volumes = {volume["name"] for volume in pod(ALL[name]).get("volumes", [])}
    assert {path.rsplit("/", 1)[0] for path in paths} == set(mounts)
    assert set(mounts.values()) == volumes


@every_manifest
def test_labels_are_those_of_the_convention(name: str) -> None:
    """The pods carry the labels of their workload, and a selector finds them."""
    metadata = ALL[name]["metadata"]
    labels = ALL[name]["spec"]["template"]["metadata"]["labels"]
    assert metadata["labels"]["app.kubernetes.io/name"] == metadata["name"]
    assert metadata["labels"]["app.kubernetes.io/part-of"] == "chater"
    assert set(metadata["labels"].items()) <= set(labels.items())
    selector = ALL[name]["spec"].get("selector", {}).get("matchLabels", {})
    assert set(selector.items()) <= set(labels.items())


@pytest.mark.parametrize(
    ("name", "where", "value"),
    [
        ("mesh", ("metadata", "labels", "sidecar.istio.io/inject"), "false"),
        ("mesh", ("metadata", "annotations", "linkerd.io/inject"), "disabled"),
        ("report", ("spec", "containers", 0, "env", -1, "value"), "/reports/$(POD_NAME).html"),
        ("sidecar", ("spec", "initContainers", 0, "restartPolicy"), "Always"),
        ("tls", ("spec", "containers", 0, "env", -2, "value"), "verify-full"),
        ("password-file", ("spec", "volumes", 0, "secret", "items", 0, "path"), "password"),
    ],
)
def test_a_patch_does_what_it_is_for(name: str, where: Tuple[Any, ...], value: str) -> None:
    """With the other value it is valid as well, and the Job never ends or proves no server."""
    found: Any = ALL[name]["spec"]["template"]
    for step in where:
        found = found[step]
    assert found == value


def _documents() -> List[Path]:
    chart = [*(ROOT / "chart").glob("*.*"), *(ROOT / "chart/templates").iterdir()]
    return [ROOT / JOB, *(ROOT / "examples").iterdir(), *chart]


def _codes() -> Set[int]:
    errors = {error.exit_code for error in ConvergeError.__subclasses__()}
    return {0, ConvergeError.exit_code, 130, 143} | errors


def test_every_exit_code_is_tried_again_or_not() -> None:
    """Whoever adds one decides which, here and in both Jobs."""
    assert _codes() == {0, *SOMEBODY_MUST_ACT, *TRIED_AGAIN}


@pytest.mark.parametrize(
    "name", ["README.md", "docs/kubernetes.md", "chart/README.md", "chart/templates/NOTES.txt"]
)
def test_the_documents_say_which_exit_codes_end_the_job(name: str) -> None:
    """They are what whoever is woken reads."""
    *others, last = SOMEBODY_MUST_ACT
    text = " ".join((ROOT / name).read_text(encoding="utf-8").split())
    assert f"{', '.join(map(str, others))} and {last} fail the Job at once" in text


def test_every_exit_code_that_is_named_exists() -> None:
    """A code that no error has would send whoever looks it up astray."""
    named = {code for path in _documents() for code in exit_codes(path.read_text(encoding="utf-8"))}
    assert named
    assert named <= _codes()
