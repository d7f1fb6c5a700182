# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference platforms: each inventory is valid and means what its comments say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file

FOLDERS = {"onprem", "gke-poc", "cloud-run", "ecs", "kapsule", "eks"}


def listed(root: Path, name: str) -> Any:
    env = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    env["ANSIBLE_CONFIG"] = str(root / "ansible.cfg")
    command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", f"inventories/{name}", "--list"]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return json.loads(done.stdout)


def manifest(root: Path, name: str) -> Any:
    result = validate_file(root / "inventories" / name / "platform.socle.yml")
    assert (result.errors, result.warnings) == ([], [])
    return result.platform.manifest


def test_every_platform_is_there(root: Path):
    """A folder without a test would rot."""
    have = {path.parent.name for path in (root / "inventories").glob("*/platform.socle.yml")}
    assert have - {"lab"} == FOLDERS


def test_onprem(root: Path):
    """Four servers, twelve machines by role, and production in Canada."""
    data = listed(root, "onprem")
    assert data["hypervisors_compute"]["hosts"] == ["compute1", "compute2"]
    assert data["hypervisors_storage"]["hosts"] == ["storage1", "storage2"]
    assert data["kubernetes_control_plane"]["children"] == ["control"]
    assert data["kubernetes_workers"]["children"] == ["worker"]
    assert data["openvpn"]["children"] == ["vpn"]
    assert data["glusterfs"]["children"] == ["gluster"]
    assert data["gitlab"]["hosts"] == ["gitlab-1"]
    hosts = data["_meta"]["hostvars"]
    there = {name: host for name, host in hosts.items() if host.get("ansible_connection") != "local"}
    assert len([name for name in there if "-" in name]) == 12
    assert len({host["socle_address"] for host in there.values()}) == 16
    assert hosts["vpn-1"]["socle_public_address"] == "203.0.113.50"
    assert hosts["control-3"]["socle_on"] == "storage1"
    assert hosts["worker-1"]["socle_secrets"]["backend"] == "vault"
    assert hosts["worker-1"]["socle_secrets_wanted"] == {"main/session_key": {"kind": "key32"}}
    canada = manifest(root, "onprem").clouds["canada"]
    assert (canada.kind, canada.mode, canada.region) == ("gke", "autopilot", "northamerica-northeast1")
    assert canada.volumes == "regional"


def test_onprem_restricts_production(root: Path):
    """Passing on is restricted, and staging and production run in Canada."""
    environments = manifest(root, "onprem").delivery.environments
    assert list(environments) == ["test", "qa", "staging", "production"]
    assert {name: entry.on for name, entry in environments.items()} == {
        "test": "kubernetes",
        "qa": "kubernetes",
        "staging": "canada",
        "production": "canada",
    }
    assert (environments["production"].gate, environments["production"].approvers) == ("approval", ["operators"])
    # A branch for each environment, a tag for each version.
    assert len({entry.branch for entry in environments.values()} - {None}) == 4
    assert environments["production"].tags


def test_gke_poc(root: Path):
    """Private nodes, a restricted control plane, gRPC, static files and PostgreSQL."""
    cloud = manifest(root, "gke-poc").clouds["gke"]
    assert cloud.mode == "standard"
    assert cloud.network.nat
    assert set(cloud.authorized_networks) == {"office", "home"}
    assert cloud.load_balancer.grpc
    assert cloud.load_balancer.static
    assert cloud.database.postgres == "17"
    assert "machines" not in listed(root, "gke-poc")


def test_cloud_run(root: Path):
    """A Swarm of one manager and workers on rented servers, promoted to Cloud Run."""
    data = listed(root, "cloud-run")
    assert data["swarm_managers"]["children"] == ["manager"]
    assert data["worker"]["hosts"] == ["worker-1", "worker-2"]
    assert data["_meta"]["hostvars"]["manager-1"]["ansible_host"] == "203.0.113.41"
    assert data["_meta"]["hostvars"]["manager-1"]["ansible_user"] == "debian"
    platform = manifest(root, "cloud-run")
    assert platform.delivery.environments["preproduction"].on == "swarm"
    assert platform.clouds[platform.delivery.environments["production"].on].kind == "cloud_run"


def test_ecs(root: Path):
    """Blue/green under an alternative path."""
    platform = manifest(root, "ecs")
    assert platform.clouds["aws"].test_path == "/next"
    assert platform.delivery.environments["production"].release == "blue_green"


@pytest.mark.parametrize(("name", "kind"), [("kapsule", "kapsule"), ("eks", "eks")])
def test_gitops_clouds(root: Path, name: str, kind: str):
    """Two environments that do not follow one another, scaled by load, Terragrunt's layout kept."""
    from ansible_collections.socle.platform.plugins.plugin_utils._manifest.checks.delivery import sources

    platform = manifest(root, name)
    assert {cloud.kind for cloud in platform.clouds.values()} == {kind}
    assert sources(platform.delivery.environments) == {"staging": None, "production": None}
    assert platform.terraform.terragrunt
    assert platform.apps["httpbin"].scale.max > platform.apps["httpbin"].scale.min
