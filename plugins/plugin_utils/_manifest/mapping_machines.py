# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Mapping: variables of the role machine_base, and the way in which other sections name their ports.

Lists of several groups do not add up in Ansible, so openings and forwarding lie on the hosts themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .platform import Platform, group_name

if TYPE_CHECKING:
    from .mapping import Inventory

ANYWHERE = ("0.0.0.0/0", "::/0")
PAIR, API_PORT = "load_balancer", 6443
OPENINGS, FORWARDING = "machine_base_openings", "machine_base_forwarding"


def opening(
    platform: Platform,
    made: Inventory,
    group: str,
    name: str,
    ports: Iterable[int | str],
    *,
    protocol: str = "tcp",
    sources: Iterable[str] | None = None,
) -> None:
    """Open `ports` (8080, or "49152-49251") to `sources`, the rack if not said, on every host of an inventory group."""
    hosts = hosts_of(made, group)
    allowed = list(sources) if sources is not None else _neighbours(platform, made, hosts)
    entry = {"name": name, "ports": [str(port) for port in ports], "protocol": protocol, "sources": allowed}
    for host in hosts:
        made.hosts[host].setdefault(OPENINGS, []).append(entry)


def forwarding(
    made: Inventory,
    group: str,
    name: str,
    *,
    sources: Iterable[str] = (),
    destinations: Iterable[str] = (),
    masquerade: bool = False,
) -> None:
    """Let the hosts of a group carry traffic that begins in `sources` to `destinations`; each is anything if empty."""
    entry = {
        "name": name,
        "sources": list(sources),
        "destinations": list(destinations),
        "masquerade": masquerade,
    }
    for host in hosts_of(made, group):
        made.hosts[host].setdefault(FORWARDING, []).append(entry)


def hosts_of(made: Inventory, group: str) -> list[str]:
    """Members of a group and of the groups in it, each once."""
    found = dict.fromkeys(made.members.get(group, []))
    for child in made.children.get(group, []):
        found.update(dict.fromkeys(hosts_of(made, child)))
    return list(found)


def machines(platform: Platform, made: Inventory) -> None:
    """What every machine and server gets, whatever it is for."""
    manifest = platform.manifest
    common = {
        "machine_base_timezone": manifest.platform.timezone,
        "machine_base_maintenance": manifest.platform.maintenance,
        "machine_base_people": [
            {"name": name, "comment": person.name or "", "keys": person.ssh_keys, "admin": person.admin}
            for name, person in manifest.people.items()
            if person.ssh_keys
        ],
    }
    if manifest.mirror is not None and manifest.mirror.ca_file:
        common["machine_base_ca_files"] = {"mirror": manifest.mirror.ca_file}
    if manifest.machines:
        made.groups["machines"].update(common, **_machines_ssh(platform))
    if manifest.servers:
        made.groups["servers"].update(common)
    for name, entry in manifest.access.open.items():
        for label in entry.machines:
            if not _is_ssh_of_servers(platform, label, entry):
                ports, group = [entry.port], group_name(label)
                opening(platform, made, group, name, ports, protocol=entry.protocol, sources=entry.sources)
    load_balancers(platform, made)
    for label, group in manifest.servers.items():
        made.groups[group_name(label)].update(
            machine_base_ssh_port=group.port, machine_base_ssh_networks=_servers_ssh(platform, label)
        )


def load_balancers(platform: Platform, made: Inventory) -> None:
    """A machine group called load-balancer carries the address of the cluster's API."""
    kubernetes, vip, rack = platform.manifest.kubernetes, platform.vip(), platform.rack
    pair = platform.of_group("load-balancer") if "load-balancer" in platform.manifest.machines else []
    if not pair or rack is None or vip is None or kubernetes.load_balancer != "haproxy":
        return
    peers = [str(host.address) for host in pair]
    control = [
        host for name in hosts_of(made, "kubernetes_control_plane") for host in platform.hosts if host.name == name
    ]
    made.groups[PAIR].update(
        load_balancer_name=platform.manifest.platform.name,
        load_balancer_peers=peers,
        load_balancer_addresses=[f"{vip}/{rack.network.prefixlen}"],
        load_balancer_services=[
            {
                "name": "kubernetes",
                "port": API_PORT,
                "check_path": "/readyz",
                "check_tls": True,
                "servers": [{"name": host.name, "address": host.address} for host in control],
            }
        ],
    )
    opening(platform, made, PAIR, "kubernetes", [API_PORT])
    opening(platform, made, PAIR, "vrrp", [], protocol="vrrp", sources=peers)


def _machines_ssh(platform: Platform) -> dict[str, Any]:
    """From the rack and, through the tunnel, from people: the public side only where the manifest opens the port."""
    access = platform.manifest.access
    networks = [str(platform.rack.network)] if platform.rack is not None else []
    if access.openvpn is not None:
        networks.append(access.openvpn.network)
    return {"machine_base_ssh_port": access.ssh_port, "machine_base_ssh_networks": networks}


def _servers_ssh(platform: Platform, label: str) -> list[str]:
    """Rented servers have no rack to come in through: anybody may knock, unless the manifest says who."""
    named = [
        source
        for entry in platform.manifest.access.open.values()
        if label in entry.machines and _is_ssh_of_servers(platform, label, entry)
        for source in entry.sources
    ]
    return list(dict.fromkeys(named)) or list(ANYWHERE)


def _is_ssh_of_servers(platform: Platform, label: str, entry: Any) -> bool:
    servers = platform.manifest.servers.get(label)
    return servers is not None and entry.port == servers.port and entry.protocol == "tcp"


def _neighbours(platform: Platform, made: Inventory, hosts: list[str]) -> list[str]:
    """The rack; where there is none, the hosts of the group themselves."""
    if platform.rack is not None:
        return [str(platform.rack.network)]
    return [str(made.hosts[host]["socle_address"]) for host in hosts if made.hosts[host].get("socle_address")]
