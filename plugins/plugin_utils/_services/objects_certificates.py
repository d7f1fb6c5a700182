# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Issuers of certificates, and the addresses of pages with theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .declaration import CatalogueError, Declaration, Web
from .platform import Cluster, Platform
from .policies import NAMESPACE

Object = dict[str, Any]
ACME = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
LATER = {"argocd.argoproj.io/sync-wave": "1"}
INTERNAL = "internal"
# Names of Secrets.
AUTHORITY = "socle-authority"
DNS = "socle-dns"


def issuers(_platform: Platform, cluster: Cluster) -> Iterator[Object]:
    """The one of our own in every cluster; Let's Encrypt's where the manifest wants one of them.

    An issuer that cannot reach its server is never healthy, and whatever comes after it would wait.
    """
    yield _issuer(INTERNAL, {"ca": {"secretName": AUTHORITY}})
    if cluster.issuer == INTERNAL:
        return
    email = cluster.setting("certificates", "email")
    solver = _solver(cluster)
    if solver is None:
        return
    for name, server in ACME.items():
        acme: Object = {
            "server": server,
            "privateKeySecretRef": {"name": f"{name}-account"},
            "solvers": [solver],
        }
        if email:
            acme["email"] = email
        yield _issuer(name, {"acme": acme})


def _issuer(name: str, spec: Object) -> Object:
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "ClusterIssuer",
        "metadata": {"name": name, "annotations": dict(LATER)},
        "spec": spec,
    }


def _solver(cluster: Cluster) -> Object | None:
    if cluster.setting("certificates", "challenge", "http") == "dns":
        return {"dns01": _dns(cluster)}
    if cluster.has("ingress"):
        return {"http01": {"ingress": {"ingressClassName": "nginx"}}}
    if cluster.has("gateway"):
        parent = {
            "name": "platform",
            "namespace": "nginx-gateway",
            "kind": "Gateway",
            "group": "gateway.networking.k8s.io",
        }
        return {"http01": {"gatewayHTTPRoute": {"parentRefs": [parent]}}}
    # Nothing could answer the challenge: only the authority of our own is left.
    return None


def _dns(cluster: Cluster) -> Object:
    provider = cluster.setting("certificates", "dns_provider")
    if provider == "cloud_dns":
        return {"cloudDNS": {"project": cluster.project or ""}}
    if provider == "route53":
        return {"route53": {"region": cluster.region or "us-east-1"}}
    if provider == "cloudflare":
        return {"cloudflare": {"apiTokenSecretRef": {"name": DNS, "key": "token"}}}
    raise CatalogueError(
        f"clusters.{cluster.name}.services.certificates.dns_provider: found {provider}, which cert-manager "
        "cannot ask by itself; wanted cloud_dns, route53 or cloudflare, or challenge: http"
    )


def page(cluster: Cluster, declared: Declaration) -> Iterator[Object]:
    """A page's address: an Ingress, or a route where the cluster has a Gateway only; none where it has neither."""
    web = declared.web
    if web is None:
        return
    host = f"{web.host}.{cluster.domain}"
    if cluster.has("ingress"):
        yield _ingress(cluster, declared.namespace, web, host)
    elif cluster.has("gateway"):
        yield _route(declared.namespace, web, host)
    else:
        return
    if cluster.has("certificates"):
        yield _solvers(declared.namespace, web.host)


def _solvers(namespace: str, name: str) -> Object:
    """Let's Encrypt's question is answered by a pod beside the page."""
    gates = [{"namespaceSelector": {"matchLabels": {NAMESPACE: gate}}} for gate in ("nginx-ingress", "nginx-gateway")]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"{name}-challenge", "namespace": namespace},
        "spec": {
            "podSelector": {"matchLabels": {"acme.cert-manager.io/http01-solver": "true"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": gates, "ports": [{"port": 8089, "protocol": "TCP"}]}],
        },
    }


def _ingress(cluster: Cluster, namespace: str, web: Web, host: str) -> Object:
    annotations = {"nginx.org/redirect-to-https": "true", "nginx.org/hsts": "true"}
    if web.backend == "https":
        annotations["nginx.org/ssl-services"] = web.service
    spec: Object = {
        "ingressClassName": "nginx",
        "rules": [
            {
                "host": host,
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": web.service, "port": {"number": web.port}}},
                        }
                    ]
                },
            }
        ],
    }
    if cluster.has("certificates"):
        annotations["cert-manager.io/cluster-issuer"] = cluster.issuer
        # The controller takes no second Ingress with the same host, as the challenge would be.
        annotations["acme.cert-manager.io/http01-edit-in-place"] = "true"
        spec["tls"] = [{"hosts": [host], "secretName": f"{web.host}-tls"}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": web.host, "namespace": namespace, "annotations": annotations},
        "spec": spec,
    }


def _route(namespace: str, web: Web, host: str) -> Object:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": web.host, "namespace": namespace},
        "spec": {
            "parentRefs": [{"name": "platform", "namespace": "nginx-gateway", "sectionName": f"https-{web.host}"}],
            "hostnames": [host],
            "rules": [{"backendRefs": [{"name": web.service, "port": web.port}]}],
        },
    }
