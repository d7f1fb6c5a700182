# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a manifest to the variables of the role glusterfs."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.socle.platform.plugins.plugin_utils._gluster import volumes
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.errors import Result
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping import Inventory, inventory
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping_machines import OPENINGS, hosts_of
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file

MANIFEST: dict[str, Any] = {
    "plugin": "socle.platform.manifest",
    "platform": {"name": "cater", "domain": "cater.example.org"},
    "hypervisors": {
        "cluster": "cater",
        "network": {"rack": "10.10.0.0/16"},
        "nodes": {
            "compute1": {"address": "203.0.113.11"},
            "storage1": {"address": "203.0.113.21", "role": "storage"},
            "storage2": {"address": "203.0.113.22", "role": "storage"},
        },
    },
    "machines": {
        "gluster": {"count": 3, "on": ["storage1", "storage2", "compute1"], "data_disk": "500 GiB"},
        "control": {"count": 3},
        "worker": {"count": 2},
        "web": {"count": 1},
    },
    "storage": {"glusterfs": {"volumes": {"k8s": {"size": "200 GiB"}}}},
    "kubernetes": {"version": "1.36"},
}


def checked(folder: Path, **gluster: Any) -> Result:
    manifest = copy.deepcopy(MANIFEST)
    manifest["storage"]["glusterfs"].update(gluster)
    path = folder / "platform.socle.yml"
    path.write_text(yaml.safe_dump(manifest))
    return validate_file(str(path))


def mapped(folder: Path, **gluster: Any) -> Inventory:
    result = checked(folder, **gluster)
    assert result.ok, result.errors
    return inventory(result.platform, "platform.socle.yml")


def test_servers_and_volumes_are_the_roles_variables(tmp_path: Path) -> None:
    """Catches a brick on the wrong server, and a volume without its size."""
    variables = mapped(tmp_path).groups["glusterfs"]
    assert variables["glusterfs_servers"] == ["10.10.80.1", "10.10.80.2", "10.10.80.3"]
    assert variables["glusterfs_encryption"] is True
    made = volumes(variables["glusterfs_volumes"], variables["glusterfs_servers"], "/srv/gluster")
    assert made[0]["bricks"][0] == "10.10.80.1:/srv/gluster/k8s/brick"
    assert (made[0]["quota"], made[0]["replicas"]) == ("200 GiB", 3)


def test_kubernetes_nodes_mount_the_volumes_unless_others_are_named(tmp_path: Path) -> None:
    """Catches a node on which a pod finds an empty folder."""
    assert hosts_of(mapped(tmp_path), "glusterfs_clients") == [
        "control-1",
        "control-2",
        "control-3",
        "worker-1",
        "worker-2",
    ]
    assert hosts_of(mapped(tmp_path, clients="web"), "glusterfs_clients") == ["web-1"]
    assert hosts_of(mapped(tmp_path, clients=[]), "glusterfs_clients") == []
    variables = mapped(tmp_path, clients="web").groups["glusterfs_clients"]
    assert variables["glusterfs_volumes"][0]["name"] == "k8s"


def test_clients_that_are_no_group_are_refused(tmp_path: Path) -> None:
    """Catches a typing error that leaves a volume unmounted."""
    result = checked(tmp_path, clients="wbe")
    assert [error.dotted() for error in result.errors] == ["storage.glusterfs.clients"]


def test_servers_answer_to_the_rack_only(tmp_path: Path) -> None:
    """Catches bricks that are open to the public side, and ports that the role does not use."""
    made = mapped(tmp_path, encryption=False)
    assert made.hosts["gluster-2"][OPENINGS] == [
        {"name": "glusterfs", "ports": ["24007", "49152-49251"], "protocol": "tcp", "sources": ["10.10.0.0/16"]}
    ]
    assert "24009" in mapped(tmp_path).hosts["gluster-2"][OPENINGS][0]["ports"]
    defaults = yaml.safe_load((Path(__file__).parents[3] / "roles/glusterfs/defaults/main.yml").read_text())
    assert (defaults["glusterfs_first_port"], defaults["glusterfs_last_port"]) == (49152, 49251)
    assert defaults["glusterfs_unlock_port"] == 24009


@pytest.mark.parametrize("volume", [{"replicas": 2}, {"replicas": 2, "arbiter": False}])
def test_two_copies_without_an_arbiter_are_refused_for_one_volume_too(tmp_path: Path, volume: dict[str, Any]) -> None:
    """Catches a volume of its own that may split its brain."""
    result = checked(tmp_path, volumes={"k8s": {"size": "1 GiB", **volume}})
    assert any("split brain" in error.what for error in result.errors)


def test_a_volumes_own_copies_use_and_options_arrive(tmp_path: Path) -> None:
    """Catches a setting of one volume that the cluster's own setting hides."""
    made = mapped(
        tmp_path,
        volumes={"vm": {"size": "1 GiB", "replicas": 2, "arbiter": True, "use": "vm", "options": {"a.b": "c"}}},
    )
    row = made.groups["glusterfs"]["glusterfs_volumes"][0]
    assert (row["replicas"], row["arbiter"], row["use"], row["options"]) == (2, True, "vm", {"a.b": "c"})
