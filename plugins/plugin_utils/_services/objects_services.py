# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Objects of single services: pools of addresses, gateways, stores of secrets, classes of disks, databases, alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .alerts import RULES
from .platform import Cluster, Platform

Object = dict[str, Any]
# Applied once the chart's programs are healthy: their webhooks look at it.
LATER = {"argocd.argoproj.io/sync-wave": "1"}


def _named(api: str, kind: str, name: str, namespace: str | None = None, *, later: bool = True) -> Object:
    metadata: Object = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if later:
        metadata["annotations"] = dict(LATER)
    return {"apiVersion": api, "kind": kind, "metadata": metadata}


def budget(namespace: str, name: str, labels: Mapping[str, str]) -> Object:
    made = _named("policy/v1", "PodDisruptionBudget", name, namespace, later=False)
    return {**made, "spec": {"minAvailable": 1, "selector": {"matchLabels": dict(labels)}}}


def _addresses(_platform: Platform, cluster: Cluster) -> Iterator[Object]:
    pool = cluster.setting("load_balancer", "pool", cluster.pool)
    if not pool:
        return
    addresses = pool if "/" in pool or "-" in pool else f"{pool}/32"
    made = _named("metallb.io/v1beta1", "IPAddressPool", "platform", "metallb-system")
    yield {**made, "spec": {"addresses": [addresses], "avoidBuggyIPs": True}}
    made = _named("metallb.io/v1beta1", "L2Advertisement", "platform", "metallb-system")
    yield {**made, "spec": {"ipAddressPools": ["platform"]}}


def gateway(cluster: Cluster, pages: list[str]) -> Object:
    """One door for all; each page has its own certificate, which HTTP-01 can prove."""
    everybody = {"namespaces": {"from": "All"}}
    listeners: list[Object] = [{"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": everybody}]
    if cluster.has("certificates"):
        listeners += [
            {
                "name": f"https-{page}",
                "protocol": "HTTPS",
                "port": 443,
                "hostname": f"{page}.{cluster.domain}",
                "tls": {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": f"{page}-tls"}]},
                "allowedRoutes": everybody,
            }
            for page in pages
        ]
    made = _named("gateway.networking.k8s.io/v1", "Gateway", "platform", "nginx-gateway")
    if cluster.has("certificates"):
        made["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] = cluster.issuer
    return {**made, "spec": {"gatewayClassName": "nginx", "listeners": listeners}}


def _stores(platform: Platform, cluster: Cluster) -> Iterator[Object]:
    """The platform's own server where it has one, else the one in the cluster."""
    inside = bool(cluster.setting("secrets", "server"))
    if not platform.external and not inside:
        return
    vault: Object = {
        "server": platform.secrets.get("address") or "https://openbao-active.openbao.svc:8200",
        "path": platform.secrets.get("mount", "socle"),
        "version": "v2",
        "auth": {
            "kubernetes": {
                "mountPath": f"kubernetes-{cluster.name}",
                "role": "external-secrets",
                "serviceAccountRef": {"name": "external-secrets", "namespace": "external-secrets"},
            }
        },
    }
    if platform.secrets.get("namespace"):
        vault["namespace"] = platform.secrets["namespace"]
    if not platform.external:
        ca = {"type": "Secret", "name": "socle-authority", "namespace": "cert-manager", "key": "tls.crt"}
        vault["caProvider"] = ca
    made = _named("external-secrets.io/v1", "ClusterSecretStore", "platform")
    yield {**made, "spec": {"provider": {"vault": vault}}}


def _openbao(_platform: Platform, _cluster: Cluster) -> Iterator[Object]:
    made = _named("cert-manager.io/v1", "Certificate", "openbao", "openbao", later=False)
    hosts = ["openbao", "openbao-active", "openbao-standby", "openbao-internal"]
    names = [f"{host}{rest}" for host in hosts for rest in ("", ".openbao", ".openbao.svc")]
    yield {
        **made,
        "spec": {
            "secretName": "openbao-tls",
            "issuerRef": {"kind": "ClusterIssuer", "name": "internal"},
            "dnsNames": [*names, "*.openbao-internal", "localhost"],
            "ipAddresses": ["127.0.0.1"],
        },
    }


def _classes(_platform: Platform, cluster: Cluster) -> Iterator[Object]:
    """Encrypted by the cloud, made where the pod is, and kept large enough by growing."""
    common = {"reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": True}
    if cluster.kind == "gke":
        for name, replication in (("socle-regional", "regional-pd"), ("socle-zonal", "none")):
            made = _named("storage.k8s.io/v1", "StorageClass", name, later=False)
            parameters = {"type": "pd-balanced", "replication-type": replication}
            yield {**made, "provisioner": "pd.csi.storage.gke.io", "parameters": parameters, **common}
    if cluster.kind == "eks":
        made = _named("storage.k8s.io/v1", "StorageClass", "socle-gp3", later=False)
        provisioner = "ebs.csi.eks.amazonaws.com" if cluster.mode == "auto" else "ebs.csi.aws.com"
        yield {**made, "provisioner": provisioner, "parameters": {"type": "gp3", "encrypted": "true"}, **common}


def _sonarqube(_platform: Platform, cluster: Cluster) -> Iterator[Object]:
    made = _named("postgresql.cnpg.io/v1", "Cluster", "sonarqube-db", "sonarqube", later=False)
    # Before the chart, which waits for it.
    made["metadata"]["annotations"] = {"argocd.argoproj.io/sync-wave": "-1"}
    storage: Object = {"size": "10Gi"}
    if cluster.block_class:
        storage["storageClass"] = cluster.block_class
    owner = {"database": "sonarqube", "owner": "sonarqube", "secret": {"name": "sonarqube-database"}}
    yield {
        **made,
        "spec": {
            "instances": 2 if cluster.setting("sonarqube", "size", "standard") != "small" else 1,
            "enableSuperuserAccess": False,
            "priorityClassName": "socle-data",
            "bootstrap": {"initdb": owner},
            "storage": storage,
            "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}},
            "affinity": {"topologyKey": "kubernetes.io/hostname"},
        },
    }


def _alerts(_platform: Platform, cluster: Cluster) -> Iterator[Object]:
    groups = [{"name": name, "rules": rules} for name, (needs, rules) in RULES.items() if needs in cluster.features()]
    made = _named("monitoring.coreos.com/v1", "PrometheusRule", "platform", "monitoring")
    yield {**made, "spec": {"groups": groups}}
    if cluster.home:
        made = _named("monitoring.coreos.com/v1", "ServiceMonitor", "argocd", "argocd", later=False)
        selector = {"matchLabels": {"app.kubernetes.io/name": "argocd-metrics"}}
        yield {**made, "spec": {"selector": selector, "endpoints": [{"port": "metrics"}]}}


OF: dict[str, Callable[[Platform, Cluster], Iterator[Object]]] = {
    "metallb": _addresses,
    "secret-stores": _stores,
    "openbao": _openbao,
    "storage-classes": _classes,
    "sonarqube": _sonarqube,
    "kube-prometheus-stack": _alerts,
}
