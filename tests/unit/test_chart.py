"""The chart, rendered by a real Helm."""

import json
import re
import shutil
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import all_versions

from converge.names import VERSION
from converge.settings.schemas import schema_list
from tests.support import helm
from tests.support.helm import Helm, Refused
from tests.support.manifests import ROOT, environment, ours, pod, read, violations
from tests.support.variables import VARIABLES

CHART = ROOT / "chart"
VALUES: Dict[str, Any] = read("chart/values.yaml")
EVERY: Dict[str, Any] = read("tests/support/every_value.yaml")
# Groups of which every member is a value of its own; another object is one value.
GROUPS = ("global", "image", "postgresql", "settings", "job", "verify", "report", "serviceAccount")

VERIFY = {"verify": {"enabled": True}}
PER_INDEX_SINCE = "1.29.0"  # https://kubernetes.io/docs/concepts/workloads/controllers/job/

# What a value needs beside it to have an effect.
ONLY_WITH = {
    "serviceAccount.annotations": "serviceAccount.create",
    "job.maxFailedIndexes": "job.shards",
    "report.path": "report.volume",
    **{f"verify.{name}": "verify.enabled" for name in VALUES["verify"] if name != "enabled"},
}
MISTAKES = [
    ({"enable": True}, "enable"),
    ({"enabled": "yes"}, "enabled"),
    ({"image": {"tag": 1.5}}, "tag"),
    ({"image": {"repository": "eater-init:latest"}}, "repository"),
    ({"image": {"pullPolicy": "always"}}, "pullPolicy"),
    ({"postgresql": {"host": ""}}, "host"),
    ({"postgresql": {"host": "postgresql://db/eater"}}, "host"),
    ({"postgresql": {"port": "5432"}}, "port"),
    ({"postgresql": {"port": 70000}}, "port"),
    ({"postgresql": {"database": ""}}, "database"),
    ({"postgresql": {"schemas": []}}, "schemas"),
    ({"postgresql": {"schemas": ["a", "a"]}}, "schemas"),
    ({"postgresql": {"schemasFile": "schemas"}}, "schemasFile"),
    ({"settings": {"PARALLEL": 33}}, "PARALLEL"),
    ({"settings": {"ON_REFUSAL": "ask"}}, "ON_REFUSAL"),
    ({"settings": {"PARALLEL": 0}}, "PARALLEL"),
    ({"job": {"shards": 0}}, "shards"),
    ({"job": {"args": ["--rollback", "--yes"]}}, "args"),
    ({"verify": {"schedule": "4 o'clock"}}, "schedule"),
    ({"verify": {"startingDeadlineSeconds": 9}}, "startingDeadlineSeconds"),
    ({"postgresql": {"existingSecret": ""}}, "existingSecret"),
    ({"postgresql": {"existingSecret": "My Secret"}}, "existingSecret"),
    ({"postgresql": {"password": "secret"}}, "password"),
    ({"postgresql": {"passwordFile": "password"}}, "passwordFile"),
    ({"postgresql": {"sslmode": "verify"}}, "sslmode"),
    ({"settings": {"LOG_LEVEL": "verbose"}}, "LOG_LEVEL"),
    ({"settings": {"LOCK_TIMEOUT": "2 minutes"}}, "LOCK_TIMEOUT"),
    ({"settings": {"LOCK_TIMEOUT": 0}}, "LOCK_TIMEOUT"),
    ({"settings": {"LOCK_TIMEOUT": "0s"}}, "LOCK_TIMEOUT"),
    ({"settings": {"MAX_RETRIES": 0}}, "MAX_RETRIES"),
    ({"settings": {"VERIFY_INDEXES": "yes"}}, "VERIFY_INDEXES"),
    ({"settings": {"lockTimeout": "1s"}}, "lockTimeout"),
    ({"job": {"args": ["--force"]}}, "args"),
    ({"job": {"args": ["--rollback", "--to", "-1"]}}, "args"),
    ({"job": {"hookEvents": ["install"]}}, "hookEvents"),
    ({"job": {"hookDeletePolicy": ["hook-succeeded"]}}, "hookDeletePolicy"),
    ({"job": {"restartPolicy": "Always"}}, "restartPolicy"),
    ({"report": {"path": "/report.html"}}, "path"),
    ({"report": {"path": "/reports/page.pdf"}}, "path"),
    ({"report": {"volume": "reports"}}, "volume"),
    ({"annotations": {"replicas": 3}}, "annotations"),
    ({"extraEnv": {"NAME": "value"}}, "extraEnv"),
    ({"extraEnv": [{"value": "x"}]}, "extraEnv"),
    ({"enabled": None}, "enabled"),
    ({"image": {"repository": None}}, "repository"),
    ({"postgresql": {"userKey": None}}, "userKey"),
    ({"job": None}, "job"),
    ({"job": {"restartPolicy": None}}, "restartPolicy"),
]

