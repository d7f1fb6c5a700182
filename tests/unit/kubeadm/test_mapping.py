# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster's nodes are told by a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping import Inventory, inventory
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file

MANIFEST = """
plugin: socle.platform.manifest
platform: {{name: lab, domain: lab.test}}
hypervisors:
  cluster: lab
  network: {{rack: 10.10.0.0/16}}
  nodes:
    compute1: {{address: 203.0.113.11, role: compute, cores: 32, memory: 128 GiB}}
    compute2: {{address: 203.0.113.12, role: compute, cores: 32, memory: 128 GiB}}
    storage1: {{address: 203.0.113.21, role: storage, cores: 16, memory: 64 GiB}}
machines:
  control: {{count: 3, on: [compute, storage]}}
  worker: {{count: 2, on: compute}}
{machines}
kubernetes: {{version: "{version}", network: flannel}}
{more}
"""


def made(folder: Path, version: str = "1.36.3", machines: str = "", more: str = "") -> Inventory:
    file = folder / "platform.socle.yml"
    file.write_text(MANIFEST.format(version=version, machines=machines, more=more))
    result = validate_file(str(file))
    assert result.ok, result.problems
    return inventory(result.platform, str(file))


def opened(found: Inventory, host: str) -> dict[str, list[str]]:
    return {row["name"]: row["sources"] for row in found.hosts[host]["machine_base_openings"]}


def test_the_address_is_carried_by_the_control_planes(tmp_path: Path) -> None:
    """Catches HAProxy on the port of the API server beside it, and an endpoint at which nobody answers."""
    found = made(tmp_path)
    control, nodes = found.groups["kubernetes_control_plane"], found.groups["kubernetes"]
    (service,) = control["load_balancer_services"]
    (address,) = control["load_balancer_addresses"]
    assert nodes["kubeadm_endpoint"] == f"{address.partition('/')[0]}:{service['port']}"
    assert service["port"] != 6443
    assert {row["port"] for row in service["servers"]} == {6443}
    assert {row["address"] for row in service["servers"]} == {"10.10.40.1", "10.10.40.2", "10.10.40.3"}


def test_machines_of_their_own_carry_it_where_there_are_some(tmp_path: Path) -> None:
    """Catches two pairs that fight for one address."""
    found = made(tmp_path, machines="  load-balancer: {count: 2, on: compute}")
    assert "load_balancer_peers" not in found.groups["kubernetes_control_plane"]
    assert found.groups["kubernetes"]["kubeadm_endpoint"].endswith(":6443")
    assert found.groups["load_balancer"]["load_balancer_services"][0]["port"] == 6443


def test_etcd_is_open_to_control_planes_only(tmp_path: Path) -> None:
    """Catches a worker, or a neighbour in the rack, that could talk to etcd or to kubelets."""
    found = made(tmp_path)
    control = opened(found, "control-1")
    assert control["etcd"] == ["10.10.40.1", "10.10.40.2", "10.10.40.3"]
    assert "etcd" not in opened(found, "worker-1")
    assert "10.10.0.0/16" not in [
        *control["kubernetes-api"],
        *control["kubelet"],
        *opened(found, "worker-1")["kubelet"],
    ]


@pytest.mark.parametrize(("more", "whole"), [("", False), ("services: {load_balancer: {}}", True)])
def test_node_ports_are_for_nodes(tmp_path: Path, more: str, whole: bool) -> None:
    """Catches pods that every neighbour reaches through a NodePort; Services with addresses are for the rack."""
    forwarding: list[dict[str, Any]] = made(tmp_path, more=more).hosts["worker-1"]["machine_base_forwarding"]
    (to_pods,) = [row for row in forwarding if row["name"] == "to-pods"]
    assert to_pods["sources"]
    assert ("10.10.0.0/16" in to_pods["sources"]) is whole


@pytest.mark.parametrize(
    ("version", "release", "pause"),
    [("1.36", "1.36.4", "3.10.2"), ("v1.36.3", "1.36.3", "3.10.2"), ("1.35", "1.35.8", "3.10.1")],
)
def test_a_minor_stands_for_its_newest_patch(tmp_path: Path, version: str, release: str, pause: str) -> None:
    """Catches packages without a patch, and a pause image of another version."""
    nodes = made(tmp_path, version).groups["kubernetes"]
    assert (nodes["kubeadm_version"], nodes["kubernetes_packages_version"]) == (release, release)
    assert nodes["containerd_sandbox_image"].endswith(f":{pause}")


def test_the_key_is_looked_up_where_it_is_used_only(tmp_path: Path) -> None:
    """Catches a key of Secrets that workers are told, or that lies in the inventory itself."""
    found = made(tmp_path)
    (key,) = found.groups["kubernetes_control_plane"]["kubeadm_encryption_keys"]
    assert "lookup('socle.platform.secret', 'kubernetes/encryption'" in key
    assert "kubeadm_encryption_keys" not in found.groups["kubernetes"]


def test_what_cannot_be_made_yet_is_refused_and_not_left_out(tmp_path: Path) -> None:
    """Catches Secrets in clear where a manifest asks for a KMS, and an address that nobody carries."""
    manifest = MANIFEST.replace(
        "network: flannel", "network: flannel, encryption: kms, kms_endpoint: unix:///run/kms.sock"
    )
    file = tmp_path / "platform.socle.yml"
    file.write_text(manifest.format(version="1.36.3", machines="", more=""))
    result = validate_file(str(file))
    assert result.ok, result.problems
    found = inventory(result.platform, str(file))
    assert found.groups["kubernetes"]["kubeadm_unsupported"] == ["encryption: kms"]
    assert "kubeadm_unsupported" not in made(tmp_path).groups["kubernetes"]
