# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Values of data stores and of what saves them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .declaration import CatalogueError, Values
from .platform import Cluster, Platform
from .units import cron, hours, kubernetes_size

CLOSED: Values = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
VELERO_PLUGIN = {
    "s3": ("aws", "velero/velero-plugin-for-aws:v1.13.1"),
    "gcs": ("gcp", "velero/velero-plugin-for-gcp:v1.13.1"),
}


def _pod(user: int) -> Values:
    return {"runAsNonRoot": True, "runAsUser": user, "fsGroup": user, "seccompProfile": {"type": "RuntimeDefault"}}


def _resources(cpu: str, memory: str) -> Values:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}


def _disk(cluster: Cluster, service: str, default: str = "20 GiB") -> str:
    return kubernetes_size(cluster.setting(service, "disk", default))


def _velero(platform: Platform, cluster: Cluster, _size: str) -> Values:
    backups = platform.backups
    if backups.get("to") not in VELERO_PLUGIN:
        raise CatalogueError(
            f"clusters.{cluster.name}.services.backup: found backups to {backups.get('to', 'nowhere')}, "
            "which Velero cannot write to; wanted backups: {to: s3} or {to: gcs}"
        )
    provider, image = VELERO_PLUGIN[str(backups["to"])]
    config: Values = {}
    if backups["to"] == "s3":
        config["region"] = backups.get("region") or "us-east-1"
        if backups.get("endpoint"):
            config |= {"s3ForcePathStyle": "true", "s3Url": backups["endpoint"]}
    place = {
        "name": "default",
        "provider": provider,
        "bucket": backups["bucket"],
        "prefix": f"velero/{cluster.name}",
        "default": True,
        "config": config,
    }
    plugin = {
        "name": "plugin",
        "image": image,
        "volumeMounts": [{"mountPath": "/target", "name": "plugins"}],
        "securityContext": {**CLOSED, "readOnlyRootFilesystem": True},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
    }
    return {
        "initContainers": [plugin],
        "configuration": {
            "backupStorageLocation": [place],
            "volumeSnapshotLocation": [],
            "defaultVolumesToFsBackup": True,
            "defaultBackupTTL": hours(backups.get("keep", "30d")),
        },
        "schedules": {
            "platform": {
                "schedule": cron(backups.get("every", "24h")),
                "template": {"ttl": hours(backups.get("keep", "30d")), "storageLocation": "default"},
            }
        },
    }


def _policies(_platform: Platform, cluster: Cluster, _size: str) -> Values:
    return {"validationFailureAction": "Enforce" if cluster.setting("policies", "enforce") else "Audit"}


def _longhorn(_platform: Platform, cluster: Cluster, _size: str) -> Values:
    copies = int(cluster.setting("longhorn", "replicas", 3))
    return {"persistence": {"defaultClassReplicaCount": copies}, "defaultSettings": {"defaultReplicaCount": copies}}


ELASTIC = "9.5.2"
_OFF = {
    f"eck-{part}": {"enabled": False}
    for part in ("agent", "fleet-server", "apm-server", "enterprise-search", "autoops-agent-policy", "package-registry")
}


def _elasticsearch(cluster: Cluster, size: str, disk: str) -> Values:
    count, cpu, memory = {"small": (1, "250m", "2Gi"), "standard": (1, "500m", "4Gi"), "ha": (3, "1", "8Gi")}[size]
    claim: Values = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": disk}}}
    if cluster.block_class:
        claim["storageClassName"] = cluster.block_class
    container = {"name": "elasticsearch", "resources": _resources(cpu, memory)}
    nodes = {
        "name": "default",
        "count": count,
        # Without it every node needs a setting of the kernel.
        "config": {"node.store.allow_mmap": False},
        "podTemplate": {
            "spec": {
                "priorityClassName": "socle-data",
                "automountServiceAccountToken": False,
                "securityContext": _pod(1000),
                "containers": [container],
            }
        },
        "volumeClaimTemplates": [{"metadata": {"name": "elasticsearch-data"}, "spec": claim}],
    }
    return {
        "enabled": True,
        "version": ELASTIC,
        "fullnameOverride": "elasticsearch",
        "volumeClaimDeletePolicy": "DeleteOnScaledownOnly",
        "nodeSets": [nodes],
    }


