"""docs/kubernetes.md: each command, and each block of values, is tried as far as it can be here.

There is no cluster: what Helm renders and what kubectl makes is validated instead of started.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict, List

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import all_versions

import chater
from converge.console.command_line import parse
from converge.settings.loading import load_settings
from tests.support import checkov, helm
from tests.support.document import Document
from tests.support.helm import Helm, Values
from tests.support.manifests import ROOT, Manifest, containers, environment, ours, read, violations

CHART = ROOT / "chart"
DOCUMENT = Document(ROOT / "docs" / "kubernetes.md")
BLOCKS = DOCUMENT.yaml()
NEWEST = all_versions()[-1]
KUBECTL = shutil.which("kubectl")

COMMANDS = DOCUMENT.commands()
RENDERED = [c for c in COMMANDS if c.startswith("helm template ")]
LOCAL = [c for c in COMMANDS if c.startswith("kubectl patch --local ")]
MADE = [c for c in COMMANDS if re.match(r"kubectl create (secret|configmap) ", c)]
ASKED = [c for c in COMMANDS if c.startswith("kubectl ") and c not in (*LOCAL, *MADE)]
NOT_HERE = {
    "docker build -t eater-init:latest .": "takes a Docker engine; test_image.py runs its files",
    "docker build --build-arg PYTHON_IMAGE=python:3.13-slim "
    "--build-arg REVISION=$(git rev-parse HEAD) -t eater-init:latest .": "takes a Docker engine",
    "helm install eater-init chart/ --timeout 65m": "takes a cluster; test_release.py renders it",
    "helm test eater-init --logs": "takes a cluster; test_chart.py holds the pod that it starts",
    "helm get values eater-init --output yaml > values.yaml": "takes a release in a cluster",
    "helm rollback eater-init --wait": "takes a release in a cluster",
}

VALUES = [title for title in BLOCKS if title.startswith("values")]
OPERATORS = {
    "CloudNativePG": {"DATABASE_URL": "uri"},
    "Crunchy": {
        "POSTGRES_HOST": "host",
        "POSTGRES_PORT": "port",
        "POSTGRES_DB": "dbname",
        "POSTGRES_USER": "user",
        "POSTGRES_PASSWORD": "password",
    },
    "Zalando": {"POSTGRES_USER": "username", "POSTGRES_PASSWORD": "password"},
}


@pytest.fixture(scope="module")
def engine() -> Helm:
    return helm.find()


def values_of(title: str) -> Values:
    """Return the values for our chart in a block, which may be those of a chart above it."""
    found: Values = yaml.safe_load(BLOCKS[title])
    inner: Values = found.get("eaterInit", found)
    return inner


def job_of(engine: Helm, values: Values, release: str = "eater-init") -> Manifest:
    """Return the Job that the chart makes of values; it and all the rest are valid."""
    rendered = engine.render(CHART, values, release)
    for manifest in rendered:
        kubernetes_validate.validate(manifest, NEWEST, strict=True)
    [job] = [manifest for manifest in rendered if manifest["kind"] == "Job"]
    assert violations(job) == []
    return job


def set_by(path: str, value: Any) -> Values:
    """Return values in which one is set, as `--set` does."""
    for name in reversed(path.split(".")):
        value = {name: value}
    result: Values = value
    return result


def test_every_command_is_held() -> None:
    """A new one has to be tried here, or to say why it is not."""
    assert sorted([*RENDERED, *LOCAL, *MADE, *ASKED, *NOT_HERE]) == sorted(COMMANDS)
    assert RENDERED
    assert LOCAL
    assert MADE


@pytest.mark.parametrize("command", RENDERED)
def test_what_is_rendered_is_a_job_beside_the_releases(engine: Helm, command: str) -> None:
    """With the arguments that are named, and a name of its own for the commands that follow."""
    rendering, creating = command.split(" | ")
    assert creating == "kubectl create -f -"
    name, release, chart, *options = shlex.split(rendering)[1:]
    assert (name, release, chart) == ("template", "eater-init", "chart/")
    given = dict(zip(options[::2], options[1::2]))
    assert given.pop("--values") == "values.yaml"
    assert (CHART / given.pop("--show-only")).is_file()
    values: Values = {"job": {}}
    for option, reading in (("--set", str), ("--set-json", json.loads)):
        path, _, text = given.pop(option).partition("=")
        values["job"].update(set_by(path, reading(text))["job"])
    assert not given
    job = job_of(engine, values, release)
    assert job["metadata"]["name"] == values["job"]["name"]
    assert ours(job)["args"] == values["job"]["args"]
    assert [c for c in ASKED if c.endswith(f"job/{values['job']['name']}")]


def test_the_arguments_are_taken(engine: Helm) -> None:
    """By the chart and by the program; and what the document says is refused is refused."""
    section = DOCUMENT.section("Look, verify and undo in a cluster")
    listed = [json.loads(found) for found in re.findall(r"`(\[.*?\])`", section)]
    assert len(listed) == 7
    for arguments in listed:
        assert ours(job_of(engine, {"job": {"args": arguments}}))["args"] == arguments
        parse(arguments)
    with pytest.raises(helm.Refused, match="args"):
        engine.render(CHART, {"job": {"args": ["--rollback", "--yes"]}})


def kubectl(command: str, directory: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command line of kubectl where there is no cluster."""
    if not KUBECTL:
        pytest.skip("NOT TRIED: this needs kubectl on the PATH.")
    nowhere = {**os.environ, "KUBECONFIG": str(directory / "none"), "HOME": str(directory)}
    return subprocess.run(
        [KUBECTL, *shlex.split(command)[1:]],
        cwd=ROOT,
        env=nowhere,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", LOCAL)
def test_what_is_patched_is_a_job(command: str, tmp_path: Path) -> None:
    """What kubectl makes of the manifest and hands to the cluster is valid and restricted."""
    patching, handing = command.split(" | ")
    assert handing in ("kubectl create -f -", "kubectl replace --force -f -")
    done = kubectl(patching, tmp_path)
    assert done.returncode == 0, done.stderr
    job = yaml.safe_load(done.stdout)
    kubernetes_validate.validate(job, NEWEST, strict=True)
    assert violations(job) == []
    if handing == "kubectl create -f -":  # beside the other, so with a name of its own
        assert job["metadata"]["name"] == "look"
        assert ours(job)["args"] == ["--plan"]


@pytest.mark.parametrize("command", MADE)
def test_what_is_made_is_what_the_manifests_name(command: str, tmp_path: Path) -> None:
    """The Secret's keys are the defaults; the ConfigMap's are files of the name that is read."""
    (tmp_path / "schemas").write_text("berlin\n")
    typed = command.replace("--from-file=schemas", f"--from-file={tmp_path / 'schemas'}")
    done = kubectl(f"{typed} --dry-run=client --output=yaml", tmp_path)
    assert done.returncode == 0, done.stderr
    made = yaml.safe_load(done.stdout)
    if made["kind"] == "Secret":
        keys = environment(ours(read("eater_init_job.yaml")))
        secret = [keys[f"POSTGRES_{name}"]["secretKeyRef"] for name in ("USER", "PASSWORD")]
        assert {entry["name"] for entry in secret} == {made["metadata"]["name"]}
        assert {entry["key"] for entry in secret} == set(made["data"])
    else:
        values = values_of("values for schemas in a file")
        assert values["extraVolumes"][0]["configMap"]["name"] == made["metadata"]["name"]
        mounted = values["extraVolumeMounts"][0]["mountPath"]
        assert values["postgresql"]["schemasFile"] == f"{mounted}/{next(iter(made['data']))}"


@pytest.mark.parametrize("command", ASKED)
def test_what_asks_a_cluster_is_asked(command: str, tmp_path: Path) -> None:
    """kubectl understands it, as it gets as far as to miss the cluster."""
    done = kubectl(command, tmp_path)
    assert done.returncode == 1
    assert re.search(r"connection (to the server .* was )?refused", done.stderr), done.stderr
    for name in re.findall(r"(?<!cron)job/([\w-]+)|--selector job-name=([\w-]+)", command):
        assert set(name) - {""} <= {"eater-init", "look", "undo"}


def test_the_cronjob_is_that_of_the_release(engine: Helm) -> None:
    """Its name is what a Job is made from."""
    rendered = engine.render(CHART, {"verify": {"enabled": True}}, "eater-init")
    [cron] = [manifest for manifest in rendered if manifest["kind"] == "CronJob"]
    [command] = [c for c in ASKED if "--from=cronjob/" in c]
    assert f"--from=cronjob/{cron['metadata']['name']} " in command


@pytest.mark.parametrize("title", VALUES)
def test_values_are_taken_and_make_what_kubernetes_takes(engine: Helm, title: str) -> None:
    """Every block of values, by the chart's schema and by the API's."""
    job_of(engine, values_of(title))


@pytest.mark.parametrize("title", VALUES)
def test_the_program_takes_what_the_pod_is_given(engine: Helm, title: str, tmp_path: Path) -> None:
    """All variables together, with any Secret behind them, and in a shard its number."""
    file = tmp_path / "file"
    file.write_text("berlin\n")
    secret = {"DATABASE_URL": "postgresql://chater:secret@db/chater_db"}
    given = {"JOB_COMPLETION_INDEX": "2"} if "many schemas" in title else {}
    for name, value in environment(ours(job_of(engine, values_of(title)))).items():
        text = value if isinstance(value, str) else secret.get(name, "5432")
        given[name] = str(file) if text.startswith("/") else text
        if name == "EATER_REPORT":
            given[name] = str(tmp_path / Path(text).name)
    settings = load_settings(given, str(tmp_path / "none"), own=chater.VARIABLES)
    assert settings.doubts == ()
    assert str(settings.shard or "") == ("3/8" if "many schemas" in title else "")


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_secret_of_an_operator_is_taken_as_it_is(engine: Helm, operator: str) -> None:
    """By the names of its keys."""
    [title] = [title for title in VALUES if operator in title]
    values = values_of(title)
    given = [entry for entry in ours(job_of(engine, values))["env"] if "valueFrom" in entry]
    keys = {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in given}
    secret = values["postgresql"]["existingSecret"]
    expected = OPERATORS[operator]
    assert keys == {name: {"name": secret, "key": key} for name, key in expected.items()}


def test_argo_cd_hands_over_values_and_replaces_the_hook(engine: Helm) -> None:
    """Its own annotations are on the Job alone: a CronJob that was a hook would be made anew."""
    application = yaml.safe_load(BLOCKS["Application"])
    assert (ROOT / application["spec"]["source"]["path"] / "Chart.yaml").is_file()
    values = application["spec"]["source"]["helm"]["valuesObject"]
    own = values_of("values of the chart")["annotations"]
    rendered = engine.render(CHART, {**values, "annotations": own}, "eater-init")
    found = {m["kind"]: m["metadata"].get("annotations", {}) for m in rendered}
    assert list(found) == ["Job", "CronJob"]
    assert own.items() <= found["Job"].items()
    assert found["CronJob"] == {}


def test_flux_waits_for_the_job_as_long_as_it_may_take(engine: Helm) -> None:
    """And what is left after the Job's own attempts is left to a person."""
    spec = yaml.safe_load(BLOCKS["HelmRelease"])["spec"]
    deadline = job_of(engine, spec["values"])["spec"]["activeDeadlineSeconds"]
    assert int(spec["timeout"].rstrip("m")) * 60 > deadline
    for action in ("install", "upgrade"):
        assert spec[action]["remediation"] == {"retries": 0}
    waiting = yaml.safe_load(BLOCKS["in the spec of the platform's HelmRelease"])
    assert waiting["dependsOn"] == [{"name": "eater-init"}]


def test_connections_are_two_for_each_that_works() -> None:
    """The table is the formula, which tests/integration/server/test_connections.py measures."""
    rows = re.findall(r"\| (\d+) \| (\d+) \| (\d+) \|", DOCUMENT.section("Connections and poolers"))
    assert len(rows) == 5
    for pods, parallel, connections in rows:
        assert int(pods) * int(parallel) * 2 == int(connections)
    example = (ROOT / "examples/indexed-job.yaml").read_text(encoding="utf-8")
    assert re.findall(r"# Their connections are 8 .* PARALLEL .* 2 = (\d+)\.", example) == ["32"]


def test_the_shards_of_values_and_example_are_as_many(engine: Helm) -> None:
    """And the chart gives its pods what the example does."""
    job = job_of(engine, values_of("values for many schemas"))
    patch = read("examples/indexed-job.yaml")["spec"]
    assert job["spec"]["completions"] == patch["completions"]
    [container] = containers({"spec": {"template": patch["template"]}})
    given = {entry["name"]: entry.get("value") for entry in container["env"]}
    del given["POSTGRES_SCHEMAS"]
    assert given.items() <= environment(ours(job)).items()


def test_what_it_points_at_exists() -> None:
    """No link leads nowhere, in it or beside it."""
    for link in re.findall(r"\]\(([^)]+)\)", DOCUMENT.text):
        file, _, anchor = link.partition("#")
        target = DOCUMENT.path.parent / file if file else DOCUMENT.path
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
        assert not anchor or anchor in anchors, link
    for file in re.findall(r"`((?:examples/)[\w-]+\.yaml)`", DOCUMENT.text):
        assert (ROOT / file).is_file()


def test_the_versions_that_it_names_are_known() -> None:
    """The validator has the API of both, and all between."""
    [named] = re.findall(r"valid for Kubernetes (\d\.\d+) to (\d\.\d+) ", DOCUMENT.text)
    known = [version.rpartition(".")[0] for version in all_versions()]
    assert known[0] == named[0]
    assert named[1] in known


def manifests_for_checkov(engine: Helm) -> List[Manifest]:
    values: Dict[str, Any] = {"verify": {"enabled": True}, "serviceAccount": {"create": True}}
    shards = {**values, "fullnameOverride": "shards", "job": {"shards": 8}}
    rendered = [*engine.render(CHART, values), *engine.render(CHART, shards)]
    return [*rendered, read("eater_init_job.yaml")]


@pytest.mark.long
def test_checkov_finds_what_is_explained_and_nothing_else(engine: Helm, tmp_path: Path) -> None:
    """An exception that is needed no longer goes, and a new one takes a reason."""
    explained = set(checkov.CHECK.findall(DOCUMENT.section("What checkers say")))
    assert checkov.failed(manifests_for_checkov(engine), tmp_path) == explained


@pytest.mark.long
def test_checkov_is_satisfied_by_the_strict_values(engine: Helm, tmp_path: Path) -> None:
    """But for what the namespace has to have, the probes of a pod that ends, and a name."""
    values = {**values_of("values for the strict"), "verify": {"enabled": True}}
    left = {"CKV_K8S_8", "CKV_K8S_9", "CKV_K8S_35", "CKV2_K8S_6"}
    assert checkov.failed(engine.render(CHART, values), tmp_path) == left