PARENT = """apiVersion: v2
name: chater
version: 1.0.0
dependencies:
  - name: eater-init
    alias: eaterInit
    version: {version}
    repository: file://../chart
    condition: eaterInit.enabled
"""
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: chater-ui
spec:
  selector: {matchLabels: {app.kubernetes.io/name: chater-ui}}
  template:
    metadata:
      labels: {app.kubernetes.io/name: chater-ui}
    spec:
      containers:
        - name: chater-ui
          image: chater-ui:latest
"""


@pytest.fixture(scope="module")
def engine() -> Helm:
    return helm.find()


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """The chart of a platform that depends on ours, with the init container as in the README."""
    text = (CHART / "README.md").read_text(encoding="utf-8")
    [lines] = re.findall(r"```yaml\n( +initContainers:\n[\s\S]*?)```", text)
    chart = tmp_path / "chater"
    (chart / "templates").mkdir(parents=True)
    shutil.copytree(CHART, chart / "charts" / "eater-init")
    (chart / "Chart.yaml").write_text(PARENT.format(version=VERSION))
    (chart / "templates" / "deployment.yaml").write_text(DEPLOYMENT + lines)
    return chart


def leaves(values: Dict[str, Any]) -> Dict[str, Any]:
    """Return every value by its path: `image.tag`."""
    found: Dict[str, Any] = {}
    for key, value in values.items():
        inner = value.items() if key in GROUPS else []
        found.update({f"{key}.{name}": item for name, item in inner} or {key: value})
    return found


def the_job(
    engine: Helm, values: Optional[Dict[str, Any]] = None, release: str = "demo"
) -> Dict[str, Any]:
    """Return the Job of the chart."""
    return of_kind(engine.render(CHART, values, release), "Job")


def of_kind(rendered: List[Dict[str, Any]], kind: str) -> Dict[str, Any]:
    [found] = [manifest for manifest in rendered if manifest["kind"] == kind]
    return found


def only(path: str, value: Any) -> Dict[str, Any]:
    """Return values in which one is set."""
    first, _, rest = path.partition(".")
    return {first: {rest: value} if rest else value}


def test_it_is_linted_without_a_warning(engine: Helm) -> None:
    """Helm's own lint, strict, with the defaults and with every value."""
    engine.lint(CHART)
    engine.lint(CHART, EVERY)


