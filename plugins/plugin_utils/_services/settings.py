# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What follows from a manifest for the values of single services: where a layer in the catalogue is not enough."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from . import settings_data, settings_logs
from .declaration import Declaration, Values
from .platform import Cluster, Platform
from .units import kubernetes_size


def names(platform: Platform, cluster: Cluster, size: str, declared: Declaration) -> dict[str, Any]:
    """What catalogue files may write as @{name}."""
    return {
        "platform": platform.name,
        "domain": cluster.domain,
        "cluster": cluster.name,
        "namespace": declared.namespace,
        "version": declared.version,
        "size": size,
        "block_class": cluster.block_class,
        "shared_class": cluster.shared_class,
        "shared_path": cluster.shared_path,
        "issuer": cluster.issuer,
        "host": f"{declared.web.host}.{cluster.domain}" if declared.web else "",
    }


def _claim(cluster: Cluster, size: str) -> Values:
    spec: Values = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if cluster.block_class:
        spec["storageClassName"] = cluster.block_class
    return {"volumeClaimTemplate": {"spec": spec}}


def _monitoring(platform: Platform, cluster: Cluster, size: str) -> Values:
    disk = kubernetes_size(cluster.setting("monitoring", "disk", "50 GiB"))
    prometheus = {
        "retention": cluster.setting("monitoring", "retention", "15d").replace(" ", ""),
        # It is told to stop before the disk is full.
        "retentionSize": _share(disk, 85),
        "storageSpec": _claim(cluster, disk),
    }
    alertmanager: Values = {"storage": _claim(cluster, "5Gi" if size == "ha" else "2Gi")}
    made: Values = {
        "prometheus": {"prometheusSpec": prometheus},
        "alertmanager": {"alertmanagerSpec": alertmanager},
    }
    receiver: Values = {}
    mail = cluster.setting("monitoring", "alerts")
    if mail:
        receiver["email_configs"] = [{"to": mail, "send_resolved": True}]
    if cluster.setting("monitoring", "webhook"):
        alertmanager["secrets"] = ["alertmanager-webhook"]
        path = "/etc/alertmanager/secrets/alertmanager-webhook/url"
        receiver["webhook_configs"] = [{"url_file": path, "send_resolved": True}]
    if receiver:
        made["alertmanager"]["config"] = _routes(platform, receiver)
    return made


def _routes(platform: Platform, receiver: Values) -> Values:
    mail = {"smtp_smarthost": f"mail.{platform.domain}:587", "smtp_from": f"alerts@{platform.domain}"}
    return {
        "global": {"resolve_timeout": "5m", **(mail if "email_configs" in receiver else {})},
        "route": {
            "receiver": "platform",
            "group_by": ["alertname", "namespace"],
            "routes": [{"receiver": "null", "matchers": ['alertname =~ "Watchdog|InfoInhibitor"']}],
        },
        "receivers": [{"name": "null"}, {"name": "platform", **receiver}],
    }


def _share(size: str, percent: int) -> str:
    """A part of a disk, in Prometheus' own units."""
    match = re.fullmatch(r"([0-9]+)([MGT])i", size)
    if match is None:
        return "0"
    mebi = int(match.group(1)) * {"M": 1, "G": 1024, "T": 1024 * 1024}[match.group(2)]
    return f"{mebi * percent // 100}MB"


def _reached(_platform: Platform, cluster: Cluster, _size: str) -> Values:
    """Without anything that gives out addresses, a load balancer would be waited for in vain: nodes' ports it is."""
    if cluster.kind != "kubeadm" or cluster.has("load_balancer"):
        return {}
    return {"controller": {"service": {"type": "NodePort"}}}


def _gateway(platform: Platform, cluster: Cluster, size: str) -> Values:
    found = _reached(platform, cluster, size)
    return {"nginx": found["controller"]} if found else {}


OF: dict[str, Callable[[Platform, Cluster, str], Values]] = {
    "kube-prometheus-stack": _monitoring,
    "nginx-ingress": _reached,
    "nginx-gateway-fabric": _gateway,
    "loki": settings_logs.loki,
    "alloy": settings_logs.alloy,
    **settings_data.OF,
}
