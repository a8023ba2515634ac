"""What Helm is told to do with the Job at an install and an upgrade, and what it says then."""

from typing import Any, Dict, Tuple

import pytest
import yaml

from tests.support import helm
from tests.support.manifests import ROOT, Manifest, exit_codes

CHART = ROOT / "chart"
ORDINARY: Dict[str, Any] = {"hookEvents": []}


def release(values: Dict[str, Any], revision: int = 1) -> Tuple[Manifest, str]:
    """Return the Job (empty if there is none) and the notes of a revision of the release `demo`."""
    files = helm.library().files(CHART, values, "demo", revision)
    job = yaml.safe_load(files["eater-init/templates/job.yaml"]) or {}
    return job, files["eater-init/templates/NOTES.txt"]


def hook(job: Manifest) -> Dict[str, str]:
    """Return what the annotations tell Helm: https://helm.sh/docs/topics/charts_hooks/"""
    annotations = job["metadata"].get("annotations", {})
    return {name: value for name, value in annotations.items() if name.startswith("helm.sh/")}


def test_the_job_runs_before_the_release_and_stays_to_be_read() -> None:
    """A run that fails stops the upgrade before anything else changed; its Job is not deleted."""
    job, _ = release({})
    assert hook(job) == {
        "helm.sh/hook": "pre-install,pre-upgrade",
        "helm.sh/hook-weight": "0",
        "helm.sh/hook-delete-policy": "before-hook-creation",
        "helm.sh/hook-output-log-policy": "hook-failed",
    }
    assert job["spec"]["ttlSecondsAfterFinished"] == 86400


def test_an_upgrade_replaces_the_job_of_the_one_before() -> None:
    """A Job's template can't be changed: the name is the same, so Helm has to delete it first."""
    before, _ = release({})
    after, notes = release({"image": {"tag": "2.0.0"}}, revision=2)
    assert before["spec"]["template"] != after["spec"]["template"]
    assert before["metadata"]["name"] == after["metadata"]["name"] == "demo-eater-init"
    assert "before-hook-creation" in hook(after)["helm.sh/hook-delete-policy"].split(",")
    assert f"kubectl logs --namespace {helm.NAMESPACE} job/demo-eater-init\n" in notes


@pytest.mark.parametrize("revision", [1, 2])
def test_an_ordinary_job_gets_a_new_name_at_every_upgrade(revision: int) -> None:
    """Helm would change a Job of the same name, which Kubernetes refuses."""
    annotations = {"example/team": "chater"}
    job, notes = release({"job": ORDINARY, "annotations": annotations}, revision)
    assert job["metadata"]["annotations"] == annotations  # None makes it a hook.
    assert job["metadata"]["name"] == f"demo-eater-init-{revision}"
    wait = f"kubectl wait --namespace {helm.NAMESPACE} --for=condition=complete --timeout=3600s"
    assert f"{wait} job/demo-eater-init-{revision}\n" in notes


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"enabled": False}, "Eater Init is switched off"),
        ({"job": {"enabled": False}}, "There is no Job"),
        ({}, "Job demo-eater-init runs at pre-install and pre-upgrade, for database chater_db"),
        ({"job": ORDINARY}, "Job demo-eater-init-1 has been started, for database chater_db"),
    ],
)
def test_the_notes_say_what_there_is(values: Dict[str, Any], said: str) -> None:
    """They are what an operator reads after `helm install`."""
    job, notes = release(values)
    assert notes.startswith(said)
    assert exit_codes(notes) == ([2, 3, 4, 5, 6] if job else [])


def test_the_notes_say_how_to_look() -> None:
    """By the test of the release, and by a Job of the CronJob if there is one."""
    _, notes = release({"verify": {"enabled": True}})
    assert f"helm test --namespace {helm.NAMESPACE} demo --logs\n" in notes
    job = "--from=cronjob/demo-eater-init-verify verify-now"
    assert f"kubectl create job --namespace {helm.NAMESPACE} {job}\n" in notes
    _, neither = release({"verify": {"test": False}})
    assert "helm test" not in neither
    assert "CronJob" not in neither


@pytest.mark.parametrize(
    ("policy", "said"),
    [("Never", "2, 4 and 5 fail the Job at once"), ("OnFailure", "All are tried again")],
)
def test_the_notes_say_what_is_tried_again(policy: str, said: str) -> None:
    """Whether somebody has to act depends on the policy that the Job has."""
    job, notes = release({"job": {"restartPolicy": policy}})
    assert ("podFailurePolicy" in job["spec"]) == (policy == "Never")
    assert f"\n{said}" in notes
    assert "shards" not in notes


def test_the_notes_say_what_becomes_of_a_shard() -> None:
    """One that is refused does not end the others."""
    _, together = release({"job": {"shards": 8, "restartPolicy": "OnFailure"}})
    assert "shards" not in together
    _, notes = release({"job": {"shards": 8}})
    assert "\nOf the 8 shards, 4 and 5 fail one: the others go on.\n" in notes
