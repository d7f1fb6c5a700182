# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The documents that kubeadm, the API server and kubelets are configured by, made of a few choices."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

API = "kubeadm.k8s.io/v1beta4"
FOLDER = "/etc/kubernetes/socle"
LOGS = "/var/log/kubernetes"
PKI = "/etc/kubernetes/pki"
SOCKET = "unix:///run/containerd/containerd.sock"
# What has forward secrecy and authenticated encryption, by Go's names.
SUITES = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
]
# Read by everything that runs in a cluster, again and again: the log would hold nothing else.
NOISE = [
    {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version"]},
    {"level": "None", "resources": [{"group": "", "resources": ["events"]}]},
    {
        "level": "None",
        "userGroups": ["system:nodes"],
        "verbs": ["get", "list", "watch"],
        "resources": [{"group": "", "resources": ["nodes", "nodes/status", "pods", "pods/status"]}],
    },
    {
        "level": "None",
        "verbs": ["get", "update", "patch"],
        "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}],
    },
]
# Their bodies hold what must not lie in a log.
SECRETIVE = [
    {"group": "", "resources": ["secrets", "serviceaccounts/token"]},
    {"group": "authentication.k8s.io", "resources": ["tokenreviews"]},
    {"group": "certificates.k8s.io", "resources": ["certificatesigningrequests"]},
]


class KubeadmError(ValueError):
    """A choice that cannot be; the sentence says what it is, and what is wanted."""


def merged(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """`extra` over `base`, mapping by mapping."""
    found = dict(base)
    for name, value in extra.items():
        both = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
        found[name] = merged(found[name], value) if both else value
    return found


def arguments(wanted: Mapping[str, Any], extra: Mapping[str, Any]) -> list[dict[str, str]]:
    """Command-line arguments as v1beta4 has them; one that is null in `extra` is left out."""
    both = {**wanted, **extra}
    return [{"name": name, "value": _word(value)} for name, value in sorted(both.items()) if value is not None]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def init(choices: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Documents of the first control plane, and of the whole cluster."""
    return [
        {
            "apiVersion": API,
            "kind": "InitConfiguration",
            # kubeadm makes one in any case, for a day if not told. Who joins gets one of its own.
            "bootstrapTokens": [{"ttl": "1m0s", "description": "made by kubeadm init, used by nobody"}],
            "localAPIEndpoint": {"advertiseAddress": choices["address"], "bindPort": 6443},
            "nodeRegistration": registration(choices),
        },
        cluster(choices),
        kubelet(choices),
        proxy(choices),
    ]


def join(choices: Mapping[str, Any], ticket: Mapping[str, Any], *, control_plane: bool) -> list[dict[str, Any]]:
    """The document of one more node. `ticket` has the token, the hash of the CA, and for control planes the key."""
    found: dict[str, Any] = {
        "apiVersion": API,
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": choices["endpoint"],
                "token": ticket["token"],
                "caCertHashes": [ticket["ca"]],
            }
        },
        "nodeRegistration": registration(choices),
    }
    if control_plane:
        found["controlPlane"] = {
            "certificateKey": ticket["key"],
            "localAPIEndpoint": {"advertiseAddress": choices["address"], "bindPort": 6443},
        }
    return [found]


def upgrade(choices: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The document of an upgrade, on any node."""
    ignored = {"ignorePreflightErrors": list(choices["ignored"])} if choices.get("ignored") else {}
    version = {"kubernetesVersion": f"v{choices['version'].removeprefix('v')}"}
    return [
        {
            "apiVersion": API,
            "kind": "UpgradeConfiguration",
            "apply": {**version, **ignored, "etcdUpgrade": True, "certificateRenewal": True},
            "node": {**ignored, "etcdUpgrade": True, "certificateRenewal": True},
        }
    ]


def registration(choices: Mapping[str, Any]) -> dict[str, Any]:
    """How a node comes into the cluster."""
    found: dict[str, Any] = {
        "name": choices["node"],
        "criSocket": choices.get("socket") or SOCKET,
        # A node with several cards would be known by any of them.
        "kubeletExtraArgs": arguments({"node-ip": choices["address"]}, choices.get("kubelet_arguments") or {}),
        "imagePullPolicy": "IfNotPresent",
    }
    if choices.get("ignored"):
        found["ignorePreflightErrors"] = list(choices["ignored"])
    return found


def cluster(choices: Mapping[str, Any]) -> dict[str, Any]:
    """What all control planes share."""
    volumes = [_volume("socle-configuration", FOLDER, writable=False)]
    api: dict[str, Any] = {
        "admission-control-config-file": f"{FOLDER}/admission.yaml",
        "enable-admission-plugins": ["NodeRestriction", "DenyServiceExternalIPs"],
        "kubelet-certificate-authority": f"{PKI}/ca.crt",
        "profiling": False,
        "service-account-extend-token-expiration": False,
        "tls-cipher-suites": SUITES,
        "tls-min-version": "VersionTLS12",
    }
    if choices.get("keys"):
        api["encryption-provider-config"] = f"{FOLDER}/encryption.yaml"
        # A rotation of keys needs no restart.
        api["encryption-provider-config-automatic-reload"] = True
    if choices.get("audit"):
        api |= {
            "audit-log-path": f"{LOGS}/audit.log",
            "audit-policy-file": f"{FOLDER}/audit.yaml",
            "audit-log-maxage": 30,
            "audit-log-maxbackup": 10,
            "audit-log-maxsize": 100,
        }
        volumes.append(_volume("audit-log", LOGS, writable=True))
    found = {
        "apiVersion": API,
        "kind": "ClusterConfiguration",
        "clusterName": choices["name"],
        "kubernetesVersion": f"v{choices['version'].removeprefix('v')}",
        "controlPlaneEndpoint": choices["endpoint"],
        "encryptionAlgorithm": choices.get("algorithm") or "ECDSA-P256",
        "networking": {
            "dnsDomain": choices.get("domain") or "cluster.local",
            "podSubnet": choices["pods"],
            "serviceSubnet": choices["services"],
        },
        "apiServer": {
            "certSANs": list(choices.get("names") or []),
            "extraArgs": arguments(api, choices.get("api_arguments") or {}),
            "extraVolumes": volumes,
        },
        "controllerManager": {"extraArgs": arguments({"profiling": False}, {})},
        "scheduler": {"extraArgs": arguments({"profiling": False}, {})},
        "etcd": {
            "local": {
                "dataDir": "/var/lib/etcd",
                "extraArgs": arguments(
                    {"cipher-suites": SUITES, "tls-min-version": "TLS1.2"}, choices.get("etcd_arguments") or {}
                ),
            }
        },
    }
    return merged(found, choices.get("cluster_extra") or {})


def _volume(name: str, path: str, *, writable: bool) -> dict[str, Any]:
    return {
        "name": name,
        "hostPath": path,
        "mountPath": path,
        "readOnly": not writable,
        "pathType": "DirectoryOrCreate",
    }


def kubelet(choices: Mapping[str, Any]) -> dict[str, Any]:
    """What all kubelets share."""
    found = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
        "readOnlyPort": 0,
        "rotateCertificates": True,
        # Asked of the cluster's own authority; approved by the collection's timer, for a node's own names only.
        "serverTLSBootstrap": True,
        "seccompDefault": True,
        "tlsCipherSuites": SUITES,
        "tlsMinVersion": "VersionTLS12",
    }
    return merged(found, choices.get("kubelet_extra") or {})


def proxy(choices: Mapping[str, Any]) -> dict[str, Any]:
    """What all kube-proxies share."""
    found = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": choices["proxy_mode"],
        "metricsBindAddress": "127.0.0.1:10249",
    }
    return merged(found, choices.get("proxy_extra") or {})


def audit_policy() -> dict[str, Any]:
    """Who did what, without what it was where that is a secret."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            *NOISE,
            {"level": "Metadata", "resources": SECRETIVE},
            {"level": "Metadata", "verbs": ["get", "list", "watch"]},
            {"level": "Request"},
        ],
    }


def encryption(keys: Sequence[str]) -> dict[str, Any]:
    """Secrets in etcd are written with the first key and read with any; what was written in clear stays readable."""
    named = []
    for number, key in enumerate(keys, 1):
        try:
            size = len(base64.b64decode(key, validate=True))
        except (binascii.Error, ValueError):
            size = -1
        if size != 32:
            found = "no base64" if size < 0 else f"{size} bytes"
            raise KubeadmError(f"encryption key {number} is {found}; wanted are 32 random bytes in base64 (kind key32)")
        named.append({"name": f"key-{hashlib.sha256(key.encode()).hexdigest()[:8]}", "secret": key})
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": [{"secretbox": {"keys": named}}, {"identity": {}}]}],
    }


def admission(level: str, warned: str, exempted: Sequence[str]) -> dict[str, Any]:
    """Pod Security for namespaces that say nothing themselves."""
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [
            {
                "name": "PodSecurity",
                "configuration": {
                    "apiVersion": "pod-security.admission.config.k8s.io/v1",
                    "kind": "PodSecurityConfiguration",
                    "defaults": {
                        "enforce": level,
                        "enforce-version": "latest",
                        "audit": warned,
                        "audit-version": "latest",
                        "warn": warned,
                        "warn-version": "latest",
                    },
                    "exemptions": {"usernames": [], "runtimeClasses": [], "namespaces": list(exempted)},
                },
            }
        ],
    }


def ticket(told: str, uploaded: str) -> dict[str, str]:
    """What another node needs to come in, out of what kubeadm prints."""
    token = re.search(r"--token\s+([a-z0-9]{6}\.[a-z0-9]{16})\b", told)
    authority = re.search(r"--discovery-token-ca-cert-hash\s+(sha256:[0-9a-f]{64})\b", told)
    key = re.search(r"(?m)^\s*([0-9a-f]{64})\s*$", uploaded)
    if token is None or authority is None:
        raise KubeadmError(
            "kubeadm token create printed no join command; run it by hand on the first control plane and look"
        )
    return {"token": token[1], "ca": authority[1], "key": key[1] if key else ""}


def reason(said: str, journal: str) -> str:
    """Why a node is not in the cluster: kubeadm's own errors, and what its kubelet gave up with."""
    errors = re.findall(r"(?m)^\s*(?:\[ERROR [^\]]+\]:|error:|error execution phase [^:]+:)\s*(.+)$", said)
    refused = re.findall(r"(?m)^E\d{4} [^\]]*\]\s*(.+)$", journal)
    found = [line.strip() for line in dict.fromkeys(errors)][:4]
    found += [f"its kubelet: {line.strip()[:300]}" for line in list(dict.fromkeys(refused))[-2:]]
    return "; ".join(found) or (said.strip().splitlines() or ["no reason given"])[-1][:300]


def unready(told: Mapping[str, Any], patience: int) -> str:
    """Which nodes are not ready, each with what it says itself."""
    rows = []
    for node in told.get("items") or []:
        conditions = {row["type"]: row for row in node.get("status", {}).get("conditions") or []}
        ready = conditions.get("Ready", {"status": "Unknown", "message": "its kubelet has told nothing yet"})
        if ready["status"] != "True":
            rows.append(f"{node['metadata']['name']}: {ready.get('message') or ready.get('reason')}")
    if not rows:
        return (
            f"The API did not say within {patience} s that all nodes are ready; now they are: run the playbook again."
        )
    what = "; ".join(rows)
    return f"Not ready after {patience} s: {what}. Look there (journalctl -u kubelet), and run the playbook again."
