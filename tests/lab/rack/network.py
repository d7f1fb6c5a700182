# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's network: a namespace of its own with a bridge per network, and a namespace per node.

A node's namespace outlives its container, as the cables of a server outlive its operating system: a node that reboots
finds its cards as they were. Nothing is ever added to the machine's own interfaces, routes or firewall.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from .command import finished, inside, run

# Stands where the Internet would: packages and whatever else the lab offers are served here.
WORLD = "192.0.2.1"


@dataclass(frozen=True)
class Bridge:
    """A network; the machine's own end of it is its gateway."""

    name: str
    gateway: str


PUBLIC = Bridge("vmbr0", "203.0.113.1/24")
RACK = Bridge("vmbr1", "10.10.0.1/16")
BRIDGES = (PUBLIC, RACK)


@dataclass(frozen=True)
class Card:
    """A network card of a node."""

    bridge: str
    mac: str
    name: str = "eth0"


def exists(netns: str) -> bool:
    return Path("/run/netns", netns).exists()


def create(netns: str, bridges: tuple[Bridge, ...] = BRIDGES) -> None:
    """Bring it to what it should be, whatever is there already."""
    if not exists(netns):
        run("ip", "netns", "add", netns)
        run("ip", "-n", netns, "link", "set", "lo", "up")
    run("ip", "-n", netns, "address", "replace", f"{WORLD}/32", "dev", "lo")
    for bridge in bridges:
        add_bridge(netns, bridge)


def add_bridge(netns: str, bridge: Bridge) -> None:
    if finished(["ip", "-n", netns, "link", "show", bridge.name], check=False).returncode:
        run("ip", "-n", netns, "link", "add", bridge.name, "type", "bridge")
    if bridge.gateway:
        run("ip", "-n", netns, "address", "replace", bridge.gateway, "dev", bridge.name)
    run("ip", "-n", netns, "link", "set", bridge.name, "up")


def plug(netns: str, node_netns: str, cards: list[Card]) -> None:
    """Give a node exactly these cards; what is there and right stays untouched."""
    if not exists(node_netns):
        run("ip", "netns", "add", node_netns)
    present = run("ip", "-n", node_netns, "-o", "link", "show")
    for card in cards:
        port = port_name(node_netns, card.name)
        if f" {card.name}@" in present and card.mac not in present:
            run("ip", "-n", netns, "link", "delete", port)
            present = ""
        if f" {card.name}@" not in present:
            add_bridge(netns, Bridge(card.bridge, ""))
            run(
                "ip", "-n", netns, "link", "add", port, "type", "veth",
                "peer", "name", card.name, "address", card.mac, "netns", node_netns,
            )  # fmt: skip
        run("ip", "-n", netns, "link", "set", port, "master", card.bridge, "up")
    for word in present.split():
        name = word.partition("@")[0]
        if name.startswith("eth") and name not in {card.name for card in cards}:
            run("ip", "-n", netns, "link", "delete", port_name(node_netns, name), check=False)


def carrier(netns: str, node_netns: str, card: str, *, up: bool) -> None:
    """Pull a card's cable, or put it back."""
    run("ip", "-n", netns, "link", "set", port_name(node_netns, card), "up" if up else "down")


def port_name(node_netns: str, card: str) -> str:
    """The bridge's end of a cable; a link's name has at most 15 characters."""
    return "p" + hashlib.sha256(f"{node_netns}/{card}".encode()).hexdigest()[:10]


def listens(netns: str, address: str, port: int) -> bool:
    """Whether somebody waits for connections there."""
    rows = run(*inside(netns, "cat", "/proc/net/tcp"), check=False).splitlines()[1:]
    wanted = "".join(f"{int(part):02X}" for part in reversed(address.split("."))) + f":{port:04X}"
    return any(row.split()[1] == wanted and row.split()[3] == "0A" for row in rows)


def remove(netns: str) -> None:
    """The namespace, and with it every link in it."""
    if exists(netns):
        run("ip", "netns", "delete", netns)


def mac(*words: str) -> str:
    """A stable address for a card, in the range that Proxmox gives its guests."""
    digest = hashlib.sha256("/".join(words).encode()).hexdigest()
    return f"bc:24:11:{digest[0:2]}:{digest[2:4]}:{digest[4:6]}"
