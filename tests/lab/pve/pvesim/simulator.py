# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the parts together: a fleet, its certificates, its listeners."""

from __future__ import annotations

import secrets
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .app import App
from .backend import Backend
from .certs import Authority
from .control import Control
from .httpd import Listener
from .world import RECENT, Clock, Fleet


@dataclass
class Settings:
    """How a simulator begins. `cluster` joins all nodes from the start; without it each stands alone."""

    nodes: tuple[str, ...] = ("pve1",)
    cluster: str = ""
    address: str = "127.0.0.1"
    # Nodes that do not listen on `address` but each on its own, all on `port`.
    addresses: dict[str, str] = field(default_factory=dict)
    port: int = 0
    root_password: str = "secret"
    control_token: str = ""
    seed: int = 0
    speed: float = 1.0
    start: float | None = None
    durations: dict[str, float] = field(default_factory=dict)
    stat_interval: float = RECENT
    agent_patience: float = 3.0
    refusal_delay: float = 3.0


class Simulator:
    def __init__(self, settings: Settings, folder: Path, backend: Backend | None = None) -> None:
        self.settings = settings
        fleet = Fleet(Clock(settings.speed, settings.start), settings.seed, settings.root_password)
        for index, name in enumerate(settings.nodes):
            fleet.add_node(name, index)
        if settings.cluster:
            fleet.join(list(settings.nodes), settings.cluster)
        fleet.durations.update(settings.durations)
        fleet.stat_interval, fleet.agent_patience = settings.stat_interval, settings.agent_patience
        self.fleet = fleet
        self.app = App(fleet, backend)
        self.app.refusal_delay = settings.refusal_delay
        self.control = Control(self.app, settings.control_token or secrets.token_urlsafe(24))
        self.authority = Authority(folder)
        self.listeners: dict[str, Listener] = {}
        for index, name in enumerate(settings.nodes):
            address = settings.addresses.get(name, settings.address)
            certificate = self.authority.issue(name, [address])
            fleet.node(name).fingerprint = certificate.fingerprint
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.path)
            port = settings.port + (0 if name in settings.addresses else index) if settings.port else 0
            self.listeners[name] = Listener((address, port), name, self.app, self.control, context)
        self.control.remember()

    def start(self) -> None:
        for listener in self.listeners.values():
            listener.start()

    def stop(self) -> None:
        for listener in self.listeners.values():
            listener.stop()

    def about(self) -> dict[str, Any]:
        """What a client has to know."""
        address = self.settings.address
        nodes = {
            name: {
                "url": f"https://{self.settings.addresses.get(name, address)}:{listener.port}",
                "port": listener.port,
                "fingerprint": self.fleet.node(name).fingerprint,
            }
            for name, listener in self.listeners.items()
        }
        return {"nodes": nodes, "control_token": self.control.token, "ca": str(self.authority.ca), "address": address}
