# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: proxmox_machines
author:
  - The Socle authors (@socle-platform)
short_description: Hosts of a manifest as machines of Proxmox
version_added: 0.1.0
description:
  - Turns hosts that the inventory plugin P(socle.platform.manifest#inventory) has made into the list that
    M(socle.platform.proxmox_machines) takes.
  - It reads C(socle_machine), C(socle_rack), C(socle_vm_id), C(socle_address), C(socle_public_address) and C(socle_on)
    of each host, and the groups of hypervisors.
positional: hostvars, groups, user, ssh_keys
options:
  _input:
    description: Names of the hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: Variables of all hosts.
    type: dict
    required: true
  groups:
    description: Members of all groups.
    type: dict
    required: true
  user:
    description: The user of cloud-init.
    type: str
    default: socle
  ssh_keys:
    description: SSH keys of this user.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Keep all machines of the manifest
  socle.platform.proxmox_machines:
    api_host: [pve1.example.org]
    api_token_id: socle@pve!socle
    api_token_secret: "{{ token }}"
    platform: "{{ socle_platform.name }}"
    machines: "{{ groups['machines'] | socle.platform.proxmox_machines(hostvars, groups, 'ops', [ssh_key]) }}"
"""

RETURN = r"""
_value:
  description: The machines.
  type: list
  elements: dict
"""

import typing as t
from collections.abc import Mapping, Sequence

from ansible.errors import AnsibleFilterError


def proxmox_machines(
    names: Sequence[str],
    hostvars: Mapping[str, t.Any],
    groups: Mapping[str, Sequence[str]],
    user: str = "socle",
    ssh_keys: Sequence[str] = (),
) -> list[dict[str, t.Any]]:
    """A machine of Proxmox for each host."""
    return [machine(name, hostvars[name], groups, user, ssh_keys) for name in names]


def machine(
    name: str, host: Mapping[str, t.Any], groups: Mapping[str, Sequence[str]], user: str, ssh_keys: Sequence[str]
) -> dict[str, t.Any]:
    wanted, rack = host.get("socle_machine"), host.get("socle_rack")
    if not wanted or not rack:
        raise AnsibleFilterError(
            f"{name} is in the group machines and no machine of a manifest with hypervisors: it has no "
            f"{'socle_rack' if wanted else 'socle_machine'}"
        )
    disks = [{"size": f"{wanted['disk_mib']} MiB"}]
    if wanted.get("data_disk_mib"):
        disks.append({"size": f"{wanted['data_disk_mib']} MiB"})
    if wanted.get("storage"):
        disks = [{**disk, "storage": wanted["storage"]} for disk in disks]
    made: dict[str, t.Any] = {
        "name": name,
        "id": host.get("socle_vm_id"),
        "group": wanted["group"],
        "nodes": _nodes(name, host.get("socle_on"), groups),
        "template": wanted.get("template"),
        "storage": wanted.get("storage"),
        "cores": wanted["cores"],
        "memory": f"{wanted['memory_mib']} MiB",
        "disks": disks,
        "nics": _nics(host, wanted, rack),
        "cloud_init": {"user": user, "ssh_keys": list(ssh_keys), "nameservers": list(rack.get("dns") or [])},
        "tags": list(wanted.get("tags") or []),
        "pool": (host.get("socle_platform") or {}).get("name"),
        "started": bool(wanted.get("start", True)),
    }
    domain = (host.get("socle_platform") or {}).get("domain")
    if domain:
        made["cloud_init"]["search_domains"] = [domain]
    if not made["cloud_init"]["nameservers"]:
        del made["cloud_init"]["nameservers"]
    return {key: value for key, value in made.items() if value is not None}


def _nodes(name: str, on: str | None, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """A node of that name, or the nodes that are strong in it; any when nothing is said."""
    there = list(groups.get("hypervisors", ()))
    if not on:
        return there
    found = [on] if on in there else list(groups.get(f"hypervisors_{on}".replace("-", "_"), ()))
    if not found:
        raise AnsibleFilterError(
            f"{name} is to lie on {on}, and no hypervisor has that name or role: {', '.join(there)}"
        )
    return found


def _nics(host: Mapping[str, t.Any], wanted: Mapping[str, t.Any], rack: Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    inner: dict[str, t.Any] = {"bridge": rack["bridge"], "address": f"{host['socle_address']}/{rack['prefix']}"}
    if rack.get("mtu"):
        inner["mtu"] = rack["mtu"]
    public = host.get("socle_public_address")
    if not wanted.get("public"):
        return [_routed(inner, rack.get("gateway"))]
    outer = {"bridge": rack.get("public_bridge") or "vmbr0", "address": "dhcp"}
    if not public:
        # DHCP brings the default route; two would be one too many.
        return [inner, outer]
    outer["address"] = f"{public}/{rack.get('public_prefix') or 32}"
    if rack.get("public_gateway"):
        return [inner, _routed(outer, rack["public_gateway"])]
    return [_routed(inner, rack.get("gateway")), outer]


def _routed(nic: dict[str, t.Any], gateway: str | None) -> dict[str, t.Any]:
    return {**nic, "gateway": gateway} if gateway else nic


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"proxmox_machines": proxmox_machines}
