# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares what listens on this machine with what is meant to.

The firewall closes what nobody opened; this finds what waits behind it all the same: a daemon that a package started,
or one that somebody forgot. It ends with 1 and a sentence for each, so that the unit that runs it is seen as failed.
"""

from __future__ import annotations

import ipaddress
import json
import sys
from pathlib import Path

LISTEN = {"tcp": "0A", "udp": "07"}
# Answers to a DHCP client, and those that a program waits for after it has asked: no service lives there.
DHCP = (68, 546)
EPHEMERAL = range(32768, 61000)


def sockets(proc):
    """(protocol, address, port, inode) of everything that listens, from the kernel's own tables."""
    for protocol, state in LISTEN.items():
        for table in (protocol, f"{protocol}6"):
            path = proc / "net" / table
            rows = path.read_text().splitlines()[1:] if path.exists() else []
            for row in rows:
                words = row.split()
                address, port = words[1].split(":")
                # A connected UDP socket has a peer; only one without waits for anybody.
                if words[3] == state and (protocol == "tcp" or words[2].split(":")[1] == "0000"):
                    yield protocol, readable(address), int(port, 16), words[9]


def readable(text):
    """The kernel writes each 32 bits in the machine's own order."""
    words = [int.from_bytes(bytes.fromhex(text[at : at + 8]), "little") for at in range(0, len(text), 8)]
    packed = b"".join(word.to_bytes(4, "big") for word in words)
    address = ipaddress.ip_address(packed)
    return getattr(address, "ipv4_mapped", None) or address


def programs(proc):
    """Names of processes by the inodes of their sockets."""
    found = {}
    for folder in proc.glob("[0-9]*"):
        try:
            name = (folder / "comm").read_text().strip()
            for entry in (folder / "fd").iterdir():
                target = str(entry.readlink())
                if target.startswith("socket:["):
                    found.setdefault(target[8:-1], name)
        except OSError:
            continue
    return found


def meant(settings):
    """(protocol, first, last) of what may listen."""
    for port in settings.get("ssh_ports", []):
        yield "tcp", int(port), int(port)
    for entry in [*settings.get("openings", []), *settings.get("more", [])]:
        for port in entry.get("ports", []):
            first, _dash, last = str(port).partition("-")
            yield entry.get("protocol", "tcp"), int(first), int(last or first)


def unexpected(proc, settings):
    """A sentence for each socket that others can reach and nobody named."""
    allowed = list(meant(settings))
    owners = programs(proc)
    seen = set()
    for protocol, address, port, inode in sockets(proc):
        known = any(kind == protocol and first <= port <= last for kind, first, last in allowed)
        answers = protocol == "udp" and (port in DHCP or port in EPHEMERAL)
        if address.is_loopback or known or answers or (protocol, port) in seen:
            continue
        seen.add((protocol, port))
        who = owners.get(inode, "an unknown program")
        yield f"{who} listens on {protocol} port {port} at {address}, and no opening names it"


def main(argv):
    settings = json.loads(Path(argv[0]).read_text())
    found = sorted(unexpected(Path("/proc"), settings))
    for sentence in found:
        print(f"socle-listening: {sentence}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
