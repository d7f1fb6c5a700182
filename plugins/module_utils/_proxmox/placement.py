# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Which node a new machine goes to: spread by group, then by load. A pure function; what is placed never moves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Place:
    """A node with room: memory in bytes, as its hardware has it."""

    node: str
    memory: int = 0
    cores: int = 0


@dataclass(frozen=True)
class Placed:
    """A machine to be placed, or (with a node) one that is."""

    name: str
    group: str = ""
    memory: int = 0
    cores: int = 0
    nodes: tuple[str, ...] = ()
    node: str = ""


@dataclass
class _Load:
    memory: int = 0
    groups: dict[str, int] = field(default_factory=dict)


def place(machines: Iterable[Placed], there: Iterable[Placed], places: Sequence[Place]) -> dict[str, str]:
    """A node for each of `machines`; those with no candidate are left out.

    Members of a group keep apart as far as there are nodes for it; among equals the emptier node wins, then a draw
    that only depends on the names.
    """
    room = {item.node: item for item in places}
    loads: dict[str, _Load] = {name: _Load() for name in room}
    waiting = []
    for item in there:
        _add(loads, item, item.node)
    for item in machines:
        if item.node:
            _add(loads, item, item.node)
        else:
            waiting.append(item)
    found: dict[str, str] = {}
    # Those with the least choice first, or they would find their few nodes taken by others of their group.
    for item in sorted(waiting, key=lambda m: (len(m.nodes) or len(room), m.group, _natural(m.name))):
        candidates = [name for name in (item.nodes or tuple(room)) if name in room]
        if not candidates:
            continue
        best = min(candidates, key=lambda name: _cost(item, name, loads[name], room))
        _add(loads, item, best)
        found[item.name] = best
    return found


def _add(loads: dict[str, _Load], item: Placed, node: str) -> None:
    load = loads.setdefault(node, _Load())
    load.memory += item.memory
    if item.group:
        load.groups[item.group] = load.groups.get(item.group, 0) + 1


def _cost(item: Placed, node: str, load: _Load, room: Mapping[str, Place]) -> tuple[bool, int, float, str]:
    size = room[node].memory
    full = bool(size) and load.memory + item.memory > size
    share = load.memory / size if size else float(load.memory)
    same = load.groups.get(item.group, 0) if item.group else 0
    draw = hashlib.sha256(f"{item.group or item.name}/{node}".encode()).hexdigest()
    return full, same, round(share, 6), draw


def _natural(name: str) -> tuple[int, str]:
    return len(name), name
