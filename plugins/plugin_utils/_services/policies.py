# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Who talks to whom: a default-deny policy for each namespace, and one policy for each named flow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .declaration import CatalogueError, Declaration

Object = dict[str, Any]
NAMESPACE = "kubernetes.io/metadata.name"
# Not ours: its own programs are older than any policy.
OPEN = "kube-system"


def _policy(namespace: str, name: str, spec: Object) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def closed(namespace: str) -> Iterator[Object]:
    """Nothing goes in or out, except questions for names."""
    yield _policy(namespace, "default-deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    dns = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    there = [{"namespaceSelector": {"matchLabels": {NAMESPACE: "kube-system"}}}]
    # Where each node has a cache of names, it is asked at an address that belongs to no pod.
    local = [{"ipBlock": {"cidr": "169.254.0.0/16"}}]
    egress = [{"to": [*there, *local], "ports": dns}]
    yield _policy(namespace, "allow-dns", {"podSelector": {}, "policyTypes": ["Egress"], "egress": egress})


def flows(declared: Declaration, namespaces: Iterable[str]) -> Iterator[Object]:
    """The flows that a service names."""
    if declared.namespace == OPEN:
        return
    there = set(namespaces)
    for direction, way, policy_type in (("in", "from", "Ingress"), ("out", "to", "Egress")):
        for flow in declared.flows.get(direction, []):
            where = f"catalogue/{declared.name}.yml: flows.{direction}.{flow.get('name')}"
            unknown = sorted(set(flow) - {"name", way, "ports", "protocols", "pods", "namespace"})
            if unknown or not {"name", way} <= set(flow):
                raise CatalogueError(f"{where}: wanted name and {way}, found {', '.join(flow)}")
            peers = _peers(flow[way], there)
            if peers is None:
                continue
            rule: Object = {way: peers} if peers else {}
            ports = [
                {"port": port, "protocol": protocol}
                for port in flow.get("ports", [])
                for protocol in flow.get("protocols", ["TCP"])
            ]
            if ports:
                rule["ports"] = ports
            selector = {"matchLabels": dict(flow["pods"])} if flow.get("pods") else {}
            spec = {"podSelector": selector, "policyTypes": [policy_type], policy_type.lower(): [rule]}
            yield _policy(flow.get("namespace", declared.namespace), f"{declared.name}-{flow['name']}", spec)


def _peers(whom: str, namespaces: set[str]) -> list[Object] | None:
    """None when there is nobody whom it could be about."""
    if whom == "anywhere":
        return []
    if whom == "pods":
        return [{"namespaceSelector": {}}]
    if whom == "own":
        return [{"podSelector": {}}]
    names = ["nginx-ingress", "nginx-gateway"] if whom == "ingress" else [whom]
    here = [name for name in names if name in namespaces or name == OPEN]
    return [{"namespaceSelector": {"matchLabels": {NAMESPACE: name}}} for name in here] or None
