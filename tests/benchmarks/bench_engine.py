# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine itself costs: planning, the module's result, applying without an API behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.socle.platform.plugins.module_utils import _module, _plan
from ansible_collections.socle.platform.plugins.module_utils._reconcile import (
    Change,
    Current,
    Desired,
    Options,
    Reader,
    Step,
    Writer,
    apply,
    plan,
)

COUNT = 10_000
RUNS = 5


class _Memory(Reader):
    kind = "machine"

    def __init__(self, things: dict[str, Any]) -> None:
        self.things = things

    def read(self, desired: Any) -> list[Current]:
        return [Current(key, fields) for key, fields in self.things.items()]


class _MemoryWriter(Writer):
    def __init__(self, things: dict[str, Any]) -> None:
        self.things = things

    def create(self, change: Change, step: Step) -> None:
        self.things[change.key] = dict(change.after)


def _machine(number: int) -> dict[str, Any]:
    return {
        "cores": 4,
        "memory": 16384,
        "description": f"worker {number}",
        "tags": ["socle", "worker"],
        "disks": {"scsi0": {"storage": "fast", "size": 80}, "scsi1": {"storage": "fast", "size": 500}},
        "network": {
            "net0": {"bridge": "vmbr1", "vlan": 100, "mac": f"02:00:00:00:{number // 256:02x}:{number % 256:02x}"}
        },
        "started": True,
    }


def _best(work: Callable[[], object]) -> float:
    times = []
    for _unused in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _row(name: str, ours: float, theirs: float | None, note: str) -> dict[str, Any]:
    ratio = None if theirs is None else theirs / ours
    return {"name": name, "ours": ours, "theirs": theirs, "ratio": ratio, "unit": "s", "runs": RUNS, "note": note}


def run() -> list[dict[str, Any]]:
    names = [f"machine-{number}" for number in range(COUNT)]
    things: Mapping[str, Any] = {name: _machine(number) for number, name in enumerate(names)}
    desired = [Desired(name, _machine(number)) for number, name in enumerate(names)]
    reader = _Memory(dict(things))
    floor = _best(lambda: [item.key for item in desired if things[item.key] != item.fields])
    planning = _best(lambda: plan(desired, reader))
    made = plan(desired, reader)
    task = _plan.identity("machines", {})

    def result() -> object:
        return _module.objects(made, None), _module.diff(made), _plan.section(made, task, "salt")

    empty: dict[str, Any] = {}
    fresh = plan(desired, _Memory(empty))

    def create() -> None:
        empty.clear()
        apply(fresh, lambda: _MemoryWriter(empty), reader=_Memory(empty), options=Options(concurrency=8))

    return [
        _row(
            "engine: plan 10,000 unchanged objects", planning, floor, "theirs: `!=` on the same dicts, and nothing else"
        ),
        _row("engine: result of 10,000 unchanged objects", _best(result), None, "objects, diff and plan section"),
        _row("engine: create 10,000 objects in memory", _best(create), None, "order, eight workers, reading back"),
    ]
