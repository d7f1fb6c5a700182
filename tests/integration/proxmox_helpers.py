# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The helper `socle-try` of role proxmox_node on the nodes of a simulator, and nodes that lock everybody out."""

from __future__ import annotations

import copy
import importlib.util
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from proxmox_site import ROOT, Site
from pvesim.app import Response


def load_helper() -> Any:
    path = ROOT / "roles" / "proxmox_node" / "files" / "socle_try.py"
    spec = importlib.util.spec_from_file_location("socle_try", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.say = str
    return module


helper = load_helper()


class SimulatedNode:
    """What the helper needs of a server, on the simulator's world instead of files."""

    def __init__(self, site: Site, name: str, folder: Path) -> None:
        self.site, self.name = site, name
        self.state = folder / name / "armed.json"
        self.reverts = 0

    @property
    def node(self) -> Any:
        return self.site.simulator.fleet.node(self.name)

    @property
    def cluster(self) -> Any:
        return self.site.simulator.fleet.site_of(self.name)

    def snapshot(self, scope: str) -> dict[str, Any]:
        if scope == "network":
            return {"interfaces": copy.deepcopy(self.node.interfaces)}
        return {"cluster": copy.deepcopy(self.cluster.firewall), "host": copy.deepcopy(self.node.firewall)}

    def keepers(self, _scope: str) -> list[str]:
        """A Proxmox node's network is nobody else's."""
        return []

    def restore(self, scope: str, files: dict[str, Any], _keepers: Sequence[str] = ()) -> bool:
        self.reverts += 1
        if scope == "network":
            self.node.interfaces, self.node.staged = files["interfaces"], None
        else:
            self.cluster.firewall, self.node.firewall = files["cluster"], files["host"]
        return True

    def notes(self) -> str:
        return str(self.node.conf.get("description") or "")

    def set_notes(self, text: str) -> bool:
        if text:
            self.node.conf["description"] = text
        else:
            self.node.conf.pop("description", None)
        return True


@contextmanager
def helped(site: Site, folder: Path, *names: str) -> Iterator[dict[str, SimulatedNode]]:
    """The helper runs on these nodes; a node without its address on vmbr0 answers nobody."""
    nodes = {name: SimulatedNode(site, name, folder) for name in names}
    guards = [helper.Guard(node) for node in nodes.values()]
    app, over = site.simulator.app, threading.Event()
    really = app.handle

    def handle(request: Any) -> Response:
        node = site.simulator.fleet.node(request.node)
        if node.interfaces.get("vmbr0", {}).get("cidr") != f"{node.address}/24":
            return Response(200, "OK", b"", cut="start")
        return really(request)

    def watch() -> None:
        while not over.wait(0.05):
            for guard in guards:
                with app.lock:
                    guard.tick()

    app.handle = handle
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield nodes
    finally:
        over.set()
        thread.join(10)
        app.handle = really
