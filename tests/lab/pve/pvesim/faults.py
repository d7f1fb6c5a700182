# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on request: what goes wrong, at which of the requests that match, how often."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any

from .world import Fleet

ANSWERS = {"status", "reset"}
KINDS = ANSWERS | {
    "latency",
    "task-error",
    "task-dies",
    "lock-stays",
    "no-quorum",
    "node-down",
    "expired-ticket",
    "storage-full",
}


@dataclass
class Fault:
    """One fault to come. `at` counts matching requests from 1; `times` is how many in a row from there (0: for ever);
    `chance` replaces both by a draw from a generator seeded with `seed`."""

    id: int
    kind: str
    method: str = ".*"
    path: str = ".*"
    at: int = 1
    times: int = 1
    chance: float = 0.0
    seed: int = 0
    after: bool = False
    status: int = 500
    seconds: float = 0.0
    text: str = ""
    node: str = ""
    storage: str = ""
    lock: str = "backup"
    seen: int = 0
    hits: int = 0
    _dice: random.Random = field(default_factory=random.Random, repr=False)


@dataclass
class Hit:
    kind: str
    fault: Fault
    seconds: float = 0.0

    @property
    def answers(self) -> bool:
        return self.kind in ANSWERS

    @property
    def after(self) -> bool:
        return self.fault.after

    @property
    def status(self) -> int:
        return self.fault.status

    @property
    def text(self) -> str:
        return self.fault.text


class Faults:
    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.rows: list[Fault] = []
        self._next = 1

    def add(self, row: dict[str, Any]) -> Fault:
        kind = row.get("kind", "")
        if kind not in KINDS:
            raise ValueError(f"unknown kind of fault {kind!r}; known: {', '.join(sorted(KINDS))}")
        unknown = set(row) - {
            name for name in Fault.__dataclass_fields__ if name not in ("id", "seen", "hits", "_dice")
        }
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        fault = Fault(self._next, **row)
        fault._dice = random.Random(fault.seed)
        self._next += 1
        self.rows.append(fault)
        return fault

    def clear(self, ident: int | None = None) -> None:
        """Forget one fault or all; quorum, nodes and storages that were taken away come back."""
        for fault in self.rows:
            if (ident is None or fault.id == ident) and fault.hits:
                self._standing(fault, gone=False)
        self.rows = [fault for fault in self.rows if ident is not None and fault.id != ident]

    def on_request(self, method: str, path: str) -> list[Hit]:
        hits = []
        for fault in self.rows:
            if not (re.fullmatch(fault.method, method) and re.search(fault.path, path)):
                continue
            fault.seen += 1
            if fault.chance:
                due = fault._dice.random() < fault.chance
            else:
                due = fault.seen >= fault.at and (fault.times == 0 or fault.seen < fault.at + fault.times)
            if due:
                fault.hits += 1
                hits.append(Hit(fault.kind, fault, fault.seconds))
                self._strike(fault)
        return hits

    def _strike(self, fault: Fault) -> None:
        if fault.kind == "task-error":
            self.fleet.spoil = {"kind": "error", "text": fault.text or "command failed: exit code 1"}
        elif fault.kind == "task-dies":
            self.fleet.spoil = {"kind": "dies"}
        elif fault.kind == "expired-ticket":
            self.fleet.tickets_since = int(self.fleet.clock.now()) + 1
        else:
            self._standing(fault, gone=True)

    def _standing(self, fault: Fault, *, gone: bool) -> None:
        """What stays as it is until the fault is cleared."""
        for site in self.fleet.sites:
            if fault.kind == "no-quorum":
                site.quorum = not gone
            elif fault.kind == "node-down" and fault.node in site.nodes:
                site.nodes[fault.node].online = not gone
            elif fault.kind == "storage-full" and fault.storage in site.storages:
                site.storages[fault.storage].full = gone
            else:
                continue
            site.revision += 1

    def afterwards(self, hit: Hit, path: str) -> None:
        """Once the request is over: a spoilt task that never came is forgotten, a lock that is to stay is set."""
        self.fleet.spoil = {}
        match = re.search(r"/qemu/(\d+)", path)
        if hit.kind == "lock-stays" and match:
            for site in self.fleet.sites:
                guest = site.guests.get(int(match[1]))
                if guest:
                    guest.conf["lock"] = hit.fault.lock
                    site.revision += 1
