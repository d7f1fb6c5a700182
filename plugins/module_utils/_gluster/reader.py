# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The pool against what is wanted of it: what differs, and what may not be done."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._objects import Current, Desired, Reader
from . import bricks, state
from .cli import Cli
from .state import IN_POOL, UNBALANCED, WIDTH, Peer, Pool, Volume
from .wanted import alike, server_key, volume_key


def is_local(address: str) -> bool:
    """Whether an address, or a name of one, is this machine's own."""
    try:
        found = socket.getaddrinfo(address, 0, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    for family, kind, protocol, _unused, place in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.bind(place)
        except OSError:
            continue
        return True
    return False


class PoolReader(Reader):
    kind = "GlusterFS"
    unordered = frozenset({"bricks", "bricks_down", "bricks_blank"})

    def __init__(self, cli: Cli, parameters: Mapping[str, Any], local: Callable[[str], bool] = is_local) -> None:
        self.cli, self.local = cli, local
        self.blank = frozenset(parameters["blank"])
        self.replace_live = bool(parameters["replace_live"])
        self.servers = list(parameters["servers"])
        self.pool = Pool(installed=False)

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        limited = {item.key.split(maxsplit=1)[1] for item in desired if "quota" in item.fields}
        self.pool = state.read(self.cli, quotas=frozenset(limited))
        wanted = {item.key: item for item in desired}
        return [*self._servers(wanted), *(self._volume(volume, wanted) for volume in self.pool.volumes)]

    def known_as(self, peer: Peer) -> str:
        """The name that the task gives a server, else one that the pool has for it."""
        for address in self.servers:
            if address in peer.names or (peer.here and self.local(address)):
                return str(address)
        others: list[str] = [name for name in peer.names if name != "localhost"]
        return others[0] if others else "localhost"

    def _servers(self, wanted: Mapping[str, Desired]) -> Iterator[Current]:
        for peer in self.pool.peers:
            key = server_key(self.known_as(peer))
            # Nobody names it and no brick will be left on it: it would count in quorums and do nothing.
            idle = key not in wanted and not peer.here and not self._serves(peer, wanted)
            yield Current(key, {}, {"uuid": peer.uuid}, owned=idle)

    def _serves(self, peer: Peer, wanted: Mapping[str, Desired]) -> bool:
        for volume in self.pool.volumes:
            item = wanted.get(volume_key(volume.name))
            if item is not None and not item.present:
                continue
            stays = volume.brick_names if item is None else item.fields.get("bricks", volume.brick_names)
            if any(brick.host_uuid == peer.uuid and brick.name in stays for brick in volume.bricks):
                return True
        return False

    def _volume(self, volume: Volume, wanted: Mapping[str, Desired]) -> Current:
        item = wanted.get(volume_key(volume.name))
        stays = set(item.fields.get("bricks", ())) if item is not None else set()
        # A server whose brick was seen empty is alive, even if the pool has not met it again yet.
        down = [
            brick.name
            for brick in volume.bricks
            if volume.started
            and brick.name in stays
            and brick.name not in volume.online
            and (brick.name in self.blank or self.pool.reachable(brick))
        ]
        fields = {
            "replicas": volume.width - volume.arbiters,
            "arbiter": volume.arbiters > 0,
            "bricks": volume.brick_names,
            "started": volume.started,
            "bricks_down": [name for name in down if name not in self.blank],
            "bricks_blank": [name for name in down if name in self.blank],
            "unbalanced": UNBALANCED in volume.options,
            "options": {name: value for name, value in volume.options.items() if name != UNBALANCED},
            "quota": volume.quota or 0,
        }
        uses = {
            server_key(self.known_as(peer))
            for peer in self.pool.peers
            for b in volume.bricks
            if b.host_uuid == peer.uuid
        }
        return Current(volume_key(volume.name), fields, {"id": volume.id}, needs=frozenset(uses))

    def same(self, path: str, wanted: Any, found: Any) -> bool:
        return path.startswith("options") and alike(wanted, found)

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        del current
        for address in self.servers:
            peer = next((peer for peer in self.pool.peers if self.known_as(peer) == address), None)
            if peer is not None and peer.state != IN_POOL:
                yield (
                    f"server {address}: the pool has it as {peer.state!r}, wanted {IN_POOL!r}; "
                    "look into /var/log/glusterfs/glusterd.log on both sides"
                )
        for item in desired:
            name = item.key.partition(" ")[2]
            volume = self.pool.volume(name)
            if item.key != volume_key(name) or not item.present:
                continue
            yield from self._unknown_servers(item)
            if volume is not None:
                yield from (f"volume {name}: {problem}" for problem in self._forbidden(volume, item.fields))

    def _unknown_servers(self, item: Desired) -> Iterator[str]:
        for brick in item.fields["bricks"]:
            address = bricks.server(brick)
            if address not in self.servers and self.pool.peer(address) is None:
                yield f"{item.key}: the server of its brick {brick} is not in the pool; name {address} in servers"

    def _forbidden(self, volume: Volume, wanted: Mapping[str, Any]) -> Iterator[str]:
        replicas, arbiter = volume.width - volume.arbiters, volume.arbiters > 0
        if volume.width != WIDTH or replicas != wanted["replicas"] or arbiter != wanted["arbiter"]:
            found = f"{replicas} copies" + (" and an arbiter" if arbiter else "")
            asked = f"{wanted['replicas']} copies" + (" and an arbiter" if wanted["arbiter"] else "")
            yield f"has {found}, wanted {asked}: that cannot change under its files; make another volume and copy them"
            return
        way = bricks.steps(volume.brick_names, wanted["bricks"])
        if way.problem:
            yield way.problem
            return
        for old, new in way.replaced:
            if old in volume.online and not self.replace_live:
                yield (
                    f"{new} is to take the place of {old}, whose server runs; "
                    "set replace_live to true if its copy is to be given up"
                )
        for brick in [old for old, _unused in way.replaced] + [name for name in self.blank if name in wanted["bricks"]]:
            if brick in volume.brick_names and brick not in volume.online:
                yield from self._lonely(volume, brick)
        down = [name for name in volume.brick_names if name not in volume.online]
        if way.added and (down or not volume.started):
            yield f"cannot grow while bricks do not run ({', '.join(down) or 'it is stopped'}); bring them back first"

    def _lonely(self, volume: Volume, brick: str) -> Iterator[str]:
        others = [name for name in volume.set_of(brick) if name != brick]
        missing = [name for name in others if name not in volume.online]
        if missing:
            yield (
                f"{brick} is to be made anew from its copies, and {', '.join(missing)} of them does not run; "
                "bring that one back first: it may hold what no other has"
            )

    def warn(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        del desired, current
        for peer in self.pool.peers:
            if not peer.connected:
                yield f"server {self.known_as(peer)} of the pool does not answer; its copies lag until it is back"
