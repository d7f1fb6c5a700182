# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Addresses and VM ids, derived from names alone.

There is no state, so nothing may depend on what else the manifest holds: what a group gets follows from its own name
and the rack network. Where two groups would meet, the manifest says which range one of them keeps; nothing is moved.

The network is divided into 256 parts (in a /16 a part is one value of the third octet, in a /24 one address):

    0          network, gateway (first address)
    2, 4       the control plane's VIP, the ingress VIP
    10-39      hypervisors: compute from 10, storage from 20, others from 30
    40-127     machine groups with usual names, each in a place of its own
    128-239    all other machine groups, by a hash of the name
    240-254    load balancer pool
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass

PARTS = 256
VIP_PART = 2
POOL = (240, 254)

NODE_SEATS = {"compute": 10, "storage": 20, "pve": 30, "node": 30, "hypervisor": 30, "server": 30}
NODE_WIDTH = 10
MACHINE_SEATS = {
    "control": (40, 8),
    "worker": (48, 32),
    "gluster": (80, 8),
    "vpn": (88, 4),
    "gitlab": (92, 4),
    "runner": (96, 8),
    "load-balancer": (104, 4),
    "manager": (108, 4),
    "database": (112, 4),
    "mongodb": (116, 4),
    "elasticsearch": (120, 4),
    "monitoring": (124, 2),
    "sonarqube": (126, 2),
}
HASHED = (128, 112)
GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Rack:
    """The rack network and how it is divided."""

    network: ipaddress.IPv4Network
    gateway: str | None = None
    """`none` where there is none; the first address when not said."""
    first_id: int | None = None

    @property
    def unit(self) -> int:
        return self.network.num_addresses // PARTS

    def at(self, offset: int) -> str:
        return str(self.network.network_address + offset)

    def offset(self, address: str) -> int:
        return int(ipaddress.IPv4Address(address)) - int(self.network.network_address)

    @property
    def gateway_address(self) -> str | None:
        if self.gateway == "none":
            return None
        return self.gateway or self.at(min(1, self.network.num_addresses - 1))

    @property
    def vip(self) -> str:
        return self.at(VIP_PART * self.unit + 1)

    @property
    def pool(self) -> str:
        """For services of type LoadBalancer."""
        return f"{self.at(POOL[0] * self.unit)}-{self.at(POOL[1] * self.unit + self.unit - 1)}"

    def node(self, name: str) -> str:
        stem, number = split(name)
        if stem in NODE_SEATS and 0 <= number < NODE_WIDTH * self.unit:
            return self.at(NODE_SEATS[stem] * self.unit + number)
        return self.at(30 * self.unit + spread(name, NODE_WIDTH * self.unit - 1) + 1)

    def place(self, group: str) -> str:
        """All that a group with a usual name may get."""
        seat, width = MACHINE_SEATS[group]
        return f"{self.at(seat * self.unit)}-{self.at((seat + width) * self.unit - 1)}"

    def machine(self, group: str, number: int, pinned: list[str]) -> str | None:
        """The address of a group's nth machine; None where the pinned ranges or the network end."""
        if pinned:
            return nth(pinned, number - 1)
        step = number - (1 if self.unit == 1 else 0)
        if group in MACHINE_SEATS:
            offset = MACHINE_SEATS[group][0] * self.unit + step
        else:
            start, width = (part * self.unit for part in HASHED)
            if step >= width:
                return None
            offset = start + (spread(group, width) + step) % width
        return self.at(offset) if offset < POOL[0] * self.unit else None

    def vm_id(self, address: str) -> int:
        """The id tells the address: in a /16, .18.5 is 1018005."""
        offset = self.offset(address)
        digits = offset // 65536 * 1_000_000 + offset // 256 % 256 * 1000 + offset % 256
        if self.first_id is not None:
            return self.first_id + digits
        prefix = self.network.prefixlen
        return digits + (1000 if prefix >= 24 else 1_000_000 if prefix >= 16 else 100_000_000)


def split(name: str) -> tuple[str, int]:
    """`compute12` and `compute-12` are compute and 12; `rack-b` is rack and 2."""
    match = re.fullmatch(r"(.*?)-?([0-9]{1,6})", name)
    if match and match.group(1):
        return match.group(1), int(match.group(2))
    return name[:-1], ord(name[-1]) - ord("a") + 1


def spread(name: str, size: int) -> int:
    """A place in 0..size-1 that follows from the name; names that are numbered or lettered lie far apart."""
    stem, number = split(name)
    digest = int.from_bytes(hashlib.sha256(stem.encode()).digest()[:8], "big")
    return int((digest / 2**64 + number * GOLDEN) % 1.0 * size) % size


def nth(ranges: list[str], index: int) -> str | None:
    """The nth address of some ranges; of a network, its first and last address are passed over."""
    for text in ranges:
        first, last = ends(text)
        if "/" in text and last - first > 2:
            first, last = first + 1, last - 1
        if index <= last - first:
            return str(ipaddress.IPv4Address(first + index))
        index -= last - first + 1
    return None


def ends(text: str) -> tuple[int, int]:
    """First and last of an address, a range or a network."""
    if "/" in text:
        network = ipaddress.IPv4Network(text)
        return int(network.network_address), int(network.broadcast_address)
    first, _dash, last = text.partition("-")
    return int(ipaddress.IPv4Address(first)), int(ipaddress.IPv4Address(last or first))
