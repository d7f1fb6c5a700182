# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cloud-init drive of a guest holds."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from typing import Any
from urllib.parse import unquote

from .world import Guest, Node


def render(guest: Guest, what: str, node: Node) -> str:
    conf = guest.merged()
    if what == "user":
        return _user(guest, conf)
    if what == "network":
        return _network(conf, node)
    digest = hashlib.sha1((_user(guest, conf) + _network(conf, node)).encode(), usedforsecurity=False).hexdigest()
    return f"instance-id: {digest}\n"


def _user(guest: Guest, conf: dict[str, Any]) -> str:
    name = str(conf.get("name", f"VM{guest.vmid}"))
    host = name.partition(".")[0]
    lines = ["#cloud-config", f"hostname: {host}", "manage_etc_hosts: true", f"fqdn: {name}"]
    if conf.get("ciuser"):
        lines.append(f"user: {conf['ciuser']}")
    if conf.get("cipassword"):
        lines.append(f"password: {conf['cipassword']}")
    keys = [key for key in unquote(str(conf.get("sshkeys", ""))).splitlines() if key.strip()]
    if keys:
        lines += ["ssh_authorized_keys:", *(f"  - {key}" for key in keys)]
    lines += ["chpasswd:", "  expire: False", "users:", "  - default"]
    lines.append(f"package_upgrade: {'true' if conf.get('ciupgrade', 1) else 'false'}")
    return "\n".join(lines) + "\n"


def _subnets(config: str) -> list[str]:
    parts = dict(part.partition("=")[::2] for part in config.split(",") if part)
    out: list[str] = []
    if parts.get("ip") == "dhcp":
        out.append("      - type: dhcp4")
    elif "/" in parts.get("ip", ""):
        interface = ipaddress.ip_interface(parts["ip"])
        out += ["      - type: static", f"        address: '{interface.ip}'", f"        netmask: '{interface.netmask}'"]
        if parts.get("gw"):
            out.append(f"        gateway: '{parts['gw']}'")
    if parts.get("ip6") in ("dhcp", "auto"):
        out.append("      - type: dhcp6" if parts["ip6"] == "dhcp" else "      - type: ipv6_slaac")
    elif "/" in parts.get("ip6", ""):
        out += ["      - type: static6", f"        address: '{parts['ip6']}'"]
        if parts.get("gw6"):
            out.append(f"        gateway: '{parts['gw6']}'")
    return out


def _network(conf: dict[str, Any], node: Node) -> str:
    lines = ["version: 1", "config:"]
    nets = sorted((key for key in conf if re.fullmatch(r"net\d+", key)), key=lambda key: int(key[3:]))
    for key in nets:
        mac = str(conf[key]).split(",", maxsplit=1)[0].partition("=")[2].lower()
        number = key[3:]
        lines += ["    - type: physical", f"      name: eth{number}", f"      mac_address: '{mac}'", "      subnets:"]
        lines += _subnets(str(conf.get(f"ipconfig{number}", "")))
    servers = re.split(r"[,; ]+", str(conf.get("nameserver", node.dns.get("dns1", "127.0.0.1"))))
    domains = re.split(r"[,; ]+", str(conf.get("searchdomain", node.dns.get("search", ""))))
    lines += ["    - type: nameserver", "      address:", *(f"      - '{s}'" for s in servers)]
    lines += ["      search:", *(f"      - '{d}'" for d in domains)]
    return "\n".join(lines) + "\n"
