# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Servers and volumes as they shall be, from a task's parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .._objects import Desired, DesiredError
from .._values import ABSENT
from . import bricks
from .state import UNBALANCED, WIDTH

VOLUME: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "bricks": {"type": "list", "elements": "str"},
    "replicas": {"type": "int", "choices": [2, 3], "default": 3},
    "arbiter": {"type": "bool", "default": False},
    "options": {"type": "dict"},
    "quota": {"type": "str"},
    "started": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
UNITS = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}

ON = frozenset({"on", "yes", "true", "enable", "1"})
OFF = frozenset({"off", "no", "false", "disable", "0"})


def spec() -> dict[str, Any]:
    return {
        "servers": {"type": "list", "elements": "str", "required": True},
        "volumes": {"type": "list", "elements": "dict", "default": [], "options": VOLUME},
        "blank": {"type": "list", "elements": "str", "default": []},
        "replace_live": {"type": "bool", "default": False},
        "force": {"type": "bool", "default": False},
    }


def server_key(address: str) -> str:
    return f"server {address}"


def volume_key(name: str) -> str:
    return f"volume {name}"


def desired(parameters: Mapping[str, Any]) -> Iterator[Desired]:
    problems = [problem for volume in parameters["volumes"] for problem in _problems(volume)]
    if problems:
        raise DesiredError(problems)
    servers = list(parameters["servers"])
    for address in servers:
        yield Desired(server_key(address))
    for volume in parameters["volumes"]:
        present = volume["state"] == "present"
        needs = {server_key(bricks.server(brick)) for brick in volume.get("bricks", ())}
        needs &= {server_key(address) for address in servers}
        yield Desired(
            volume_key(volume["name"]),
            _fields(volume) if present else {},
            frozenset(needs if present else ()),
            present=present,
        )


def _fields(volume: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "replicas": volume["replicas"],
        "arbiter": volume["arbiter"],
        "bricks": list(volume["bricks"]),
        "started": volume["started"],
        "bricks_down": [],
        "bricks_blank": [],
        "unbalanced": False,
    }
    if volume.get("options"):
        fields["options"] = {name: _option(value) for name, value in volume["options"].items()}
    if "quota" in volume:
        fields["quota"] = size(volume["quota"])
    return fields


def _problems(volume: Mapping[str, Any]) -> Iterator[str]:
    label = f"volume {volume['name']}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}", volume["name"]):
        yield f"{label}: its name may hold letters, digits, - and _ only; choose another"
    if volume["state"] == "absent":
        return
    if volume["replicas"] == 2 and not volume["arbiter"]:
        yield (
            f"{label}: two copies without an arbiter end in a split brain; wanted: replicas 3, or replicas 2 with "
            "arbiter true and a third server for it"
        )
    if volume["replicas"] == 3 and volume["arbiter"]:
        yield f"{label}: three full copies need no arbiter; wanted: replicas 2 with arbiter true, or replicas 3 alone"
    given = volume.get("bricks", [])
    if not given or len(given) % WIDTH:
        yield f"{label}: has {len(given)} bricks; wanted: {WIDTH} of different servers, or a multiple of {WIDTH}"
    for brick in given:
        if not re.fullmatch(r"[^/\s]+:/\S+", brick):
            yield f"{label}: the brick {brick!r} is not SERVER:/PATH; wanted: as in 10.10.48.1:/srv/gluster/shop/brick"
    twice = sorted({brick for brick in given if given.count(brick) > 1})
    if twice:
        yield f"{label}: names {', '.join(twice)} twice; keep one"
    together = bricks.same_server(given)
    if together:
        yield f"{label}: {together}; order them so that each three follow one another on different servers"
    if "quota" in volume and size(volume["quota"]) < 0:
        yield f"{label}: the quota {volume['quota']!r} is not a size; wanted: as in 200 GiB, or 0 for none"
    if UNBALANCED in (volume.get("options") or {}):
        yield f"{label}: the option {UNBALANCED} is this collection's own; leave it out"


def size(written: str) -> int:
    """Bytes; -1 for what is no size."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]iB|B)?", str(written).strip(), re.IGNORECASE)
    return int(float(found[1]) * UNITS[(found[2] or "").upper()]) if found else -1


def _option(value: Any) -> Any:
    if value == "":
        return ABSENT
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def alike(one: Any, other: Any) -> bool:
    """Whether two values of an option mean the same."""
    both = {str(one).lower(), str(other).lower()}
    return len(both) == 1 or both <= ON or both <= OFF
