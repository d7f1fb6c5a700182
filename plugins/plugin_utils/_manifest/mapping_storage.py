# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Mapping: variables of the role glusterfs, its clients, and what its servers' firewall lets through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .mapping_machines import opening
from .platform import Platform, group_name

if TYPE_CHECKING:
    from .mapping import Inventory

SERVERS, CLIENTS = "glusterfs", "glusterfs_clients"
# The daemon, and the role's own range for bricks.
PORTS: tuple[int | str, ...] = (24007, "49152-49251")
# At which servers with encrypted disks unlock each other.
UNLOCK_PORT = 24009


def storage(platform: Platform, made: Inventory) -> None:
    """Servers that hold the same files, and machines that mount them."""
    gluster = platform.manifest.storage.glusterfs
    if gluster is None:
        return
    variables: dict[str, Any] = {
        "glusterfs_servers": [host.address for host in platform.of_group(gluster.machines)],
        "glusterfs_volumes": [_volume(gluster, name, volume) for name, volume in gluster.volumes.items()],
    }
    made.groups[SERVERS].update(variables, glusterfs_encryption=gluster.encryption)
    made.group(CLIENTS, variables=variables)
    for name in _clients(platform):
        made.group(group_name(name), CLIENTS)
    ports = [*PORTS, UNLOCK_PORT] if gluster.encryption else list(PORTS)
    opening(platform, made, SERVERS, "glusterfs", ports)


def _clients(platform: Platform) -> list[str]:
    """Whom the manifest names; else the nodes of Kubernetes, since a pod may run on any of them."""
    gluster, kubernetes = platform.manifest.storage.glusterfs, platform.manifest.kubernetes
    if gluster.clients is not None:
        return list(gluster.clients)
    if kubernetes is None or not gluster.volumes:
        return []
    return list(dict.fromkeys([kubernetes.control_plane, *kubernetes.workers]))


def _volume(gluster: Any, name: str, volume: Any) -> dict[str, Any]:
    arbiter = gluster.arbiter if volume.arbiter is None else volume.arbiter
    row = {
        "name": name,
        "size": volume.size,
        "replicas": volume.replicas or gluster.replicas,
        "arbiter": arbiter,
        "use": volume.use,
    }
    if volume.options:
        row["options"] = dict(volume.options)
    return row
