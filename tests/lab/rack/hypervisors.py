# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hypervisors of a lab: the Proxmox simulator with containers behind its guests, as a program that goes on."""

from __future__ import annotations

import ipaddress
import json
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pvesim.simulator import Settings, Simulator  # the simulator lies beside this package
from pvesim.world import Node  # as above

from .guests import Containers
from .network import PUBLIC, RACK
from .nodes import Rack

PORT = 8006


@dataclass(frozen=True)
class Server:
    """A server of the rack, as it is when Proxmox has been installed: its name and its legs on both networks."""

    name: str
    public: str
    rack: str


# As inventories/lab says, and as the manifest derives addresses in the rack.
DEFAULT = [
    Server("compute1", "203.0.113.11", "10.10.10.1"),
    Server("compute2", "203.0.113.12", "10.10.10.2"),
    Server("storage1", "203.0.113.21", "10.10.20.1"),
]
ROOT_PASSWORD = "secret"
ROOM = 8 << 40


def serve(rack: Rack, servers: list[Server], image: Callable[[str], str]) -> None:
    """Until SIGTERM. What the books say is kept in a file, so that a new process goes on where this one ended."""
    folder = rack.state / "pve"
    folder.mkdir(mode=0o700, exist_ok=True)
    backend = Containers(rack, image)
    settings = Settings(
        nodes=tuple(server.name for server in servers),
        addresses={server.name: server.public for server in servers},
        address=servers[0].public,
        port=PORT,
        root_password=ROOT_PASSWORD,
    )
    simulator = Simulator(settings, folder, backend)
    books = folder / "world.json"
    if books.exists():
        simulator.fleet.load(json.loads(books.read_text()))
    else:
        for site in simulator.fleet.sites:
            site.storages["local"].total = ROOM
        for server in servers:
            wire(simulator.fleet.node(server.name), server)
    with simulator.app.lock:
        backend.adopt(simulator.fleet)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_unused: stop.set())
    simulator.start()
    print(json.dumps(simulator.about()), file=sys.stderr, flush=True)
    written = -1
    while not stop.wait(0.5):
        written = _keep(simulator, books, written)
    simulator.stop()
    backend.close()
    _keep(simulator, books, -1)


def wire(node: Node, server: Server) -> None:
    """Two bridges, as the role proxmox_node leaves them."""
    for bridge, address in ((PUBLIC, server.public), (RACK, server.rack)):
        network = ipaddress.ip_interface(bridge.gateway).network
        node.interfaces[bridge.name] = {
            **node.interfaces["vmbr0"],
            "address": address,
            "netmask": str(network.prefixlen),
            "cidr": f"{address}/{network.prefixlen}",
        }
    node.address = server.public
    node.hosts = node.hosts.replace(node.hosts.split()[2], server.public)


def _keep(simulator: Simulator, books: Path, written: int) -> int:
    """Write the world down when it has changed, whole or not at all."""
    with simulator.app.lock:
        revision = sum(site.revision for site in simulator.fleet.sites)
        if revision == written:
            return written
        data = json.dumps(simulator.fleet.dump())
    unfinished = books.with_suffix(".new")
    unfinished.touch(mode=0o600)
    unfinished.write_text(data)
    unfinished.replace(books)
    return revision
