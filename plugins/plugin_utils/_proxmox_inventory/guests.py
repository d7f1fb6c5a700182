# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""From what the API answers to the variables and groups of hosts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from ansible_collections.socle.platform.plugins.module_utils._proxmox.properties import parse, parse_nic
from ansible_collections.socle.platform.plugins.module_utils._proxmox.session import flag, words

_DISK = re.compile(r"(?:virtio|sata|ide|scsi|efidisk|tpmstate|unused|mp)\d*|rootfs")
_NET, _IPCONFIG = re.compile(r"net(\d+)"), re.compile(r"ipconfig(\d+)")
_PROPERTIES = re.compile(
    r"(?:ipconfig|hostpci|serial|usb|numa|virtiofs)\d+|smbios1|agent|vga|boot|cpu|startup|features|meta"
)
_FIRST_KEY = {"agent": "enabled", "vga": "type", "boot": "legacy", "cpu": "type", "startup": "order"}


@dataclass
class Guest:
    """One guest of the list, and what else was asked about it."""

    vmid: int
    node: str
    type: str
    row: Mapping[str, Any]
    name: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        return str(self.row.get("status") or "unknown")

    @property
    def template(self) -> bool:
        return flag(self.row.get("template", 0))

    @property
    def tags(self) -> list[str]:
        return words(self.row.get("tags"))

    @property
    def pool(self) -> str:
        return str(self.row.get("pool") or "")

    @property
    def path(self) -> str:
        return f"/nodes/{self.node}/{self.type}/{self.vmid}"

    def base(self) -> dict[str, Any]:
        """What the list of all guests says, under names without prefix."""
        row = self.row
        return {
            "vmid": self.vmid,
            "name": self.name,
            "node": self.node,
            "type": self.type,
            "status": self.status,
            "template": self.template,
            "tags": self.tags,
            "pool": self.pool,
            "lock": str(row.get("lock") or ""),
            "ha_state": str(row.get("hastate") or ""),
            "cores": row.get("maxcpu", 0),
            "memory": row.get("maxmem", 0),
            "disk": row.get("maxdisk", 0),
            "uptime": row.get("uptime", 0),
        }

    def groups(self) -> list[str]:
        """Names without prefix, not yet made safe."""
        named = [self.type, self.status, f"node_{self.node}", *(f"tag_{tag}" for tag in self.tags)]
        return [*named, f"pool_{self.pool}"] if self.pool else named


def guests_of(rows: Iterable[Mapping[str, Any]]) -> list[Guest]:
    found = []
    for row in rows:
        if row.get("type") in ("qemu", "lxc"):
            guest = Guest(int(row["vmid"]), str(row["node"]), str(row["type"]), row, str(row.get("name") or ""))
            found.append(guest)
    return sorted(found, key=lambda guest: guest.vmid)


def name_hosts(guests: Sequence[Guest]) -> tuple[dict[str, Guest], list[str]]:
    """Each guest under its name. Proxmox lets two have one name; a host that is two machines would be a trap."""
    by_name: dict[str, list[Guest]] = {}
    for guest in guests:
        by_name.setdefault(guest.name or f"guest-{guest.vmid}", []).append(guest)
    hosts: dict[str, Guest] = {}
    warnings = []
    for name, those in by_name.items():
        if len(those) == 1:
            hosts[name] = those[0]
            continue
        ids = ", ".join(f"{guest.vmid} on {guest.node}" for guest in those)
        warnings.append(f"{len(those)} guests have the name {name} ({ids}); each is called {name}-ID here: rename them")
        hosts.update({f"{name}-{guest.vmid}": guest for guest in those})
    return hosts, warnings


def config_facts(config: Mapping[str, Any]) -> dict[str, Any]:
    """A guest's configuration with its property strings taken apart."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if _NET.fullmatch(key):
            found[key] = parse_nic(str(value)) if "hwaddr" not in str(value) else parse(str(value), "name")
        elif _DISK.fullmatch(key):
            found[key] = parse(str(value), "volume")
        elif _PROPERTIES.fullmatch(key):
            found[key] = parse(str(value), _FIRST_KEY.get(key, "value"))
        elif key == "tags":
            found[key] = words(value)
        elif key == "sshkeys":
            found[key] = [line for line in unquote(str(value)).splitlines() if line.strip()]
        else:
            found[key] = value
    return found


def fixed_addresses(config: Mapping[str, Any]) -> list[str]:
    """Addresses that the configuration itself gives, in the order of the network cards."""
    pattern = _NET if any("hwaddr" in str(value) for key, value in config.items() if _NET.fullmatch(key)) else _IPCONFIG
    found: list[tuple[int, str]] = []
    for key, value in config.items():
        match = pattern.fullmatch(key)
        parts = parse(str(value), "value") if match else {}
        for name in ("ip", "ip6"):
            address = parts.get(name, "").partition("/")[0]
            if match and _is_address(address):
                found.append((int(match[1]), address))
    return [address for _place, address in sorted(found, key=lambda item: item[0])]


def wants_agent(config: Mapping[str, Any]) -> bool:
    return parse(str(config.get("agent", "")), "enabled").get("enabled", "0") == "1"


def reported_addresses(interfaces: Iterable[Mapping[str, Any]], config: Mapping[str, Any]) -> list[str]:
    """Addresses that the guest reports on its own network cards; those of bridges and containers inside are not its."""
    cards = [
        parse_nic(str(config[key])).get("mac") or parse(str(config[key]), "name").get("hwaddr", "")
        for key in sorted((key for key in config if _NET.fullmatch(key)), key=lambda key: int(key[3:]))
    ]
    order = {mac.upper(): place for place, mac in enumerate(cards) if mac}
    found: list[tuple[int, str]] = []
    for interface in interfaces:
        mac = str(interface.get("hardware-address") or interface.get("hwaddr") or "").upper()
        if mac not in order:
            continue
        rows = interface.get("ip-addresses") or []
        given = [str(row.get("ip-address", "")) for row in rows]
        if not rows:
            given = [str(interface.get(name) or "").partition("/")[0] for name in ("inet", "inet6")]
        found += [(order[mac], address) for address in given if _is_address(address)]
    return [address for _place, address in sorted(found, key=lambda item: item[0])]


def reach(addresses: Sequence[str], networks: Sequence[str]) -> str:
    """The address to connect to: one in the first of `networks` that has any, else IPv4 before IPv6."""
    usable = [address for address in addresses if _usable(address)]
    for network in networks:
        inside = ipaddress.ip_network(network, strict=False)
        for address in usable:
            if ipaddress.ip_address(address) in inside:
                return address
    if networks:
        return ""
    return next(iter(sorted(usable, key=lambda address: ":" in address)), "")


def _usable(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    return not (ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
