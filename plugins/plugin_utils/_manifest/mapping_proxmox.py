# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Mapping: variables of the roles proxmox_node and proxmox_platform, on the group and hosts of hypervisors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .catalogue import CLOUD_IMAGES
from .platform import Host, Platform, group_name
from .references import by_reference

if TYPE_CHECKING:
    from .mapping import Inventory

# Images need a storage that takes them, and what others have set on theirs is left alone.
IMAGES = {"name": "socle-images", "type": "dir", "content": ["import"], "options": {"path": "/var/lib/socle/images"}}


def proxmox(platform: Platform, made: Inventory) -> None:
    """Variables that the roles document; machines themselves are made of their own hosts' variables."""
    hypervisors = platform.manifest.hypervisors
    if hypervisors is None or platform.rack is None:
        return
    hosts = [host for host in platform.hosts if host.kind == "hypervisor"]
    made.groups["hypervisors"].update(_cluster(platform, hosts))
    for host in hosts:
        made.hosts[host.name].update(_node(platform, host))
    _templates(platform, made)


def _templates(platform: Platform, made: Inventory) -> None:
    """What is to be made of images, and machines' templates by their whole names."""
    hypervisors, machines = platform.manifest.hypervisors, platform.manifest.machines
    used = {group.template or hypervisors.template for group in machines.values()}
    named: dict[str, dict[str, Any]] = {}
    for name in sorted({*hypervisors.templates, *used}):
        version, url, checksum = _image(name, hypervisors.templates)
        if url:
            named[name] = {
                "name": name,
                "version": version,
                "url": url,
                "checksum": checksum,
                "storage": hypervisors.storage,
                "image_storage": hypervisors.images or IMAGES["name"],
            }
    if named:
        made.groups["hypervisors"]["proxmox_platform_templates"] = list(named.values())
        if hypervisors.images is None:
            made.groups["hypervisors"]["proxmox_platform_image_storages"] = [IMAGES]
    for group in machines:
        machine = made.groups[group_name(group)]["socle_machine"]
        template = named.get(machine["template"])
        if template is not None:
            machine["template"] = f"{template['name']}-{template['version']}"


def _image(name: str, given: dict[str, Any]) -> tuple[str, str | None, str]:
    """Version, URL and checksum of a template's image; no URL when it is there already."""
    image = given.get(name)
    if image is None:
        return CLOUD_IMAGES.get(name, ("", None, ""))
    digits = (image.checksum or "").partition(":")[2]
    return image.version or digits[:12], image.url, image.checksum or ""


def _cluster(platform: Platform, hosts: list[Host]) -> dict[str, Any]:
    hypervisors, api = platform.manifest.hypervisors, platform.manifest.hypervisors.api
    reach = {host.name: _at(host, api.port) for host in hosts}
    variables: dict[str, Any] = {
        "socle_install_nodes": hypervisors.install,
        "proxmox_node_domain": platform.manifest.platform.domain,
        "proxmox_node_peers": {host.name: host.public_address for host in hosts},
        "proxmox_node_timezone": platform.manifest.platform.timezone,
        "proxmox_platform_name": platform.manifest.platform.name,
        "proxmox_platform_cluster": hypervisors.cluster,
        "proxmox_platform_nodes": [
            {"name": host.name, "api_host": reach[host.name], "links": [host.address] if host.address else []}
            for host in hosts
        ],
        "proxmox_platform_api_host": list(reach.values()),
        "proxmox_platform_api_port": api.port,
        "proxmox_platform_reach": reach,
        "proxmox_platform_installs": hypervisors.install,
        "proxmox_platform_user": api.user,
    }
    if api.token is not None:
        variables["proxmox_platform_token"] = by_reference(api.token, "hypervisors", "api", "token")
        variables["proxmox_platform_token_secret"] = ""
    if api.ca_file is not None:
        variables["proxmox_platform_ca_path"] = api.ca_file
    if hypervisors.qdevice is not None:
        variables["proxmox_node_qdevice"] = hypervisors.qdevice
    if hypervisors.managers:
        variables["proxmox_platform_firewall"] = _firewall(platform, hosts)
    networks = [network for network in (_network(platform, host) for host in hosts) if network]
    if networks:
        variables["proxmox_platform_networks"] = networks
    return variables


def _firewall(platform: Platform, hosts: list[Host]) -> dict[str, Any]:
    """Closed to all but the managers, the rack, and the nodes: they migrate machines over their public addresses."""
    hypervisors = platform.manifest.hypervisors
    members = [{"cidr": network, "comment": "managers"} for network in hypervisors.managers]
    members.append({"cidr": hypervisors.network.rack, "comment": "rack"})
    members += [{"cidr": host.public_address, "comment": host.name} for host in hosts]
    unique = {member["cidr"]: member for member in reversed(members)}
    return {
        "cluster": {
            "options": {"enable": True, "policy_in": "DROP"},
            "ipsets": [{"name": "management", "members": list(reversed(unique.values()))}],
        }
    }


def _at(host: Host, port: int) -> str:
    return f"[{host.public_address}]:{port}" if ":" in str(host.public_address) else f"{host.public_address}:{port}"


def _network(platform: Platform, host: Host) -> dict[str, Any] | None:
    """The bridge of the rack, where the manifest says on which interface it stands."""
    network = platform.manifest.hypervisors.network
    interface = platform.manifest.hypervisors.nodes[host.name].interface
    if not interface or platform.rack is None or not host.address:
        return None
    bridge: dict[str, Any] = {
        "name": network.bridge,
        "type": "bridge",
        "ports": [f"{interface}.{network.vlan}" if network.vlan else interface],
        "address": f"{host.address}/{platform.rack.network.prefixlen}",
        "autostart": True,
    }
    if network.mtu:
        bridge["mtu"] = network.mtu
    return {"name": host.name, "interfaces": [bridge]}


def _node(platform: Platform, host: Host) -> dict[str, Any]:
    network = platform.manifest.hypervisors.network
    interface = platform.manifest.hypervisors.nodes[host.name].interface
    variables: dict[str, Any] = {"proxmox_node_address": host.public_address}
    if interface and platform.rack is not None and host.address:
        variables.update(
            proxmox_node_rack_interface=interface,
            proxmox_node_rack_address=f"{host.address}/{platform.rack.network.prefixlen}",
            proxmox_node_rack_bridge=network.bridge,
            proxmox_node_rack_vlan=network.vlan or 0,
            proxmox_node_rack_mtu=network.mtu or 0,
        )
    return variables
