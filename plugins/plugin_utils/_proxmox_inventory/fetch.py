# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Facts of many guests side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.socle.platform.plugins.module_utils._proxmox.errors import NotFound, ProxmoxError

from .guests import Guest, fixed_addresses, reported_addresses, wants_agent

Get = Callable[[str], Any]


def facts_of(guest: Guest, get: Get, agent: str) -> dict[str, Any] | str:
    """Configuration and addresses of one guest, or a sentence that says why not. `agent`: auto, always, never."""
    try:
        config = get(f"{guest.path}/config")
    except NotFound:
        return f"guest {guest.vmid} went away while it was read"
    except ProxmoxError as error:
        return f"guest {guest.vmid} ({guest.name}) on {guest.node} has no facts: {error.sentence}"
    fixed = fixed_addresses(config)
    facts: dict[str, Any] = {"config": config, "addresses": fixed, "interfaces": []}
    if agent == "never" or guest.status != "running" or (agent == "auto" and fixed):
        return facts
    interfaces = _interfaces(guest, config, get)
    reported = reported_addresses(interfaces, config)
    facts["interfaces"] = interfaces
    facts["addresses"] = [*reported, *(address for address in fixed if address not in reported)]
    return facts


def _interfaces(guest: Guest, config: Mapping[str, Any], get: Get) -> list[dict[str, Any]]:
    try:
        if guest.type == "lxc":
            return [dict(item) for item in get(f"{guest.path}/interfaces") or []]
        if not wants_agent(config):
            return []
        answer = get(f"{guest.path}/agent/network-get-interfaces")
    except ProxmoxError:
        # An agent that does not answer is a guest that boots, or has none installed: no error of this inventory.
        return []
    result = answer.get("result") if isinstance(answer, Mapping) else None
    return [dict(item) for item in result] if isinstance(result, list) else []


def gather(guests: Sequence[Guest], get: Get, agent: str, concurrency: int) -> list[str]:
    """Fill in `facts` of each; what could not be read, in sentences."""
    if not guests:
        return []
    with ThreadPoolExecutor(max(1, min(concurrency, len(guests))), thread_name_prefix="proxmox-facts") as pool:
        answers: Iterable[dict[str, Any] | str] = pool.map(lambda guest: facts_of(guest, get, agent), guests)
        missing = []
        for guest, answer in zip(guests, answers, strict=True):
            if isinstance(answer, str):
                missing.append(answer)
            else:
                guest.facts = answer
    return missing
