# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The API server as one machine sees it: whether it is ready, and what it tells of the whole cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .call import TIMEOUT, Client, Identity, Unanswered
from .state import Api, Cluster, Node
from .versions import plain

LABEL = "node-role.kubernetes.io/control-plane"
SYSTEM = "/api/v1/namespaces/kube-system/configmaps"
CONFIGS = {
    "kubeadm-config": f"{SYSTEM}/kubeadm-config",
    "kubelet-config": f"{SYSTEM}/kubelet-config",
    "cluster-info": "/api/v1/namespaces/kube-public/configmaps/cluster-info",
}
ADDONS = {
    "coredns": "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
    "kube-proxy": "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy",
}
PAGE = 500
_VERSION = re.compile(r"^kubernetesVersion:\s*[\"']?(v[0-9.]+)", re.MULTILINE)
_FAILED = re.compile(r"^\[-\](\S+) failed", re.MULTILINE)


def ask(url: str, identity: Identity, node: str = "", timeout: float = TIMEOUT) -> tuple[Api, Cluster]:
    """`node`: ask for this Node alone, which is all that a kubelet may read."""
    try:
        with Client(url, identity, timeout) as client:
            status, text = client.text("GET", "/readyz?verbose")
            failed = ", ".join(_FAILED.findall(text))
            if status != 200:
                return Api(reason=f"the API server says {status}: {failed or text.strip()[:200]}"), Cluster()
            version = client.json("GET", "/version").get("gitVersion", "")
            api = Api(ready=True, version=plain(version))
            try:
                return api, Cluster(nodes=_own(client, node)) if node else _cluster(client)
            except Unanswered as error:
                # An init that was interrupted early has not given the administrator any rights yet.
                return replace(api, reason=f"API server: {error}"), Cluster()
    except Unanswered as error:
        return Api(reason=f"API server: {error}"), Cluster()


def ready(url: str, identity: Identity, timeout: float = TIMEOUT) -> bool:
    """Whether one API server says that it is ready."""
    try:
        with Client(url, identity, timeout) as client:
            return client.text("GET", "/readyz")[0] == 200
    except Unanswered:
        return False


def _cluster(client: Client) -> Cluster:
    found = {name: _maybe(client, path) for name, path in CONFIGS.items()}
    config = (found["kubeadm-config"] or {}).get("data", {}).get("ClusterConfiguration", "")
    version = _VERSION.search(config)
    return Cluster(
        plain(version[1]) if version else "",
        tuple(name for name, told in found.items() if told is not None),
        tuple(name for name, path in ADDONS.items() if _maybe(client, path) is not None),
        tuple(_node(entry) for entry in _all(client, "/api/v1/nodes")),
    )


def _maybe(client: Client, path: str) -> Any:
    try:
        return client.json("GET", path)
    except Unanswered as error:
        if error.status == 404:
            return None
        raise


def _own(client: Client, name: str) -> tuple[Node, ...]:
    told = _maybe(client, f"/api/v1/nodes/{name}")
    return () if told is None else (_node(told),)


def _all(client: Client, path: str) -> Iterator[Mapping[str, Any]]:
    more = ""
    while True:
        page = client.json("GET", f"{path}?limit={PAGE}" + (f"&continue={more}" if more else ""))
        yield from page.get("items", [])
        more = page.get("metadata", {}).get("continue", "")
        if not more:
            return


def _node(entry: Mapping[str, Any]) -> Node:
    meta, status = entry.get("metadata", {}), entry.get("status", {})
    ready: Mapping[str, Any] = next((c for c in status.get("conditions", []) if c.get("type") == "Ready"), {})
    return Node(
        name=meta.get("name", ""),
        ready=ready.get("status") == "True",
        version=plain(status.get("nodeInfo", {}).get("kubeletVersion", "")),
        control_plane=LABEL in meta.get("labels", {}),
        schedulable=not entry.get("spec", {}).get("unschedulable", False),
        reason="" if ready.get("status") == "True" else str(ready.get("message") or ready.get("reason") or ""),
    )


__all__ = ["ask", "ready"]
