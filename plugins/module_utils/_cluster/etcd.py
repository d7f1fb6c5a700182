# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""etcd through its own HTTP gateway: what `etcdctl` tells, without the program."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from .call import TIMEOUT, Client, Identity, Unanswered
from .state import Etcd, Member


def ask(url: str, identity: Identity, timeout: float = TIMEOUT) -> Etcd:
    """What the member behind `url` tells of itself and of the others. Works without a quorum, and says so."""
    try:
        with Client(url, identity, timeout) as client:
            status = client.json("POST", "/v3/maintenance/status", {})
            listed = client.json("POST", "/v3/cluster/member/list", {"linearizable": False})
            reason = _unhealthy(client)
            # Without a quorum this question is never answered.
            alarms = () if reason else _alarms(client)
    except Unanswered as error:
        return Etcd(reason=f"etcd: {error}")
    head = status.get("header", {})
    members = [_member(entry) for entry in listed.get("members", [])]
    own = hexadecimal(head.get("member_id"))
    return Etcd(
        member=own,
        cluster=hexadecimal(head.get("cluster_id")),
        answers=True,
        healthy=not reason,
        leader=hexadecimal(status.get("leader")),
        version=status.get("version", ""),
        size=int(status.get("dbSize", 0)),
        revision=int(head.get("revision", 0)),
        index=int(status.get("raftIndex", 0)),
        alarms=alarms,
        members=tuple(_with_health(listed.get("members", []), members, own, not reason, identity, timeout)),
        reason=f"etcd: {reason}" if reason else "",
    )


def _with_health(
    entries: Iterable[Mapping[str, Any]],
    members: Iterable[Member],
    own: str,
    healthy: bool,
    identity: Identity,
    timeout: float,
) -> list[Member]:
    def probe(pair: tuple[Mapping[str, Any], Member]) -> Member:
        entry, member = pair
        if member.id == own:
            return replace(member, healthy=healthy)
        return replace(member, healthy=any(is_healthy(url, identity, timeout) for url in entry.get("clientURLs", [])))

    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(probe, zip(entries, members, strict=True)))


def is_healthy(url: str, identity: Identity, timeout: float = TIMEOUT) -> bool:
    try:
        with Client(url, identity, timeout) as client:
            return not _unhealthy(client)
    except Unanswered:
        return False


def _unhealthy(client: Client) -> str:
    """Why this member does not commit; empty when it does."""
    try:
        _status, text = client.text("GET", "/health")
    except Unanswered as error:
        return f"it does not commit, {error}"
    try:
        told = json.loads(text)
    except ValueError:
        return text.strip()[:200] or "it does not tell its health"
    # A learner answers no client but tells its health.
    return "" if told.get("health") == "true" else str(told.get("reason") or "not healthy").lower()


def _alarms(client: Client) -> tuple[str, ...]:
    told = client.json("POST", "/v3/maintenance/alarm", {"action": "GET"})
    found = told.get("alarms", [])
    return tuple(f"{alarm.get('alarm', 'UNKNOWN')} of {hexadecimal(alarm.get('memberID'))}" for alarm in found)


def _member(entry: Mapping[str, Any]) -> Member:
    peers = entry.get("peerURLs") or [""]
    clients = entry.get("clientURLs") or [""]
    return Member(
        hexadecimal(entry.get("ID")),
        entry.get("name", ""),
        urlsplit(peers[0]).hostname or "",
        bool(entry.get("isLearner")),
        url=clients[0],
    )


def hexadecimal(number: Any) -> str:
    """An id as `etcdctl` writes it; the gateway tells it in decimal, as text."""
    return f"{int(number):x}" if number else ""


def move_leader(url: str, identity: Identity, to: str) -> None:
    """Asks the leader behind `url` to hand over to the member with the id `to`."""
    with Client(url, identity, 10.0) as client:
        client.json("POST", "/v3/maintenance/transfer-leadership", {"targetID": str(int(to, 16))})


def remove(url: str, identity: Identity, member: str) -> None:
    with Client(url, identity, 10.0) as client:
        client.json("POST", "/v3/cluster/member/remove", {"ID": str(int(member, 16))})


__all__ = ["ask", "hexadecimal", "is_healthy", "move_leader", "remove"]
