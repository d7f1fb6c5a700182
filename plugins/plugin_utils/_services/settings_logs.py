# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Values of the services that keep and carry logs."""

from __future__ import annotations

from .declaration import Values
from .platform import Cluster, Platform
from .units import hours, kubernetes_size


def loki(platform: Platform, cluster: Cluster, size: str) -> Values:
    """On a disk; three copies need a bucket, since no disk is shared between them."""
    limits = {"retention_period": hours(cluster.setting("logging", "retention", "14d"))}
    disk = kubernetes_size(cluster.setting("logging", "disk", "50 GiB"))
    made: Values = {"loki": {"limits_config": limits}, "singleBinary": {"persistence": {"size": disk}}}
    backups = platform.backups
    if size != "ha" or backups.get("to") != "s3":
        return made
    bucket = f"{backups['bucket']}"
    made["loki"] |= {
        "commonConfig": {"replication_factor": 3, "path_prefix": "/var/loki"},
        "storage": {
            "type": "s3",
            "bucketNames": {"chunks": bucket, "ruler": bucket, "admin": bucket},
            "s3": {
                "endpoint": backups.get("endpoint"),
                "region": backups.get("region"),
                "s3ForcePathStyle": True,
                "accessKeyId": "${AWS_ACCESS_KEY_ID}",
                "secretAccessKey": "${AWS_SECRET_ACCESS_KEY}",
            },
        },
        "schemaConfig": {
            "configs": [
                {
                    "from": "2026-01-01",
                    "store": "tsdb",
                    "object_store": "s3",
                    "schema": "v13",
                    "index": {"prefix": f"loki/{cluster.name}/index_", "period": "24h"},
                }
            ]
        },
        "compactor": {"retention_enabled": True, "delete_request_store": "s3"},
    }
    made["singleBinary"] |= {
        "replicas": 3,
        "podDisruptionBudget": {"enabled": True, "minAvailable": 2},
        "extraArgs": ["-config.expand-env=true"],
        "extraEnvFrom": [{"secretRef": {"name": "loki-bucket"}}],
    }
    return made


# In Alloy's language; the chart puts it through Helm's templates, so no two braces may touch.
_ALLOY = """\
logging {
  level = "warn"
}

discovery.kubernetes "pods" {
  role = "pod"
  selectors {
    role  = "pod"
    field = "spec.nodeName=" + sys.env("NODE")
  }
}

discovery.relabel "pods" {
  targets = discovery.kubernetes.pods.targets
  rule {
    source_labels = ["__meta_kubernetes_namespace"]
    target_label  = "namespace"
  }
  rule {
    source_labels = ["__meta_kubernetes_pod_name"]
    target_label  = "pod"
  }
  rule {
    source_labels = ["__meta_kubernetes_pod_container_name"]
    target_label  = "container"
  }
  rule {
    source_labels = ["__meta_kubernetes_pod_label_app_kubernetes_io_name"]
    target_label  = "app"
  }
  rule {
    source_labels = ["__meta_kubernetes_pod_uid", "__meta_kubernetes_pod_container_name"]
    separator     = "/"
    replacement   = "/var/log/pods/*$1/*.log"
    target_label  = "__path__"
  }
}

local.file_match "pods" {
  path_targets = discovery.relabel.pods.output
}

loki.source.file "pods" {
  targets    = local.file_match.pods.targets
  forward_to = [loki.process.pods.receiver]
}

loki.process "pods" {
  stage.cri { }
  stage.label_drop {
    values = ["filename"]
  }
  forward_to = [loki.write.loki.receiver]
}

loki.write "loki" {
  endpoint {
    url = "http://loki.monitoring.svc:3100/loki/api/v1/push"
  }
  external_labels = {
    cluster = "CLUSTER",
  }
}
"""


def alloy(_platform: Platform, cluster: Cluster, _size: str) -> Values:
    """Files of the pods of its own node, with the names that people search by."""
    place: Values = {"name": "state", "emptyDir": {"sizeLimit": "1Gi"}}
    return {
        "alloy": {
            "configMap": {"create": True, "content": _ALLOY.replace("CLUSTER", cluster.name)},
            "mounts": {"extra": [{"name": "state", "mountPath": "/var/lib/alloy"}]},
        },
        "controller": {"volumes": {"extra": [place]}},
    }