def _template(container: str, cpu: str, memory: str) -> Values:
    return {
        "spec": {
            "priorityClassName": "socle-platform",
            "automountServiceAccountToken": False,
            "securityContext": _pod(1000),
            "containers": [{"name": container, "securityContext": dict(CLOSED), "resources": _resources(cpu, memory)}],
        }
    }


_PIPELINE = """\
input { beats { port => 5044 } }
output {
  elasticsearch {
    hosts => [ "${ELASTIC_ES_HOSTS}" ]
    user => "${ELASTIC_ES_USER}"
    password => "${ELASTIC_ES_PASSWORD}"
    ssl_certificate_authorities => "${ELASTIC_ES_SSL_CERTIFICATE_AUTHORITY}"
    data_stream => true
    data_stream_type => "logs"
    data_stream_dataset => "kubernetes"
  }
}
"""


def _elastic_logs(_platform: Platform, cluster: Cluster, size: str) -> Values:
    copies = {"small": 1, "standard": 1, "ha": 2}[size]
    kibana = _template("kibana", "200m", "1Gi")
    logstash = _template("logstash", "200m", "1536Mi")
    port = {"port": 5044, "name": "beats", "protocol": "TCP", "targetPort": 5044}
    return {
        **_OFF,
        "eck-beats": {"enabled": False},
        "eck-elasticsearch": _elasticsearch(cluster, size, _disk(cluster, "logging", "50 GiB")),
        "eck-kibana": {
            "enabled": True,
            "version": ELASTIC,
            "fullnameOverride": "kibana",
            "count": copies,
            "elasticsearchRef": {"name": "elasticsearch"},
            "config": {"telemetry.optIn": False, "telemetry.allowChangingOptInStatus": False},
            "podTemplate": kibana,
        },
        "eck-logstash": {
            "enabled": True,
            "version": ELASTIC,
            "fullnameOverride": "logstash",
            "count": copies,
            "elasticsearchRefs": [{"name": "elasticsearch", "clusterName": "elastic"}],
            "podTemplate": logstash,
            "pipelines": [{"pipeline.id": "main", "config.string": _PIPELINE}],
            "services": [{"name": "beats", "service": {"spec": {"type": "ClusterIP", "ports": [port]}}}],
        },
    }


