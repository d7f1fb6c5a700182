# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubeadm, the API server and network plugins are configured by."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.socle.platform.plugins.filter.kubeadm_files import kubeadm_files
from ansible_collections.socle.platform.plugins.filter.network_manifests import network_manifests
from ansible_collections.socle.platform.plugins.plugin_utils import _kubeadm

KEY = base64.b64encode(bytes(32)).decode()
OTHER = base64.b64encode(bytes(range(32))).decode()
CHOICES: dict[str, Any] = {
    "name": "lab", "version": "1.36.3", "endpoint": "10.10.2.1:8443", "node": "control-1", "address": "10.10.40.1",
    "pods": "10.244.0.0/16", "services": "10.96.0.0/16", "proxy_mode": "iptables", "audit": True, "keys": [KEY],
}  # fmt: skip
TOLD = f"kubeadm join 10.10.2.1:8443 --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash sha256:{'a' * 64}\n"
UPLOADED = f"[upload-certs] Using certificate key:\n{'b' * 64}\n"


def documents(purpose: str, **more: Any) -> dict[str, list[dict[str, Any]]]:
    token, uploaded = more.pop("token", ""), more.pop("uploaded", "")
    files = kubeadm_files({**CHOICES, **more}, purpose, token, uploaded)
    return {file["path"].rpartition("/")[2]: list(yaml.safe_load_all(file["content"])) for file in files}


def test_the_api_server_refers_to_files_that_are_written() -> None:
    """Catches an argument that names a file which no control plane has: the API server would not start."""
    for audit in (True, False):
        for keys in ([KEY], []):
            (init,) = documents("init", audit=audit, keys=keys).values()
            arguments = {row["name"]: row["value"] for row in init[1]["apiServer"]["extraArgs"]}
            named = {value for value in arguments.values() if value.startswith(_kubeadm.FOLDER)}
            written = {f"{_kubeadm.FOLDER}/{name}" for name in documents("control_plane", audit=audit, keys=keys)}
            assert named == written


def test_the_first_key_writes_and_clear_text_stays_readable() -> None:
    """Catches keys in the wrong order, and a cluster whose old Secrets cannot be read when encryption begins."""
    (found,) = documents("control_plane", keys=[OTHER, KEY])["encryption.yaml"]
    secretbox, identity = found["resources"][0]["providers"]
    assert [row["secret"] for row in secretbox["secretbox"]["keys"]] == [OTHER, KEY]
    assert identity == {"identity": {}}
    assert found["resources"][0]["resources"] == ["secrets"]


@pytest.mark.parametrize("key", ["short", base64.b64encode(bytes(31)).decode(), "ä"])
def test_a_bad_key_is_refused_and_not_told(key: str) -> None:
    """Catches a key that the API server would refuse after the fact, and an error that shows it."""
    with pytest.raises(AnsibleFilterError, match="wanted are 32 random bytes") as caught:
        documents("control_plane", keys=[key])
    assert key not in str(caught.value)


def test_a_worker_is_given_no_key() -> None:
    """Catches a worker that could fetch the cluster's authorities."""
    (join,) = documents("join", token=TOLD, uploaded=UPLOADED)["join.yaml"]
    assert "controlPlane" not in join
    assert "b" * 64 not in json.dumps(join)
    (control,) = documents("join_control_plane", token=TOLD, uploaded=UPLOADED)["join.yaml"]
    assert control["controlPlane"]["certificateKey"] == "b" * 64
    assert control["discovery"]["bootstrapToken"]["caCertHashes"] == [f"sha256:{'a' * 64}"]


def test_what_is_ours_can_be_taken_away() -> None:
    """Catches extras that are put beside, and not over."""
    (init,) = documents(
        "init", api_arguments={"profiling": None, "v": 2}, kubelet_extra={"failCgroupV1": False, "readOnlyPort": 1}
    ).values()
    arguments = {row["name"]: row["value"] for row in init[1]["apiServer"]["extraArgs"]}
    assert "profiling" not in arguments
    assert arguments["v"] == "2"
    assert (init[2]["failCgroupV1"], init[2]["readOnlyPort"], init[2]["serverTLSBootstrap"]) == (False, 1, True)


