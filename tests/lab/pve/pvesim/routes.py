# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which function answers which endpoint, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import privileges, tasks
from .world import Fleet, Guest, Node, Site

if TYPE_CHECKING:
    from .backend import Backend

Handler = Callable[["Call"], Any]
ROUTES: dict[tuple[str, str], Handler] = {}


@dataclass
class Reply:
    """Data with siblings (`total`, `changes`), or data that comes late."""

    data: Any
    extra: Mapping[str, Any] = field(default_factory=dict)
    delay: float = 0.0


@dataclass
class Call:
    """One request that has been let in: who asks, where, with which checked parameters."""

    fleet: Fleet
    site: Site
    node: Node
    user: str
    params: dict[str, Any]
    backend: Backend
    method: str = "GET"
    path: str = ""

    @property
    def now(self) -> float:
        return self.fleet.clock.now()

    @property
    def is_root(self) -> bool:
        return self.user == "root@pam"

    def get(self, name: str, default: Any = None) -> Any:
        return self.params.get(name, default)

    def guest(self, text: str = "") -> Guest:
        return self.site.guest(self.params["vmid"], self.node.name, text)

    def require(self, path: str, *names: str, any_of: bool = False) -> None:
        privileges.require(self.site, self.user, path, *names, any_of=any_of)

    def may(self, path: str, *names: str, any_of: bool = True) -> bool:
        return privileges.holds(self.site, self.user, path, names, any_of=any_of)

    def task(
        self, kind: str, ident: Any, work: Any, undo: Callable[[], None] | None = None, node: str | None = None
    ) -> str:
        return tasks.submit(self.fleet, self.site, node or self.node.name, self.user, kind, str(ident), work, undo)

    def changed(self) -> None:
        self.site.revision += 1


def route(*endpoints: str) -> Callable[[Handler], Handler]:
    """Answer `METHOD /path` (several may share a function)."""

    def register(handler: Handler) -> Handler:
        for endpoint in endpoints:
            method, path = endpoint.split()
            ROUTES[method, path] = handler
        return handler

    return register


def index(endpoint: str, *names: str, key: str = "name") -> None:
    """A fixed list of what lies below a path."""
    ROUTES["GET", endpoint] = lambda _call: [{key: name} for name in names]
