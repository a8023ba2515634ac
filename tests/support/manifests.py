"""Kubernetes manifests as data: what is in them, and what the *restricted* standard forbids."""

import copy
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List

import yaml

Manifest = Dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
# The lists that kubectl merges by a key; others it replaces.
MERGED_BY = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
}
VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
    "projected", "secret",
}  # fmt: skip
SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}  # fmt: skip


def read(name: str) -> Manifest:
    """Return the manifest in a file of the repository."""
    manifest: Manifest = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return manifest


def patched(manifest: Manifest, patch: Manifest) -> Manifest:
    """Return the manifest with a strategic merge patch, as `kubectl patch --local` does it."""
    result = copy.deepcopy(manifest)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = patched(result.get(key, {}), value)
        elif key in MERGED_BY:
            result[key] = _merged(result.get(key, []), value, MERGED_BY[key])
        else:
            result[key] = value
    return result


def _merged(items: List[Manifest], patches: List[Manifest], key: str) -> List[Manifest]:
    result = {item[key]: item for item in items}
    for patch in patches:
        if patch.get("$patch") == "delete":
            del result[patch[key]]
        else:
            result[patch[key]] = patched(result.get(patch[key], {}), patch)
    return list(result.values())


def pod(manifest: Manifest) -> Manifest:
    """Return the specification of the pods: of a workload, a CronJob or a pod itself."""
    spec: Manifest = manifest["spec"]
    for inner in ("jobTemplate", "template"):
        spec = spec.get(inner, {}).get("spec", spec)
    return spec


def containers(manifest: Manifest) -> List[Manifest]:
    return [*pod(manifest).get("initContainers", []), *pod(manifest)["containers"]]


def ours(manifest: Manifest) -> Manifest:
    """Return the container that runs Eater Init."""
    [container] = [c for c in containers(manifest) if c["name"] == "eater-init"]
    return container


def environment(container: Manifest) -> Dict[str, Any]:
    """Return the variables of a container: a value, or where it is from."""
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


def violations(manifest: Manifest) -> List[str]:
    """Return what the *restricted* Pod Security Standard forbids of a workload's pod.

    https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    """
    spec = pod(manifest)
    found = [f"pod: {what}" for what in _pod_violations(spec)]
    for container in containers(manifest):
        inherited = spec.get("securityContext", {})
        found += [f"{container['name']}: {what}" for what in _violations(container, inherited)]
    return found


def _pod_violations(spec: Manifest) -> Iterator[str]:
    context = spec.get("securityContext", {})
    yield from (key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key))
    yield from (s["name"] for s in context.get("sysctls", []) if s["name"] not in SYSCTLS)
    for volume in spec.get("volumes") or []:
        yield from (f"volume {kind}" for kind in set(volume) - {"name"} - VOLUMES)


def _violations(container: Manifest, inherited: Manifest) -> Iterator[str]:
    own = container.get("securityContext", {})
    context = {**inherited, **own}
    capabilities = own.get("capabilities", {})
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if "ALL" not in capabilities.get("drop", []):
        yield "capabilities are not dropped"
    added = set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}
    yield from (f"adds {name}" for name in sorted(added))
    if context.get("runAsNonRoot") is not True or context.get("runAsUser") == 0:
        yield "may run as root"
    if context.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "has no seccomp profile"
    if context.get("appArmorProfile", {}).get("type") == "Unconfined":
        yield "is not confined by AppArmor"
    if own.get("privileged") or own.get("procMount", "Default") != "Default":
        yield "is privileged"
    if not set(context.get("seLinuxOptions", {})) <= {"type", "level"}:
        yield "sets an SELinux user or role"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield "is a process of the host"
    yield from ("has a host port" for port in container.get("ports", []) if port.get("hostPort"))


def exit_codes(text: str) -> List[int]:
    """Return the exit codes that a text speaks of: `exit 5`, `exit codes: 2 …, 3 …`."""
    found = []
    for line in re.findall(r"[Ee]xit(?:s| codes?:?)? (\d.*)", text):
        found += [int(number) for number in re.findall(r"(?:^|, | and | or )(\d+)\b", line)]
    return found
