"""As much of a Kubernetes API server as Helm needs to install a release for real.

It refuses what a server refuses of a Job: a name that is taken, a template that changes. Every Job
has ended as soon as it is there.
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import parse_qs, urlsplit

import yaml

Object = Dict[str, Any]
GROUPS = {
    "/api/v1": [("pods", "Pod")],
    "/apis/apps/v1": [("deployments", "Deployment")],
    "/apis/batch/v1": [("jobs", "Job")],
}
WATCH_SECONDS = 5.0  # A client whose watch ends opens another.


class Cluster:
    """An API server on a port of 127.0.0.1. `log` is what has been done: `POST jobs/demo`."""

    def __init__(self) -> None:
        self.objects: Dict[str, Object] = {}
        self.log: List[str] = []
        self.fails = False  # Whether Jobs that are created from now on fail.
        cluster = self

        class Handler(_Handler):
            world = cluster

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def jobs(self) -> List[str]:
        """Return the names of the Jobs that are there."""
        return sorted(path.split("/")[-1] for path in self.objects if "/jobs/" in path)

    def create(self, collection: str, body: Object) -> Tuple[int, Object]:
        path = f"{collection}/{body['metadata']['name']}"
        if path in self.objects:
            return _failure(409, "AlreadyExists", f"{path} already exists")
        body["metadata"].update(uid=f"uid-{len(self.log)}", resourceVersion="1", generation=1)
        if body["kind"] == "Job":
            kind = "Failed" if self.fails else "Complete"
            body["status"] = {"conditions": [{"type": kind, "status": "True"}]}
        self.objects[path] = body
        return 201, body

    def change(self, path: str, body: Object) -> Tuple[int, Object]:
        before = self.objects.get(path)
        if before is None:
            return self.create(path.rsplit("/", 1)[0], body)
        wanted = body.get("spec", {}).get("template")
        if before["kind"] == "Job" and wanted not in (None, before["spec"]["template"]):
            return _failure(422, "Invalid", "spec.template: field is immutable")
        before.update({key: value for key, value in body.items() if key != "metadata"})
        return 200, before


class _Handler(BaseHTTPRequestHandler):
    world: Cluster
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        found = _discovery(url.path) or self.world.objects.get(url.path)
        if found is None and url.path.endswith(tuple(name for name, _ in _resources())):
            return self._list(url.path, parse_qs(url.query))
        return self._answer(*((200, found) if found else _failure(404, "NotFound", url.path)))

    def do_POST(self) -> None:
        body = self._body()
        path = urlsplit(self.path).path
        self._log("POST", f"{path}/{body['metadata']['name']}")
        self._answer(*self.world.create(path, body))

    def do_PUT(self) -> None:
        self._change("PUT")

    def do_PATCH(self) -> None:
        self._change("PATCH")

    def do_DELETE(self) -> None:
        self._body()
        path = urlsplit(self.path).path
        gone = self.world.objects.pop(path, None)
        self._log("DELETE" if gone else "DELETE nothing", path)
        self._answer(*((200, gone) if gone else _failure(404, "NotFound", path)))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass

    def _change(self, verb: str) -> None:
        path = urlsplit(self.path).path
        self._log(verb, path)
        self._answer(*self.world.change(path, self._body()))

    def _list(self, path: str, query: Dict[str, List[str]]) -> None:
        name = query.get("fieldSelector", [""])[0].split("=")[-1]
        kind = dict(_resources())[path.rsplit("/", 1)[1]]
        version = path.partition("/namespaces/")[0].split("/", 2)[2]
        items = [
            item
            for key, item in self.world.objects.items()
            if key.rsplit("/", 1)[0] == path and name in ("", key.rsplit("/", 1)[1])
        ]
        if query.get("watch") == ["true"] or query.get("watch") == ["1"]:
            return self._watch(items, kind, version)
        body = {"kind": f"{kind}List", "apiVersion": version, "items": items}
        return self._answer(200, {**body, "metadata": {"resourceVersion": "1"}})

    def _watch(self, items: List[Object], kind: str, version: str) -> None:
        # The bookmark ends the list that a watch begins with.
        # https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists
        end = {"annotations": {"k8s.io/initial-events-end": "true"}, "resourceVersion": "1"}
        bookmark = {"kind": kind, "apiVersion": version, "metadata": end}
        events = [{"type": "ADDED", "object": item} for item in items]
        events.append({"type": "BOOKMARK", "object": bookmark})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        for event in events:
            self.wfile.write(json.dumps(event).encode() + b"\n")
        self.wfile.flush()
        time.sleep(WATCH_SECONDS)

    def _body(self) -> Object:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body: Object = yaml.safe_load(text) or {}
        return body

    def _log(self, verb: str, path: str) -> None:
        self.world.log.append(f"{verb} {'/'.join(path.split('/')[-2:])}")

    def _answer(self, status: int, body: Object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _resources() -> List[Tuple[str, str]]:
    return [resource for resources in GROUPS.values() for resource in resources]


def _discovery(path: str) -> Optional[Object]:
    if path == "/version":
        return {"major": "1", "minor": "37", "gitVersion": "v1.37.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = [_group(group) for group in GROUPS if group != "/api/v1"]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    if path == "/openapi/v3":
        return {"paths": {g[1:]: {"serverRelativeURL": f"/openapi/v3{g}"} for g in GROUPS}}
    group = path[len("/openapi/v3") :]
    if group in GROUPS:
        return _openapi(group)
    return _resource_list(path) if path in GROUPS else None


def _resource_list(group: str) -> Object:
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    resources = [
        {"name": name, "singularName": "", "namespaced": True, "kind": kind, "verbs": verbs}
        for name, kind in GROUPS[group]
    ]
    version = group.split("/", 2)[2]
    return {"kind": "APIResourceList", "groupVersion": version, "resources": resources}


def _group(path: str) -> Object:
    _, _, name, version = path.split("/")
    preferred = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [preferred], "preferredVersion": preferred}


def _openapi(group: str) -> Object:
    # That fields are checked here, on the server, spares clients the whole description of them.
    # https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation
    name, version = (["", *group.split("/")[2:]])[-2:]
    paths = {}
    for plural, kind in GROUPS[group]:
        gvk = {"group": name, "version": version, "kind": kind}
        parameters = [{"name": "fieldValidation", "in": "query"}]
        patch = {"x-kubernetes-group-version-kind": gvk, "parameters": parameters}
        paths[f"{group}/namespaces/{{namespace}}/{plural}/{{name}}"] = {"patch": patch}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1"}, "paths": paths}


def _failure(code: int, reason: str, message: str) -> Tuple[int, Object]:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "metadata": {}}
    return code, {**body, "reason": reason, "message": message, "code": code}