@pytest.mark.parametrize("values", [VERIFY, EVERY], ids=["defaults", "every value"])
def test_kubernetes_takes_it_all_and_restricts_it(engine: Helm, values: Dict[str, Any]) -> None:
    """Strictly, for the oldest and the newest version that the validator knows."""
    rendered = engine.render(CHART, values)
    for version in (all_versions()[0], all_versions()[-1]):
        for manifest in rendered:
            kubernetes_validate.validate(manifest, version, strict=True)
    for workload in (of_kind(rendered, kind) for kind in ("Job", "CronJob", "Pod")):
        assert violations(workload) == []
        assert pod(workload)["automountServiceAccountToken"] is False
        assert pod(workload)["enableServiceLinks"] is False
        assert ours(workload)["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_what_verifies_is_the_job_with_another_argument(engine: Helm) -> None:
    """Before Kubernetes kills a look that hangs, and with the pod and the attempts of the Job."""
    rendered = engine.render(CHART, VERIFY)
    job, cron, test = (of_kind(rendered, kind) for kind in ("Job", "CronJob", "Pod"))
    for looking in (cron, test):
        assert ours(looking) == {**ours(job), "args": ["--verify"]}
        looked = {**pod(looking), "containers": None, "activeDeadlineSeconds": None}
        assert looked == {**pod(job), "containers": None, "activeDeadlineSeconds": None}
    job_of_cron = cron["spec"]["jobTemplate"]["spec"]
    assert job_of_cron["podFailurePolicy"] == job["spec"]["podFailurePolicy"]
    assert (job_of_cron["activeDeadlineSeconds"], pod(test)["activeDeadlineSeconds"]) == (600, 600)
    assert {**cron["spec"], "jobTemplate": None} == {
        "schedule": "17 4 * * *",
        "suspend": False,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3600,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": None,
    }


def test_nothing_verifies_that_is_not_asked_to(engine: Helm) -> None:
    """The CronJob is off by default; the pod of `helm test` is a hook that nothing else starts."""
    kinds = [manifest["kind"] for manifest in engine.render(CHART)]
    assert sorted(kinds) == ["Job", "Pod"]
    annotations = of_kind(engine.render(CHART), "Pod")["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == "test"
    assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation"
    without = engine.render(CHART, {"verify": {"test": False}})
    assert [manifest["kind"] for manifest in without] == ["Job"]


def test_shards_are_an_indexed_job(engine: Helm) -> None:
    """A refused shard ends alone, a wrong setting ends all; each is tried again for itself."""
    job = the_job(engine, {"job": {"shards": 8, "maxFailedIndexes": 0}})
    for version in (PER_INDEX_SINCE, all_versions()[-1]):
        kubernetes_validate.validate(job, version, strict=True)
    spec = job["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 8, 8)
    assert (spec["backoffLimitPerIndex"], spec["maxFailedIndexes"]) == (3, 0)
    assert "backoffLimit" not in spec  # It would count the failures of all of them together.
    all_end, one_ends, evicted = spec["podFailurePolicy"]["rules"]
    assert (all_end["action"], all_end["onExitCodes"]["values"]) == ("FailJob", [2])
    assert (one_ends["action"], one_ends["onExitCodes"]["values"]) == ("FailIndex", [4, 5])
    assert evicted["action"] == "Ignore"
    assert environment(ours(job))["SHARDS"] == "8"


def test_shards_that_fail_stop_the_others_only_if_that_is_said(engine: Helm) -> None:
    """Kubernetes lets every index end where there is no maximum."""
    assert "maxFailedIndexes" not in the_job(engine, {"job": {"shards": 8}})["spec"]


@pytest.mark.parametrize("why", ["older", "OnFailure"])
def test_shards_without_attempts_of_their_own(engine: Helm, tmp_path: Path, why: str) -> None:
    """Kubernetes before 1.29 has no limit per index, and none takes it with `OnFailure`."""
    shutil.copytree(CHART, tmp_path / "chart")
    template = tmp_path / "chart/templates/_helpers.tpl"
    text = template.read_text(encoding="utf-8")
    if why == "older":  # than any: the engine renders for one version only
        template.write_text(text.replace(">=1.29-0", ">=99-0"), encoding="utf-8")
    policy = why if why == "OnFailure" else "Never"
    values = {"job": {"shards": 8, "restartPolicy": policy, "maxFailedIndexes": 1}}
    job = of_kind(engine.render(tmp_path / "chart", values), "Job")
    kubernetes_validate.validate(job, all_versions()[0], strict=True)
    assert job["spec"]["backoffLimit"] == 3
    assert ("podFailurePolicy" in job["spec"]) == (policy == "Never")


def test_only_the_shards_of_a_job_are_shards(engine: Helm, parent: Path) -> None:
    """One pod has them all; so have the init container, the CronJob and the test."""
    assert "SHARDS" not in environment(ours(the_job(engine)))
    values = {**VERIFY, "job": {"shards": 8}}
    rendered = engine.render(parent, {"eaterInit": values})
    for kind in ("Deployment", "CronJob", "Pod"):
        assert "SHARDS" not in environment(ours(of_kind(rendered, kind)))


def test_each_pod_writes_a_report_of_its_own(engine: Helm, parent: Path) -> None:
    """Of the Job, its shards and what verifies; of the init container, each replica would."""
    values = {**VERIFY, "report": {"volume": {"emptyDir": {}}}}
    rendered = engine.render(parent, {"eaterInit": values})
    for kind in ("Job", "CronJob", "Pod"):
        looked = of_kind(rendered, kind)
        names = list(environment(ours(looked)))
        assert names.index("POD_NAME") < names.index("EATER_REPORT")  # or it is not expanded
        assert environment(ours(looked))["EATER_REPORT"] == "/reports/$(POD_NAME).html"
        assert ours(looked)["volumeMounts"] == [{"name": "report", "mountPath": "/reports"}]
        assert pod(looked)["volumes"] == [{"name": "report", "emptyDir": {}}]
    init = ours(of_kind(rendered, "Deployment"))
    assert not {"EATER_REPORT", "POD_NAME"} & set(environment(init))
    assert "volumeMounts" not in init


def test_schemas_may_be_a_list(engine: Helm) -> None:
    """The program reads the names that are in it, quoted as in SQL where they have to be."""
    names = ["berlin", "tenant_*", "Sales", "New York", 'a "b", c']
    given = environment(ours(the_job(engine, {"postgresql": {"schemas": names}})))
    read_back = schema_list(given["POSTGRES_SCHEMAS"])
    assert [entry.text for entry in read_back.entries] == names
    assert read_back.patterns == ("tenant_*",)


def test_schemas_are_named_in_one_way(engine: Helm) -> None:
    """A query or a file takes the place of the names; what is given besides it is refused."""
    for value, variable in (("schemasQuery", "QUERY"), ("schemasFile", "FILE")):
        given = environment(ours(the_job(engine, {"postgresql": {value: "/tenants"}})))
        assert given[f"POSTGRES_SCHEMAS_{variable}"] == "/tenants"
        assert "POSTGRES_SCHEMAS" not in given


def test_the_job_is_that_of_the_plain_manifest(engine: Helm) -> None:
    """Both ways to run it are one container, but for what the chart spells out."""
    job, plain = ours(the_job(engine)), ours(read("eater_init_job.yaml"))
    assert environment(plain).items() <= environment(job).items()
    assert job["image"] == "eater-init:latest"
    assert {**job, "env": None} == {**plain, "env": None}


def test_attempts_are_those_of_the_plain_manifest(engine: Helm) -> None:
    """How many, for how long, and which exit codes end them: both ways to run it are one Job."""
    chart, manifest = the_job(engine), read("eater_init_job.yaml")
    job, plain = chart["spec"], manifest["spec"]
    assert {**job, "template": None} == {**plain, "template": None}
    assert pod(chart)["restartPolicy"] == pod(manifest)["restartPolicy"]


def test_a_pod_that_is_restarted_has_no_failure_policy(engine: Helm) -> None:
    """Kubernetes takes it only with `restartPolicy: Never`, which no schema says."""
    job = the_job(engine, {"job": {"restartPolicy": "OnFailure"}})
    assert pod(job)["restartPolicy"] == "OnFailure"
    assert "podFailurePolicy" not in job["spec"]


@pytest.mark.parametrize("path", leaves(EVERY))
def test_no_value_is_without_effect(engine: Helm, path: str) -> None:
    """Each value alone, other than its default, changes what is rendered."""
    default, changed = leaves(VALUES)[path], leaves(EVERY)[path]
    if isinstance(default, bool) and default == changed:
        changed = not default
    assert changed != default
    without, values = {}, only(path, changed)  # type: Dict[str, Any], Dict[str, Any]
    if path in ONLY_WITH:
        group, _, name = ONLY_WITH[path].partition(".")
        without = {group: {name: EVERY[group][name]}}
        values[group].update(without[group])
    assert engine.render(CHART, values) != engine.render(CHART, without)


def test_every_value_is_tried() -> None:
    """A value that is not in every_value.yaml would never have been rendered."""
    assert list(leaves(EVERY)) == list(leaves(VALUES))


def test_settings_arrive_as_they_are_written(engine: Helm) -> None:
    """Large numbers too, which a template would write as 5e+06; and the program takes them all."""
    given = environment(ours(the_job(engine, EVERY)))
    assert given["REWRITE_MAX_ROWS"] == "5000000"
    assert given["POSTGRES_SCHEMAS_QUERY"] == "SELECT name FROM tenants ORDER BY id"
    for variable in VARIABLES:
        text = given.get(variable.name)  # an empty one counts as unset
        if isinstance(text, str) and text and not text.startswith("/"):
            variable.parse(text)


def test_settings_and_defaults_are_those_of_the_program(engine: Helm) -> None:
    """The chart has every variable; only the format of the log is another, for collectors."""
    others = ("POSTGRES_", "DATABASE_", "SHARD", "JOB_", "EATER_")  # values of their own
    settings = {v.name: v for v in VARIABLES if not v.name.startswith(others)}
    assert list(VALUES["settings"]) == list(settings)
    given = environment(ours(the_job(engine)))
    expected = {name: v.default for name, v in settings.items()}
    assert {name: given[name] for name in settings} == {**expected, "LOG_FORMAT": "json"}
    both = set(given) | set(environment(ours(the_job(engine, EVERY))))
    of_pods = {"SHARD", "JOB_COMPLETION_INDEX"}  # Kubernetes sets the second.
    assert both - {"PGOPTIONS", "POD_NAME"} == {variable.name for variable in VARIABLES} - of_pods


def test_nothing_is_rendered_when_it_is_switched_off(engine: Helm) -> None:
    """Whatever else is set."""
    assert engine.render(CHART, {"enabled": False}) == []
    assert engine.render(CHART, {**EVERY, "enabled": False}) == []
    assert engine.render(CHART, {"job": {"enabled": False}, "verify": {"test": False}}) == []


@pytest.mark.parametrize(("values", "where"), MISTAKES)
def test_a_mistake_is_refused_and_named(engine: Helm, values: Dict[str, Any], where: str) -> None:
    """By the schema, before anything is rendered, with the value that is wrong."""
    with pytest.raises(Refused, match=rf"schema[\s\S]*{where}"):
        engine.render(CHART, values)


def test_a_dependency_under_the_alias_is_a_job_and_an_init_container(
    engine: Helm, parent: Path
) -> None:
    """With the values that the platform's users know, and names that Kubernetes takes."""
    server = {"host": "db.example", "database": "chater", "existingSecret": "postgres"}
    image = {"repository": "example/eater-init", "tag": "latest"}
    values = {"eaterInit": {"enabled": True, "image": image, "postgresql": server}, "global": {}}
    found = {manifest["kind"]: manifest for manifest in engine.render(parent, values)}
    for manifest in found.values():
        kubernetes_validate.validate(manifest, all_versions()[-1], strict=True)
    job, deployment = found["Job"], found["Deployment"]
    assert job["metadata"]["name"] == "demo-eater-init"
    assert ours(job)["image"] == "example/eater-init:latest"
    assert environment(ours(job))["POSTGRES_DB"] == "chater"
    [first] = pod(deployment)["initContainers"]
    untimed = {**environment(ours(job)), "ENABLE_PERFORMANCE_TEST": "false"}
    assert environment(first) == untimed  # each replica would time them at each of its starts
    assert {**first, "env": None} == {**ours(job), "env": None}
    assert [v for v in violations(deployment) if v.startswith("eater-init")] == []


def test_a_dependency_that_is_switched_off_leaves_nothing(engine: Helm, parent: Path) -> None:
    """The lines in the platform's Deployment do no harm then, nor without the condition."""
    off = {"eaterInit": {"enabled": False, "extraVolumes": [{"name": "ca", "emptyDir": {}}]}}
    chart = PARENT.format(version=VERSION)
    for text in (chart, chart.replace("    condition: eaterInit.enabled\n", "")):
        (parent / "Chart.yaml").write_text(text)
        [deployment] = engine.render(parent, off)
        assert not pod(deployment)["initContainers"]
        assert not pod(deployment)["volumes"]


def test_the_volumes_come_with_the_init_container(engine: Helm, parent: Path) -> None:
    """A mount without its volume would be refused."""
    values = {"extraVolumes": EVERY["extraVolumes"], "job": {"enabled": False}}
    deployment = of_kind(engine.render(parent, {"eaterInit": values}), "Deployment")
    assert pod(deployment)["volumes"] == EVERY["extraVolumes"]


def test_a_mistake_in_a_dependency_is_refused(engine: Helm, parent: Path) -> None:
    """The schema counts under the alias too."""
    with pytest.raises(Refused, match=r"eaterInit[\s\S]*pasword"):
        engine.render(parent, {"eaterInit": {"postgresql": {"pasword": "x"}}})


@pytest.mark.parametrize(
    "release", ["demo", "eater-init", "a" * 53, f"{'a' * 48}--b", f"{'a' * 49}.b"]
)
@pytest.mark.parametrize("values", [{}, {"job": {"hookEvents": []}}], ids=["hook", "ordinary"])
def test_the_name_fits_into_a_label(engine: Helm, release: str, values: Dict[str, Any]) -> None:
    """Kubernetes puts a Job's name into a label of its pods: at most 63 characters.

    A CronJob's, of which those of its Jobs are made, has at most 52.
    """
    rendered = engine.render(CHART, {**values, **VERIFY}, release)
    for kind, longest in (("Job", 63), ("Pod", 63), ("CronJob", 52)):
        name = of_kind(rendered, kind)["metadata"]["name"]
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
        assert len(name) <= longest


def test_labels_name_the_release(engine: Helm) -> None:
    """`kubectl logs -l app.kubernetes.io/instance=one` shows this release's run, and no other's."""
    job = the_job(engine, {}, "one")
    for labels in (job["metadata"]["labels"], job["spec"]["template"]["metadata"]["labels"]):
        assert labels["app.kubernetes.io/instance"] == "one"


def test_text_that_looks_like_a_number_stays_text(engine: Helm) -> None:
    """A release may be called 2026, and a Secret true; Kubernetes takes only text for both."""
    secret = {"existingSecret": "123", "userKey": "true", "passwordKey": "-"}
    values = {"postgresql": secret, "serviceAccount": {"name": "1e3"}, "priorityClassName": "on"}
    for override in ("", "456"):
        job = the_job(engine, {**values, "fullnameOverride": override}, "2026")
        kubernetes_validate.validate(job, all_versions()[-1], strict=True)
    given = environment(ours(job))
    assert given["POSTGRES_USER"] == {"secretKeyRef": {"name": "123", "key": "true"}}
    assert given["POSTGRES_PASSWORD"] == {"secretKeyRef": {"name": "123", "key": "-"}}


def test_an_image_comes_from_the_platforms_registry(engine: Helm) -> None:
    """By its digest, if there is one; with the Secrets of the platform and its own."""
    digest = f"sha256:{'0' * 64}"
    values = {
        "global": {"imageRegistry": "mirror.example:5000", "imagePullSecrets": ["all"]},
        "image": {"digest": digest},
        "imagePullSecrets": [{"name": "own"}],
    }
    job = the_job(engine, values)
    assert ours(job)["image"] == f"mirror.example:5000/eater-init@{digest}"
    assert pod(job)["imagePullSecrets"] == [{"name": "all"}, {"name": "own"}]


def test_a_service_account_is_there_before_the_job(engine: Helm) -> None:
    """A hook of the same events, and an earlier one; the pod gets no token of it."""
    values = {"serviceAccount": {"create": True}}
    rendered = engine.render(CHART, values)
    account, job = of_kind(rendered, "ServiceAccount"), of_kind(rendered, "Job")
    weights = [int(m["metadata"]["annotations"]["helm.sh/hook-weight"]) for m in (account, job)]
    assert weights == [-1, 0]
    assert pod(job)["serviceAccountName"] == account["metadata"]["name"] == "demo-eater-init"
    assert account["automountServiceAccountToken"] is False


def test_a_service_account_that_no_job_needs_is_no_hook(engine: Helm) -> None:
    """Then only what verifies has it, and Helm keeps it with the release."""
    values = {"serviceAccount": {"create": True}, "job": {"enabled": False}, **VERIFY}
    rendered = engine.render(CHART, values)
    account = of_kind(rendered, "ServiceAccount")
    assert "annotations" not in account["metadata"]
    for kind in ("CronJob", "Pod"):
        name = pod(of_kind(rendered, kind))["serviceAccountName"]
        assert name == account["metadata"]["name"]


def test_texts_may_be_templates(engine: Helm) -> None:
    """Of the release's name, as its Secrets and Services often are."""
    values = {
        "postgresql": {
            "host": "{{ .Release.Name }}-db",
            "existingSecret": "{{ .Release.Name }}-pg",
        },
        "extraEnv": [{"name": "PGOPTIONS", "value": "-c role={{ .Release.Name }}"}],
        "annotations": {"example/of": "{{ .Release.Name }}"},
    }
    job = the_job(engine, values, "one")
    given = environment(ours(job))
    assert given["POSTGRES_HOST"] == "one-db"
    assert given["POSTGRES_USER"]["secretKeyRef"]["name"] == "one-pg"
    assert given["PGOPTIONS"] == "-c role=one"
    assert job["metadata"]["annotations"]["example/of"] == "one"


def test_what_runs_beside_it_is_in_its_pod(engine: Helm) -> None:
    """Before, or as long as it does; and it keeps its own name among them."""
    values = {name: EVERY[name] for name in ("extraInitContainers", "extraContainers", "envFrom")}
    job = the_job(engine, values)
    assert pod(job)["initContainers"] == EVERY["extraInitContainers"]
    assert [c["name"] for c in pod(job)["containers"]] == ["eater-init", "proxy"]
    assert ours(job)["envFrom"] == EVERY["envFrom"]


def test_a_variable_of_the_operator_replaces_ours(engine: Helm) -> None:
    """Helm 4 applies on the server, which refuses a list that has one name twice."""
    host = {"name": "POSTGRES_HOST", "valueFrom": {"secretKeyRef": {"name": "db", "key": "host"}}}
    env = ours(the_job(engine, {"extraEnv": [host]}))["env"]
    names = [item["name"] for item in env]
    assert len(set(names)) == len(names)
    assert host in env


def test_a_large_number_stays_a_whole_one(engine: Helm) -> None:
    """A template would write a million as 1e+06, which Kubernetes doesn't take."""
    whole = {name: 10**6 for name in VALUES["job"] if name.endswith("Seconds")}
    job = the_job(engine, {"job": whole})
    kubernetes_validate.validate(job, all_versions()[-1], strict=True)
    assert pod(job)["terminationGracePeriodSeconds"] == 10**6


def test_versions_are_that_of_the_program() -> None:
    """The chart, what it installs by default and the image are one release."""
    chart = read("chart/Chart.yaml")
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)
    assert f"\nARG VERSION={VERSION}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def rows() -> Iterator[Tuple[str, str, str]]:
    """Yield path, default and the comment above it for every value of values.yaml."""
    group, comment = "", ""
    for line in (CHART / "values.yaml").read_text(encoding="utf-8").splitlines():
        key = re.match(r"( *)(\w+):", line)
        if line.lstrip().startswith("#"):
            comment = line.strip("# ")
        elif key and key.group(2) in GROUPS and not key.group(1):
            group = f"{key.group(2)}."
        elif key and comment:
            path = (group if key.group(1) else "") + key.group(2)
            default = json.dumps(leaves(VALUES)[path], ensure_ascii=False)
            yield path, default, comment
            comment = ""


def test_the_readme_has_a_row_for_every_value() -> None:
    """With its default and its comment; when this fails, the rows below are those to be."""
    expected = [f"| `{path}` | `{default}` | {comment} |" for path, default, comment in rows()]
    assert [path for path, _, _ in rows()] == list(leaves(VALUES))
    text = (CHART / "README.md").read_text(encoding="utf-8")
    table: List[str] = [line for line in text.splitlines() if line.startswith("| `")]
    assert table == expected, "\n" + "\n".join(expected)


def test_the_readme_names_values_that_exist() -> None:
    """Every example of values in it is taken by the schema's names."""
    text = (CHART / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"```yaml\n(# values[\s\S]*?)```", text):
        values = yaml.safe_load(block)
        assert set(leaves(values.get("eaterInit", values))) <= set(leaves(VALUES))
