# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""From a platform to an inventory: groups with their variables and children, hosts with theirs. One place for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .base import Section, mebibytes
from .mapping_access import access
from .mapping_clouds import clouds
from .mapping_delivery import delivery
from .mapping_kubernetes import kubernetes
from .mapping_machines import machines
from .mapping_proxmox import proxmox
from .mapping_services import services
from .mapping_storage import storage
from .platform import Host, Platform, group_name

Variables = dict[str, Any]


@dataclass
class Inventory:
    """Plain data; values that are looked up later are still SecretRef, Vault or text with a template in it."""

    hosts: dict[str, Variables] = field(default_factory=dict)
    groups: dict[str, Variables] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    everywhere: Variables = field(default_factory=dict)

    def group(self, name: str, parent: str | None = None, variables: Variables | None = None) -> None:
        self.groups.setdefault(name, {}).update(variables or {})
        self.members.setdefault(name, [])
        siblings = self.children.setdefault(parent, []) if parent else []
        if parent and name not in siblings:
            siblings.append(name)


def inventory(platform: Platform, file: str) -> Inventory:
    """What Ansible gets to see of a platform."""
    made = Inventory()
    made.everywhere = _everywhere(platform, file)
    for build in (
        _hypervisors,
        _machines,
        _servers,
        _functions,
        proxmox,
        machines,
        access,
        storage,
        kubernetes,
        delivery,
        clouds,
        services,
    ):
        build(platform, made)
    return made


def _everywhere(platform: Platform, file: str) -> Variables:
    manifest = platform.manifest
    secrets = given(manifest.secrets)
    wanted = secrets.pop("generate", {})
    secrets["backend"] = manifest.secrets.backend
    return {
        "socle_manifest": file,
        "socle_platform": {
            "name": manifest.platform.name,
            "domain": manifest.platform.domain,
            "timezone": manifest.platform.timezone,
        },
        "socle_secrets": secrets,
        "socle_secrets_wanted": wanted,
    }


def given(section: Any) -> Any:
    """A section as the manifest writes it: without defaults."""
    if isinstance(section, Section):
        return {name: given(getattr(section, name)) for name in type(section).model_fields if section.given(name)}
    if isinstance(section, dict):
        return {name: given(value) for name, value in section.items()}
    if isinstance(section, list):
        return [given(value) for value in section]
    return section


def _rack(platform: Platform) -> Variables:
    if platform.rack is None:
        return {}
    network = platform.manifest.hypervisors.network
    rack = {
        "network": str(platform.rack.network),
        "prefix": platform.rack.network.prefixlen,
        "gateway": platform.rack.gateway_address,
        "bridge": network.bridge,
        "vlan": network.vlan,
        "dns": network.dns,
        "mtu": network.mtu,
        "public_bridge": network.public_bridge,
        "public_prefix": platform.public_prefix,
        "public_gateway": network.public_gateway,
    }
    return {"socle_rack": rack}


def _hypervisors(platform: Platform, made: Inventory) -> None:
    hypervisors = platform.manifest.hypervisors
    if hypervisors is None:
        return
    made.group("hypervisors", variables={"ansible_user": hypervisors.ssh_user, **_rack(platform)})
    for host in platform.hosts:
        if host.kind == "hypervisor":
            group = group_name(f"hypervisors_{host.group}")
            made.group(group, "hypervisors")
            made.members[group].append(host.name)
            made.hosts[host.name] = {"ansible_host": host.public_address, "socle_address": host.address}


def _machines(platform: Platform, made: Inventory) -> None:
    manifest = platform.manifest
    if not manifest.machines:
        return
    made.group("machines", variables={**_rack(platform), **_reached()})
    for name, group in manifest.machines.items():
        machine = {
            "group": name,
            "cores": group.cores,
            "memory_mib": mebibytes(group.memory),
            "disk_mib": mebibytes(group.disk),
            "data_disk_mib": mebibytes(group.data_disk) if group.data_disk else None,
            "storage": group.storage or (manifest.hypervisors.storage if manifest.hypervisors else None),
            "template": group.template or (manifest.hypervisors.template if manifest.hypervisors else None),
            "public": group.public,
            "tags": group.tags,
            "start": group.start,
        }
        made.group(group_name(name), "machines", {"socle_machine": machine})
    for host in platform.hosts:
        if host.kind == "machine":
            made.members[group_name(host.group)].append(host.name)
            made.hosts[host.name] = _machine(host)


def _reached() -> Variables:
    """How machines that the platform makes are entered: with the key that it made for them, and keeps as a secret."""
    key = "{{ lookup('socle.platform.secret_file', 'machines/ssh') }}"
    return {"ansible_user": "socle", "ansible_ssh_private_key_file": key}


def _machine(host: Host) -> Variables:
    variables = {"ansible_host": host.address, "socle_address": host.address, "socle_vm_id": host.vm_id}
    if host.on:
        variables["socle_on"] = host.on
    if host.public_address:
        variables["socle_public_address"] = host.public_address
    return variables


def _servers(platform: Platform, made: Inventory) -> None:
    if not platform.manifest.servers:
        return
    made.group("servers")
    for name, group in platform.manifest.servers.items():
        made.group(group_name(name), "servers", {"ansible_user": group.user, "ansible_port": group.port})
    for host in platform.hosts:
        if host.kind == "server":
            made.members[group_name(host.group)].append(host.name)
            made.hosts[host.name] = {"ansible_host": host.address, "socle_address": host.address}


def _functions(platform: Platform, made: Inventory) -> None:
    for function in platform.functions:
        if function.parent:
            made.group(function.parent)
        made.group(function.name, function.parent)
        for name in function.groups:
            if group_name(name) != function.name:
                made.group(group_name(name), function.name)
