# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cloud-init drive of a node tells it, when no hypervisor writes it."""

from __future__ import annotations

import hashlib
import ipaddress

from .network import PUBLIC, RACK, WORLD, Card, mac
from .nodes import Node

USER = "socle"


def node(
    lab: str,
    name: str,
    image: str,
    key: str,
    *,
    address: str = "",
    public_address: str = "",
    disks: dict[str, int] | None = None,
) -> Node:
    """A node with a leg in the rack, on the public side, or both; by default it goes out the public way."""
    cards, config = [], []
    for bridge, ip in ((RACK, address), (PUBLIC, public_address)):
        if ip:
            card = Card(bridge.name, mac(lab, name, bridge.name), f"eth{len(cards)}")
            cards.append(card)
            gateway = bridge is PUBLIC or not public_address
            config.append(_card(card, ip, bridge.gateway, gateway=gateway))
    network = "version: 1\nconfig:\n" + "".join(config) + f"  - type: nameserver\n    address: ['{WORLD}']\n"
    user = "\n".join(
        [
            "#cloud-config", f"hostname: {name}", f"fqdn: {name}.lab.test", "manage_etc_hosts: true",
            f"user: {USER}", "ssh_authorized_keys:", f"  - {key.strip()}",
            "chpasswd: {expire: false}", "users: [default]", "",
        ]
    )  # fmt: skip
    identity = hashlib.sha256((network + user).encode()).hexdigest()[:20]
    seed = {"user-data": user, "network-config": network, "meta-data": f"instance-id: {identity}\n"}
    return Node(name, name, image, cards, seed, disks or {}, address=address or public_address, user=USER)


def _card(card: Card, ip: str, network: str, *, gateway: bool) -> str:
    ends = ipaddress.ip_interface(network)
    lines = [
        "  - type: physical", f"    name: {card.name}", f"    mac_address: '{card.mac}'", "    subnets:",
        "      - type: static", f"        address: '{ip}'", f"        netmask: '{ends.netmask}'",
    ]  # fmt: skip
    if gateway:
        lines.append(f"        gateway: '{ends.ip}'")
    return "\n".join(lines) + "\n"