@pytest.mark.parametrize("verb", ["create", "update", "patch", "get", "list"])
@pytest.mark.parametrize("resource", ["secrets", "serviceaccounts/token", "tokenreviews"])
def test_secrets_are_never_audited_with_their_bodies(verb: str, resource: str) -> None:
    """Catches a broader rule that comes first: the first that matches decides."""
    (policy,) = documents("control_plane")["audit.yaml"]

    def matches(rule: dict[str, Any]) -> bool:
        if "nonResourceURLs" in rule or verb not in rule.get("verbs", [verb]):
            return False
        return any(resource in row["resources"] for row in rule.get("resources", [{"resources": [resource]}]))

    assert next(rule["level"] for rule in policy["rules"] if matches(rule)) == "Metadata"


def test_a_choice_that_is_missing_is_named() -> None:
    """Catches a traceback where a variable was forgotten."""
    with pytest.raises(AnsibleFilterError, match="endpoint, pods must be given"):
        kubeadm_files({**CHOICES, "endpoint": "", "pods": ""}, "init")


def test_the_reason_is_the_kubelets_own() -> None:
    """Catches a message that says how often something was tried, and not why it failed."""
    said = "[ERROR Swap]: running with swap on is not supported\nerror: error execution phase preflight: [preflight]"
    journal = 'E1121 19:01:22.4 1 run.go:72] "command failed" err="cgroup v1 is not supported"'
    found = _kubeadm.reason(said, journal)
    assert "swap on" in found
    assert "cgroup v1 is not supported" in found
    assert _kubeadm.reason("", "") == "no reason given"


def test_nodes_that_are_not_ready_say_why() -> None:
    """Catches a wait that ends without a name."""
    ready = {"metadata": {"name": "a"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    broken = {
        "metadata": {"name": "b"},
        "status": {"conditions": [{"type": "Ready", "status": "False", "message": "cni plugin not initialized"}]},
    }
    silent = {"metadata": {"name": "c"}, "status": {}}
    found = _kubeadm.unready({"items": [ready, broken, silent]}, 180)
    assert "b: cni plugin not initialized; c: its kubelet has told nothing yet" in found
    assert "a:" not in found


FLANNEL = """
kind: ConfigMap
metadata: {name: kube-flannel-cfg}
data: {net-conf.json: '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}'}
"""
CALICO = """
kind: ConfigMap
metadata: {name: calico-config}
data: {calico_backend: bird}
---
kind: DaemonSet
metadata: {name: calico-node}
spec:
  template:
    spec:
      containers:
        - name: calico-node
          env: [{name: CALICO_IPV4POOL_IPIP, value: Always}, {name: FELIX_HEALTHENABLED, value: "true"}]
          livenessProbe: {exec: {command: [/bin/calico-node, -felix-live, -bird-live]}}
          readinessProbe: {exec: {command: [/bin/calico-node, -felix-ready, -bird-ready]}}
"""


def test_a_plugin_is_given_the_clusters_addresses() -> None:
    """Catches pods that get addresses which the rest of the cluster does not know."""
    (flannel,) = yaml.safe_load_all(network_manifests(FLANNEL, "flannel", "10.32.0.0/12"))
    told = json.loads(flannel["data"]["net-conf.json"])
    assert told == {"Network": "10.32.0.0/12", "Backend": {"Type": "vxlan"}}
    config, node = yaml.safe_load_all(network_manifests(CALICO, "calico", "10.32.0.0/12"))
    container = node["spec"]["template"]["spec"]["containers"][0]
    env = {row["name"]: row["value"] for row in container["env"]}
    assert config["data"]["calico_backend"] == "vxlan"
    assert (env["CALICO_IPV4POOL_CIDR"], env["CALICO_IPV4POOL_IPIP"]) == ("10.32.0.0/12", "Never")
    assert container["readinessProbe"]["exec"]["command"] == ["/bin/calico-node", "-felix-ready"]


def test_manifests_that_look_different_are_refused() -> None:
    """Catches a plugin that is installed with the addresses of its example."""
    with pytest.raises(AnsibleFilterError, match="there is no ConfigMap kube-flannel-cfg"):
        network_manifests(CALICO, "flannel", "10.32.0.0/12")
    with pytest.raises(AnsibleFilterError, match="calico and flannel are"):
        network_manifests(CALICO, "cilium", "10.32.0.0/12")
