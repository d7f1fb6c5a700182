# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example that everybody sees first is valid as it stands, and means what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping import inventory
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file

EXAMPLE = """\
plugin: socle.platform.manifest
platform: {name: cater, domain: cater.example.org}
secrets:  {backend: vault, address: https://vault.cater.example.org:8200, mount: socle}      # or: {backend: file}
hypervisors:
  cluster: cater
  network: {rack: 10.10.0.0/16, bridge: vmbr1, vlan: 100}                                    # the provider's private network
  nodes:
    compute1: {address: 203.0.113.11, role: compute}
    compute2: {address: 203.0.113.12, role: compute}
    storage1: {address: 203.0.113.21, role: storage}
    storage2: {address: 203.0.113.22, role: storage}
machines:
  control: {count: 3, on: compute, cores: 2, memory: 4 GiB}
  worker:  {count: 4, on: compute, cores: 4, memory: 16 GiB, disk: 80 GiB}
  gluster: {count: 3, on: [storage, storage, compute], data_disk: 500 GiB}
  vpn:     {count: 1, on: compute, public: true}
  gitlab:  {count: 1, on: storage, cores: 8, memory: 16 GiB}
access:     {openvpn: {people: [ada, grace]}}
storage:    {glusterfs: {volumes: {k8s: {size: 200 GiB}}}}
kubernetes: {version: "1.36", network: calico, encryption: secretbox}
services:   {ingress: {}, certificates: {email: ops@cater.example.org}, monitoring: {}, logging: {}, dashboard: {}}
delivery:   {gitlab: {}, runners: {count: 2}, environments: {test: {}, qa: {}, staging: {}, production: {gate: manual}}}
clouds:
  canada: {kind: gke, project: cater-prod, region: northamerica-northeast1, database: {postgres: "17"}}
"""  # noqa: E501  # as it is printed in the design


def test_the_design_s_example_is_valid_as_printed():
    """A key renamed or a check too strict would refuse what the design promises."""
    result = validate_file("example.socle.yml", EXAMPLE.encode())
    assert result.errors == []
    assert result.warnings == []


def test_the_example_becomes_its_hosts():
    """Hosts, addresses, ids and groups of the example: a change here renumbers somebody's machines."""
    made = inventory(validate_file("example.socle.yml", EXAMPLE.encode()).platform, "example.socle.yml")
    machines = {name: variables for name, variables in made.hosts.items() if "ansible_connection" not in variables}
    addresses = {name: variables["socle_address"] for name, variables in machines.items()}
    assert addresses == {
        "compute1": "10.10.10.1",
        "compute2": "10.10.10.2",
        "storage1": "10.10.20.1",
        "storage2": "10.10.20.2",
        "control-1": "10.10.40.1",
        "control-2": "10.10.40.2",
        "control-3": "10.10.40.3",
        "worker-1": "10.10.48.1",
        "worker-2": "10.10.48.2",
        "worker-3": "10.10.48.3",
        "worker-4": "10.10.48.4",
        "gluster-1": "10.10.80.1",
        "gluster-2": "10.10.80.2",
        "gluster-3": "10.10.80.3",
        "vpn-1": "10.10.88.1",
        "gitlab-1": "10.10.92.1",
    }
    assert made.hosts["worker-4"]["socle_vm_id"] == 1048004
    assert [made.hosts[f"gluster-{n}"]["socle_on"] for n in (1, 2, 3)] == ["storage", "storage", "compute"]
    assert made.groups["worker"]["socle_machine"]["memory_mib"] == 16384
    assert made.children["kubernetes"] == ["kubernetes_control_plane", "kubernetes_workers"]
    assert made.children["kubernetes_control_plane"] == ["control"]
    assert made.members["gitlab"] == ["gitlab-1"]
    assert made.members["clouds_gke"] == ["canada"] and made.children["clouds"] == ["clouds_gke"]
    assert made.hosts["canada"]["gke_state"] == made.hosts["canada"]["clouds_state"]


@pytest.mark.parametrize("page", ["README.md", "docs/manifest-guide.md"])
def test_the_manifest_of_a_page_is_valid(root: Path, page: str):
    """The first thing that a newcomer copies works."""
    text = (root / page).read_text()
    manifests = [part for part in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "plugin:" in part]
    assert manifests
    for manifest in manifests:
        result = validate_file(page, manifest.encode())
        assert result.ok, [entry.lines(page) for entry in result.errors]
