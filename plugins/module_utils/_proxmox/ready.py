# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Whether nodes answer at all. A server that refuses the connection is one that Proxmox VE is not installed on yet."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from .._wait import Backoff, Deadline, Progress, WaitFailed, Waiting, wait_for

SPEC: dict[str, Any] = {
    "nodes": {"type": "dict", "required": True},
    "port": {"type": "int", "default": 8006},
    "timeout": {"type": "float", "default": 300.0},
    "all": {"type": "bool", "default": True},
    "first": {"type": "dict", "default": {}},
    "makes": {"type": "list", "elements": "str", "default": []},
}
PATIENCE = 5.0


@dataclass(frozen=True)
class Door:
    """One node's API."""

    node: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def doors(nodes: Mapping[str, Any], port: int) -> list[Door]:
    return [Door(str(node), *_split(str(address), port)) for node, address in sorted(nodes.items())]


def _split(address: str, port: int) -> tuple[str, int]:
    if address.startswith("["):
        host, _bracket, rest = address[1:].partition("]")
        return host, int(rest.removeprefix(":") or port)
    if address.count(":") == 1:
        host, _colon, own = address.partition(":")
        return host, int(own)
    return address, port


def bare(found: Sequence[Door]) -> list[Door]:
    """Those that refuse a connection: nothing listens there. One that is silent may be away, and is not among them."""

    def refuses(door: Door) -> bool:
        try:
            _knock(door)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return False

    return [door for door, empty in zip(found, _each(refuses, found), strict=True) if empty]


def wait(found: Sequence[Door], deadline: Deadline, progress: Progress) -> list[str]:
    """Until all of them take a connection; a sentence for each that did not."""

    def until(door: Door) -> str:
        def probe() -> bool | Waiting:
            try:
                _knock(door)
            except OSError as error:
                return Waiting(f"{door}: {error.strerror or error}")
            return True

        try:
            wait_for(f"the API of {door.node}", probe, deadline, progress=progress, backoff=Backoff(most=3.0))
        except WaitFailed as error:
            return f"{error}; look at pveproxy on {door.node}, and whether a firewall lets this machine in"
        return ""

    return [text for text in _each(until, found) if text]


def _each(work: Any, found: Sequence[Door]) -> list[Any]:
    with ThreadPoolExecutor(max(1, min(32, len(found))), thread_name_prefix="proxmox-ready") as pool:
        return list(pool.map(work, found))


def _knock(door: Door) -> None:
    with socket.create_connection((door.host, door.port), timeout=PATIENCE):
        pass


def in_check_mode(found: Sequence[Door], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The result in check mode: what is there, and what has to happen before the rest can be planned."""
    empty = bare(found)
    result: dict[str, Any] = {
        "bare": [door.node for door in empty],
        "ready": [door.node for door in found if door not in empty],
    }
    steps = [step for step, needed in parameters["first"].items() if boolean(needed)]
    if empty and (parameters["all"] or len(empty) == len(found)):
        names = ", ".join(door.node for door in empty)
        where = ", ".join(f"{door.node} at {door}" for door in empty)
        steps.insert(0, f"Proxmox VE is installed on {names}")
        result["msg"] = f"nothing listens on {where}: Proxmox VE would be installed there first"
    if steps:
        result |= {"known_after": " and ".join(steps), "makes": list(parameters["makes"])}
    return result
