# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What images do: the small programs of the lab that stand in for versions of a service."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Image:
    """`starts`: empty, or why it does not. `health`: what /healthz answers. `status`: what everything else answers."""

    starts: str = ""
    health: int = 200
    status: int = 200


@dataclass(frozen=True)
class Hit:
    """One request that reached a version. `users`: by the way that users come, not by a test address."""

    service: str
    version: str
    image: str
    users: bool
    path: str
    status: int


@dataclass
class Images:
    """A registry: what is not in it cannot be pulled. What each one was asked is kept in the order it came."""

    known: dict[str, Image] = field(default_factory=dict)
    hits: list[Hit] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, **kind: object) -> str:
        self.known[name] = Image(**kind)  # type: ignore[arg-type] # the fields above
        return name

    def answer(self, service: str, version: str, image: str, *, users: bool, path: str) -> tuple[int, str]:
        kind = self.known.get(image, Image())
        status = kind.health if path.split("?", maxsplit=1)[0] == "/healthz" else kind.status
        with self.lock:
            self.hits.append(Hit(service, version, image, users, path, status))
        return status, image

    def users_of(self, image: str) -> list[Hit]:
        return [hit for hit in self.hits if hit.image == image and hit.users]