def _filebeat(_platform: Platform, cluster: Cluster, _size: str) -> Values:
    files: Values = {
        "type": "filestream",
        "id": "pods",
        "paths": ["/var/log/containers/*.log"],
        "parsers": [{"container": {}}],
        "prospector.scanner": {"symlinks": True, "fingerprint.enabled": True},
        "file_identity.fingerprint": None,
        "processors": [
            {
                "add_kubernetes_metadata": {
                    "host": "${NODE_NAME}",
                    "default_matchers.enabled": False,
                    "matchers": [{"logs_path": {"logs_path": "/var/log/containers/"}}],
                }
            }
        ],
    }
    del files["file_identity.fingerprint"]
    files["file_identity"] = {"fingerprint": {}}
    node: Values = {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    container = {
        "name": "filebeat",
        "env": [node],
        # Files of /var/log belong to root.
        "securityContext": {"runAsUser": 0, **CLOSED},
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "volumeMounts": [{"name": "varlog", "mountPath": "/var/log", "readOnly": True}],
    }
    spec: Values = {
        "serviceAccountName": "filebeat",
        "automountServiceAccountToken": True,
        "priorityClassName": "system-node-critical",
        "terminationGracePeriodSeconds": 30,
        "tolerations": [{"operator": "Exists", "effect": "NoSchedule"}],
        "containers": [container],
        "volumes": [{"name": "varlog", "hostPath": {"path": "/var/log"}}],
    }
    return {
        **_OFF,
        **{f"eck-{part}": {"enabled": False} for part in ("elasticsearch", "kibana", "logstash")},
        "eck-beats": {
            "enabled": True,
            "version": ELASTIC,
            "fullnameOverride": "filebeat",
            "type": "filebeat",
            "config": {
                "filebeat.inputs": [files],
                "fields": {"cluster": cluster.name},
                "output.logstash": {"hosts": ["logstash-ls-beats.logging.svc:5044"]},
            },
            "daemonSet": {"podTemplate": {"spec": spec}},
            "serviceAccount": {"name": "filebeat"},
            "clusterRole": {
                "name": "filebeat",
                "rules": [
                    {
                        "apiGroups": [""],
                        "resources": ["namespaces", "pods", "nodes"],
                        "verbs": ["get", "list", "watch"],
                    },
                    {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get", "list", "watch"]},
                    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch"]},
                ],
            },
            "clusterRoleBinding": {
                "name": "filebeat",
                "subjects": [{"kind": "ServiceAccount", "name": "filebeat", "namespace": "kube-system"}],
                "roleRef": {"kind": "ClusterRole", "name": "filebeat", "apiGroup": "rbac.authorization.k8s.io"},
            },
        },
    }


def _search(_platform: Platform, cluster: Cluster, size: str) -> Values:
    return {
        **_OFF,
        **{f"eck-{part}": {"enabled": False} for part in ("beats", "kibana", "logstash")},
        "eck-elasticsearch": _elasticsearch(cluster, size, _disk(cluster, "elasticsearch")),
    }


def _mongodb(platform: Platform, cluster: Cluster, size: str) -> Values:
    count, cpu, memory = {"small": (1, "200m", "1Gi"), "standard": (3, "300m", "2Gi"), "ha": (3, "1", "4Gi")}[size]
    claim: Values = {"resources": {"requests": {"storage": _disk(cluster, "mongodb")}}}
    if cluster.block_class:
        claim["storageClassName"] = cluster.block_class
    members: Values = {
        "name": "rs0",
        "size": count,
        "priorityClass": "socle-data",
        "podSecurityContext": _pod(1001),
        "containerSecurityContext": dict(CLOSED),
        "resources": _resources(cpu, memory),
        "podDisruptionBudget": {"maxUnavailable": 1},
        "volumeSpec": {"pvc": claim},
    }
    made: Values = {"replsets": {"rs0": members}, "backup": _mongodb_backup(platform, cluster)}
    if count < 3:
        made["unsafeFlags"] = {"replsetSize": True}
    return made


def _mongodb_backup(platform: Platform, cluster: Cluster) -> Values:
    backups = platform.backups
    if backups.get("to") != "s3":
        return {"enabled": False}
    place: Values = {
        "bucket": backups["bucket"],
        "prefix": f"mongodb/{cluster.name}",
        "credentialsSecret": "mongodb-bucket",
        "region": backups.get("region") or "us-east-1",
    }
    if backups.get("endpoint"):
        place["endpointUrl"] = backups["endpoint"]
    task: Values = {
        "name": "platform",
        "enabled": True,
        "schedule": cron(backups.get("every", "24h"), 30),
        "storageName": "bucket",
    }
    return {
        "enabled": True,
        "podSecurityContext": _pod(1001),
        "containerSecurityContext": dict(CLOSED),
        "resources": _resources("100m", "512Mi"),
        "storages": {"bucket": {"type": "s3", "main": True, "s3": place}},
        "pitr": {"enabled": True},
        "tasks": [task],
    }


def _postgres(_platform: Platform, cluster: Cluster, _size: str) -> Values:
    return {
        "version": {"postgresql": str(cluster.setting("postgres", "version", "17"))},
        "cluster": {"storage": {"size": _disk(cluster, "postgres")}},
    }


def _valkey(_platform: Platform, cluster: Cluster, size: str) -> Values:
    disk = _disk(cluster, "valkey")
    return {"dataStorage": {"requestedSize": disk}} if size == "small" else {"replica": {"persistence": {"size": disk}}}


OF: dict[str, Callable[[Platform, Cluster, str], dict[str, Any]]] = {
    "velero": _velero,
    "kyverno-policies": _policies,
    "longhorn": _longhorn,
    "elastic-logs": _elastic_logs,
    "filebeat": _filebeat,
    "elasticsearch": _search,
    "mongodb": _mongodb,
    "postgres": _postgres,
    "valkey": _valkey,
}
