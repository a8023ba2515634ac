"""The chart, installed and upgraded by a real Helm in a cluster that is strict with Jobs."""

from typing import Any, Dict, Iterator

import pytest

from tests.support import helm
from tests.support.cluster import Cluster
from tests.support.helm import Refused, Releases
from tests.support.manifests import ROOT

CHART = ROOT / "chart"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    running = Cluster()
    yield running
    running.close()


def test_an_upgrade_replaces_the_job_of_the_one_before(cluster: Cluster) -> None:
    """A Job's template can't be changed, so Helm deletes the hook of before, then makes the new."""
    releases = Releases(cluster.url)
    notes = releases.install(CHART, "demo", {})
    releases.upgrade(CHART, "demo", {"image": {"tag": "2.0.0"}})
    job = "jobs/demo-eater-init"
    assert cluster.log == [f"DELETE nothing {job}", f"PATCH {job}", f"DELETE {job}", f"PATCH {job}"]
    assert cluster.jobs() == ["demo-eater-init"]
    assert f"kubectl logs --namespace {helm.NAMESPACE} job/demo-eater-init" in notes


def test_an_ordinary_job_gets_a_new_name_at_every_upgrade(cluster: Cluster) -> None:
    """The Job of before goes, as it is no longer part of the release."""
    releases = Releases(cluster.url)
    ordinary: Dict[str, Any] = {"job": {"hookEvents": []}}
    releases.install(CHART, "demo", ordinary)
    notes = releases.upgrade(CHART, "demo", {**ordinary, "image": {"tag": "2.0.0"}})
    assert cluster.jobs() == ["demo-eater-init-2"]
    assert "kubectl wait" in notes


def test_a_run_that_fails_stops_the_upgrade_and_stays_to_be_read(cluster: Cluster) -> None:
    """The platform of before goes on, and the failed Job's logs are there."""
    releases = Releases(cluster.url)
    releases.install(CHART, "demo", {})
    cluster.fails = True
    with pytest.raises(Refused, match="pre-upgrade hooks failed"):
        releases.upgrade(CHART, "demo", {"image": {"tag": "2.0.0"}})
    assert cluster.jobs() == ["demo-eater-init"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"enabled": False}, "Eater Init is switched off"),
        ({"job": {"enabled": False}}, "There is no Job"),
        ({}, "Job demo-eater-init runs at pre-install and pre-upgrade, for database eater"),
    ],
)
def test_the_notes_say_what_there_is(cluster: Cluster, values: Dict[str, Any], said: str) -> None:
    """They are what an operator reads after `helm install`."""
    assert Releases(cluster.url).install(CHART, "demo", values).startswith(said)
