# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A valid manifest with what follows from it: hosts, their addresses and ids, and the groups they are in."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .addresses import Rack


@dataclass(frozen=True)
class Host:
    """A hypervisor, a machine or a server."""

    name: str
    kind: str
    group: str
    number: int
    address: str | None
    """Its address in the rack network; a server's only one."""
    public_address: str | None = None
    vm_id: int | None = None
    on: str | None = None
    """The hypervisor role or node it should lie on."""


@dataclass(frozen=True)
class Function:
    """A group of hosts by what they do, and the machine or server groups that do it."""

    name: str
    groups: tuple[str, ...]
    path: tuple[Any, ...]
    """Where the manifest says it."""
    parent: str | None = None


@dataclass
class Platform:
    """What a manifest means."""

    manifest: Any

    @cached_property
    def rack(self) -> Rack | None:
        hypervisors = self.manifest.hypervisors
        if hypervisors is None:
            return None
        network = ipaddress.IPv4Network(hypervisors.network.rack)
        return Rack(network, hypervisors.network.gateway, hypervisors.first_id)

    @property
    def public_prefix(self) -> int:
        """Of a machine's public address; one that is in no network of ours stands for itself."""
        network = self.manifest.hypervisors.network.public_network
        return ipaddress.IPv4Network(network).prefixlen if network else 32

    @cached_property
    def hosts(self) -> list[Host]:
        return [*self._hypervisors(), *self._machines(), *self._servers()]

    @cached_property
    def _by_group(self) -> dict[str, list[Host]]:
        found: dict[str, list[Host]] = {}
        for host in self.hosts:
            if host.kind != "hypervisor":
                found.setdefault(host.group, []).append(host)
        return found

    def of_group(self, group: str) -> list[Host]:
        return self._by_group.get(group, [])

    def _hypervisors(self) -> Iterator[Host]:
        rack = self.rack
        if rack is None:
            return
        for name, node in self.manifest.hypervisors.nodes.items():
            address = node.rack_address or (rack.node(name) if rack.unit else None)
            yield Host(name, "hypervisor", node.role, 0, address, node.address)

    def _machines(self) -> Iterator[Host]:
        rack = self.rack
        for name, group in self.manifest.machines.items():
            for number in range(1, group.count + 1):
                address = None
                if rack is not None and (rack.unit or group.addresses):
                    address = rack.machine(name, number, group.addresses)
                public = group.public_addresses[number - 1] if number <= len(group.public_addresses) else None
                vm_id = None
                if group.ids is not None:
                    vm_id = group.ids + number - 1
                elif rack is not None and address is not None:
                    vm_id = rack.vm_id(address)
                on = group.on[(number - 1) % len(group.on)] if group.on else None
                yield Host(f"{name}-{number}", "machine", name, number, address, public, vm_id, on)

    def _servers(self) -> Iterator[Host]:
        for name, group in self.manifest.servers.items():
            for number, address in enumerate(group.addresses, 1):
                yield Host(f"{name}-{number}", "server", name, number, address, address)

    @cached_property
    def functions(self) -> list[Function]:
        """What the groups are for, as the sections say."""
        found = []
        manifest = self.manifest
        if manifest.kubernetes is not None:
            kubernetes = manifest.kubernetes
            control = (kubernetes.control_plane,)
            found.append(Function("kubernetes_control_plane", control, ("kubernetes", "control_plane"), "kubernetes"))
            workers = tuple(kubernetes.workers)
            found.append(Function("kubernetes_workers", workers, ("kubernetes", "workers"), "kubernetes"))
        if manifest.swarm is not None:
            found.append(Function("swarm_managers", tuple(manifest.swarm.managers), ("swarm", "managers"), "swarm"))
            found.append(Function("swarm_workers", tuple(manifest.swarm.workers), ("swarm", "workers"), "swarm"))
        if manifest.access.openvpn is not None:
            found.append(Function("openvpn", (manifest.access.openvpn.machines,), ("access", "openvpn", "machines")))
        if manifest.storage.glusterfs is not None:
            found.append(
                Function("glusterfs", (manifest.storage.glusterfs.machines,), ("storage", "glusterfs", "machines"))
            )
            clients = manifest.storage.glusterfs.clients
            if clients:
                found.append(Function("glusterfs_clients", tuple(clients), ("storage", "glusterfs", "clients")))
        gitlab, runners = manifest.delivery.gitlab, manifest.delivery.runners
        if gitlab is not None and gitlab.install == "machine":
            found.append(Function("gitlab", (gitlab.machines,), ("delivery", "gitlab", "machines")))
        if runners is not None and runners.machines is not None:
            found.append(Function("gitlab_runners", (runners.machines,), ("delivery", "runners", "machines")))
        return found

    @cached_property
    def host_groups(self) -> set[str]:
        return {*self.manifest.machines, *self.manifest.servers}

    def vip(self) -> str | None:
        """The address of the cluster's API."""
        kubernetes = self.manifest.kubernetes
        if kubernetes is None:
            return None
        if kubernetes.vip:
            return str(kubernetes.vip)
        return self.rack.vip if self.rack is not None and self.rack.unit else None

    def pool(self) -> str | None:
        """What MetalLB gives out."""
        service = self.manifest.services.load_balancer
        if service is not None and service.pool:
            return str(service.pool)
        if self.manifest.kubernetes is None or self.rack is None or not self.rack.unit:
            return None
        return self.rack.pool


def group_name(label: str) -> str:
    """Ansible's groups are identifiers."""
    return label.replace("-", "_")


# Groups whose names have a meaning of their own. (Those of the sections, such as gitlab, only where the section is.)
RESERVED = (
    "all",
    "ungrouped",
    "localhost",
    "hypervisors",
    "machines",
    "servers",
    "clouds",
    "kubernetes",
    "kubernetes_control_plane",
    "kubernetes_workers",
    "swarm",
    "swarm_managers",
    "swarm_workers",
)
