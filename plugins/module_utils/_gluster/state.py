# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What a pool of GlusterFS servers is like now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree

from .._objects import AdapterError
from .cli import Cli, NotInstalled, text

# Copies of each file, an arbiter among them: with fewer there is no majority, and no telling who is right.
WIDTH = 3
# On a volume whose new bricks hold nothing yet. It outlives a run that dies between the two steps.
UNBALANCED = "user.socle-rebalance"
IN_POOL = "Peer in Cluster"


@dataclass(frozen=True)
class Peer:
    """A server of the pool; the one that is asked calls itself localhost."""

    uuid: str
    names: tuple[str, ...]
    connected: bool
    state: str = IN_POOL

    @property
    def here(self) -> bool:
        return "localhost" in self.names


@dataclass(frozen=True)
class Brick:
    name: str
    host_uuid: str = ""
    arbiter: bool = False

    @property
    def server(self) -> str:
        return self.name.rpartition(":")[0]

    @property
    def path(self) -> str:
        return self.name.rpartition(":")[2]


@dataclass(frozen=True)
class Volume:
    name: str
    id: str = ""
    started: bool = False
    width: int = WIDTH
    arbiters: int = 0
    bricks: tuple[Brick, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    quota: int | None = None
    online: frozenset[str] = frozenset()

    @property
    def brick_names(self) -> list[str]:
        return [brick.name for brick in self.bricks]

    def set_of(self, brick: str) -> list[str]:
        """The bricks that hold the same files as this one, itself among them."""
        names = self.brick_names
        start = names.index(brick) // self.width * self.width
        return names[start : start + self.width]


@dataclass(frozen=True)
class Heal:
    """What waits on one brick to be copied to others."""

    brick: str
    connected: bool
    pending: int
    split_brain: int


@dataclass(frozen=True)
class Pool:
    installed: bool
    peers: tuple[Peer, ...] = ()
    volumes: tuple[Volume, ...] = ()

    def peer(self, name: str) -> Peer | None:
        return next((peer for peer in self.peers if name in peer.names), None)

    def volume(self, name: str) -> Volume | None:
        return next((volume for volume in self.volumes if volume.name == name), None)

    def reachable(self, brick: Brick) -> bool:
        return any(peer.uuid == brick.host_uuid and peer.connected for peer in self.peers)


def read(cli: Cli, *, quotas: frozenset[str] | None = None) -> Pool:
    """The pool in four calls, and one more for each volume with a quota among `quotas` (all without it)."""
    try:
        peers = _peers(cli)
    except NotInstalled:
        return Pool(installed=False)
    root = cli.call("volume", "info")
    online = _online(cli) if root.find("volInfo/volumes/volume") is not None else {}
    volumes = [_volume(element, online) for element in root.iterfind("volInfo/volumes/volume")]
    wanted = [v if quotas is not None and v.name not in quotas else _with_quota(cli, v) for v in volumes]
    return Pool(True, peers, tuple(wanted))


def _peers(cli: Cli) -> tuple[Peer, ...]:
    states = {text(row, "uuid"): row for row in cli.call("peer", "status").iterfind("peerStatus/peer")}
    found = []
    for row in cli.call("pool", "list").iterfind("peerStatus/peer"):
        more = states.get(text(row, "uuid"))
        names = {text(row, "hostname")}
        state = IN_POOL
        if more is not None:
            names |= {(name.text or "").strip() for name in more.iterfind("hostnames/hostname")}
            state = text(more, "stateStr")
        found.append(Peer(text(row, "uuid"), tuple(sorted(names)), text(row, "connected") == "1", state))
    return tuple(found)


def _online(cli: Cli) -> dict[str, set[str]]:
    """Names of running bricks by volume. A server that is not connected has no rows at all."""
    found: dict[str, set[str]] = {}
    for volume in cli.call("volume", "status", "all").iterfind("volStatus/volumes/volume"):
        rows = found.setdefault(text(volume, "volName"), set())
        for node in volume.iterfind("node"):
            if text(node, "path").startswith("/") and text(node, "status") == "1":
                rows.add(f"{text(node, 'hostname')}:{text(node, 'path')}")
    return found


def _volume(element: ElementTree.Element, online: dict[str, set[str]]) -> Volume:
    name = text(element, "name")
    bricks = tuple(
        Brick(text(row, "name"), text(row, "hostUuid"), text(row, "isArbiter") == "1")
        for row in element.iterfind("bricks/brick")
    )
    return Volume(
        name=name,
        id=text(element, "id"),
        started=text(element, "status") == "1",
        width=int(text(element, "replicaCount") or 1),
        arbiters=int(text(element, "arbiterCount") or 0),
        bricks=bricks,
        options={text(row, "name"): text(row, "value") for row in element.iterfind("options/option")},
        online=frozenset(online.get(name, ())),
    )


def _with_quota(cli: Cli, volume: Volume) -> Volume:
    if volume.options.get("features.quota") != "on" or not volume.started:
        return volume
    try:
        root = cli.call("volume", "quota", volume.name, "list")
    except AdapterError as error:
        if "no quota configured" in str(error).lower():
            return volume
        raise
    for limit in root.iterfind("volQuota/limit"):
        if text(limit, "path") == "/":
            return Volume(**{**volume.__dict__, "quota": int(text(limit, "hard_limit"))})
    return volume


def heal(cli: Cli, volume: str) -> tuple[Heal, ...]:
    """What is still to be healed, brick by brick."""
    return tuple(_heal(cli.call("volume", "heal", volume, "info", "summary")))


def _heal(root: ElementTree.Element) -> Iterator[Heal]:
    for brick in root.iterfind("healInfo/bricks/brick"):
        yield Heal(
            text(brick, "name"),
            text(brick, "status") == "Connected",
            _number(brick, "totalNumberOfEntries"),
            _number(brick, "numberOfEntriesInSplitBrain"),
        )


def _number(element: ElementTree.Element, name: str) -> int:
    found = text(element, name)
    return int(found) if found.isdigit() else 0


def rebalance(cli: Cli, volume: Volume) -> str:
    """How far the spreading of files over new bricks is, in the daemon's own word."""
    if len(volume.bricks) <= volume.width or not volume.started:
        return ""
    try:
        root = cli.call("volume", "rebalance", volume.name, "status")
    except AdapterError as error:
        if "not started" in str(error).lower():
            return "not started"
        raise
    return text(root, "volRebalance/aggregate/statusStr")
