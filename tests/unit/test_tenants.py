"""docs/tenants.md says what is there: its manifest is valid, its variables and links exist."""

import re

import kubernetes_validate
import yaml
from kubernetes_validate.utils import all_versions

from tests.support.manifests import ROOT, environment, ours, patched, read
from tests.support.variables import VARIABLES

PAGE = ROOT / "docs" / "tenants.md"
TEXT = PAGE.read_text("utf-8")
SETTING = re.compile(r"\b([A-Z][A-Z_]+)(?==)|`([A-Z]+_[A-Z_]+)`")


def test_its_variables_exist() -> None:
    """A setting that nobody reads would be set in vain."""
    found = {name for pair in SETTING.findall(TEXT) for name in pair if name}
    assert found - {variable.name for variable in VARIABLES} == set()
    assert {"SHARD", "PARALLEL", "ON_REFUSAL", "POSTGRES_SCHEMAS_FILE"} <= found


def test_its_links_lead_somewhere() -> None:
    """As seen from its directory."""
    links = [link for link in re.findall(r"\]\(([^)#]+)", TEXT) if "://" not in link]
    assert [link for link in links if not (PAGE.parent / link).exists()] == []


def test_its_patch_makes_an_indexed_job() -> None:
    """The number of parts is the Job's of completions, or schemas are left out."""
    [patch] = re.findall(r"```yaml\n([\s\S]*?)```", TEXT)
    job = patched(read("eater_init_job.yaml"), yaml.safe_load(patch))
    for version in ("1.29.0", all_versions()[-1]):
        kubernetes_validate.validate(job, version, strict=True)
    assert environment(ours(job))["SHARDS"] == str(job["spec"]["completions"])
    assert job["spec"]["backoffLimit"] >= job["spec"]["completions"] * 4
