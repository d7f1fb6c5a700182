# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hypervisors of a lab: the Proxmox simulator with containers behind its guests, as a program that goes on."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from pvesim.simulator import Settings, Simulator  # the simulator lies beside this package

from .guests import Containers
from .nodes import Rack

PORT = 8006
# As inventories/lab says.
DEFAULT = {"compute1": "203.0.113.11", "compute2": "203.0.113.12", "storage1": "203.0.113.21"}
ROOT_PASSWORD = "secret"
ROOM = 8 << 40


def serve(rack: Rack, addresses: dict[str, str], image: Callable[[str], str]) -> None:
    """Until SIGTERM. What the books say is kept in a file, so that a new process goes on where this one ended."""
    folder = rack.state / "pve"
    folder.mkdir(mode=0o700, exist_ok=True)
    backend = Containers(rack, image)
    settings = Settings(
        nodes=tuple(addresses),
        addresses=addresses,
        address=next(iter(addresses.values())),
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
