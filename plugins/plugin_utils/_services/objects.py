# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Objects of our own beside the charts: namespaces, policies, issuers, pools, classes, and the pages' addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from . import objects_certificates, objects_foundation, objects_services
from .declaration import catalogue
from .platform import Cluster, Platform
from .policies import flows
from .services import Service, chosen

Object = dict[str, Any]
OF: dict[str, Callable[[Platform, Cluster], Iterator[Object]]] = {
    "cert-manager": objects_certificates.issuers,
    **objects_services.OF,
}


def namespaces(cluster: Cluster) -> dict[str, str]:
    """Each namespace with its Pod Security level: the weakest that somebody in it needs."""
    order = ["restricted", "baseline", "privileged"]
    found: dict[str, str] = {}
    for name in chosen(cluster):
        declared = catalogue()[name]
        there = found.get(declared.namespace, "restricted")
        found[declared.namespace] = max(there, declared.security, key=order.index)
    return found


def pages(cluster: Cluster) -> list[str]:
    """Names of the pages that are reached through the gateway; none where an Ingress carries them."""
    if cluster.has("ingress"):
        return []
    found = [catalogue()[name].web for name in chosen(cluster)]
    return sorted(web.host for web in found if web is not None)


def objects(platform: Platform, service: Service) -> list[Object]:
    """All of one service in one cluster."""
    declared, cluster = service.declaration, service.cluster
    made = [] if declared.jobs_first else list(flows(declared, namespaces(cluster)))
    if declared.name == "foundation":
        made += objects_foundation.foundation(namespaces(cluster))
        early = [catalogue()[name] for name in chosen(cluster) if catalogue()[name].jobs_first]
        made += [policy for other in early for policy in flows(other, namespaces(cluster))]
    if declared.web is not None:
        made += objects_certificates.page(cluster, declared)
    if service.size == "ha":
        made += [objects_services.budget(declared.namespace, *guard) for guard in declared.guards.items()]
    if declared.name == "nginx-gateway-fabric":
        made.append(objects_services.gateway(cluster, pages(cluster)))
    if declared.name in OF:
        made += OF[declared.name](platform, cluster)
    for item in made:
        labels = item["metadata"].setdefault("labels", {})
        labels |= {"app.kubernetes.io/part-of": platform.name, "socle.platform/service": declared.name}
    return made
